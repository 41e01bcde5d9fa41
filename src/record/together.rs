//! Runs that end at the same time, recorded in one transaction.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::{
    Record,
    statements::{Terms, statements},
};
use crate::{
    store::{Database, error::DatabaseError, table::JobState, transaction},
    together::Together,
};

/// How many transactions at the same time, should one take long.
const LANES: usize = 2;

/// Where records are handed in that may share a transaction. Whatever it cannot do at once it leaves: the record is then
/// written alone, and waits for as long as it must.
#[derive(Debug, Clone)]
pub struct Records(Together<Arc<Record>, Option<Box<JobState>>>);

impl Records {
    /// `now` is the time to take for the database's clock: `None` in production. Must be called in a runtime.
    #[must_use]
    pub fn new(database: Database, now: Option<Timestamp>) -> Self {
        let lanes = Arc::new(Semaphore::new(LANES));
        Self(Together::new(lanes, move |records: Vec<Arc<Record>>| {
            let database = database.clone();
            async move {
                let mut written = written(&database, &records, now)
                    .await
                    .unwrap_or_else(|error| {
                        say(&error, records.len());
                        HashMap::new()
                    });
                records
                    .iter()
                    .map(|record| written.remove(&record.run_id))
                    .collect()
            }
        }))
    }

    /// Writes it, and returns the row as it is then. `None`: it is to be written alone; perhaps it is written already.
    pub(super) async fn write(&self, record: &Arc<Record>) -> Option<Box<JobState>> {
        self.0.ask(Arc::clone(record)).await.flatten()
    }
}

fn say(error: &DatabaseError, runs: usize) {
    if error.sql_state() == Some(&SqlState::LOCK_NOT_AVAILABLE) {
        tracing::debug!(%error, runs, "somebody holds a row; recording each run alone");
    } else {
        tracing::warn!(%error, runs, "cannot record these runs together; trying again, each alone");
    }
}

/// The rows as they are now, by run. One that somebody holds keeps the others waiting, so not for long; and that is
/// shorter than what it takes the server to find two that wait for each other.
async fn written(
    database: &Database,
    records: &[Arc<Record>],
    now: Option<Timestamp>,
) -> Result<HashMap<Uuid, Box<JobState>>, DatabaseError> {
    let terms = Terms::at(now);
    let each: Vec<_> = records
        .iter()
        .map(|record| statements(record, &terms))
        .collect();
    let mut answers = transaction::run_impatiently(database, &each.concat())
        .await?
        .into_iter();
    crate::faults::point("after-record");
    let mut written = HashMap::new();
    for (record, statements) in records.iter().zip(&each) {
        let answers: Vec<_> = answers.by_ref().take(statements.len()).collect();
        if let Some(row) = answers.first().and_then(|rows| rows.first()) {
            written.insert(record.run_id, Box::new(JobState::from_row(row, 0)?));
        }
    }
    Ok(written)
}
