//! What the operator wrote, checked.
//!
//! ```text
//! files ─▶ read ─▶ written ─▶ build ─▶ JobSpec* ─▶ JobGraph
//!   which     bytes    sections   merged: built in < [daemon] < [defaults] < [templates.X] < job
//! ```
//!
//! Every mistake of every file is told in one report, in the order of the files.

mod build;
mod check;
mod clocks;
mod diagnostic;
mod files;
mod job;
mod lasting;
mod loader;
mod names;
mod not_yet;
mod parents;
mod report;
mod secret;
mod sections;
mod setting;
mod show;
mod snippet;
mod source;
mod surroundings;
mod texts;
mod typed;
mod value;
mod when;
mod with;
mod written;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    check::Limits,
    dag::JobGraph,
    place::OnDisagreement,
    spec::{JobName, Lease, SecretRef},
};

use self::{
    check::CheckSettings,
    diagnostic::{At, Findings},
    job::JobSettings,
    sections::{DaemonSettings, DatabaseSettings},
    source::Sources,
    written::{Named, Written},
};

pub use self::{
    diagnostic::{Code, Severity},
    report::Report,
    secret::{BadSecret, Secret},
    show::{KeyReference, reference},
    surroundings::Surroundings,
};
pub(crate) use self::{
    secret::passwords,
    show::{toml_key, toml_of},
    texts::is_class_path,
    typed::{Typed, timetable},
    with::names_a_secret,
};

/// A configuration in which everything means something.
#[derive(Debug)]
pub struct Config {
    /// The main file.
    pub file: PathBuf,
    /// Where the database is; `None`: nobody says, see [`Config::require_database`].
    pub database: Option<Database>,
    /// Other databases that jobs with `sql` name.
    pub databases: BTreeMap<String, Database>,
    /// This host.
    pub daemon: Daemon,
    /// From where on something is a problem.
    pub check: Limits,
    /// The jobs.
    pub graph: JobGraph,
    /// What does not mean what it seems to mean.
    pub warnings: Report,
    /// A hash over all files that were read, the same on hosts with the same files: 16 hex digits.
    pub text_hash: String,
    written: Written,
    /// Sections of the main file, merged with what is built in.
    database_settings: DatabaseSettings,
    daemon_settings: DaemonSettings,
    check_settings: CheckSettings,
    job_settings: BTreeMap<JobName, JobSettings>,
    sources: Sources,
}

/// The referee's database, and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// Where it is.
    pub access: Access,
    /// The schema that holds the tables: a name that needs no quotes.
    pub schema: String,
    /// How long an attempt to connect may take.
    pub connect_timeout: Duration,
}

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// A URL or key-value text without a password.
    Url(String),
    /// A URL or key-value text kept elsewhere.
    Secret(SecretRef),
    /// libpq's variables, `PGHOST` and its like.
    Environment,
    /// A private cluster of this machine's own `PostgreSQL`.
    Embedded {
        /// Where it keeps its files; `None`: under the state directory.
        directory: Option<PathBuf>,
        /// Where its programs are; `None`: looked for.
        bin_directory: Option<PathBuf>,
    },
}

/// What one host does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// How many runs it has at once.
    pub max_parallel: usize,
    /// The terms of its leases, where a job does not name its own.
    pub lease: Lease,
    /// How long a daemon that is told to stop waits for its runs.
    pub drain: Duration,
    /// How long a tick that is told to stop waits for its runs.
    pub tick_drain: Duration,
    /// How long the claim of a Python host is respected.
    pub max_ongoing_age: Duration,
    /// How often a daemon looks at the table though nobody told it to.
    pub poll: Duration,
    /// Which hosts run a job that they do not all mean the same by.
    pub on_disagreement: OnDisagreement,
    /// Where it keeps outcomes that the database has not taken yet; `None`: where the system has the state of programs.
    pub state_directory: Option<PathBuf>,
    /// What it offers to jobs that ask for `tag:...`.
    pub tags: Vec<String>,
    /// Where it serves the page; `None`: nowhere.
    pub listen: Option<SocketAddr>,
    /// Its name; `None`: what the system calls it.
    pub host: Option<String>,
}

/// Reads and checks the configuration: of the file that is named, or of `$CRONTABBER_CONFIG`, or of
/// `./crontabber.toml`, or of `/etc/crontabber/crontabber.toml`.
pub fn load(named: Option<&Path>) -> Result<Config, Report> {
    load_in(named, &Surroundings::of_this_process())
}

/// Like [`load`], in surroundings that are handed in.
pub fn load_in(named: Option<&Path>, surroundings: &Surroundings) -> Result<Config, Report> {
    loader::load(named, surroundings)
}

/// What can be used of a configuration with mistakes, to look at the rest of the world with.
#[derive(Debug)]
pub struct Salvaged {
    /// Where the database is.
    pub database: Database,
    /// This host; `None`: its section has mistakes itself.
    pub daemon: Option<Daemon>,
}

/// What can be used of the configuration that [`load_in`] has refused; `None`: not even where the database is.
#[must_use]
pub fn salvage(named: Option<&Path>, surroundings: &Surroundings) -> Option<Salvaged> {
    loader::salvage(named, surroundings)
}

impl Config {
    /// The database, or what to tell the operator who named none.
    pub fn require_database(&self) -> Result<&Database, Report> {
        self.database.as_ref().ok_or_else(|| {
            let mut findings = Findings::default();
            let at = At::Path(self.file.clone());
            findings
                .error(Code::NoDatabase, at, "nothing says where the database is")
                .help(
                    "name the one that all hosts share:\n\
                     \x20   [database]\n\
                     \x20   url = { credential = \"database_url\" }\n\
                     or, for this machine alone, let crontabber keep one:\n\
                     \x20   [database]\n\
                     \x20   embedded = true",
                );
            self.report(findings)
        })
    }

    /// What can only be checked on the host itself: whether its secrets can be read. That of the
    /// database is an error, one of a job a warning: it may be meant for other hosts.
    #[must_use]
    pub fn check_secrets(&self, surroundings: &Surroundings) -> Report {
        let mut findings = Findings::default();
        if let Some(url) = &self.database_settings.url
            && let sections::Url::Secret(secret) = &url.value
            && let Err(bad) = secret.resolve(surroundings)
        {
            let error = findings.error(Code::SecretFile, url.place, bad.to_string());
            error.label("not usable");
        }
        for Named { settings, .. } in self.written.databases.values() {
            if let Some(url) = &settings.url
                && let sections::Url::Secret(secret) = &url.value
                && let Err(bad) = secret.resolve(surroundings)
            {
                let warning = findings.warning(Code::SecretFile, url.place, bad.to_string());
                warning.label("not usable on this host");
            }
        }
        let secrets = self
            .job_settings
            .values()
            .filter_map(|job| job.secrets.as_ref());
        for set in secrets.flat_map(|secrets| secrets.value.0.values()) {
            if let Err(bad) = set.value.resolve(surroundings) {
                let warning = findings.warning(Code::SecretFile, set.place, bad.to_string());
                warning.label("not usable on this host");
            }
        }
        self.report(findings)
    }

    fn report(&self, findings: Findings) -> Report {
        Report::new(findings, self.sources.clone(), self.graph.jobs().len())
    }
}
