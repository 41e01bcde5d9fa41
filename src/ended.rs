//! How a run ended, whoever carried it out: a guard its program, or the server its SQL.

use crate::output::Output;

/// How a run ended. Nothing of it is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// What became of its work.
    pub how: How,
    /// Why it was stopped; `None` if it ended by itself.
    pub stopped: Option<Stopped>,
    /// What it printed.
    pub output: Output,
}

/// What became of a run's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Its program ended with this exit code.
    Exited(i32),
    /// This signal killed its program.
    Signaled(i32),
    /// Its program was never started, its SQL never sent; for people, why not.
    NotStarted(String),
    /// Its guard was killed, and then the run; how far it had come is not known.
    GuardLost,
    /// The server carried out its SQL to the end.
    CarriedOut,
    /// The server refused its SQL, or was lost while it worked; for people, what it said.
    Refused(String),
}

/// Why a run was stopped. Its work may have ended well all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It has had its time.
    Timeout,
    /// The host asked for it.
    Cancelled,
    /// The host did not say in time that its claim holds on.
    Deadline,
    /// The host ended. (Only the guard knows: nobody is left to hear it.)
    HostGone,
    /// The kernel killed it for want of memory: it is its own failure.
    OutOfMemory,
}

impl Ended {
    /// One that never began.
    #[must_use]
    pub fn not_started(why: String) -> Self {
        Self {
            how: How::NotStarted(why),
            stopped: None,
            output: Output::default(),
        }
    }
}
