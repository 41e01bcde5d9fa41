//! Closing the runs of hosts that stopped renewing: any host does so in any pass, for jobs it does not know too.
//!
//! All it needs was copied into the row at the claim. A run is not reaped before its lease is over by `grace`,
//! and by then its own host's guard has killed it; nor within a lease after the server's start, so that every
//! living host can renew, or deliver an outcome, first.

mod ended;
mod suspects;

use jiff::Timestamp;
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};
use uuid::Uuid;

use crate::{
    spec::Lease,
    store::{Database, error::DatabaseError, transaction},
};

pub(crate) use ended::ended;
pub use suspects::Suspects;

/// A run that was closed as `lost` (or `cancelled`, if somebody had asked for that).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaped {
    /// The job.
    pub job: String,
    /// The run.
    pub run_id: Uuid,
    /// The host that ran it.
    pub host: Option<String>,
    /// Why.
    pub why: String,
}

/// Closes those of the runs `expired` whose lease is over, and those of which it is known that all of them has ended.
pub async fn reap(
    database: &Database,
    terms: &Lease,
    (expired, ended): (&[Uuid], &[Uuid]),
    now: Option<Timestamp>,
) -> Result<Vec<Reaped>, DatabaseError> {
    let (grace, lease) = (terms.grace.as_secs_f64(), terms.lease.as_secs_f64());
    let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
        (&grace, Type::FLOAT8),
        (&lease, Type::FLOAT8),
        (&now, Type::TIMESTAMPTZ),
        (&expired, Type::UUID_ARRAY),
        (&ended, Type::UUID_ARRAY),
    ];
    transaction::run(database, include_str!("../sql/reap.sql"), &parameters)
        .await?
        .iter()
        .map(reaped)
        .collect()
}

/// Closes the running log rows whose claim is gone from the job's row.
pub async fn reap_orphans(
    database: &Database,
    terms: &Lease,
    now: Option<Timestamp>,
) -> Result<Vec<Reaped>, DatabaseError> {
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [
        (&terms.lease.as_secs_f64(), Type::FLOAT8),
        (&now, Type::TIMESTAMPTZ),
    ];
    let sql = include_str!("../sql/reap_orphans.sql");
    transaction::run(database, sql, &parameters)
        .await?
        .iter()
        .map(reaped)
        .collect()
}

fn reaped(row: &Row) -> Result<Reaped, DatabaseError> {
    Ok(Reaped {
        job: row.try_get("app_name")?,
        run_id: row.try_get("run_id")?,
        host: row.try_get("host")?,
        why: row.try_get("why")?,
    })
}
