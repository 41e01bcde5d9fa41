//! The state table as a pass reads it: one statement, one snapshot, nothing locked.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    pin::pin,
};

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use smol_str::SmolStr;
use tokio_postgres::{
    Row,
    types::{FromSql, ToSql, Type},
};
use uuid::Uuid;

use super::{
    Connection, error::DatabaseError, instant::Instant, limited, recurring::Parameter, transaction,
};
use crate::{
    clock::Boottime,
    instance::Instance,
    place::Seen,
    spec::{JobName, Needed, of_hosts},
};

/// What a pass knows before it decides.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// The database's clock at the moment of reading; every decision of the pass counts from it.
    pub now: Timestamp,
    /// Between which moments of this host it was that moment; `None`: the table was not read.
    pub read: Option<(Boottime, Boottime)>,
    /// The rows, by `app_name`, in its order: a plan goes through them side by side with its jobs, where to look each
    /// up took it longer than all else. Boxed: a map keeps room for half as many again.
    pub jobs: BTreeMap<SmolStr, Box<JobState>>,
    /// The hosts that have announced themselves, by name, where they were asked for ([`super::hosts::seen`]). A pass
    /// does not: it asks one question, and who passes is live.
    pub hosts: Vec<Seen>,
    /// What this host has announced last.
    pub announced: Option<Announcement>,
    /// Since when this host is to take no work.
    pub drained: Option<Timestamp>,
    /// By job, the live hosts that go by the definition that was changed last: of those jobs of which this host goes by
    /// another one, as far as they were asked about ([`super::hosts::newest`]).
    pub newest: HashMap<String, Vec<String>>,
}

/// What a host has announced of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// When.
    pub at: Timestamp,
    /// The hash of its configuration.
    pub configuration: String,
    /// The daemon behind its name, if there is one.
    pub instance: Option<Instance>,
}

impl Table {
    /// The row of this name.
    #[must_use]
    pub fn row(&self, name: &str) -> Option<&JobState> {
        self.jobs.get(name).map(Box::as_ref)
    }

    /// The hosts that have a row of a job that runs on each host, by name.
    pub fn hosts_of(&self, job: &JobName) -> impl Iterator<Item = &str> {
        let first = of_hosts(job);
        let from = (Bound::Included(first.as_str()), Bound::Unbounded);
        let rows = self.jobs.range::<str, _>(from);
        rows.map_while(move |(name, _)| name.strip_prefix(first.as_str()))
    }

    /// Adds a row as it was read.
    fn add(&mut self, row: &Row) -> Result<(), tokio_postgres::Error> {
        let next = FIRST_OF_A_JOB;
        let mut columns = Columns { row, next };
        if let Some(name) = columns.take::<Option<&str>>()?.map(SmolStr::from) {
            let state = JobState::take(&mut columns)?;
            self.jobs.insert(name, Box::new(state));
        }
        Ok(())
    }

    /// Takes over what was read anew of these rows.
    pub(crate) fn take(&mut self, names: &[String], read: Self) {
        for name in names {
            self.jobs.remove(name.as_str());
        }
        self.jobs.extend(read.jobs);
        self.now = self.now.max(read.now);
        self.announced = read.announced;
        self.drained = read.drained;
    }
}

/// The row of one job. Field for column; see the comments in the database (`\d+ crontabber`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobState {
    /// When the pending slot may start; [`never()`] for jobs that no clock starts.
    pub next_run: Option<Timestamp>,
    /// When the first run started.
    pub first_run: Option<Timestamp>,
    /// When the last run that ended had started.
    pub last_run: Option<Timestamp>,
    /// When the last successful run started.
    pub last_success: Option<Timestamp>,
    /// When the live run was claimed.
    pub ongoing: Option<Timestamp>,
    /// Failures in a row.
    pub error_count: i32,
    /// The message of the last failure, at most 200 characters.
    pub last_error: Option<String>,
    /// The instant `next_run` is for; `None`: `next_run` itself.
    pub slot: Option<Timestamp>,
    /// The newest slot that succeeded.
    pub success_slot: Option<Timestamp>,
    /// The newest slot a run for which has ended, well or not.
    pub finish_slot: Option<Timestamp>,
    /// The first slot that was left behind for a parent since the last claim.
    pub blocked_since: Option<Timestamp>,
    /// The live claim of one of our hosts; `ongoing` without it is a Python host's.
    pub claim: Option<Box<LiveClaim>>,
    /// No run starts before this.
    pub paused_until: Option<Timestamp>,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// Why.
    pub pause_reason: Option<String>,
    /// The hash of the definition that was changed last.
    pub definition_hash: Option<String>,
    /// A run that somebody has asked for, wherever the job may run.
    pub triggered: Option<Box<Triggered>>,
}

/// A run that somebody has asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Triggered {
    /// Its identity until it is claimed.
    pub id: Uuid,
    /// When it was asked for: its slot.
    pub at: Timestamp,
    /// Who has asked.
    pub by: Option<String>,
}

/// The claim a row holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveClaim {
    /// The run.
    pub run_id: Uuid,
    /// Its slot.
    pub slot: Timestamp,
    /// What started it.
    pub trigger: String,
    /// Which attempt at the slot it is.
    pub attempt: i32,
    /// Where it runs.
    pub host: String,
    /// Until when the claim is proof.
    pub lease_until: Timestamp,
}

/// The instant that stands for "not by the clock": Python must find a date in `next_run`, and knows no infinity.
///
/// # Panics
/// Never: the date is in jiff's range.
#[must_use]
pub fn never() -> Timestamp {
    Timestamp::from_second(253_370_764_800).expect("9999-01-01 is in range")
}

impl JobState {
    /// The pending slot: what the next claim is for.
    #[must_use]
    pub fn pending(&self) -> Option<Timestamp> {
        self.slot.or(self.next_run).or(self.ongoing)
    }

    /// The newest slot for which it has done so.
    #[must_use]
    pub fn done(&self, what: Needed) -> Option<Timestamp> {
        match what {
            Needed::Success => self.success_slot,
            // A run of Python's, or of a host of the release before, is known by its success alone.
            Needed::Finish => self.finish_slot.max(self.success_slot),
        }
    }

    /// When it is wanted again. A foreign writer may have left no instant; then no clock starts it.
    #[must_use]
    pub fn next_run(&self) -> Timestamp {
        self.next_run.unwrap_or_else(never)
    }

    /// The columns of one job, in the order of `read_table.sql`, from the one of this number.
    pub(crate) fn from_row(row: &Row, first: usize) -> Result<Self, tokio_postgres::Error> {
        Self::take(&mut Columns { row, next: first })
    }

    /// The columns of one job, in the order of `read_table.sql`.
    fn take(columns: &mut Columns<'_>) -> Result<Self, tokio_postgres::Error> {
        let mut state = Self {
            next_run: columns.take_instant()?,
            first_run: columns.take_instant()?,
            last_run: columns.take_instant()?,
            last_success: columns.take_instant()?,
            ongoing: columns.take_instant()?,
            error_count: columns.take()?,
            last_error: columns.take::<Option<&str>>()?.and_then(message),
            slot: columns.take_instant()?,
            success_slot: columns.take_instant()?,
            finish_slot: columns.take_instant()?,
            blocked_since: columns.take_instant()?,
            paused_until: columns.take_instant()?,
            paused_by: columns.take()?,
            pause_reason: columns.take()?,
            definition_hash: columns.take()?,
            triggered: None,
            claim: None,
        };
        let (id, at, by) = (columns.take()?, columns.take_instant()?, columns.take()?);
        state.triggered = Option::zip(id, at).map(|(id, at)| Box::new(Triggered { id, at, by }));
        if let Some(run_id) = columns.take()? {
            state.claim = Some(Box::new(LiveClaim {
                run_id,
                slot: columns.take()?,
                trigger: columns.take()?,
                attempt: columns.take()?,
                host: columns.take()?,
                lease_until: columns.take()?,
            }));
        }
        Ok(state)
    }
}

/// The message of a `last_error`, at most 200 characters; `None`: the last run was well. What is no JSON of ours or
/// Python's is shown as it is written.
fn message(last_error: &str) -> Option<String> {
    if last_error == "{}" {
        return None;
    }
    let parsed = serde_json::from_str::<serde_json::Value>(last_error);
    let message = parsed.map_or_else(
        |_| Some(last_error.to_owned()),
        |error| error.get("value")?.as_str().map(str::to_owned),
    );
    Some(message?.chars().take(200).collect())
}

/// The columns of a row, one after the other. By name would be a search for each of them, and there are a
/// thousand rows in a pass that should take milliseconds.
struct Columns<'a> {
    row: &'a Row,
    next: usize,
}

/// How many columns of `read_table.sql` come before those of a job.
const FIRST_OF_A_JOB: usize = 7;

impl Columns<'_> {
    fn take<'a, T: FromSql<'a>>(&'a mut self) -> Result<T, tokio_postgres::Error> {
        self.next += 1;
        self.row.try_get(self.next - 1)
    }

    fn take_instant(&mut self) -> Result<Option<Timestamp>, tokio_postgres::Error> {
        let instant = self.take::<Option<Instant>>()?;
        Ok(instant.map(|Instant(at)| at))
    }
}

/// Reads the table: one round trip, the only query of a pass with nothing due.
///
/// `now` is the time to take for the database's clock: `None` in production.
pub async fn read(
    client: &Connection,
    host: &str,
    now: Option<Timestamp>,
) -> Result<Table, DatabaseError> {
    read_rows(client, host, None, now).await
}

/// The same of these rows only; `None`: of all.
pub(crate) async fn read_rows(
    client: &Connection,
    host: &str,
    names: Option<&[String]>,
    now: Option<Timestamp>,
) -> Result<Table, DatabaseError> {
    let parameters: [(&(dyn ToSql + Sync), Type); 3] = [
        (&host, Type::TEXT),
        (&now, Type::TIMESTAMPTZ),
        (&names, Type::TEXT_ARRAY),
    ];
    let read = async {
        let sent = Boottime::now();
        let sql = include_str!("../../sql/read_table.sql");
        // One by one: as rows of the protocol ten thousand take more room than the table of them.
        let mut rows = pin!(client.query_typed_raw(sql, parameters).await?);
        let Some(first) = rows.try_next().await? else {
            return Err(DatabaseError::Schema(
                "the table crontabber_schema is empty: run `crontabber migrate`".to_owned(),
            ));
        };
        let answered = Boottime::now();
        super::schema::Found::from_row(&first)?.check()?;
        let mut table = Table {
            now: first.try_get("now")?,
            read: Some((sent, answered)),
            announced: announcement(&first)?,
            drained: first.try_get("host_drain_at")?,
            ..Table::default()
        };
        let mut next = Some(first);
        while let Some(row) = next {
            table.add(&row)?;
            next = rows.try_next().await?;
        }
        Ok(table)
    };
    limited(transaction::LIMIT, client.fuse(), read).await
}

/// What a clock says, and between which moments of this host it has said so.
pub(crate) type Said = (Timestamp, (Boottime, Boottime));

/// Reads the database's clock, if it can be read.
pub(crate) async fn read_clock(client: &Connection, now: Option<Timestamp>) -> Option<Said> {
    let parameters: [Parameter<'_>; 1] = [(&now, Type::TIMESTAMPTZ)];
    let sql = include_str!("../../sql/read_clock.sql");
    let question = client.question(sql, &parameters).await;
    let sent = Boottime::now();
    let rows = limited(transaction::LIMIT, client.fuse(), question.ask(client)).await;
    let answered = Boottime::now();
    let now = rows.ok()?.first()?.try_get("now").ok()?;
    Some((now, (sent, answered)))
}

fn announcement(row: &Row) -> Result<Option<Announcement>, tokio_postgres::Error> {
    let Some(at) = row.try_get("host_seen_at")? else {
        return Ok(None);
    };
    let instance = row.try_get::<_, Option<&str>>("host_instance")?;
    Ok(Some(Announcement {
        at,
        configuration: row.try_get("host_configuration")?,
        instance: instance.and_then(|text| text.parse().ok()),
    }))
}
