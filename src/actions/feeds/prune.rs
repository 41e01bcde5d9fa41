//! Fetches that nobody asks about any more.

use std::time::Duration;

use tokio_postgres::types::Type;

use crate::store::{Database, DatabaseError, recurring::Parameter, transaction::run};

/// How many rows one statement takes away.
const BATCH: i64 = 10_000;

/// How many statements a pass sends; what is left is the next pass's.
const BATCHES: usize = 20;

/// Takes away the fetches that were longer ago than this, but never the last one of a feed; how many it were.
pub async fn prune(database: &Database, keep: Duration) -> Result<i64, DatabaseError> {
    let keep = keep.as_secs_f64();
    let mut all = 0;
    for _ in 0..BATCHES {
        let parameters: [Parameter<'_>; 2] = [(&keep, Type::FLOAT8), (&BATCH, Type::INT8)];
        let rows = run(database, include_str!("sql/prune.sql"), &parameters).await?;
        let pruned: i64 = match rows.first() {
            Some(row) => row.try_get("pruned")?,
            None => 0,
        };
        all += pruned;
        if pruned < BATCH {
            break;
        }
    }
    Ok(all)
}
