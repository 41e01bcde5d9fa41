//! The guard: a process for one run at a time, which it starts, watches, and outlives.

use std::{
    ffi::CStr,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::process::ExitStatusExt,
    },
    process::{ExitCode, ExitStatus},
    time::Duration,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        prctl::{set_child_subreaper, set_name},
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
        socket::{MsgFlags, recv},
        timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
    },
    unistd::{Pid, read},
};

use super::{
    cell::Cell,
    guards::{Orders, next_orders},
    kernel::{Reaped, reap},
    spawn::{Starting, Trouble, spawn},
    telling::Telling,
    tree::{send, signal_below},
    wire,
};
use crate::{clock::Boottime, ended::Stopped, output::Capture};

/// What a guard is called in a list of processes.
pub(super) const NAME: &CStr = c"ct-guard";

/// How long before the deadline the last SIGKILL begins, so that all is over *by* the deadline.
pub(super) const LEAD: Duration = Duration::from_millis(100);

/// Why nothing is started any more.
const TOO_LATE: &str = "the deadline has come before the start";

/// Why something is not started after all.
const HANGS: &str = "it has not started by its first deadline: its directory or its file hangs";

/// How long a run whose program has ended may still print before the rest of it is stopped.
const LINGER: Duration = Duration::from_millis(500);

/// How long that rest may tidy up after SIGTERM, if the grace is not shorter.
const REST_GRACE: Duration = Duration::from_secs(1);

/// How soon to look again for processes that no SIGKILL has reached yet, while they go on dying.
pub(super) const PASS: Duration = Duration::from_millis(2);

/// And how soon when they do not: some cannot be killed before a disk answers, or by us at all (`sudo`).
pub(super) const LONGEST_PASS: Duration = Duration::from_millis(100);

/// Is a guard until its run is over, and as long as there is another for it. In the end no process of a run is left,
/// however long that takes.
pub(super) fn main(orders: Orders, door: &OwnedFd) -> ExitCode {
    // For people who look at a list of processes, and for `sweep`.
    let _ = set_name(NAME);
    let mut orders = Some(orders);
    while let Some(now) = orders.take() {
        if guard(now) == Condition::AsNew {
            orders = next_orders(door);
        }
    }
    ExitCode::SUCCESS
}

/// In which condition a run leaves its guard.
#[derive(Debug, PartialEq)]
enum Condition {
    /// It may guard another.
    AsNew,
    Worn,
}

/// Guards one run to its end.
fn guard(orders: Orders) -> Condition {
    let Orders { host, order, stdin } = orders;
    match begin(&host, order, stdin) {
        Ok(mut guard) => {
            let status = guard.watch();
            // Removed before the end is reported: nothing of the run is left then.
            drop(guard.cell.take());
            // A host that is gone does not hear how it went.
            let told = match &guard.start {
                Begun::Never(why) => wire::send_not_started(&host, why, guard.stopped),
                _ => wire::send_ended(&host, status, guard.stopped, &guard.capture),
            };
            if told.is_ok() {
                guard.condition()
            } else {
                Condition::Worn
            }
        }
        Err((why, stopped)) => {
            let _ = wire::send_not_started(&host, &why, stopped);
            Condition::Worn
        }
    }
}

/// Starts what becomes the program and tells the host; an error says why there is nothing.
fn begin(
    host: &OwnedFd,
    order: OwnedFd,
    stdin: Option<OwnedFd>,
) -> Result<Guard<'_>, (String, Option<Stopped>)> {
    let internal = |errno: Errno| (format!("the guard cannot work: {}", errno.desc()), None);
    set_child_subreaper(true).map_err(internal)?;
    let timer = TimerFd::new(ClockId::CLOCK_BOOTTIME, TimerFlags::TFD_CLOEXEC).map_err(internal)?;
    let children = children_signal().map_err(internal)?;
    let order = wire::from_memory(order)
        .map_err(|error| (format!("cannot read the order: {error}"), None))?;
    let words = wire::decode(&order).ok_or(("the order makes no sense".to_owned(), None))?;

    let started_at = Boottime::now();
    let mut terms = Terms {
        deadline: words.deadline,
        grace: words.grace,
        timeout: started_at + words.timeout,
        start: words.deadline,
    };
    terms.start = terms.stop();
    if started_at >= terms.stop() {
        return Err((TOO_LATE.to_owned(), Some(Stopped::Deadline)));
    }
    if host_is_gone(host) {
        return Err(("the host is gone".to_owned(), Some(Stopped::HostGone)));
    }
    let cell = Cell::of(&words).map_err(|why| (why, None))?;
    let spawned = spawn(&words, stdin.as_ref(), cell.as_ref());
    // It may be large, and this process lives as long as the run at least.
    drop(stdin);
    let Starting {
        main,
        output,
        trouble,
    } = spawned.map_err(|why| (why, None))?;
    // A host that is gone does not hear it, and the next poll sees that it is gone.
    let _ = wire::send_started(host, main, Pid::this());
    Ok(Guard {
        host: Some(host),
        start: Begun::Starting(trouble),
        output: Some(output),
        capture: Capture::default(),
        telling: words.stream.then(|| Telling::new(started_at)),
        children,
        timer,
        terms,
        main,
        cell,
        status: None,
        stopped: None,
        phase: Phase::Running,
    })
}

/// A descriptor that is readable when a child has ended.
pub(super) fn children_signal() -> nix::Result<SignalFd> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGCHLD);
    SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

fn host_is_gone(host: &OwnedFd) -> bool {
    let mut look = [PollFd::new(host.as_fd(), PollFlags::empty())];
    // Asking once, without waiting; what cannot be asked is answered by the loop.
    let _ = poll(&mut look, PollTimeout::ZERO);
    look[0].revents().is_some_and(is_hung_up)
}

fn is_hung_up(events: PollFlags) -> bool {
    events.intersects(PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL)
}

/// By when the run must be over.
struct Terms {
    /// The host's claim is proven until here; only grows.
    deadline: Boottime,
    grace: Duration,
    /// The run has had its time.
    timeout: Boottime,
    /// What has not become the program by then never does, even if the deadline is later meanwhile: another host may be
    /// luckier.
    start: Boottime,
}

impl Terms {
    /// When the last SIGKILL begins, whatever else is going on.
    fn kill(&self) -> Boottime {
        self.deadline - LEAD
    }

    /// When a run whose deadline is not extended gets its SIGTERM.
    fn stop(&self) -> Boottime {
        self.kill() - self.grace
    }
}

/// How far a run has come. It goes down this list, and never up.
enum Phase {
    /// The program runs.
    Running,
    /// The program has ended; what it left may print until then.
    Lingering { until: Boottime },
    /// All have got SIGTERM and may tidy up until then.
    Stopping { until: Boottime },
    /// SIGKILL for all, again at `again`, until there is none.
    Killing { again: Boottime, pause: Duration },
}

/// Whether there is a program.
enum Begun {
    /// Its child was on the way to it when it was heard last, and may hang there.
    Starting(Trouble),
    Runs,
    /// It could not become the program, for this reason.
    Never(String),
}

/// A run and what is known of it.
struct Guard<'a> {
    /// `None` when there is nothing more to hear: it is gone, or it has cancelled.
    host: Option<&'a OwnedFd>,
    start: Begun,
    /// `None` when nobody can write any more.
    output: Option<OwnedFd>,
    capture: Capture,
    /// `None` when the host hears it at the end.
    telling: Option<Telling>,
    children: SignalFd,
    timer: TimerFd,
    terms: Terms,
    main: Pid,
    /// Its cgroup, where it has one.
    cell: Option<Cell>,
    /// How the program ended, once it has.
    status: Option<ExitStatus>,
    /// Why it was stopped, if it was.
    stopped: Option<Stopped>,
    phase: Phase,
}

impl Guard<'_> {
    /// After the end was told. As new only if the program has ended by itself and has left nobody behind; and before the
    /// deadline, for after it a host that has not heard of the end kills the guard, by its pid.
    fn condition(&self) -> Condition {
        let is_by_itself = self.stopped.is_none()
            && matches!(self.start, Begun::Runs)
            && matches!(self.phase, Phase::Lingering { .. });
        if is_by_itself && Boottime::now() < self.terms.kill() {
            Condition::AsNew
        } else {
            Condition::Worn
        }
    }

    /// Watches the run until no process of it is left; how its program ended.
    fn watch(&mut self) -> ExitStatus {
        loop {
            self.wait();
            if self.host.is_some() {
                self.listen();
            }
            self.hear_trouble();
            self.read_output();
            if let (Some(host), Some(telling)) = (self.host, &mut self.telling) {
                telling.tell(host, &self.capture, Boottime::now());
            }
            if self.reap_children() == Left::Nobody
                && let Some(status) = self.status
            {
                self.note_memory(status);
                if self.cell.as_mut().is_none_or(Cell::remove_if_empty) {
                    self.hear_trouble();
                    self.read_the_rest();
                    return status;
                }
                // Not below us, and yet the run's: somebody has put it there.
                self.kill_soon();
            }
            self.act(Boottime::now());
        }
    }

    /// Waits until something happens or the next step is due. That the program runs is nothing to wake up for: it is asked
    /// when something else happens, and it matters at the first deadline.
    fn wait(&mut self) {
        // Never zero, which would mean "no alarm".
        let next = self.next_step().max(Boottime::at(Duration::from_nanos(1)));
        let alarm = Expiration::OneShot(next.since_boot().into());
        self.timer
            .set(alarm, TimerSetTimeFlags::TFD_TIMER_ABSTIME)
            .expect("a valid timer takes every instant");
        let mut sources = Vec::with_capacity(4);
        sources.push(PollFd::new(self.timer.as_fd(), PollFlags::POLLIN));
        sources.push(PollFd::new(self.children.as_fd(), PollFlags::POLLIN));
        if let Some(output) = &self.output {
            sources.push(PollFd::new(output.as_fd(), PollFlags::POLLIN));
        }
        if let Some(host) = self.host {
            sources.push(PollFd::new(host.as_fd(), PollFlags::POLLIN));
        }
        // Its only error here is a lack of kernel memory: then the loop is a slow poll of everything.
        let _ = poll(&mut sources, PollTimeout::NONE);
    }

    fn is_starting(&self) -> bool {
        matches!(self.start, Begun::Starting(_))
    }

    /// Hears whether the program runs.
    fn hear_trouble(&mut self) {
        let Begun::Starting(trouble) = &mut self.start else {
            return;
        };
        match trouble.hear() {
            None => {}
            Some(Err(why)) => self.start = Begun::Never(why),
            // Or it was killed on the way: then that is its end.
            Some(Ok(())) => self.start = Begun::Runs,
        }
    }

    /// Notes that it was the kernel that killed the program, for want of memory.
    fn note_memory(&mut self, status: ExitStatus) {
        let is_killed = status.signal() == Some(libc::SIGKILL) && self.stopped.is_none();
        if is_killed && self.cell.as_ref().is_some_and(Cell::is_out_of_memory) {
            self.stopped = Some(Stopped::OutOfMemory);
        }
    }

    /// From now on there is nothing left but to kill.
    fn kill_soon(&mut self) {
        if !matches!(self.phase, Phase::Killing { .. }) {
            self.phase = Phase::Killing {
                again: Boottime::now(),
                pause: PASS,
            };
        }
    }

    fn next_step(&self) -> Boottime {
        let step = match self.phase {
            Phase::Running if self.is_starting() => self.terms.start.min(self.terms.timeout),
            Phase::Running => self.terms.stop().min(self.terms.timeout),
            Phase::Lingering { until } | Phase::Stopping { until } => until.min(self.terms.kill()),
            Phase::Killing { again, .. } => again,
        };
        let again = self.telling.as_ref().filter(|_| self.host.is_some());
        match again.and_then(|telling| telling.again(&self.capture)) {
            Some(again) => step.min(again),
            None => step,
        }
    }

    /// Hears the host out: a later deadline, a cancellation, or that it is gone.
    fn listen(&mut self) {
        while let Some(host) = self.host {
            let mut datagram = [0; 16];
            let length = match recv(host.as_raw_fd(), &mut datagram, MsgFlags::MSG_DONTWAIT) {
                Err(Errno::EAGAIN) => return,
                Ok(length) if length > 0 => length,
                // It has shut its side only (cancelled), or all of it.
                _ => {
                    let gone = host_is_gone(host);
                    self.host = None;
                    self.stop(if gone {
                        Stopped::HostGone
                    } else {
                        Stopped::Cancelled
                    });
                    return;
                }
            };
            if let Some(deadline) = wire::extended(&datagram[..length]) {
                self.terms.deadline = self.terms.deadline.max(deadline);
            }
        }
    }

    /// Reads what there is, once: a flood of output must not keep the deadline waiting.
    fn read_output(&mut self) {
        let Some(output) = &self.output else {
            return;
        };
        match read(output, self.capture.space()) {
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Ok(length) if length > 0 => self.capture.advance(length),
            _ => self.output = None,
        }
    }

    /// Reads what is still in the pipe. Bounded, for a writer may live outside the tree: a pipe holds at most 1 MiB
    /// unless root has made it larger.
    fn read_the_rest(&mut self) {
        let enough = self.capture.total() + (1 << 20);
        let mut before = None;
        while before != Some(self.capture.total()) && self.capture.total() < enough {
            before = Some(self.capture.total());
            self.read_output();
        }
    }

    /// Takes the children that have ended: the program, and what it left to us.
    fn reap_children(&mut self) -> Left {
        // Only to make it unreadable again; waitpid is the one that knows.
        let _ = self.children.read_signal();
        loop {
            match reap(None) {
                Reaped::Ended(pid, status) => self.note_end(pid, status),
                Reaped::Alive => return Left::Somebody,
                Reaped::None => return Left::Nobody,
            }
        }
    }

    fn note_end(&mut self, pid: Pid, status: ExitStatus) {
        if pid == self.main {
            self.status = Some(status);
        }
        let now = Boottime::now();
        match self.phase {
            Phase::Running if pid == self.main => {
                self.phase = Phase::Lingering {
                    until: now + LINGER,
                };
            }
            // Whatever ends gives us its children.
            Phase::Killing { .. } => {
                self.phase = Phase::Killing {
                    again: now,
                    pause: PASS,
                }
            }
            _ => {}
        }
    }

    /// Takes the step that is due, if one is.
    fn act(&mut self, now: Boottime) {
        let too_late = now >= self.terms.kill();
        match self.phase {
            Phase::Running if now >= self.terms.stop() => self.stop(Stopped::Deadline),
            Phase::Running if now >= self.terms.timeout => self.stop(Stopped::Timeout),
            Phase::Running if self.is_starting() && now >= self.terms.start => {
                self.start = Begun::Never(HANGS.to_owned());
                self.terminate(self.terms.grace);
            }
            Phase::Lingering { until } if now >= until || too_late || self.output.is_none() => {
                self.terminate(REST_GRACE.min(self.terms.grace));
            }
            Phase::Stopping { until } if now >= until || too_late => self.kill_soon(),
            _ => {}
        }
        if let Phase::Killing { again, pause } = self.phase
            && now >= again
        {
            if let Some(cell) = &self.cell {
                cell.kill();
            }
            signal_below(&[], &[Signal::SIGKILL]);
            self.phase = Phase::Killing {
                again: now + pause,
                pause: (pause * 2).min(LONGEST_PASS),
            };
        }
    }

    /// Stops a program that is running; for one that is not, it is too late to have a reason.
    fn stop(&mut self, reason: Stopped) {
        if matches!(self.phase, Phase::Running) {
            self.stopped = Some(reason);
            self.terminate(self.terms.grace);
        }
    }

    fn terminate(&mut self, grace: Duration) {
        // A stopped process does not act on SIGTERM until it is continued.
        let signals = [Signal::SIGTERM, Signal::SIGCONT];
        // Where `/proc` hides the processes of others, only the cgroup knows those further down.
        let hidden = self.cell.as_ref().map_or_else(Vec::new, Cell::out_of_sight);
        signal_below(&[], &signals);
        send(&hidden, &signals);
        self.phase = Phase::Stopping {
            until: Boottime::now() + grace,
        };
    }
}

/// Whether the run has processes.
#[derive(PartialEq)]
enum Left {
    Somebody,
    Nobody,
}
