//! Writing down how a run went, and when its job is wanted next.
//!
//! What to write is decided by a pure function, [`after()`]; one statement writes it, fenced by run id and fence.
//! It waits for the row (crontabber refuses to, and loses outcomes that way), and is repeated until somebody
//! acknowledges it: a repetition finds the claim gone and the log row closed, and changes nothing.

mod after;

use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::{
    Row,
    error::SqlState,
    types::{ToSql, Type},
};

use crate::{
    claim::Held,
    clock::Boottime,
    ended::How,
    run::{Finished, Settled},
    store::{
        Database, error::DatabaseError, instant::Instant, recurring::Parameter, table::never,
        transaction,
    },
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
    mut finished: Finished,
    database: &Database,
    now: Option<Timestamp>,
) -> Result<(After, Recorded), DatabaseError> {
    let Some(effects) = finished.effects.take() else {
        return written(&finished, database, now).await;
    };
    let decided = after(&finished);
    let output = finished.ended.output.text();
    let parameters = Parameters::new((&finished, &decided, &output), now);
    let settled = effects.settle(statement(), &parameters.list()).await;
    let (why, is_in_doubt) = match settled {
        Settled::Committed(row) => return Ok((decided, Recorded::Written(next_run(&row)?))),
        Settled::Fenced => ("rolled back: another host holds the job".to_owned(), false),
        Settled::Refused(why) => (why, false),
        Settled::InDoubt(why) => (why, true),
    };
    // If the commit has happened, or is still happening and holds the row, this waits for it and finds the run
    // closed by us; otherwise there are no effects, and this is their record.
    finished.ended.how = How::Refused(why);
    let (failed, recorded) = written(&finished, database, now).await?;
    match recorded {
        Recorded::Already if is_in_doubt => Ok((decided, recorded)),
        _ => Ok((failed, recorded)),
    }
}

/// The record in a transaction of its own, tried until somebody acknowledges it.
async fn written(
    finished: &Finished,
    database: &Database,
    now: Option<Timestamp>,
) -> Result<(After, Recorded), DatabaseError> {
    let mut decided = after(finished);
    let mut output = finished.ended.output.text();
    let mut is_plain = false;
    let give_up = Boottime::now() + finished.held.spec.lease.lease + PATIENCE;
    let mut pause = Duration::from_millis(50);
    loop {
        let told = (finished, &decided, output.as_str());
        match write(told, database, now).await {
            Ok(recorded) => return Ok((decided, recorded)),
            // A database that is not in UTF-8 has no such character: rather without it than never.
            Err(error) if is_untranslatable(&error) && !is_plain => {
                is_plain = true;
                output = ascii(&output);
                decided.reason = decided.reason.as_deref().map(ascii);
            }
            Err(error) if error.is_transient() && Boottime::now() < give_up => {
                tracing::warn!(%error, job = %finished.held.job(), run_id = %finished.held.run_id, "cannot record the run; trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
            }
            Err(error) => return Err(error),
        }
    }
}

fn is_untranslatable(error: &DatabaseError) -> bool {
    error.sql_state() == Some(&SqlState::UNTRANSLATABLE_CHARACTER)
}

/// The text with `?` for everything that some encoding may not have.
pub(crate) fn ascii(text: &str) -> String {
    let plain = |c: char| if c.is_ascii() { c } else { '?' };
    text.chars().map(plain).collect()
}

/// A run, what was decided about it, and its output as text.
type Told<'a> = (&'a Finished, &'a After, &'a str);

/// What the statement is given.
struct Parameters<'a> {
    job: &'a str,
    held: &'a Held,
    decided: &'a After,
    outcome: &'static str,
    effect: &'static str,
    output: Option<&'a str>,
    first_passed: Option<Timestamp>,
    last_passed: Option<Timestamp>,
    passed: i64,
    now: Option<Timestamp>,
}

impl<'a> Parameters<'a> {
    fn new((finished, decided, output): Told<'a>, now: Option<Timestamp>) -> Self {
        Self {
            job: finished.held.job().as_str(),
            held: &finished.held,
            decided,
            outcome: decided.outcome.as_str(),
            effect: decided.effect.as_str(),
            output: (!output.is_empty()).then_some(output),
            first_passed: decided.passed.map(|slots| slots.first),
            last_passed: decided.passed.map(|slots| slots.last),
            passed: decided.passed.map_or(0, |slots| slots.count),
            now,
        }
    }

    /// In the order of the statement.
    fn list(&self) -> [Parameter<'_>; 17] {
        [
            (&self.job, Type::TEXT),
            (&self.held.run_id, Type::UUID),
            (&self.held.fence, Type::INT8),
            (&self.outcome, Type::TEXT),
            (&self.decided.reason, Type::TEXT),
            (&self.decided.exit_code, Type::INT4),
            (&self.decided.signal, Type::INT4),
            (&self.output, Type::TEXT),
            (&self.effect, Type::TEXT),
            (&self.decided.last_error, Type::TEXT),
            (&self.decided.slot, Type::TIMESTAMPTZ),
            (&self.decided.next_run, Type::TIMESTAMPTZ),
            (&self.first_passed, Type::TIMESTAMPTZ),
            (&self.last_passed, Type::TIMESTAMPTZ),
            (&self.passed, Type::INT8),
            (&self.decided.hold, Type::BOOL),
            (&self.now, Type::TIMESTAMPTZ),
        ]
    }
}

fn statement() -> &'static str {
    crate::faults::planted(include_str!("../sql/record.sql"))
}

async fn write(
    told: Told<'_>,
    database: &Database,
    now: Option<Timestamp>,
) -> Result<Recorded, DatabaseError> {
    let parameters = Parameters::new(told, now);
    let list = parameters.list();
    let rows = transaction::run(database, statement(), &list).await?;
    crate::faults::point("after-record");
    match rows.first() {
        Some(row) => Ok(Recorded::Written(next_run(row)?)),
        None => look_up(told.0, told.1, database).await,
    }
}

/// When the job is wanted again. A foreign writer may have left no instant; then no clock starts it.
fn next_run(row: &Row) -> Result<Timestamp, DatabaseError> {
    let next_run = row.try_get::<_, Option<Instant>>("next_run")?;
    Ok(next_run.map_or(never(), |Instant(at)| at))
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
