//! The supervisor: a small process that turns orders into guards, and kills what a guard leaves.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    process::ExitCode,
    time::Duration,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        prctl::{set_child_subreaper, set_name},
        signal::{SigSet, Signal},
        signalfd::SignalFd,
        socket::{
            AddressFamily, SockType, SockaddrLike, SockaddrStorage, getsockname, getsockopt,
            sockopt,
        },
    },
    unistd::{Pid, chdir, close, dup2_stdin},
};

use super::{
    guard::{self, LONGEST_PASS, PASS, children_signal},
    guards::{Guards, Orders},
    kernel::{Forked, Reaped, Received, default_signals, fork, keep_to_itself, reap, receive},
    tree::signal_below,
    wire,
};
use crate::rights::{CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SYS_NICE};

/// Is the supervisor until the host is gone and every run is over.
pub(super) fn main() -> ExitCode {
    match Supervisor::new() {
        Ok(supervisor) => supervisor.serve(),
        Err(error) => {
            eprintln!("crontabber supervise: {error}");
            ExitCode::from(super::REFUSED)
        }
    }
}

/// The supervisor and what it knows of its runs.
struct Supervisor {
    /// Where orders come from; `None` when the host is gone.
    host: Option<OwnedFd>,
    guards: Guards,
    /// The sockets of runs whose guard was killed, until what it left is dead.
    lost: Vec<OwnedFd>,
    /// How soon to look again for what it left.
    pause: Duration,
    children: SignalFd,
}

impl Supervisor {
    /// Makes this process a supervisor; an error says why it cannot be one.
    fn new() -> io::Result<Self> {
        close_inherited()?;
        let host = io::stdin().as_fd().try_clone_to_owned()?;
        if !is_our_socket(&host) {
            let why = "this is started by crontabber itself, for the runs of its jobs";
            return Err(io::Error::new(ErrorKind::InvalidInput, why));
        }
        // Without these lists nobody's children could be found, and nothing promised.
        let this = Pid::this();
        fs::metadata(format!("/proc/{this}/task/{this}/children")).map_err(|_| {
            let why = "no /proc/PID/task/TID/children here (CONFIG_PROC_CHILDREN)";
            io::Error::new(ErrorKind::Unsupported, why)
        })?;
        dup2_stdin(File::open("/dev/null")?)?;
        chdir("/")?;
        set_child_subreaper(true)?;
        // A host that is no root may hold some of root's rights, for jobs of other users. They are for nobody's job.
        for capability in [CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_SYS_NICE] {
            keep_to_itself(capability);
        }
        // For people who look at a list of processes; nothing depends on it.
        let _ = set_name(c"ct-supervisor");
        // The host decides, so signals meant for a terminal's programs or for a whole unit pass by. Blocked, not
        // ignored: a program would inherit that.
        SigSet::all().thread_set_mask()?;
        // What a host ignores (Rust SIGPIPE, `nohup` SIGHUP) a program would inherit, too. Once for all of them.
        default_signals();
        let children = children_signal()?;
        Ok(Self {
            host: Some(host),
            guards: Guards::new()?,
            lost: Vec::new(),
            pause: PASS,
            children,
        })
    }

    fn serve(mut self) -> ExitCode {
        while self.host.is_some() || !self.guards.is_empty() || !self.lost.is_empty() {
            self.wait();
            self.guards.hear();
            // One a round: a flood of orders must keep nothing else waiting.
            let orders = self.next_orders();
            if let Some(orders) = orders.and_then(|orders| self.guards.hand(orders)) {
                match fork() {
                    Ok(Forked::Child) => return self.into_guard(orders),
                    Ok(Forked::Parent(pid)) => self.guards.add(pid, orders.host),
                    Err(errno) => refuse(&orders.host, "cannot fork", errno),
                }
            }
            self.reap_children();
            self.sweep();
            self.guards.retire(self.host.is_none());
        }
        ExitCode::SUCCESS
    }

    /// In the child of a fork: is a guard.
    fn into_guard(self, orders: Orders) -> ExitCode {
        // Above all the sockets of other runs and the host's: each must be closed when its owner is gone.
        let Self {
            host,
            guards,
            lost,
            pause: _,
            children,
        } = self;
        drop((host, lost, children));
        guard::main(orders, &guards.into_door())
    }

    fn wait(&self) {
        // In one piece: one that grows is another one for glibc each time, until its heap is full of such pieces, and each
        // guard clears them up in a copy of its own.
        let mut sources = Vec::with_capacity(3);
        sources.push(PollFd::new(self.children.as_fd(), PollFlags::POLLIN));
        sources.push(PollFd::new(self.guards.inbox(), PollFlags::POLLIN));
        if let Some(host) = &self.host {
            sources.push(PollFd::new(host.as_fd(), PollFlags::POLLIN));
        }
        let sweep = (!self.lost.is_empty()).then_some(self.pause);
        let steps = [sweep, self.guards.next_to_retire()];
        let limit = match steps.into_iter().flatten().min() {
            // It counts whole milliseconds: one more, not to come too early again and again.
            Some(next) => PollTimeout::try_from(next + Duration::from_millis(1)),
            None => Ok(PollTimeout::NONE),
        };
        let limit = limit.unwrap_or(PollTimeout::ZERO);
        // Its only error here is a lack of kernel memory: then the loop is a slow poll of everything.
        let _ = poll(&mut sources, limit);
    }

    /// The next order, if one is there; notes when the host is gone.
    fn next_orders(&mut self) -> Option<Orders> {
        loop {
            let host = self.host.as_ref()?;
            let descriptors = match receive(host.as_fd()) {
                Ok(Received::Descriptors(descriptors)) => descriptors,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Ok(Received::Closed) | Err(_) => {
                    self.host = None;
                    return None;
                }
            };
            match Orders::of(descriptors) {
                Ok(orders) => return Some(orders),
                // This process may not open as many files as there are runs.
                Err(Some(host)) => refuse(&host, "cannot take the order", Errno::EMFILE),
                // Then the run's socket is closed now, and the host understands that too.
                Err(None) => {}
            }
        }
    }

    /// Takes the children that have ended: guards, and what killed guards had left.
    fn reap_children(&mut self) {
        // Only to make it unreadable again; waitpid is the one that knows.
        let _ = self.children.read_signal();
        while let Reaped::Ended(pid, status) = reap(None) {
            self.pause = PASS;
            // A guard ends well only when nothing of its run is left.
            if let Some(socket) = self.guards.remove(pid)
                && !status.success()
            {
                self.lost.push(socket);
            }
        }
    }

    /// Kills what killed guards have left, and says so when there is nothing any more.
    fn sweep(&mut self) {
        if self.lost.is_empty() {
            return;
        }
        if signal_below(&self.guards.pids(), &[Signal::SIGKILL]) {
            self.pause = (self.pause * 2).min(LONGEST_PASS);
            return;
        }
        for socket in self.lost.drain(..) {
            // A host that is gone does not hear it.
            let _ = wire::send_lost(&socket);
        }
    }
}

fn refuse(run: &OwnedFd, what: &str, errno: Errno) {
    let why = format!("the supervisor {what}: {}", errno.desc());
    // A host that is gone does not hear it.
    let _ = wire::send_not_started(run, &why, None);
}

/// Whether this can be the socket on which a host gives orders.
fn is_our_socket(descriptor: &OwnedFd) -> bool {
    let kind = getsockopt(descriptor, sockopt::SockType);
    let family = getsockname::<SockaddrStorage>(descriptor.as_raw_fd());
    kind == Ok(SockType::SeqPacket)
        && family.is_ok_and(|address| address.family() == Some(AddressFamily::Unix))
}

/// Closes what this process has from its ancestors by their mistake: jobs must not have it too.
fn close_inherited() -> io::Result<()> {
    let open: Vec<i32> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&descriptor| descriptor > libc::STDERR_FILENO)
        .collect();
    for descriptor in open {
        // One of them was the directory's, and is closed already.
        let _ = close(descriptor);
    }
    Ok(())
}
