//! A job as its owner means it: every default filled in, every value checked.
//!
//! `config` makes these from TOML; everything after it takes them as given.

mod row;

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use serde::{Serialize, Serializer, ser::SerializeStruct as _};
use sha2::{Digest, Sha256};
use smol_str::SmolStr;
use thiserror::Error;

use crate::schedule::Timetable;

pub(crate) use row::of_hosts;
pub use row::{EVERY_HOST, RowName, is_host_name, on_host};

/// The name of a job: the key of its row, `app_name` in SQL.
///
/// 1 to 100 characters, letters, digits, `_`, `-` and `.`, not starting with `-` or `.`.
/// `@` is kept for the rows of jobs that run on each host (`name@host`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct JobName(SmolStr);

/// Why a text cannot be the name of a job.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadName {
    /// Nothing at all.
    #[error("a job needs a name")]
    Empty,
    /// Longer than [`JobName::MAX`] characters.
    #[error("the name has {0} characters, at most {max} are allowed", max = JobName::MAX)]
    TooLong(usize),
    /// A character that shells, paths or SQL read as something else, at this byte.
    #[error("`{}` is not allowed in the name of a job", .character.escape_default())]
    Character {
        /// The first character that is not allowed.
        character: char,
        /// Its place, in bytes from the start of the name.
        at: usize,
    },
}

impl JobName {
    /// The longest name, in characters.
    pub const MAX: usize = 100;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for JobName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        if text.is_empty() {
            return Err(BadName::Empty);
        }
        let length = text.chars().count();
        if length > Self::MAX {
            return Err(BadName::TooLong(length));
        }
        let allowed = |at: usize, c: char| {
            c.is_ascii_alphanumeric() || c == '_' || (at > 0 && (c == '-' || c == '.'))
        };
        match text.char_indices().find(|&(at, c)| !allowed(at, c)) {
            Some((at, character)) => Err(BadName::Character { character, at }),
            None => Ok(Self(text.into())),
        }
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One job, as meant.
#[derive(Debug, Clone, Serialize)]
pub struct JobSpec {
    /// Its name.
    pub name: JobName,
    /// The file and line that define it; not part of what the job is.
    #[serde(skip)]
    pub origin: Origin,
    /// One line for people.
    #[serde(skip)]
    pub description: Option<String>,
    /// What a run does.
    pub kind: Kind,
    /// The class of crontabber 0.18 that the command runs, as `package.module.Class`; part of its argv.
    #[serde(skip)]
    pub class: Option<String>,
    /// When it is wanted; `None`: when its parents have succeeded anew.
    pub timetable: Option<Timetable>,
    /// The first slot of a job that no row knows yet.
    pub start: Start,
    /// The jobs that a slot of this one waits for.
    pub depends_on: Vec<Parent>,
    /// How long a run may take; [`NO_TIMEOUT`]: as long as it wants.
    pub timeout: Duration,
    /// How long the proof of a claim lasts.
    pub lease: Lease,
    /// When to try again after a failure.
    pub retry: Retry,
    /// What becomes of a slot whose run was lost.
    pub on_lost: OnLost,
    /// Which of the slots missed in an outage are run.
    pub catch_up: CatchUp,
    /// How many of the missed slots are run at most, the newest of them; `None`: as many as there are.
    #[serde(skip_serializing_if = "is_usual")]
    pub catch_up_limit: Option<u32>,
    /// How late a run for a slot may still start, whichever attempt it is; `None`: however late.
    #[serde(skip_serializing_if = "is_usual")]
    pub start_deadline: Option<Duration>,
    /// What a slot does that falls due while an earlier run is still going on.
    pub overlap: Overlap,
    /// Where it may run.
    pub placement: Placement,
    /// Whether one instance of it is kept running, started again whenever it ends.
    #[serde(skip_serializing_if = "is_usual")]
    pub keep_running: bool,
    /// What becomes of a run whose claim cannot be proven because the database is away.
    #[serde(skip_serializing_if = "is_usual")]
    pub on_db_loss: OnDbLoss,
    /// Whether what it prints can be read elsewhere while it prints.
    #[serde(skip)]
    pub stream_output: bool,
    /// As whom, how willingly and with how much memory it runs.
    #[serde(skip_serializing_if = "is_usual")]
    pub run_as: RunAs,
    /// Variables of the run's environment; values may hold placeholders.
    pub env: Vec<(String, String)>,
    /// Variables whose values are read where the run starts and shown nowhere.
    pub secrets: Vec<(String, SecretRef)>,
    /// The directory a run starts in; `None`: that of its user, or `/`.
    pub cwd: Option<PathBuf>,
    /// Exit codes that mean "try again" and count as no error.
    pub temporary_exit_codes: Vec<i32>,
    /// Exit codes that mean "trying again is pointless": wait for the next slot.
    pub fatal_exit_codes: Vec<i32>,
    /// Labels that group jobs; they place nothing.
    #[serde(skip)]
    pub tags: Vec<String>,
}

/// The timeout of a job that may take as long as it wants. Its sum with anything is itself.
pub const NO_TIMEOUT: Duration = Duration::MAX;

impl JobSpec {
    /// How long an instance of a job that is kept running must have been up to be healthy: as long as the longest
    /// delay. What failed before that is forgotten then.
    #[must_use]
    pub fn healthy_after(&self) -> Duration {
        self.retry.max
    }

    /// The hash of what the job is: 16 hexadecimal digits, the same on every host that means the
    /// same by it.
    ///
    /// Where it is defined, its description and its tags are not part of it.
    ///
    /// # Panics
    /// Never: every field has a JSON form.
    #[must_use]
    pub fn definition(&self) -> String {
        let json = serde_json::to_vec(self).expect("a job has a JSON form");
        short_hex(&Sha256::digest(json))
    }
}

/// Whether a value is what it is where nobody names it. Keys that came later than 0.1 are left out of the hash then, so
/// that hosts of two releases mean the same by a job that has none of them.
fn is_usual<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The first 16 hexadecimal digits of a hash.
pub(crate) fn short_hex(hash: &[u8]) -> String {
    let bytes: [u8; 8] = std::array::from_fn(|at| hash.get(at).copied().unwrap_or_default());
    format!("{:016x}", u64::from_be_bytes(bytes))
}

/// A place in a file of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

/// What a run does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A program and its arguments, no shell between; elements may hold placeholders.
    Command(Vec<String>),
    /// A text for `/bin/sh -c`; no placeholders, it reads `$CRONTABBER_SLOT` and its like.
    Shell(String),
    /// SQL, run by the engine in one transaction with its own record.
    Sql(Sql),
    /// Code shipped with the program or found on the PATH, with the table it is given.
    Action {
        /// Its name: `feeds` is run as `crontabber action feeds` or `crontabber-feeds`.
        name: String,
        /// The job's `with` table, references to secrets unresolved.
        with: serde_json::Value,
    },
}

/// The SQL of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sql {
    /// The text itself.
    pub text: String,
    /// Whether it runs in one transaction with its record.
    pub transaction: bool,
    /// Another database than the referee's, by its name in the configuration.
    pub database: Option<String>,
}

impl Sql {
    /// Whether effects and record are one commit: exactly once. Otherwise at least once.
    #[must_use]
    pub fn is_exactly_once(&self) -> bool {
        self.transaction && self.database.is_none()
    }
}

/// The first slot of a job that no row knows yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// The next one of its schedule.
    Next,
    /// The moment a host first sees it.
    Now,
}

/// How long a claim is proof, and by when a run that has lost it is gone.
///
/// A host counts its own deadline, `lease - margin`, from before the statement that granted the
/// lease: SIGTERM at the deadline minus `grace`, SIGKILL at the deadline. Others take the job over
/// `grace` after the lease has ended by the database's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Lease {
    /// How long one renewal lasts.
    pub lease: Duration,
    /// How often it is renewed.
    pub heartbeat: Duration,
    /// How much earlier than the lease the run is dead.
    pub margin: Duration,
    /// How long after SIGTERM a run may tidy up.
    pub grace: Duration,
}

impl Lease {
    /// The terms for a lease whose other three were not named: a sixth, a sixth and a twelfth.
    #[must_use]
    pub fn of(lease: Duration) -> Self {
        Self {
            lease,
            heartbeat: lease / 6,
            margin: lease / 6,
            grace: lease / 12,
        }
    }

    /// Whether a run can always be dead before its lease ends, with two renewals to spare.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        !self.heartbeat.is_zero()
            && !self.margin.is_zero()
            && self.heartbeat * 2 + self.margin + self.grace <= self.lease
    }
}

/// When to try again: `first`, then `factor` times longer each time, up to `max`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Retry {
    /// The delay after the first failure.
    pub first: Duration,
    /// How much longer each following delay is; at least 1.
    pub factor: f64,
    /// The longest delay.
    pub max: Duration,
    /// How much of a delay is left to chance, 0 to 1.
    pub jitter: f64,
    /// How many attempts one slot gets; 0 = for ever.
    pub attempts: u32,
}

/// A job that another waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// Its name.
    pub job: JobName,
    /// What it must have done.
    pub on: Needed,
    /// A slot this much older than the child's is new enough; `None`: its latest.
    pub within: Option<Duration>,
}

/// What a parent must have done for its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Needed {
    /// A run for it, or for a later one, has succeeded.
    #[default]
    Success,
    /// A run for it, or for a later one, has ended, well or not.
    Finish,
}

impl Parent {
    /// A parent whose latest slot must have succeeded.
    #[must_use]
    pub fn named(job: JobName) -> Self {
        Self {
            job,
            on: Needed::Success,
            within: None,
        }
    }

    /// Whether it is one of which only the name is said.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        is_usual(&self.on) && is_usual(&self.within)
    }
}

/// As somebody writes it: the name alone where nothing else is said.
impl Serialize for Parent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { job, on, within } = self;
        if self.is_usual() {
            return job.serialize(serializer);
        }
        let mut table = serializer.serialize_struct("Parent", 3)?;
        table.serialize_field("job", job)?;
        table.serialize_field("on", on)?;
        table.serialize_field("within", within)?;
        table.end()
    }
}

/// What becomes of a slot whose run was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnLost {
    /// It runs again as the next attempt; from the second loss in a row after a delay.
    Retry,
    /// The next slot is the next to run.
    Skip,
    /// The job waits for a person.
    Hold,
}

/// Which of the slots missed in an outage are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// None of them: what has been due for ten minutes and was not started has had its time.
    None,
    /// The latest; the earlier ones are coalesced into it.
    Latest,
    /// All of them, oldest first, one at a time; also those that fall due during a run.
    All,
}

/// What a slot does that falls due while an earlier run is still going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It is skipped.
    Skip,
    /// The latest of them runs right after; the earlier ones are coalesced into it.
    QueueOne,
}

/// What becomes of a run whose claim cannot be proven because the database is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDbLoss {
    /// It is killed before its lease ends.
    #[default]
    Kill,
    /// It goes on, though another host may run it meanwhile: at least once.
    Continue,
}

/// As whom, how willingly and with how much memory a job runs; `None`: as its host does.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RunAs {
    /// The name of a user of the system.
    #[serde(skip_serializing_if = "is_usual")]
    pub user: Option<String>,
    /// Its priority: -20, the first, to 19, the last.
    #[serde(skip_serializing_if = "is_usual")]
    pub nice: Option<i8>,
    /// How many bytes of memory all its processes may have together.
    #[serde(skip_serializing_if = "is_usual")]
    pub memory_max: Option<u64>,
}

/// Where a job may run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Placement {
    /// Patterns, any of which a host must match (`web*`, `tag:eu`); empty = anywhere.
    pub hosts: Vec<String>,
    /// Once in the cluster or once on each host.
    pub on: On,
}

/// Once in the cluster or once on each host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// Once, wherever it may run.
    One,
    /// Once on every host that matches.
    Each,
}

/// Where a secret is kept. The value itself is in no configuration, log, listing or hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretRef {
    /// A file of systemd's credentials directory.
    Credential(String),
    /// A file that only its owner can read.
    File(PathBuf),
    /// A variable of crontabber's own environment.
    Env(String),
}
