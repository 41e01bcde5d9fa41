//! Runs, each under a guard that outlives it: no host that has lost its claim leaves a job running.
//!
//! ```text
//! host ──────────────▶ supervisor ──────────────▶ guard ───────────────▶ program ─▶ whatever it starts
//!  │  orders, with       (one)     fork, no exec  (for a run)  fork      (own session)
//!  │  a socket each                                 │ ▲
//!  └────────────────────────────────────────────────┘ └ later deadlines, cancel; and EOF: the host is gone
//!        started, ended, output                         its own timer on CLOCK_BOOTTIME
//! ```
//!
//! **Why a guard.** A lease alone does not stop a job: a host that is frozen, killed, or cut off from the database
//! cannot act, and its job runs on while another host starts the next one. So something else must hold the
//! deadline, and it must be the parent of everything the job starts. That is the guard. It does nothing but wait, so
//! there is little that could go wrong in it, and one host's trouble is not its trouble.
//!
//! **Why nothing escapes.** A guard is a *child subreaper*: whatever is started below it, with however many
//! `setsid` and double forks, becomes its child when the parents in between end. The run is over when the kernel says
//! that the guard has no child (`ECHILD`), not when a list looks empty. What leaves the tree does so through another
//! process's parenthood (`docker run`, `ssh`, `systemd-run`), and what becomes another user's process (`sudo`) cannot be
//! killed by an unprivileged host: then the guard stays and goes on trying. Where this host has a cgroup to divide
//! (`Delegate=yes`), each run gets one of its own besides: the kernel then kills all of it in one go, whoever's it is,
//! and however fast it forks, and says itself when it is empty.
//!
//! **As whom.** A program that is to be another user's has a guard that has the host's rights and keeps them: only the
//! child gives them up, before it becomes the program, and makes sure that it has. So a guard of root's
//! can kill what it has started, and nothing that it has started can become root again.
//!
//! **Who acts when somebody dies.** Supervisor and host are subreapers too: whoever is above adopts, and kills.
//!
//! | killed or frozen | what happens |
//! |--|--|
//! | host killed | each guard sees EOF: SIGTERM, grace, SIGKILL |
//! | host frozen | no later deadline comes: SIGTERM at the deadline minus the grace, SIGKILL at the deadline |
//! | guard killed | the supervisor adopts its tree, kills it, and tells the host: the run is lost |
//! | guard frozen | the host kills it when it is silent after its deadline; as above |
//! | the program's file hangs, in a network | its child waits there; the guard does not, stops it as any run, and gives it up at the first deadline |
//! | guard frozen while it is free | a run that is handed to it is not started, which is told at the run's deadline |
//! | supervisor killed | the runs go on under their guards, which the host adopts; the next run starts another |
//! | supervisor and guard killed | the host adopts the tree, knows it by its *brand*, and kills it |
//! | all three killed | nobody is left to act but systemd (`KillMode=control-group`) or the next start |
//!
//! **How a run ends.** The verdict is the program's own status. When it has ended, what it left in the background
//! may print for half a second more, gets SIGTERM, then SIGKILL: nothing outlives the run. A job that wants a
//! lasting process asks systemd for one.
//!
//! **What it prints** the host hears with the end: beginning, end, and how much there was. Where an order says so it also
//! hears it on the way, as far as that delays nothing.
//!
//! **How much it costs.** Supervisor and guard are this binary, started anew once (so that it is small, has one
//! thread and may fork) and then forked without exec: a guard shares all but a few pages. One whose run has ended by itself,
//! in time and with nothing left behind is as good as a new one: for a second it is free for the next run.

mod cell;
mod cgroup;
mod client;
mod exec;
mod guard;
mod guarded;
mod guards;
mod kernel;
mod link;
mod remains;
mod spawn;
mod supervisor;
mod sweep;
mod telling;
mod tree;
mod wire;

use std::process::ExitCode;

pub use cgroup::can_limit_memory;
pub use client::{Order, Supervisor};
pub use guarded::{Guarded, Reins};
#[cfg(feature = "feeds")]
pub(crate) use kernel::keep_little_freed_memory;
pub(crate) use kernel::{give_back_freed_memory, watched};
pub(crate) use remains::Remains;
pub use sweep::sweep;
pub use wire::BadOrder;

/// The exit code of a supervisor that could not become one, with the reason on stderr.
const REFUSED: u8 = 70;

/// `crontabber supervise`: the supervisor's side. Returns when the host is gone and every run is over.
///
/// Its stdin is the socket on which the host gives orders. With anything else there (it is no command for people) it
/// says so and returns exit code 70. To be called before this process has a second thread or opens anything.
#[must_use]
pub fn main() -> ExitCode {
    supervisor::main()
}

/// Whether the process of a run is still on its way to be the program: its directory or its file lets it wait.
pub(crate) fn is_starting(pid: u32) -> bool {
    let name = std::fs::read(format!("/proc/{pid}/comm"));
    name.is_ok_and(|name| name.trim_ascii_end() == exec::NAME.to_bytes())
}

/// The mark that every process of this host's runs bears: its soft limit of file locks (`RLIMIT_LOCKS`).
///
/// Linux has enforced no such limit since 2.4, every child inherits it, and neither `setsid` nor a cleared
/// environment takes it off. By it a host that adopts the children of a killed guard tells them from its own
/// (a database it started, say); a host that is itself the job of another sets its own.
fn brand() -> u64 {
    u64::from(std::process::id())
}
