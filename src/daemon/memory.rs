//! The runs that were recorded lately: what a failover may have lost though it was acknowledged.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::{
    claim::Grip,
    pass::Ran,
    record::{Record, Recorded, again, forgotten},
    store::{Database, error::DatabaseError, transaction},
};

/// How many are remembered: more than a standby lags behind.
const MOST: usize = 1000;

/// What this daemon has recorded lately. Cheap to clone; the clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory(Arc<Mutex<VecDeque<Remembered>>>);

/// A run whose record was acknowledged.
#[derive(Debug, Clone)]
struct Remembered {
    record: Arc<Record>,
    /// A failover may have lost the record and not the claim: then the run is no claim that was given up.
    #[expect(dead_code, reason = "it says what it says by being there")]
    grip: Arc<Grip>,
}

impl Memory {
    /// Remembers a run whose record was acknowledged.
    pub(super) fn remember(&self, ran: &Ran, host: &str) {
        if !matches!(ran.recorded, Recorded::Written(_) | Recorded::Already) {
            return;
        }
        let record = Record::without_output(&ran.held, &ran.after, host);
        let mut runs = self.runs();
        if runs.len() == MOST {
            runs.pop_front();
        }
        runs.push_back(Remembered {
            record: Arc::new(record),
            grip: Arc::clone(&ran.held.grip),
        });
    }

    /// Asks the database, which may be another one now, for these runs; tells it once more what it knows of them by half,
    /// and the log which of them it has forgotten.
    ///
    /// What it knows is remembered still: the next failover may lose it.
    pub(super) async fn compare(&self, database: &Database) -> Result<(), DatabaseError> {
        let runs: Vec<Remembered> = self.runs().iter().cloned().collect();
        if runs.is_empty() {
            return Ok(());
        }
        let known = known(&runs, database).await?;
        for Remembered { record, .. } in &runs {
            match known.get(&record.run_id) {
                Some(true) => continue,
                Some(false) => told_again(record, database).await?,
                None => {
                    tracing::error!(job = %record.job, slot = %record.slot, run_id = %record.run_id, outcome = %record.outcome, "forgotten: the database had acknowledged this run, and a failover has lost it; its slot may run again");
                    forgotten(record, database).await?;
                }
            }
            self.forget(record.run_id);
        }
        Ok(())
    }

    fn forget(&self, run_id: Uuid) {
        self.runs().retain(|run| run.record.run_id != run_id);
    }

    fn runs(&self) -> MutexGuard<'_, VecDeque<Remembered>> {
        // Nothing that holds this lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The runs that the log knows, and whether it knows how they ended.
async fn known(
    runs: &[Remembered],
    database: &Database,
) -> Result<HashMap<Uuid, bool>, DatabaseError> {
    let ids: Vec<Uuid> = runs.iter().map(|run| run.record.run_id).collect();
    let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&ids, Type::UUID_ARRAY)];
    let sql = include_str!("../../sql/read_known_runs.sql");
    let rows = transaction::run(database, sql, &parameters).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("run_id")?, row.try_get("is_recorded")?)))
        .collect()
}

/// The claim is there, and its end was lost: it need not run again.
async fn told_again(record: &Record, database: &Database) -> Result<(), DatabaseError> {
    let (job, slot, run_id) = (&record.job, record.slot, record.run_id);
    let outcome = &record.outcome;
    match again(record, database).await? {
        Recorded::Written(_) => {
            tracing::warn!(%job, %slot, %run_id, %outcome, "recorded again: a failover had lost how this run ended, and its output");
        }
        Recorded::Already => {}
        Recorded::Fenced | Recorded::Forgotten => {
            tracing::error!(%job, %slot, %run_id, %outcome, "forgotten: a failover has lost how this run ended, and it was given up for lost; its slot may run again");
        }
    }
    Ok(())
}
