//! The guards of a supervisor: those that have a run, and those that are free for another.
//!
//! A guard whose run has ended as it should is as good as a new one, and spares what a new one costs: a fork, the faults of
//! its pages, its end. So it is kept for a moment, and the next run is handed to it.

use std::{
    collections::BTreeMap,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{getsockopt, sockopt},
    unistd::Pid,
};

use super::{
    kernel::{Received, receive},
    wire,
};
use crate::clock::Boottime;

/// How long a guard is kept that is free.
const KEPT: Duration = Duration::from_secs(1);

/// What the supervisor hands to a guard.
pub(super) struct Orders {
    /// The run's socket to the host.
    pub(super) host: OwnedFd,
    /// The order.
    pub(super) order: OwnedFd,
    /// The program's stdin, if it is not `/dev/null`.
    pub(super) stdin: Option<OwnedFd>,
}

impl Orders {
    /// As they were sent; the run's socket alone, if that is all that came.
    pub(super) fn of(descriptors: Vec<OwnedFd>) -> Result<Self, Option<OwnedFd>> {
        let mut descriptors = descriptors.into_iter();
        match (descriptors.next(), descriptors.next(), descriptors.next()) {
            (Some(host), Some(order), stdin) => Ok(Self { host, order, stdin }),
            (host, ..) => Err(host),
        }
    }

    /// Sends them on.
    pub(super) fn send(&self, line: &OwnedFd) -> nix::Result<()> {
        let mut descriptors = vec![self.host.as_fd(), self.order.as_fd()];
        descriptors.extend(self.stdin.as_ref().map(AsFd::as_fd));
        wire::send_descriptors(line, &descriptors)
    }
}

/// All that have not ended. This process has one descriptor of each at most: no more than there were runs at once.
#[derive(Debug)]
pub(super) struct Guards {
    known: BTreeMap<Pid, State>,
    /// What they say arrives here.
    inbox: OwnedFd,
    /// Where they say it.
    door: OwnedFd,
}

#[derive(Debug)]
enum State {
    /// It has a run. This is the other end of the run's socket: as long as it is open, the host does not take the run for
    /// lost.
    Busy(OwnedFd),
    /// It waits on the other end of this line, and ends when the line is closed.
    Free { line: OwnedFd, since: Boottime },
    /// It is about to end.
    Leaving,
}

impl Guards {
    pub(super) fn new() -> nix::Result<Self> {
        let (inbox, door) = wire::pair()?;
        Ok(Self {
            known: BTreeMap::new(),
            inbox,
            door,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// In order, as [`signal_below`](super::tree::signal_below) wants them.
    pub(super) fn pids(&self) -> Vec<Pid> {
        self.known.keys().copied().collect()
    }

    /// What is readable when one of them has become free.
    pub(super) fn inbox(&self) -> BorrowedFd<'_> {
        self.inbox.as_fd()
    }

    /// In a new guard: closes what is of the others, and keeps the way to say that it is free.
    pub(super) fn into_door(self) -> OwnedFd {
        self.door
    }

    /// Hears which of them are free.
    pub(super) fn hear(&mut self) {
        while let Ok(Received::Descriptors(mut descriptors)) = receive(self.inbox.as_fd()) {
            let Some(line) = descriptors.pop() else {
                // This process cannot open it: closed on the way, and the guard ends.
                continue;
            };
            // Who has made the line, by the kernel.
            let Ok(peer) = getsockopt(&line, sockopt::PeerCredentials) else {
                continue;
            };
            if let Some(state) = self.known.get_mut(&Pid::from_raw(peer.pid())) {
                let since = Boottime::now();
                *state = State::Free { line, since };
            }
        }
    }

    /// Hands a run to one that is free; gives it back if there is none.
    pub(super) fn hand(&mut self, orders: Orders) -> Option<Orders> {
        for state in self.known.values_mut() {
            if let State::Free { line, .. } = &state {
                if orders.send(line).is_ok() {
                    *state = State::Busy(orders.host);
                    return None;
                }
                // Mostly it was killed. It ends in any case, for its line is closed.
                *state = State::Leaving;
            }
        }
        Some(orders)
    }

    /// Takes note of a new one.
    pub(super) fn add(&mut self, pid: Pid, run: OwnedFd) {
        self.known.insert(pid, State::Busy(run));
    }

    /// Forgets one that has ended; the socket of its run, if it had one.
    pub(super) fn remove(&mut self, pid: Pid) -> Option<OwnedFd> {
        match self.known.remove(&pid)? {
            State::Busy(run) => Some(run),
            State::Free { .. } | State::Leaving => None,
        }
    }

    /// Lets go of those that have been free for a while; of all that are free, if no more runs come.
    pub(super) fn retire(&mut self, no_more_come: bool) {
        let now = Boottime::now();
        for state in self.known.values_mut() {
            if let State::Free { since, .. } = state
                && (no_more_come || now >= *since + KEPT)
            {
                *state = State::Leaving;
            }
        }
    }

    /// How long until the next of them has been free for a while.
    pub(super) fn next_to_retire(&self) -> Option<Duration> {
        let now = Boottime::now();
        let ends = self.known.values().filter_map(|state| match state {
            State::Free { since, .. } => Some((*since + KEPT).saturating_since(now)),
            State::Busy(_) | State::Leaving => None,
        });
        ends.min()
    }
}

/// In a guard: says that it is free, and waits for its next run. `None`: there is none for it, or not all of it has come,
/// and then the host finds the run's socket closed.
pub(super) fn next_orders(door: &OwnedFd) -> Option<Orders> {
    let (line, theirs) = wire::pair().ok()?;
    wire::send_descriptors(door, &[theirs.as_fd()]).ok()?;
    // Else it would not be closed when the supervisor closes it.
    drop(theirs);
    // Every signal is blocked here, so nothing else ends it.
    poll(
        &mut [PollFd::new(line.as_fd(), PollFlags::POLLIN)],
        PollTimeout::NONE,
    )
    .ok()?;
    match receive(line.as_fd()) {
        Ok(Received::Descriptors(descriptors)) => Orders::of(descriptors).ok(),
        Ok(Received::Closed) | Err(_) => None,
    }
}
