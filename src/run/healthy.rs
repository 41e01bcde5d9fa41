//! Saying that an instance of a job that is kept running is healthy, when it has been up for long enough.

use std::{convert::Infallible, future::pending};

use tokio_postgres::types::Type;

use crate::{
    claim::Held,
    clock::Boottime,
    store::{Database, DatabaseError, recurring::Parameter, transaction},
    supervise::is_starting,
};

/// Goes beside a run with this process, and takes back its job's errors once it has been up for the healthy period. Never
/// ends by itself.
///
/// While the database is away it tries again, no sooner than another such period later.
pub(super) async fn watch(held: &Held, run: Option<u32>, database: &Database) -> Infallible {
    // What has no errors has nothing to take back.
    if held.spec.keep_running && held.error_count > 0 {
        let period = held.spec.healthy_after();
        loop {
            tokio::time::sleep(period).await;
            // It is not up yet: its file hangs.
            if run.is_some_and(is_starting) {
                continue;
            }
            match say(held, database).await {
                Ok(()) => break,
                Err(error) => {
                    tracing::warn!(%error, job = %held.job(), run_id = %held.run_id, "cannot take back the errors of a healthy job; trying again");
                }
            }
        }
        let up = Boottime::now().saturating_since(held.since_here);
        tracing::info!(job = %held.job(), run_id = %held.run_id, ?up, "healthy");
    }
    pending().await
}

async fn say(held: &Held, database: &Database) -> Result<(), DatabaseError> {
    let job = held.job().as_str();
    let parameters: [Parameter<'_>; 3] = [
        (&job, Type::TEXT),
        (&held.run_id, Type::UUID),
        (&held.fence, Type::INT8),
    ];
    let sql = include_str!("../../sql/healthy.sql");
    transaction::run(database, sql, &parameters).await?;
    Ok(())
}
