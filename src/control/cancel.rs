//! Cancelling a run: its own host kills it, and records it as `cancelled`, which is final.

use jiff::Timestamp;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::store::{Database, error::DatabaseError};

use super::{Answer, By, Happened, Locked, Statement, change};

/// Asks for the end of one run, by its id, so that the job's next run is never meant. The next heartbeat of its host
/// kills it; if that host is gone, whoever reaps the run calls it cancelled.
pub async fn cancel(
    database: &Database,
    by: &By<'_>,
    job: &str,
    run_id: Uuid,
    now: Option<Timestamp>,
) -> Result<Answer, DatabaseError> {
    let parameters: [(&(dyn ToSql + Sync), Type); 6] = [
        (&job, Type::TEXT),
        (&run_id, Type::UUID),
        (&by.who, Type::TEXT),
        (&by.host, Type::TEXT),
        (&by.reason, Type::TEXT),
        (&now, Type::TIMESTAMPTZ),
    ];
    let statement = Statement {
        sql: include_str!("../../sql/cancel.sql"),
        parameters: &parameters,
    };
    let why_not = |_: &str, locked: &Locked| {
        let claim = locked.row.claim.as_ref();
        if claim.is_some_and(|claim| claim.run_id == run_id) {
            Happened::AskedBefore
        } else {
            Happened::Ended
        }
    };
    change(database, &[job], statement, why_not, now).await
}
