//! What was found out, before anybody has thought about it.

use std::{path::PathBuf, time::Duration};

use crate::{check::Thresholds, store::checkup::Checkup};

/// All of it.
#[derive(Debug)]
pub struct Facts {
    /// What the files say.
    pub configuration: Configuration,
    /// What the database says; or why it says nothing.
    pub database: Result<Checkup, Silence>,
    /// What this host needs of it.
    pub needs: Needs,
    /// This machine and this process.
    pub here: Here,
}

/// Why nothing is known of the database.
#[derive(Debug)]
pub enum Silence {
    /// Nobody says where it is, or what that would take cannot be had.
    Unknown(String),
    /// It was asked.
    NoAnswer {
        /// Where it should be.
        address: String,
        /// What came of it, with what to do.
        why: String,
    },
}

/// The files, as `config check` reads them.
#[derive(Debug)]
pub struct Configuration {
    /// `no mistakes in 2 files, 10 jobs checked`.
    pub summary: String,
    /// The first mistake; `None`: it can be used.
    pub mistake: Option<String>,
    /// How many warnings there are.
    pub warnings: usize,
    /// Secrets that cannot be read: the database's is an error, another may be meant for other hosts.
    pub secrets: Option<Secrets>,
}

/// What was found when every secret was read.
#[derive(Debug)]
pub struct Secrets {
    /// The first that had to be readable and is not.
    pub mistake: Option<String>,
    /// How many others are not.
    pub warnings: usize,
}

/// What this host wants of the database, by its configuration or, where that is broken, by the defaults.
#[derive(Debug)]
pub struct Needs {
    /// How many runs it has at once.
    pub max_parallel: usize,
    /// How many jobs of SQL it knows; each has a connection of its own while it runs.
    pub sql_jobs: usize,
    /// Whether a job's output is to be read while it is being printed.
    pub streams: bool,
    /// How long a Python host's claim is respected.
    pub max_ongoing_age: Duration,
    /// From where on its clock is worth a word.
    pub clock_skew: Thresholds<Duration>,
}

/// What [`Needs::clock_skew`] is where the configuration has mistakes.
pub const CLOCK_SKEW: Thresholds<Duration> = Thresholds {
    warning: Some(Duration::from_secs(30)),
    critical: None,
};

/// This machine and this process.
#[derive(Debug)]
pub struct Here {
    /// The name and the number of its user.
    pub user: String,
    /// Whether that is root.
    pub is_root: bool,
    /// The jobs that are meant for this host and that it may not run as they ask, and why.
    pub refused: Vec<(String, String)>,
    /// Its control group, if it may make others below it.
    pub cgroup: Option<PathBuf>,
    /// Where outcomes are kept that the database has not taken yet.
    pub state: State,
    /// Whether the kernel names the children of a process.
    pub names_children: bool,
    /// Where the time zones come from: a directory; `None`: from this program.
    pub zones: Option<PathBuf>,
    /// Whether a job has a time zone of its own.
    pub needs_zones: bool,
}

/// A directory for files of ours.
#[derive(Debug)]
pub struct State {
    /// Where.
    pub directory: PathBuf,
    /// Whether it is there already.
    pub exists: bool,
    /// Why nothing can be written there, or it cannot be made.
    pub refused: Option<String>,
}
