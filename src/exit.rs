//! What the exit codes of the program mean. They are an interface: monitoring and cron lines read them.

use std::process::ExitCode;

use signal_hook::consts::SIGINT;

/// How a command ended.
///
/// 0, 2 and 3 mean what they meant in crontabber; 64 to 78 are those of `sysexits.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All that was due ran well, or nothing was due; the command did what it was asked.
    Ok,
    /// A job failed, or was fenced; problems were found.
    Failed,
    /// Nothing could run: another process held the row at that instant.
    Contended,
    /// Nothing could run: what is due is going on elsewhere.
    Ongoing,
    /// `run`: not due, blocked or paused; `cancel`: not running; `trigger`: an earlier request waits for a host.
    NotDue,
    /// `run`, `trigger --follow`: the run timed out.
    TimedOut,
    /// `check`: somebody should look.
    Warning,
    /// `check`: somebody should look now.
    Critical,
    /// `check`: the question could not be answered.
    Unknown,
    /// The command line is wrong.
    Usage,
    /// The database cannot be reached.
    Unavailable,
    /// A bug in crontabber.
    Software,
    /// A file or a stream could not be read or written.
    Io,
    /// A right is missing.
    Permission,
    /// The configuration, or the database's schema, does not fit.
    Configuration,
    /// A second INT.
    Interrupted,
    /// A second TERM.
    Terminated,
}

impl Exit {
    /// Every one of them, for the tables of the documentation and their test.
    pub const ALL: [Self; 17] = [
        Self::Ok,
        Self::Failed,
        Self::Contended,
        Self::Ongoing,
        Self::NotDue,
        Self::TimedOut,
        Self::Warning,
        Self::Critical,
        Self::Unknown,
        Self::Usage,
        Self::Unavailable,
        Self::Software,
        Self::Io,
        Self::Permission,
        Self::Configuration,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// How a command ends that a second signal has cut short.
    #[must_use]
    pub fn of_signal(signal: i32) -> Self {
        match signal {
            SIGINT => Self::Interrupted,
            _ => Self::Terminated,
        }
    }

    /// The number the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed | Self::Warning => 1,
            Self::Contended | Self::Critical => 2,
            Self::Ongoing | Self::Unknown => 3,
            Self::NotDue => 4,
            Self::TimedOut => 5,
            Self::Usage => 64,
            Self::Unavailable => 69,
            Self::Software => 70,
            Self::Io => 74,
            Self::Permission => 77,
            Self::Configuration => 78,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
