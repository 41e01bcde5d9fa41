//! What people change by hand: pausing and resuming, resetting, cancelling, marking, removing, asking for a run.
//!
//! ```text
//! BEGIN
//! control_lock          the rows, in the order of their names; it waits for whoever has them, and reads them
//! pause | resume | ...  every condition again, under the lock; the change, and the audit row of the change
//! control_lock          the rows as they are now
//! COMMIT
//! ```
//!
//! One transaction a command, in one round trip, however many jobs it names. A change and its audit row commit
//! together or not at all, and a refusal leaves neither. Nothing here takes a live claim away: a run is ended by its
//! own host ([`cancel()`] asks it to), by its guard or by a reaper. All of it passes the guard trigger as every
//! statement of ours does: what names a legacy column carries `revision = revision + 1`.
//!
//! Who changes something tells the daemons in the same transaction: each of these statements notifies the channel
//! `crontabber`, once, and only if it has changed something. Its words (`pause report`, `cancel RUN`) are a hint for people
//! who listen; a daemon that hears any of them looks at the table, and one that hears none looks there all the same, a
//! little later. Claims, heartbeats and records notify nobody: PostgreSQL lets transactions that notify commit one after
//! the other only.
//!
//! Refused is decided in SQL, and explained here from the row that was read under the same lock.

mod cancel;
mod drain;
mod ghosts;
mod mark;
mod pause;
mod reset;
mod trigger;
mod until;

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use tokio_postgres::{
    Row,
    error::SqlState,
    types::{ToSql, Type},
};

use crate::{
    plan::Slots,
    spec::JobSpec,
    store::{Database, error::DatabaseError, recurring::Parameter, table::JobState, transaction},
};

pub use cancel::cancel;
pub use drain::{Drained, drain, undrain};
pub use ghosts::{Ghost, Removal, ghosts, remove};
pub use mark::{Decision, Marking, mark, markings};
pub use pause::{pause, resume};
pub use reset::{Claims, Resetting, reset, resettings};
pub use trigger::{trigger, untrigger};
pub use until::{BadUntil, Until, instant, moment, until};

/// Who changes something, where, and why: what the audit says.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// The person: `anna@web1`.
    pub who: &'a str,
    /// The host the command was typed on.
    pub host: &'a str,
    /// Why, in the person's words.
    pub reason: Option<&'a str>,
}

/// A job that is to be changed.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Its name, as it stands in the table.
    pub name: &'a str,
    /// Its definition; `None`: no job of this configuration has the name.
    pub spec: Option<&'a JobSpec>,
    /// Its row as it was read.
    pub row: Option<&'a JobState>,
}

/// What came of a command.
#[derive(Debug)]
pub enum Answer {
    /// Somebody held one of the rows for longer than the transaction waits: nothing is changed.
    Contended,
    /// Each job, by name.
    Jobs(Vec<Change>),
}

/// What happened to one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The job.
    pub name: String,
    /// Whether it was changed, or why not.
    pub happened: Happened,
    /// Its row before, read under the lock; `None`: there was none.
    pub before: Option<JobState>,
    /// Its row afterwards.
    pub after: Option<JobState>,
    /// The slot that was marked.
    pub slot: Option<Timestamp>,
    /// When that was, by the database's clock; `None`: it was not asked.
    pub at: Option<Timestamp>,
}

/// Whether a job was changed, or why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// It was changed.
    Done,
    /// It has no row: no host has met it yet, or somebody has removed it.
    NoRow,
    /// It is not paused.
    NotPaused,
    /// It is paused, and a row is not removed from under a pause.
    Paused,
    /// A run is going on, or a Python host's claim is in its row.
    Ongoing,
    /// The run that was to be cancelled is not going on any more.
    Ended,
    /// Somebody has asked before: to cancel this run, or for a run that no host has claimed yet.
    AskedBefore,
    /// This slot has succeeded, and no failure is left.
    Succeeded(Timestamp),
    /// There is no slot yet that could have succeeded.
    NoSlot,
    /// These hosts know the job.
    KnownBy(Vec<String>),
    /// It was changed between the look at it and the lock.
    ChangedMeanwhile,
}

impl Happened {
    /// The word in JSON for why nothing was changed; `None`: it was.
    #[must_use]
    pub fn refused(&self) -> Option<&'static str> {
        Some(match self {
            Self::Done => return None,
            Self::NoRow => "no_row",
            Self::NotPaused => "not_paused",
            Self::Paused => "paused",
            Self::Ongoing => "ongoing",
            Self::Ended => "ended",
            Self::AskedBefore => "asked_before",
            Self::Succeeded(_) => "succeeded",
            Self::NoSlot => "no_slot",
            Self::KnownBy(_) => "known_by_hosts",
            Self::ChangedMeanwhile => "changed_meanwhile",
        })
    }
}

impl Change {
    /// A job that was not even asked for, and why.
    #[must_use]
    pub fn refused(target: &Target<'_>, happened: Happened) -> Self {
        Self {
            name: target.name.to_owned(),
            happened,
            before: target.row.cloned(),
            after: target.row.cloned(),
            slot: None,
            at: None,
        }
    }
}

/// A row that was read under the lock, and the time by which it was.
struct Locked {
    row: JobState,
    now: Timestamp,
}

/// A statement of this module: it returns the names of the rows it has changed.
struct Statement<'a> {
    sql: &'static str,
    parameters: &'a [Parameter<'a>],
}

/// One command: locks these rows, changes what may be changed, and says what happened to each. `why_not` explains,
/// from the row under the lock, why the statement did not change it.
async fn change(
    database: &Database,
    names: &[&str],
    statement: Statement<'_>,
    why_not: impl Fn(&str, &Locked) -> Happened,
    now: Option<Timestamp>,
) -> Result<Answer, DatabaseError> {
    if names.is_empty() {
        return Ok(Answer::Jobs(Vec::new()));
    }
    let keys: [(&(dyn ToSql + Sync), Type); 2] =
        [(&names, Type::TEXT_ARRAY), (&now, Type::TIMESTAMPTZ)];
    let lock = include_str!("../sql/control_lock.sql");
    let statements: [(&'static str, &[Parameter<'_>]); 3] = [
        (lock, &keys),
        (statement.sql, statement.parameters),
        (lock, &keys),
    ];
    let rows = match transaction::run_in_turn(database, &statements).await {
        Err(error) if error.sql_state() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
            return Ok(Answer::Contended);
        }
        rows => rows?,
    };
    let [before, changed, after] = rows.as_slice() else {
        return Ok(Answer::Jobs(Vec::new()));
    };
    let changed: HashSet<&str> = changed
        .iter()
        .map(|row| row.try_get("app_name"))
        .collect::<Result<_, _>>()?;
    let (mut before, mut after) = (locked(before)?, locked(after)?);
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let changes = sorted.into_iter().map(|name| {
        let before = before.remove(name);
        let happened = match &before {
            _ if changed.contains(name) => Happened::Done,
            Some(locked) => why_not(name, locked),
            None => Happened::NoRow,
        };
        let after = after.remove(name);
        Change {
            name: name.to_owned(),
            happened,
            before: before.map(|locked| locked.row),
            at: after.as_ref().map(|locked| locked.now),
            after: after.map(|locked| locked.row),
            slot: None,
        }
    });
    Ok(Answer::Jobs(changes.collect()))
}

fn locked(rows: &[Row]) -> Result<HashMap<String, Locked>, DatabaseError> {
    // Before the columns of the job: the time and its name.
    const FIRST_OF_A_JOB: usize = 2;
    let read = |row: &Row| {
        let locked = Locked {
            row: JobState::from_row(row, FIRST_OF_A_JOB)?,
            now: row.try_get("now")?,
        };
        Ok::<_, tokio_postgres::Error>((row.try_get("app_name")?, locked))
    };
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// The slots a change passes, as `reset` and `mark` unnest them: the slot after the pending one, the last, how many.
#[derive(Default)]
struct Passed {
    after_pending: Vec<Option<Timestamp>>,
    last: Vec<Option<Timestamp>>,
    slots: Vec<i64>,
}

impl Passed {
    fn push(&mut self, slots: Option<Slots>, after_pending: Option<Timestamp>) {
        self.after_pending.push(after_pending);
        self.last.push(slots.map(|slots| slots.last));
        self.slots.push(slots.map_or(0, |slots| slots.count));
    }
}
