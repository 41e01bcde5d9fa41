//! Writing down how a run went, and when its job is wanted next.
//!
//! What to write is decided by a pure function, [`after()`]; one transaction writes it, fenced by run id and fence.
//! It waits for the row (crontabber refuses to, and loses outcomes that way), and is repeated until somebody
//! acknowledges it: a repetition finds the claim gone and the log row closed, and changes nothing. What the database does
//! not take is kept in a file meanwhile, see [`crate::outcomes`].
//!
//! Runs that end at the same time share one transaction at first, see [`Records`]; whatever is in the way of that, each is
//! then recorded alone.

mod after;
mod entry;
mod statements;
mod together;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio_postgres::{
    Row,
    error::SqlState,
    types::{ToSql, Type},
};

use crate::{
    clock::Boottime,
    ended::How,
    outcomes::Outcomes,
    run::{Finished, Settled},
    spec::Lease,
    store::{Database, error::DatabaseError, table::JobState, transaction},
};

pub use after::{After, Effect, Outcome, after};
pub(crate) use after::{End, Next, next};
pub use entry::Record;
use statements::{Terms, statements};
pub use together::Records;

/// What became of a record. None of these is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// It is written, and this is the row now.
    Written(Box<JobState>),
    /// An earlier try, whose acknowledgement was lost, had written it.
    Already,
    /// The claim was not ours any more: nothing is changed but the reason in the log.
    Fenced,
    /// The database knows nothing of the run, though it had acknowledged the claim: a failover has lost it. The log has a
    /// row of it from now on, that says so.
    Forgotten,
}

/// Where a run is written down.
#[derive(Debug, Clone, Copy)]
pub struct Recorder<'a> {
    /// The name of the host.
    pub host: &'a str,
    /// The referee.
    pub database: &'a Database,
    /// Where those that come at the same time are written together.
    pub records: &'a Records,
    /// Where what the referee does not take is kept.
    pub outcomes: &'a Outcomes,
    /// The time to take for the database's clock: `None` in production.
    pub now: Option<Timestamp>,
}

/// How long a record is tried. While the database is away for everybody nobody reaps the run either, and its
/// outcome is worth waiting for: without it the slot runs again.
const PATIENCE: Duration = Duration::from_mins(15);

/// A record that comes so much later than its run's end tells when that was.
const LATE: Duration = Duration::from_secs(5);

/// Writes down a run that has ended, and says what was decided.
///
/// Tries again while the database is away, for the lease and a quarter of an hour; then the outcome is left in its file
/// for the next process of this host.
pub async fn record(
    mut finished: Finished,
    to: Recorder<'_>,
) -> Result<(After, Recorded), DatabaseError> {
    let Some(effects) = finished.effects.take() else {
        return written(&finished, to).await;
    };
    let decided = after(&finished);
    let record = Record::new(&finished, &decided, to.host);
    let terms = Terms {
        now: to.now,
        is_with_effects: true,
    };
    let settled = effects.settle(&statements(&record, &terms)).await;
    let (why, is_in_doubt) = match settled {
        Settled::Committed(row) => return Ok((decided, written_as(&row)?)),
        Settled::Fenced => ("rolled back: another host holds the job".to_owned(), false),
        Settled::Refused(why) => (why, false),
        Settled::InDoubt(why) => (why, true),
    };
    // If the commit has happened, or is still happening and holds the row, this waits for it and finds the run
    // closed by us; otherwise there are no effects, and this is their record.
    finished.ended.how = How::Refused(why);
    let (failed, recorded) = written(&finished, to).await?;
    match recorded {
        Recorded::Already if is_in_doubt => Ok((decided, recorded)),
        _ => Ok((failed, recorded)),
    }
}

/// The record in a transaction of its own, tried until somebody acknowledges it.
async fn written(
    finished: &Finished,
    to: Recorder<'_>,
) -> Result<(After, Recorded), DatabaseError> {
    let decided = after(finished);
    let record = Record::new(finished, &decided, to.host);
    let recorded = tried(record, finished.held.spec.lease, to).await?;
    Ok((decided, recorded))
}

async fn tried(record: Record, lease: Lease, to: Recorder<'_>) -> Result<Recorded, DatabaseError> {
    let since = Boottime::now();
    let mut record = Arc::new(record);
    if let Some(row) = to.records.write(&record).await {
        return Ok(Recorded::Written(row));
    }
    let give_up = since + lease.lease + PATIENCE;
    let mut pause = Duration::from_millis(50);
    let mut kept = Kept {
        run_id: record.run_id,
        outcomes: None,
    };
    let mut is_plain = false;
    loop {
        let is_late = Boottime::now() > since + LATE;
        let now = to.now.or(is_late.then_some(record.finished_at));
        match write(&record, to.database, now).await {
            Ok(recorded) => {
                kept.done();
                return Ok(recorded);
            }
            // A database that is not in UTF-8 has no such character: rather without it than never.
            Err(error) if is_untranslatable(&error) && !is_plain => {
                is_plain = true;
                record = Arc::new(record.as_ref().clone().in_ascii());
            }
            Err(error) if error.is_transient() && Boottime::now() < give_up => {
                tracing::warn!(%error, job = record.job, run_id = %record.run_id, "cannot record the run; trying again");
                kept.keep(&record, to.outcomes);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
            }
            Err(error) => {
                kept.keep(&record, to.outcomes);
                return Err(error);
            }
        }
    }
}

/// The file of a record that is being tried; given up, it is left to whoever comes next.
struct Kept<'a> {
    run_id: uuid::Uuid,
    outcomes: Option<&'a Outcomes>,
}

impl<'a> Kept<'a> {
    fn keep(&mut self, record: &Record, outcomes: &'a Outcomes) {
        if self.outcomes.is_some() {
            return;
        }
        match outcomes.keep(record) {
            Ok(()) => self.outcomes = Some(outcomes),
            Err(error) => {
                outcomes.let_go(self.run_id);
                tracing::error!(%error, job = record.job, run_id = %record.run_id, "cannot keep the outcome of a run on disk; it is lost if this process ends before the database is back");
            }
        }
    }

    fn done(&mut self) {
        if let Some(outcomes) = self.outcomes.take() {
            outcomes.done(self.run_id);
        }
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        if let Some(outcomes) = self.outcomes {
            outcomes.let_go(self.run_id);
        }
    }
}

/// Delivers the outcomes that were left behind on this host; stops at the first that the database does not take now.
pub(crate) async fn deliver(to: Recorder<'_>) -> Result<(), DatabaseError> {
    for record in to.outcomes.left() {
        let now = to.now.or(Some(record.finished_at));
        let recorded = match write(&record, to.database, now).await {
            Err(error) if is_untranslatable(&error) => {
                write(&record.clone().in_ascii(), to.database, now).await?
            }
            recorded => recorded?,
        };
        let (job, run_id) = (&record.job, record.run_id);
        match recorded {
            Recorded::Written(row) => {
                let next_run = row.next_run();
                tracing::info!(%job, %run_id, outcome = record.outcome, %next_run, "delivered the outcome of a run that had ended while the database was away");
            }
            Recorded::Already => tracing::info!(%job, %run_id, "delivered before"),
            Recorded::Fenced => {
                tracing::error!(%job, %run_id, outcome = record.outcome, "fenced: it ended while the database was away, and another host has taken the job over; nothing was recorded but the reason");
            }
            Recorded::Forgotten => {
                tracing::error!(%job, %run_id, outcome = record.outcome, "forgotten: the database has lost the claim of a run that has ended");
            }
        }
        to.outcomes.done(run_id);
    }
    Ok(())
}

/// Records once more a run whose record was acknowledged and is not there: a failover has lost it, and has left the claim.
pub(crate) async fn again(record: &Record, database: &Database) -> Result<Recorded, DatabaseError> {
    write(record, database, Some(record.finished_at)).await
}

fn is_untranslatable(error: &DatabaseError) -> bool {
    error.sql_state() == Some(&SqlState::UNTRANSLATABLE_CHARACTER)
}

/// The text with `?` for everything that some encoding may not have.
pub(crate) fn ascii(text: &str) -> String {
    let plain = |c: char| if c.is_ascii() { c } else { '?' };
    text.chars().map(plain).collect()
}

async fn write(
    record: &Record,
    database: &Database,
    now: Option<Timestamp>,
) -> Result<Recorded, DatabaseError> {
    let terms = Terms::at(now);
    let answers = transaction::run_in_turn(database, &statements(record, &terms)).await?;
    crate::faults::point("after-record");
    match answers.first().and_then(|rows| rows.first()) {
        Some(row) => Ok(written_as(row)?),
        None => look_up(record, database).await,
    }
}

fn written_as(row: &Row) -> Result<Recorded, DatabaseError> {
    Ok(Recorded::Written(Box::new(JobState::from_row(row, 0)?)))
}

/// No row came back: the log row tells whether an earlier try of ours closed it, or somebody reaped the run.
async fn look_up(record: &Record, database: &Database) -> Result<Recorded, DatabaseError> {
    let run_id: [(&(dyn ToSql + Sync), Type); 1] = [(&record.run_id, Type::UUID)];
    let rows =
        transaction::run(database, include_str!("../sql/record_lookup.sql"), &run_id).await?;
    let Some(row) = rows.first() else {
        return forgotten(record, database).await;
    };
    if row.try_get("is_recorded")? {
        return Ok(Recorded::Already);
    }
    let what_happened = format!("ended all the same: {}", record.summary());
    let parameters: [(&(dyn ToSql + Sync), Type); 2] =
        [(&record.run_id, Type::UUID), (&what_happened, Type::TEXT)];
    transaction::run(
        database,
        include_str!("../sql/record_fenced.sql"),
        &parameters,
    )
    .await?;
    Ok(Recorded::Fenced)
}

/// It was acknowledged and is not there: the log is told, so that the gap can be seen.
pub(crate) async fn forgotten(
    record: &Record,
    database: &Database,
) -> Result<Recorded, DatabaseError> {
    let what_happened = format!(
        "the database has forgotten this run, a failover has lost it; it ended with {}",
        record.summary()
    );
    let parameters: [(&(dyn ToSql + Sync), Type); 8] = [
        (&record.job, Type::TEXT),
        (&record.run_id, Type::UUID),
        (&record.slot, Type::TIMESTAMPTZ),
        (&record.host, Type::TEXT),
        (&record.trigger, Type::TEXT),
        (&record.started_at, Type::TIMESTAMPTZ),
        (&record.finished_at, Type::TIMESTAMPTZ),
        (&what_happened, Type::TEXT),
    ];
    let sql = include_str!("../sql/record_forgotten.sql");
    transaction::run(database, sql, &parameters).await?;
    Ok(Recorded::Forgotten)
}
