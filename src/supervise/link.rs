//! The supervisor as the host sees it: a process and a socket to it.

use std::{
    io,
    os::{
        fd::{AsRawFd, BorrowedFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use nix::{
    sys::{
        prctl::set_child_subreaper,
        signal::{Signal, kill},
        socket::{Shutdown, shutdown},
    },
    unistd::Pid,
};
use tokio::{io::unix::AsyncFd, time::sleep};

use super::{
    brand,
    guard::NAME,
    kernel::{Reaped, reap, watched},
    remains::INSTANCE,
    tree::{brand_of, children, descendants, name_and_parent},
    wire,
};
use crate::{clock::Boottime, instance::Instance};

/// How often to look whether a process that is about to end has ended.
const TICK: Duration = Duration::from_millis(1);

/// How often at most, when it takes longer.
const LONGEST_TICK: Duration = Duration::from_millis(50);

/// A supervisor's process and our socket to it.
#[derive(Debug)]
pub(super) struct Link {
    socket: AsyncFd<Arc<OwnedFd>>,
    process: Mutex<Child>,
}

impl Link {
    /// Starts a supervisor.
    pub(super) fn new(program: &Path) -> io::Result<Self> {
        set_child_subreaper(true)?;
        let (ours, theirs) = wire::pair()?;
        let process = Command::new(program)
            .arg0("crontabber")
            .arg("supervise")
            // It needs none, and ours may hold secrets.
            .env_clear()
            // Whose it is, and its guards are: see `remains`.
            .env(INSTANCE, Instance::own().to_string())
            .stdin(theirs)
            .stdout(Stdio::null())
            // A terminal's Ctrl-C is for the host alone, from the first moment.
            .process_group(0)
            .spawn()?;
        Ok(Self {
            socket: watched(Arc::new(ours))?,
            process: Mutex::new(process),
        })
    }

    /// Sends an order: its file descriptors are all there is to say.
    pub(super) async fn send(&self, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        loop {
            let mut ready = self.socket.writable().await?;
            let sent =
                ready.try_io(|socket| Ok(wire::send_descriptors(socket.get_ref(), descriptors)?));
            if let Ok(result) = sent {
                return result;
            }
        }
    }

    /// Tells the supervisor that no more orders come.
    pub(super) fn dismiss(&self) {
        // It fails when the supervisor is gone already.
        let _ = shutdown(self.socket.as_raw_fd(), Shutdown::Write);
    }

    /// Kills the supervisor.
    pub(super) fn kill(&self) {
        // Not an error when it has ended; its pid is ours until we ask.
        let _ = self.process().kill();
    }

    /// Whether it has ended.
    pub(super) fn is_dead(&self) -> bool {
        self.ended().is_some()
    }

    /// How it ended, if it does so within `limit`.
    pub(super) async fn ended_within(&self, limit: Duration) -> Option<ExitStatus> {
        let until = Boottime::now() + limit;
        let mut tick = TICK;
        loop {
            let ended = self.ended();
            if ended.is_some() || Boottime::now() >= until {
                return ended;
            }
            tick = pause(tick).await;
        }
    }

    fn ended(&self) -> Option<ExitStatus> {
        // The one error, "no such child", means that somebody else has taken its status: it is dead.
        self.process()
            .try_wait()
            .unwrap_or(Some(ExitStatus::default()))
    }

    fn process(&self) -> MutexGuard<'_, Child> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the status of a guard whose supervisor is dead: then it is this process's child. Whether it has ended, by now or
/// in a moment.
pub(super) async fn see_off(guard: Pid) -> bool {
    let mut tick = TICK;
    while tick < LONGEST_TICK {
        if !matches!(reap(Some(guard)), Reaped::Alive) {
            return true;
        }
        tick = pause(tick).await;
    }
    false
}

/// The same of a guard that can say no more; it is killed when it is not gone by then.
pub(super) async fn bury(guard: Pid) {
    while !see_off(guard).await {
        let _ = kill(guard, Signal::SIGKILL);
    }
}

/// The same of the guards that a dead supervisor has left free, for which no run waits. Those that have one stay.
pub(super) async fn see_off_guards() {
    let is_guard = |pid: &Pid| {
        let found = name_and_parent(pid.as_raw());
        found.is_some_and(|(name, _)| name.as_bytes() == NAME.to_bytes())
    };
    // What cannot be read now is a zombie until this process ends.
    let children = children(Pid::this()).unwrap_or_default();
    join_all(children.into_iter().filter(is_guard).map(see_off)).await;
}

/// Kills what this process has adopted from killed guards, and returns when there is nothing any more.
///
/// It is known by its brand; the host's other children are left alone.
pub(super) async fn sweep() {
    let mut tick = TICK;
    // Twice, because a list of children may miss one when its siblings end.
    let mut clean = 0;
    while clean < 2 {
        clean = match kill_adopted() {
            Ok(0) => clean + 1,
            // Not known to be clean, so not clean.
            Ok(_) | Err(_) => 0,
        };
        tick = pause(tick).await;
    }
}

/// Kills what bears our brand, once; how many there were.
fn kill_adopted() -> io::Result<usize> {
    let ours = Some(brand());
    let adopted = descendants(Pid::this(), |pid| {
        !brand_of(pid).is_ok_and(|brand| brand == ours)
    })?;
    for &pid in &adopted {
        // It may have ended, and it may not be our own child yet; the next look tells.
        let _ = kill(pid, Signal::SIGKILL);
        let _ = reap(Some(pid));
    }
    Ok(adopted.len())
}

/// Sleeps that long; how long to sleep the next time.
async fn pause(tick: Duration) -> Duration {
    sleep(tick).await;
    (tick * 2).min(LONGEST_TICK)
}
