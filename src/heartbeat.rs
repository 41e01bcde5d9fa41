//! Renewing the claims of this host, on a connection of its own.
//!
//! One statement renews all of them. A run that does not come back is read without a lock before anybody calls
//! it fenced: its row may merely be locked by somebody, and one locked row must neither delay nor kill the
//! others. A fenced run is killed at once; a run that cannot be renewed is killed by its guard at its deadline,
//! whatever becomes of this process.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use tokio::{sync::Notify, task::JoinHandle, time::Instant};
use tokio_postgres::{
    Client, Row,
    types::{ToSql, Type},
};
use uuid::Uuid;

use crate::{
    claim::Held,
    clock::{Boottime, sleep_until},
    spec::Lease,
    store::{Connection, Database, error::DatabaseError, limited, transaction},
};

/// How soon a renewal that failed, or that found a row locked, is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// The heartbeat of one host process: it beats while it has runs.
#[derive(Debug)]
pub struct Heart {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    runs: Mutex<HashMap<Uuid, Beating>>,
    changed: Notify,
    hurried: Notify,
    /// Whether this host was told to stop: a run that was just being started then is killed when it comes.
    is_stopped: AtomicBool,
    /// Whether it gives up what it keeps running: likewise.
    keeps_nothing: AtomicBool,
}

/// How a run is held while it goes on, whoever carries it out. Neither of these ever waits.
pub trait Leash: std::fmt::Debug + Send + Sync {
    /// Says that the claim is proven until `deadline`. An earlier one than before changes nothing.
    fn extend(&self, deadline: Boottime);

    /// Stops the run. After it the deadline is extended no more.
    fn cancel(&self);
}

/// What is renewed for one run.
#[derive(Debug, Clone)]
struct Beating {
    job: String,
    fence: i64,
    lease: Lease,
    /// Whether it is kept running, whatever its host does.
    is_kept: bool,
    leash: Arc<dyn Leash>,
    cut: Option<Cut>,
}

/// Why this host cut a run short itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The claim was found to be somebody else's.
    Fenced,
    /// This host is told to stop.
    HostStopped,
}

impl Heart {
    /// A heart with nothing to renew; it opens its connection with the first run.
    #[must_use]
    pub fn new(database: Database, now: Option<Timestamp>) -> Self {
        let shared = Arc::new(Shared {
            runs: Mutex::default(),
            changed: Notify::new(),
            hurried: Notify::new(),
            is_stopped: AtomicBool::new(false),
            keeps_nothing: AtomicBool::new(false),
        });
        let task = tokio::spawn(beat(Arc::clone(&shared), database, now));
        Self { shared, task }
    }

    /// Renews this run from now on, until what is returned ends; or kills it, if the host was told to stop meanwhile.
    pub fn hold(&self, held: &Held, leash: Arc<dyn Leash>) -> Renewal {
        let mut beating = Beating {
            job: held.job().to_string(),
            fence: held.fence,
            lease: held.spec.lease,
            is_kept: held.spec.keep_running,
            leash,
            cut: None,
        };
        let mut runs = self.shared.runs();
        // Asked under the lock that `stop_all` takes after it has said so: one of the two sees the other.
        let keeps_nothing = self.shared.keeps_nothing.load(Ordering::SeqCst);
        if self.shared.is_stopped.load(Ordering::SeqCst) || beating.is_kept && keeps_nothing {
            beating.stop();
        }
        runs.insert(held.run_id, beating);
        drop(runs);
        self.shared.changed.notify_one();
        Renewal {
            shared: Arc::clone(&self.shared),
            run_id: held.run_id,
        }
    }

    /// Renews at once: somebody has said that there is something to hear.
    pub fn beat_now(&self) {
        self.shared.hurried.notify_one();
    }

    /// Whether it renews this run.
    #[must_use]
    pub fn holds(&self, run_id: Uuid) -> bool {
        self.shared.runs().contains_key(&run_id)
    }

    /// What it renews, by job.
    #[must_use]
    pub fn runs(&self) -> Vec<(String, Uuid)> {
        let runs = self.shared.beating().into_iter();
        runs.map(|(run_id, run)| (run.job, run_id)).collect()
    }

    /// Kills every run that is still going on or just being started: this host is told to stop.
    pub fn stop_all(&self) {
        self.shared.is_stopped.store(true, Ordering::SeqCst);
        self.shared.runs().values_mut().for_each(Beating::stop);
    }

    /// Stops what this host keeps running, for another host to take over: it would outlast any wait for the runs to end.
    pub fn stop_kept(&self) {
        self.shared.keeps_nothing.store(true, Ordering::SeqCst);
        let mut runs = self.shared.runs();
        runs.values_mut()
            .filter(|run| run.is_kept)
            .for_each(Beating::stop);
    }

    /// Lets runs that come from now on be: this host works again.
    pub fn go_on(&self) {
        self.shared.is_stopped.store(false, Ordering::SeqCst);
        self.shared.keeps_nothing.store(false, Ordering::SeqCst);
    }
}

/// Renews a run as long as it lives: whoever watches a run and is given up takes its lease with it.
#[derive(Debug)]
#[must_use = "without it the lease of the run ends"]
pub struct Renewal {
    shared: Arc<Shared>,
    run_id: Uuid,
}

impl Renewal {
    /// Renews it no more, and says whether this host had cut it short.
    #[must_use]
    pub fn end(self) -> Option<Cut> {
        self.take()
    }

    fn take(&self) -> Option<Cut> {
        let beating = self.shared.runs().remove(&self.run_id);
        beating.and_then(|beating| beating.cut)
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.take();
    }
}

impl Beating {
    /// Kills it, because its host is told to stop.
    fn stop(&mut self) {
        self.cut.get_or_insert(Cut::HostStopped);
        self.leash.cancel();
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn runs(&self) -> MutexGuard<'_, HashMap<Uuid, Beating>> {
        // Nothing that holds this lock can panic half-way through a change.
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be renewed now, in the order in which rows are locked.
    fn beating(&self) -> Vec<(Uuid, Beating)> {
        let mut runs: Vec<_> = self
            .runs()
            .iter()
            .filter(|(_, run)| run.cut != Some(Cut::Fenced))
            .map(|(&run_id, run)| (run_id, run.clone()))
            .collect();
        runs.sort_unstable_by(|a, b| a.1.job.cmp(&b.1.job));
        runs
    }
}

async fn beat(shared: Arc<Shared>, database: Database, now: Option<Timestamp>) {
    let mut connection: Option<Connection> = None;
    let mut next: Option<Instant> = None;
    loop {
        tokio::select! {
            // A run came: its first renewal is a heartbeat away, and never puts off those of the others.
            () = shared.changed.notified() => {
                let first = Instant::now() + interval(&shared.beating());
                next = Some(next.map_or(first, |next| next.min(first)));
                continue;
            }
            () = shared.hurried.notified() => {}
            () = sleep_until(next) => {}
        }
        let runs = shared.beating();
        let interval = interval(&runs);
        if runs.is_empty() {
            next = None;
            continue;
        }
        let pause = match renew(&shared, &database, &mut connection, &runs, now).await {
            Ok(Renewed::All) => interval,
            Ok(Renewed::NotAll) => AGAIN.min(interval),
            Err(error) => {
                tracing::warn!(%error, runs = runs.len(), "cannot renew the leases; trying again until the runs' deadlines");
                connection = None;
                AGAIN.min(interval)
            }
        };
        next = Some(Instant::now() + pause);
    }
}

/// The shortest heartbeat of these runs.
fn interval(runs: &[(Uuid, Beating)]) -> Duration {
    runs.iter()
        .map(|(_, run)| run.lease.heartbeat)
        .min()
        .unwrap_or(AGAIN)
}

enum Renewed {
    All,
    NotAll,
}

async fn renew(
    shared: &Shared,
    database: &Database,
    connection: &mut Option<Connection>,
    runs: &[(Uuid, Beating)],
    now: Option<Timestamp>,
) -> Result<Renewed, DatabaseError> {
    let limit = interval(runs).max(AGAIN);
    let client = match connection {
        Some(client) => client,
        None => connection.insert(database.dedicated().await?),
    };
    let sent = Boottime::now();
    let warned = client.warnings();
    let rows = send(client, limit, runs, now).await?;
    if client.warnings() != warned {
        // Not known to be durable, so no proof; the runs live on what was proven before.
        return Ok(Renewed::NotAll);
    }
    let mut renewed = HashMap::with_capacity(rows.len());
    for row in &rows {
        renewed.insert(
            row.try_get::<_, Uuid>("run_id")?,
            row.try_get::<_, bool>("cancelled")?,
        );
    }
    let mut missing = Vec::new();
    for (run_id, run) in runs {
        match renewed.get(run_id) {
            Some(cancelled) => {
                run.leash
                    .extend(sent + run.lease.lease.saturating_sub(run.lease.margin));
                if *cancelled {
                    run.leash.cancel();
                }
            }
            None => missing.push((*run_id, run.clone())),
        }
    }
    if missing.is_empty() {
        return Ok(Renewed::All);
    }
    let rows = limited(limit, client.fuse(), look_up(client, &missing)).await?;
    let standing: Vec<Uuid> = rows
        .iter()
        .map(|row| row.try_get("run_id"))
        .collect::<Result<_, _>>()?;
    for (run_id, run) in missing
        .iter()
        .filter(|(run_id, _)| !standing.contains(run_id))
    {
        fence(shared, *run_id, run);
    }
    Ok(if standing.is_empty() {
        Renewed::All
    } else {
        Renewed::NotAll
    })
}

/// Somebody else may run this job now: the run dies.
fn fence(shared: &Shared, run_id: Uuid, run: &Beating) {
    if let Some(beating) = shared.runs().get_mut(&run_id) {
        tracing::error!(job = %run.job, %run_id, fence = run.fence, "fenced: the claim is somebody else's; killing the run");
        beating.cut = Some(Cut::Fenced);
        beating.leash.cancel();
    }
}

async fn send(
    client: &Connection,
    limit: Duration,
    runs: &[(Uuid, Beating)],
    now: Option<Timestamp>,
) -> Result<Vec<Row>, DatabaseError> {
    let (jobs, run_ids, fences) = keys(runs);
    let leases: Vec<f64> = runs
        .iter()
        .map(|(_, run)| run.lease.lease.as_secs_f64())
        .collect();
    let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
        (&jobs, Type::TEXT_ARRAY),
        (&run_ids, Type::UUID_ARRAY),
        (&fences, Type::INT8_ARRAY),
        (&leases, Type::FLOAT8_ARRAY),
        (&now, Type::TIMESTAMPTZ),
    ];
    let sql = crate::faults::planted(include_str!("../sql/heartbeat.sql"));
    transaction::run_on(client, limit, sql, &parameters).await
}

async fn look_up(
    client: &Client,
    runs: &[(Uuid, Beating)],
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let (jobs, run_ids, fences) = keys(runs);
    let parameters: [(&(dyn ToSql + Sync), Type); 3] = [
        (&jobs, Type::TEXT_ARRAY),
        (&run_ids, Type::UUID_ARRAY),
        (&fences, Type::INT8_ARRAY),
    ];
    client
        .query_typed(include_str!("../sql/heartbeat_lookup.sql"), &parameters)
        .await
}

fn keys(runs: &[(Uuid, Beating)]) -> (Vec<&str>, Vec<Uuid>, Vec<i64>) {
    let jobs = runs.iter().map(|(_, run)| run.job.as_str()).collect();
    let run_ids = runs.iter().map(|(run_id, _)| *run_id).collect();
    (
        jobs,
        run_ids,
        runs.iter().map(|(_, run)| run.fence).collect(),
    )
}
