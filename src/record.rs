//! Writing down how a run went, and when its job is wanted next.
//!
//! What to write is decided by a pure function, [`after()`]; one statement writes it, fenced by run id and fence.
//! It waits for the row (crontabber refuses to, and loses outcomes that way), and is repeated until somebody
//! acknowledges it: a repetition finds the claim gone and the log row closed, and changes nothing.

mod after;

use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::types::{ToSql, Type};

use crate::{
    clock::Boottime,
    run::Finished,
    store::{Database, error::DatabaseError, instant::Instant, table::never, transaction},
};

pub use after::{After, Effect, Outcome, after};

/// What became of a record. None of these is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// It is written: the job is wanted again then.
    Written(Timestamp),
    /// An earlier try, whose acknowledgement was lost, had written it.
    Already,
    /// The claim was not ours any more: nothing is changed but the reason in the log.
    Fenced,
}

/// How long a record is tried. While the database is away for everybody nobody reaps the run either, and its
/// outcome is worth waiting for: without it the slot runs again.
const PATIENCE: Duration = Duration::from_mins(15);

/// Writes down a run that has ended, and says what was decided.
///
/// Tries again while the database is away, for the lease and a quarter of an hour.
pub async fn record(
    finished: Finished,
    database: &Database,
    now: Option<Timestamp>,
) -> Result<(After, Recorded), DatabaseError> {
    let decided = after(&finished);
    let give_up = Boottime::now() + finished.held.spec.lease.lease + PATIENCE;
    let mut pause = Duration::from_millis(50);
    loop {
        match write(&finished, &decided, database, now).await {
            Ok(recorded) => return Ok((decided, recorded)),
            Err(error) if error.is_transient() && Boottime::now() < give_up => {
                tracing::warn!(%error, job = %finished.held.job(), run_id = %finished.held.run_id, "cannot record the run; trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
            }
            Err(error) => return Err(error),
        }
    }
}

async fn write(
    finished: &Finished,
    decided: &After,
    database: &Database,
    now: Option<Timestamp>,
) -> Result<Recorded, DatabaseError> {
    let held = &finished.held;
    let output = finished.ended.output.text();
    let output = (!output.is_empty()).then_some(output);
    let passed = decided.passed;
    let parameters: [(&(dyn ToSql + Sync), Type); 17] = [
        (&held.job().as_str(), Type::TEXT),
        (&held.run_id, Type::UUID),
        (&held.fence, Type::INT8),
        (&decided.outcome.as_str(), Type::TEXT),
        (&decided.reason, Type::TEXT),
        (&decided.exit_code, Type::INT4),
        (&decided.signal, Type::INT4),
        (&output, Type::TEXT),
        (&decided.effect.as_str(), Type::TEXT),
        (&decided.last_error, Type::TEXT),
        (&decided.slot, Type::TIMESTAMPTZ),
        (&decided.next_run, Type::TIMESTAMPTZ),
        (&passed.map(|slots| slots.first), Type::TIMESTAMPTZ),
        (&passed.map(|slots| slots.last), Type::TIMESTAMPTZ),
        (&passed.map_or(0, |slots| slots.count), Type::INT8),
        (&decided.hold, Type::BOOL),
        (&now, Type::TIMESTAMPTZ),
    ];
    let sql = crate::faults::planted(include_str!("../sql/record.sql"));
    let rows = transaction::run(database, sql, &parameters).await?;
    crate::faults::point("after-record");
    match rows.first() {
        Some(row) => {
            // A foreign writer may have left none; then no clock starts the job.
            let next_run = row.try_get::<_, Option<Instant>>("next_run")?;
            Ok(Recorded::Written(
                next_run.map_or(never(), |Instant(at)| at),
            ))
        }
        None => look_up(finished, decided, database).await,
    }
}

/// No row came back: the log row tells whether an earlier try of ours closed it, or somebody reaped the run.
async fn look_up(
    finished: &Finished,
    decided: &After,
    database: &Database,
) -> Result<Recorded, DatabaseError> {
    let run_id: [(&(dyn ToSql + Sync), Type); 1] = [(&finished.held.run_id, Type::UUID)];
    let rows =
        transaction::run(database, include_str!("../sql/record_lookup.sql"), &run_id).await?;
    let is_recorded = match rows.first() {
        Some(row) => row.try_get("is_recorded")?,
        None => false,
    };
    if is_recorded {
        return Ok(Recorded::Already);
    }
    let what_happened = format!("ended all the same: {}", decided.summary());
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [
        (&finished.held.run_id, Type::UUID),
        (&what_happened, Type::TEXT),
    ];
    transaction::run(
        database,
        include_str!("../sql/record_fenced.sql"),
        &parameters,
    )
    .await?;
    Ok(Recorded::Fenced)
}
