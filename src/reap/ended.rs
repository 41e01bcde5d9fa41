//! Runs of this host whose process has ended, killed perhaps, with all that it had started; and claims of this process that
//! it has given up, because it never heard that it had them. Nobody needs to wait for the end of their leases.

use std::time::Duration;

use tokio::time::sleep;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::{
    claim::{free, is_in_hand},
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
    /// Some were claims of this process, and it has given them back.
    pub(crate) gave_back: bool,
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
        .values()
        .filter_map(|row| row.claim.as_ref())
        .filter(|claim| claim.host == place.host)
        .filter(|claim| !heart.holds(claim.run_id) && !is_in_hand(claim.run_id))
        .map(|claim| claim.run_id)
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
    let own = &place.instance;
    let (mut over, mut gave_back) = (Vec::new(), false);
    for claimed in read(&candidates, database).await? {
        if !own.can_see(&claimed.by) {
            continue;
        }
        if claimed.by == *own {
            let (job, run_id) = (&claimed.job, claimed.run_id);
            tracing::warn!(%job, %run_id, "given back: this host never heard that it had claimed it");
            free(database, job, (run_id, claimed.fence), NEVER_HEARD).await?;
            gave_back = true;
        } else if !claimed.by.is_running() && runs_as_the_host(graph, &claimed.job) {
            over.push(claimed);
        }
    }
    if over.is_empty() {
        return Ok(Ended {
            gave_back,
            ..Ended::default()
        });
    }
    let remains = Remains::now();
    let (guarded, free): (Vec<_>, Vec<_>) = over
        .into_iter()
        .partition(|claimed| remains.has_guards_of(&claimed.by));
    let mut ended = Ended {
        is_stopping: !guarded.is_empty(),
        runs: Vec::new(),
        gave_back,
    };
    if !free.is_empty() {
        // A process that is just in `exec` has no environment for a moment: nobody is over who was seen once only.
        sleep(AGAIN).await;
        let remains = Remains::now();
        for Claimed { run_id, .. } in free {
            if remains.has_run(run_id) {
                ended.is_stopping = true;
            } else {
                ended.runs.push(run_id);
            }
        }
    }
    Ok(ended)
}

/// Why a claim of this process is given back that none of its runs belongs to.
const NEVER_HEARD: &str = "its host never heard that it had claimed it";

/// How soon to look for the same processes again.
const AGAIN: Duration = Duration::from_millis(20);

fn runs_as_the_host(graph: &JobGraph, name: &str) -> bool {
    let job = name.split('@').next().unwrap_or(name);
    let spec = job.parse().ok().and_then(|job| graph.get(&job));
    spec.is_some_and(|spec| spec.run_as.user.is_none())
}

/// A claim, and who made it.
struct Claimed {
    job: String,
    run_id: Uuid,
    fence: i64,
    by: Instance,
}

async fn read(runs: &[Uuid], database: &Database) -> Result<Vec<Claimed>, DatabaseError> {
    let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&runs, Type::UUID_ARRAY)];
    let sql = include_str!("../../sql/read_instances.sql");
    let rows = transaction::run(database, sql, &parameters).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let text: String = row.try_get("instance")?;
        if let Ok(by) = text.parse() {
            found.push(Claimed {
                job: row.try_get("app_name")?,
                run_id: row.try_get("run_id")?,
                fence: row.try_get("fence")?,
                by,
            });
        }
    }
    Ok(found)
}
