//! Runs of this host whose process has ended, killed perhaps, with all that it had started: nobody needs to wait for the
//! end of their leases.

use std::time::Duration;

use tokio::time::sleep;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::{
    dag::JobGraph,
    heartbeat::Heart,
    instance::Instance,
    place::Place,
    store::{Database, error::DatabaseError, table::Table, transaction},
    supervise::{self, Remains},
};

/// What is known of the claims that bear this host's name and are not this process's.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// Nothing of them is left.
    pub(crate) runs: Vec<Uuid>,
    /// Their process has ended, and a guard is still stopping what it had started: worth another look soon.
    pub(crate) is_stopping: bool,
}

/// Looks for the processes behind the claims of this host's name; asks the database only if there are any that this
/// process does not hold.
///
/// Nothing is said of runs of another boot or another container, which cannot be seen from here; nor of jobs that run as
/// somebody else, whose processes may be hidden. Those wait for the end of their leases.
pub(crate) async fn ended(
    table: &Table,
    graph: &JobGraph,
    place: &Place,
    heart: &Heart,
    database: &Database,
) -> Result<Ended, DatabaseError> {
    let candidates: Vec<Uuid> = table
        .jobs
        .iter()
        .filter_map(|(name, row)| Some((name, row.claim.as_ref()?)))
        .filter(|(_, claim)| claim.host == place.host && !heart.holds(claim.run_id))
        .filter(|(name, _)| runs_as_the_host(graph, name))
        .map(|(_, claim)| claim.run_id)
        .collect();
    if candidates.is_empty() {
        return Ok(Ended::default());
    }
    let killed = supervise::sweep(&candidates);
    if killed > 0 {
        tracing::warn!(
            killed,
            "killed processes of runs that had nobody left to guard them"
        );
    }
    let claimed_by = instances(&candidates, database).await?;
    let over: Vec<(Uuid, Instance)> = claimed_by
        .into_iter()
        .filter(|(_, by)| place.instance.can_see(by) && place.instance != *by && !by.is_running())
        .collect();
    if over.is_empty() {
        return Ok(Ended::default());
    }
    let remains = Remains::now();
    let (guarded, free): (Vec<_>, Vec<_>) = over
        .into_iter()
        .partition(|(_, by)| remains.has_guards_of(by));
    let free: Vec<Uuid> = free.into_iter().map(|(run_id, _)| run_id).collect();
    if free.is_empty() {
        return Ok(Ended {
            runs: free,
            is_stopping: true,
        });
    }
    // A process that is just in `exec` has no environment for a moment: nobody is over who was seen once only.
    sleep(AGAIN).await;
    let remains = Remains::now();
    let (left, runs): (Vec<_>, Vec<_>) = free.into_iter().partition(|run| remains.has_run(*run));
    Ok(Ended {
        runs,
        is_stopping: !guarded.is_empty() || !left.is_empty(),
    })
}

/// How soon to look for the same processes again.
const AGAIN: Duration = Duration::from_millis(20);

fn runs_as_the_host(graph: &JobGraph, name: &str) -> bool {
    let job = name.split('@').next().unwrap_or(name);
    let spec = job.parse().ok().and_then(|job| graph.get(&job));
    spec.is_some_and(|spec| spec.run_as.user.is_none())
}

async fn instances(
    runs: &[Uuid],
    database: &Database,
) -> Result<Vec<(Uuid, Instance)>, DatabaseError> {
    let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&runs, Type::UUID_ARRAY)];
    let sql = include_str!("../../sql/read_instances.sql");
    let rows = transaction::run(database, sql, &parameters).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let text: String = row.try_get("instance")?;
        if let Ok(instance) = text.parse() {
            found.push((row.try_get("run_id")?, instance));
        }
    }
    Ok(found)
}
