//! The runs that were recorded lately: what a failover may have lost though it was acknowledged.

use std::collections::VecDeque;

use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::{
    pass::Ran,
    record::{Record, Recorded, forgotten},
    store::{Database, error::DatabaseError, transaction},
};

/// How many are remembered: more than a standby lags behind.
const MOST: usize = 1000;

/// What this daemon has recorded lately.
#[derive(Debug, Default)]
pub(super) struct Memory {
    runs: VecDeque<Record>,
}

impl Memory {
    /// Remembers a run whose record was acknowledged.
    pub(super) fn remember(&mut self, ran: &Ran, host: &str) {
        if !matches!(ran.recorded, Recorded::Written(_) | Recorded::Already) {
            return;
        }
        if self.runs.len() == MOST {
            self.runs.pop_front();
        }
        let record = Record::without_output(&ran.held, &ran.after, host);
        self.runs.push_back(record);
    }

    /// What is to be asked for after a connection was lost: the database behind the next one may be another.
    pub(super) fn take(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.runs).into()
    }
}

/// Asks the database for these runs, and tells the log which of them it has forgotten.
pub(super) async fn compare(runs: Vec<Record>, database: Database) -> Result<(), DatabaseError> {
    if runs.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = runs.iter().map(|run| run.run_id).collect();
    let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&ids, Type::UUID_ARRAY)];
    let sql = include_str!("../../sql/read_known_runs.sql");
    let mut known = Vec::with_capacity(ids.len());
    for row in transaction::run(&database, sql, &parameters).await? {
        known.push(row.try_get::<_, Uuid>("run_id")?);
    }
    for run in runs.iter().filter(|run| !known.contains(&run.run_id)) {
        tracing::error!(job = run.job, slot = %run.slot, run_id = %run.run_id, outcome = run.outcome, "forgotten: the database had acknowledged this run, and a failover has lost it; its slot may run again");
        forgotten(run, &database).await?;
    }
    Ok(())
}
