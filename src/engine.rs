//! What the stations of a pass share: this host, its graph, its database and its runs.

use std::{
    collections::VecDeque,
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::Semaphore;

use crate::{
    clock::Boottime,
    dag::JobGraph,
    heartbeat::Heart,
    host::{self, Host},
    outcomes::Outcomes,
    plan::{Due, Plan, Skip, Verdict, outdated, plan},
    reap::{self, Suspects},
    record::{Recorder, Records, deliver},
    run::Means,
    spec::{JobName, Lease, RowName},
    store::{
        Database, Elsewhere,
        error::DatabaseError,
        hosts,
        schema::{self, Before},
        table::{self, Table},
    },
    stream::Stream,
    supervise::Supervisor,
};

/// A host process at work.
#[derive(Debug)]
pub struct Engine {
    /// Who we are.
    pub host: Host,
    /// The jobs we know.
    pub graph: JobGraph,
    /// The referee.
    pub database: Database,
    /// The way to the databases that jobs name beside it.
    pub elsewhere: Elsewhere,
    /// Starts and guards our runs.
    pub supervisor: Arc<Supervisor>,
    /// Renews their claims.
    pub heart: Arc<Heart>,
    /// Tells what they print while they print it, where a job says so.
    pub stream: Arc<Stream>,
    /// How many transactions with claims at once, or slots left behind: each needs a connection.
    pub turns: Arc<Semaphore>,
    /// Which expired leases of others this host acts upon.
    pub suspects: Arc<Suspects>,
    /// Where runs that end at the same time are recorded together.
    pub records: Records,
    /// What the referee has not taken yet.
    pub outcomes: Arc<Outcomes>,
    /// The terms by which we reap.
    pub terms: Lease,
    /// How many runs at once.
    pub max_parallel: usize,
    /// How long runs may go on after a stop was asked for.
    pub drain: Duration,
    /// The time to take for the database's clock: `None` in production.
    pub now: Option<Timestamp>,
    /// Whether a guard of an earlier process of this host was seen at work: worth another look soon.
    pub is_stopping: AtomicBool,
}

/// What a host does about a verdict.
#[derive(Debug)]
pub enum Step {
    /// It claims the job, and runs it.
    Run(Due),
    /// It leaves slots of it behind.
    Skip(Box<Skip>),
}

impl Step {
    fn of(verdict: &Verdict) -> Option<Self> {
        match verdict {
            Verdict::Run(due) => Some(Self::Run(due.clone())),
            Verdict::Skip(skip) => Some(Self::Skip(skip.clone())),
            _ => None,
        }
    }
}

/// How often one look may change what it looks at: reap, announce, adopt, create the tables.
const ROUNDS: usize = 5;

impl Engine {
    /// What runs are carried out with.
    #[must_use]
    pub fn means(&self) -> Means<'_> {
        Means {
            host: &self.host.place.host,
            supervisor: &self.supervisor,
            heart: &self.heart,
            stream: &self.stream,
            database: &self.database,
            elsewhere: &self.elsewhere,
        }
    }

    /// The row that this host claims when it runs a job.
    #[must_use]
    pub fn row(&self, job: &JobName) -> RowName {
        let spec = self.graph.get(job);
        spec.map_or_else(|| job.into(), |spec| spec.row(&self.host.place.host))
    }

    /// Where runs are written down.
    #[must_use]
    pub fn recorder(&self) -> Recorder<'_> {
        Recorder {
            host: &self.host.place.host,
            database: &self.database,
            records: &self.records,
            outcomes: &self.outcomes,
            now: self.now,
        }
    }

    /// Reads the table; before that, once each and only where the table says so: makes the tables of an empty
    /// database, reaps, announces this host, makes the rows of new jobs.
    pub async fn look(&self) -> Result<Table, DatabaseError> {
        let mut table = self.read_or_create().await?;
        if self.outcomes.are_left() {
            // Before anything is reaped: these runs have ended well or badly, and are not lost.
            deliver(self.recorder()).await?;
            table = self.read().await?;
        }
        let (mut reaped, mut announced) = (false, false);
        for _ in 0..ROUNDS {
            if !reaped {
                reaped = true;
                if !self.reap(&table).await? {
                    continue;
                }
            } else if !announced && self.host.is_due(&table) {
                announced = true;
                let replanned = self
                    .host
                    .announce(&self.graph, &table, &self.database, self.now)
                    .await?;
                for job in &replanned.moved {
                    tracing::info!(%job, "planned anew: its definition has changed");
                }
                if !replanned.is_written {
                    continue;
                }
            } else if !self.adopt(&table).await? {
                break;
            }
            table = self.read().await?;
        }
        self.host.has_looked();
        self.ask_for_newest(&mut table).await?;
        Ok(table)
    }

    /// Where this host leaves jobs to those that go by a newer definition: asks who does. One question, and only if such
    /// a job is due.
    async fn ask_for_newest(&self, table: &mut Table) -> Result<(), DatabaseError> {
        let outdated = outdated(&self.graph, table, &self.host.place);
        if outdated.is_empty() {
            return Ok(());
        }
        let client = self.database.get().await?;
        let newest = hosts::newest(&client, &outdated, self.now).await?;
        table.newest = newest;
        Ok(())
    }

    /// Reads the rows of these jobs, and changes nothing.
    pub async fn look_at(&self, names: &[String]) -> Result<Table, DatabaseError> {
        let client = self.database.get().await?;
        table::read_rows(&client, &self.host.place.host, Some(names), self.now).await
    }

    /// Reads the database's clock, if it can be read.
    pub(crate) async fn read_clock(&self) -> Option<table::Said> {
        let client = self.database.get().await.ok()?;
        table::read_clock(&client, self.now).await
    }

    async fn read(&self) -> Result<Table, DatabaseError> {
        let client = self.database.get().await?;
        self.host.read(&self.graph, &client, self.now).await
    }

    async fn read_or_create(&self) -> Result<Table, DatabaseError> {
        match self.read().await {
            Err(error) if error.is_missing_tables() => {
                create_tables(&self.database, self.host.place.max_ongoing_age).await?;
                self.read().await
            }
            result => result,
        }
    }

    /// Closes the runs whose leases are over, and those of this host of which nothing is left; `true`: the table is another
    /// one now.
    async fn reap(&self, table: &Table) -> Result<bool, DatabaseError> {
        let expired = self.suspects.ripe(table, &self.terms, Boottime::now());
        let place = &self.host.place;
        let ended = reap::ended(table, &self.graph, place, &self.heart, &self.database).await?;
        self.is_stopping.store(ended.is_stopping, Ordering::Relaxed);
        if expired.is_empty() && ended.runs.is_empty() {
            return Ok(ended.gave_back);
        }
        let runs = (expired.as_slice(), ended.runs.as_slice());
        for lost in reap::reap(&self.database, &self.terms, runs, self.now).await? {
            let (job, run_id, why) = (lost.job, lost.run_id, lost.why);
            tracing::warn!(%job, %run_id, host = lost.host.as_deref(), "lost: {why}");
        }
        self.close_orphans().await;
        Ok(true)
    }

    /// Whether the last look has seen a guard of an earlier process of this host at work: it is done in a moment.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// Closes log rows that are `running` without a claim: each would keep its job from ever being claimed.
    pub async fn close_orphans(&self) {
        match reap::reap_orphans(&self.database, &self.terms, self.now).await {
            Ok(closed) => {
                for lost in closed {
                    tracing::warn!(job = %lost.job, run_id = %lost.run_id, "lost: its claim is gone from the row");
                }
            }
            // The next pass meets the same rows again.
            Err(error) => tracing::warn!(%error, "cannot close the log rows of lost claims"),
        }
    }

    /// Makes the rows of new jobs, and winds up the clocks of those that had none; `true` if there were any.
    async fn adopt(&self, table: &Table) -> Result<bool, DatabaseError> {
        let wound_up = host::wind_up(
            &self.graph,
            table,
            &self.host.place,
            &self.database,
            self.now,
        )
        .await?;
        for job in &wound_up {
            tracing::info!(%job, "planned anew: it has a schedule now");
        }
        let taken_up =
            host::take_up_backfills(&self.graph, table, &self.host.place, &self.database).await?;
        for job in &taken_up {
            tracing::info!(%job, "its slots since its last success under Python are pending");
        }
        let plan = plan(&self.graph, table, &self.host.place);
        let new = host::adopt(&plan, &self.graph, &self.database).await?;
        for job in &new {
            tracing::info!(%job, "met for the first time");
        }
        Ok(!(new.is_empty() && wound_up.is_empty() && taken_up.is_empty()))
    }

    /// What is due, parents before children; within a layer at random, so that hosts that start in the same
    /// instant do not all try the same rows in the same order.
    #[must_use]
    pub fn in_order(&self, plan: &Plan<'_>) -> VecDeque<(usize, Step)> {
        // Seeded anew for each plan, without asking the kernel for each job.
        let chance = RandomState::new();
        let mut due: Vec<_> = plan
            .jobs
            .iter()
            .filter_map(|job| {
                let step = Step::of(&job.verdict)?;
                let chance = chance.hash_one(job.index);
                Some((self.layer(job.index), chance, job.index, step))
            })
            .collect();
        due.sort_unstable_by_key(|&(layer, chance, ..)| (layer, chance));
        due.into_iter()
            .map(|(_, _, job, step)| (job, step))
            .collect()
    }
}

impl Engine {
    fn layer(&self, job: usize) -> usize {
        self.graph
            .layers()
            .partition_point(|layer| layer.end <= job)
    }
}

/// Makes the tables of a database that has none; everything else is for `crontabber migrate`.
async fn create_tables(
    database: &Database,
    max_ongoing_age: Duration,
) -> Result<(), DatabaseError> {
    let client = database.get().await?;
    match schema::look(&client).await? {
        Before::Nothing => {
            if !schema::migrate(&client, max_ongoing_age).await?.steps.is_empty() {
                tracing::info!("made the tables");
            }
            Ok(())
        }
        // Somebody has made them meanwhile; or they are older than the columns we read, and then the next reading
        // says so.
        Before::Ours(_) => Ok(()),
        Before::Legacy => Err(DatabaseError::Schema(
            "this database has the tables of crontabber 0.18 or older: run `crontabber migrate` once, on any host, to \
             widen them in place; the old hosts go on working"
                .to_owned(),
        )),
    }
}
