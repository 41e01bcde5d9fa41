//! The host's side: a run that goes on, and how it ended.

use std::{
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::process::ExitStatusExt,
    },
    path::PathBuf,
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        socket::{MsgFlags, Shutdown, recv, send, shutdown},
    },
    unistd::Pid,
};
use tokio::{io::unix::AsyncFd, time::timeout};

use super::{
    REFUSED, cgroup,
    kernel::watched,
    link::{Link, bury, see_off, sweep},
    telling::printed,
    wire::{self, MAX_REPORT, Report},
};
use crate::{
    clock::Boottime,
    ended::{Ended, How, Stopped},
    heartbeat::Leash,
    output::{Listener, Output},
};

/// How long after a run's deadline its guard may be silent before it is taken for frozen.
const SILENCE: Duration = Duration::from_secs(1);

/// How long a supervisor whose sockets are closed may take to end.
const DYING: Duration = Duration::from_secs(1);

/// A run under its guard. Dropped, it is cancelled.
#[derive(Debug)]
pub struct Guarded {
    link: Arc<Link>,
    reins: Reins,
    socket: AsyncFd<Arc<OwnedFd>>,
    /// The program and its guard, when it was started.
    pids: Option<(Pid, Pid)>,
    /// What came instead of "started".
    verdict: Option<Report>,
    /// Where its cgroup is, or would be.
    cgroup: Option<PathBuf>,
    listener: Option<Arc<dyn Listener>>,
}

impl Guarded {
    /// Waits for the first word about a run.
    pub(super) async fn begin(
        link: Arc<Link>,
        reins: Reins,
        cgroup: Option<PathBuf>,
    ) -> io::Result<Self> {
        let socket = watched(Arc::clone(&reins.socket))?;
        let mut run = Self {
            link,
            reins,
            socket,
            pids: None,
            verdict: None,
            cgroup,
            listener: None,
        };
        match run.receive().await {
            Report::Started { main, guard } => run.pids = Some((main, guard)),
            other => run.verdict = Some(other),
        }
        Ok(run)
    }

    /// What others need to hold the run: a heartbeat, a person who cancels.
    #[must_use]
    pub fn reins(&self) -> Reins {
        self.reins.clone()
    }

    /// The program's pid, which is its session's id too; `None` if it was not started.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.pids.map(|(main, _)| main.as_raw().unsigned_abs())
    }

    /// The same, with somebody who hears what it prints, where its order says so; what was left out on the way, and the
    /// last of it, comes with its end only.
    #[must_use]
    pub fn heard_by(mut self, listener: Arc<dyn Listener>) -> Self {
        self.listener = Some(listener);
        self
    }

    /// Waits until the run is over and no process of it is left. Dropped before, it cancels the run.
    pub async fn ended(mut self) -> Ended {
        let mut silent = false;
        let verdict = match self.verdict.take() {
            Some(verdict) => verdict,
            None => self.last_word(&mut silent).await,
        };
        if let Report::Ended { .. } | Report::NotStarted { .. } = verdict
            && let Some((_, guard)) = self.pids
            && self.link.is_dead()
        {
            // Not killed if it stays: the supervisor may have handed it another run before it died.
            see_off(guard).await;
        }
        match verdict {
            Report::Ended {
                status,
                stopped,
                output,
            } => Ended {
                how: how(status),
                stopped,
                output,
            },
            Report::NotStarted { why, stopped } => without_output(How::NotStarted(why), stopped),
            Report::Started { .. } | Report::Lost | Report::Closed => {
                let how = match verdict {
                    Report::Closed => self.abandoned().await,
                    _ => How::GuardLost,
                };
                if let Some(cgroup) = &self.cgroup {
                    // The guard would have removed it. What is not dead yet is swept at the next start.
                    cgroup::clear(cgroup);
                }
                without_output(how, silent.then_some(Stopped::Deadline))
            }
        }
    }

    /// Waits for the verdict. A guard that is still silent after its deadline is frozen, and so is a supervisor that
    /// does not say then that the guard was killed: each is killed, and whoever is above acts.
    async fn last_word(&self, silent: &mut bool) -> Report {
        let mut patience = SILENCE;
        loop {
            let until = self.reins.deadline() + patience;
            let limit = until.saturating_since(Boottime::now());
            if let Ok(report) = timeout(limit, self.receive()).await {
                return report;
            }
            // Extended meanwhile, or this machine slept.
            if Boottime::now() < self.reins.deadline() + patience {
                continue;
            }
            match self.pids {
                Some((_, guard)) if !*silent => {
                    // Still its pid: a dead guard's socket is closed only after it was waited for, just now.
                    let _ = kill(guard, Signal::SIGKILL);
                }
                _ => self.link.kill(),
            }
            *silent = true;
            patience += SILENCE;
        }
    }

    /// The next report; [`Report::Closed`] when there will be none.
    async fn receive(&self) -> Report {
        let mut datagram = vec![0; MAX_REPORT];
        loop {
            let Ok(mut ready) = self.socket.readable().await else {
                // The runtime is shutting down, and with it this process.
                return Report::Closed;
            };
            let received = ready.try_io(|socket| {
                let socket = socket.as_raw_fd();
                Ok(recv(socket, &mut datagram, MsgFlags::MSG_DONTWAIT)?)
            });
            match received {
                Ok(Ok(length)) if length > 0 => {
                    if let Some((position, bytes)) = printed(&datagram[..length]) {
                        if let Some(listener) = &self.listener {
                            listener.hear(position, bytes);
                        }
                    } else if let Some(report) = Report::decode(&datagram[..length]) {
                        return report;
                    }
                }
                // The guard ended without having read our last extension; what it said before is still there.
                Ok(Err(error)) if error.raw_os_error() == Some(Errno::ECONNRESET as i32) => {}
                Ok(_) => return Report::Closed,
                Err(_would_block) => {}
            }
        }
    }

    /// What became of a run whose socket was closed without a verdict: guard and supervisor are both dead, or the
    /// order was never taken. Returns when nothing of it is left.
    async fn abandoned(&self) -> How {
        match self.link.ended_within(DYING).await {
            None if self.pids.is_none() => {
                How::NotStarted("the supervisor did not take the order".to_owned())
            }
            Some(status) if status.code() == Some(REFUSED.into()) => {
                How::NotStarted("the supervisor could not start, see its message".to_owned())
            }
            // Alive, so it has done what was to do, and only its message was lost.
            None => How::GuardLost,
            Some(_) => {
                if let Some((_, guard)) = self.pids {
                    // Only when it is gone are all its children ours.
                    bury(guard).await;
                }
                sweep().await;
                How::GuardLost
            }
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // Nobody would hear how it ended; after the end this does nothing.
        self.reins.cancel();
    }
}

fn how(status: ExitStatus) -> How {
    match (status.code(), status.signal()) {
        (Some(code), _) => How::Exited(code),
        (None, Some(signal)) => How::Signaled(signal),
        // Stopped or continued: never asked for.
        (None, None) => How::GuardLost,
    }
}

fn without_output(how: How, stopped: Option<Stopped>) -> Ended {
    Ended {
        how,
        stopped,
        output: Output::default(),
    }
}

/// What a host does to a run while it goes on. Neither ever waits.
#[derive(Debug, Clone)]
pub struct Reins {
    socket: Arc<OwnedFd>,
    /// The latest deadline given, in nanoseconds since the boot.
    deadline: Arc<AtomicU64>,
}

impl Reins {
    pub(super) fn new(socket: OwnedFd, deadline: Boottime) -> Self {
        let deadline = Arc::new(AtomicU64::new(wire::nanoseconds(deadline.since_boot())));
        Self {
            socket: Arc::new(socket),
            deadline,
        }
    }

    fn deadline(&self) -> Boottime {
        Boottime::at(Duration::from_nanos(self.deadline.load(Ordering::Relaxed)))
    }
}

impl Leash for Reins {
    /// Says that the host's claim is proven until `deadline`. An earlier one than before changes nothing.
    ///
    /// When the guard has left ten such messages unread (it is frozen), this one is dropped, and the guard acts on
    /// the deadline it knows of: that errs to the safe side.
    fn extend(&self, deadline: Boottime) {
        let nanoseconds = wire::nanoseconds(deadline.since_boot());
        self.deadline.fetch_max(nanoseconds, Ordering::Relaxed);
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        // Full (see above), or the run is over.
        let _ = send(self.socket.as_raw_fd(), &wire::extension(deadline), flags);
    }

    /// Stops the run: SIGTERM, grace, SIGKILL. After it the deadline is extended no more.
    ///
    /// It closes our direction of the socket, which needs no room in a buffer and so cannot be lost.
    fn cancel(&self) {
        // It fails when the run is over.
        let _ = shutdown(self.socket.as_raw_fd(), Shutdown::Write);
    }
}
