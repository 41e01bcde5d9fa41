//! Asking for a run of a job, wherever it may run, and taking the request back.
//!
//! The request stands in the job's row until a host claims it: nobody has to be reachable, and whoever plans next finds
//! it. The run is one by hand: it leaves the schedule alone, and nobody repeats it when it is lost.

use jiff::Timestamp;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::store::{Database, error::DatabaseError, recurring::Parameter};

use super::{Answer, By, Happened, Locked, Statement, change};

/// Asks for one run of a job. Refused while an earlier request waits: two would be one run all the same.
pub async fn trigger(
    database: &Database,
    by: &By<'_>,
    job: &str,
    now: Option<Timestamp>,
) -> Result<Answer, DatabaseError> {
    let why_not = |_: &str, locked: &Locked| match locked.row.triggered {
        Some(_) => Happened::AskedBefore,
        None => Happened::ChangedMeanwhile,
    };
    let sql = include_str!("../../sql/trigger.sql");
    write(database, sql, by, (job, Uuid::new_v4()), why_not, now).await
}

/// Takes a request back that no host has claimed; by its id, so that the next request is never meant.
pub async fn untrigger(
    database: &Database,
    by: &By<'_>,
    job: &str,
    id: Uuid,
    now: Option<Timestamp>,
) -> Result<Answer, DatabaseError> {
    let why_not = |_: &str, _: &Locked| Happened::ChangedMeanwhile;
    let sql = include_str!("../../sql/untrigger.sql");
    write(database, sql, by, (job, id), why_not, now).await
}

async fn write(
    database: &Database,
    sql: &'static str,
    by: &By<'_>,
    (job, id): (&str, Uuid),
    why_not: impl Fn(&str, &Locked) -> Happened,
    now: Option<Timestamp>,
) -> Result<Answer, DatabaseError> {
    let parameters: [Parameter<'_>; 6] = [
        (&job, Type::TEXT),
        (&id, Type::UUID),
        (&by.who, Type::TEXT),
        (&by.host, Type::TEXT),
        (&by.reason, Type::TEXT),
        (&now, Type::TIMESTAMPTZ),
    ];
    let statement = Statement {
        sql,
        parameters: &parameters,
    };
    change(database, &[job], statement, why_not, now).await
}
