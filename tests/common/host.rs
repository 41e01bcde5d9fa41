//! A host inside the test process: the real engine, the real database, the time of the test's choice.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use crontabber::{
    claim::{self, Claimed},
    dag::JobGraph,
    engine::Engine,
    heartbeat::Heart,
    host::Host as Identity,
    outcomes::Outcomes,
    pass::Pass,
    place::{OnDisagreement, Place},
    plan::{Due, Plan, Planned, Verdict, plan},
    reap::Suspects,
    record::Records,
    schedule::{Crontab, Rule, Timetable},
    spec::{
        CatchUp, JobSpec, Kind, Lease, On, OnDbLoss, OnLost, Origin, Overlap, Parent, Placement,
        Retry, RunAs, Start,
    },
    stop::Stopper,
    store::{Address, Elsewhere, Environment, table::Table},
    stream::Stream,
    supervise::Supervisor,
};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;

use super::Database;

/// A host of a cluster: made anew for each pass, as `tick` is, so that nothing is remembered but by the table.
#[derive(Debug, Clone)]
pub struct Host {
    name: String,
    url: String,
    jobs: Vec<JobSpec>,
    now: Option<Timestamp>,
    on_disagreement: OnDisagreement,
    stays: bool,
}

impl Host {
    /// A host that knows these jobs.
    pub fn new(name: &str, database: &Database, jobs: &[JobSpec]) -> Self {
        Self {
            name: name.into(),
            url: database.url().into(),
            jobs: jobs.to_vec(),
            now: None,
            on_disagreement: OnDisagreement::default(),
            stays: false,
        }
    }

    /// The same at this instant of the database's clock.
    pub fn at(&self, now: Timestamp) -> Self {
        Self {
            now: Some(now),
            ..self.clone()
        }
    }

    /// The same, one that takes what daemons take.
    pub fn staying(&self) -> Self {
        Self {
            stays: true,
            ..self.clone()
        }
    }

    /// The same with other jobs.
    pub fn with_jobs(&self, jobs: &[JobSpec]) -> Self {
        Self {
            jobs: jobs.to_vec(),
            ..self.clone()
        }
    }

    /// The same with this policy.
    pub fn on_disagreement(&self, on_disagreement: OnDisagreement) -> Self {
        Self {
            on_disagreement,
            ..self.clone()
        }
    }

    /// What its passes share.
    pub fn engine(&self) -> Arc<Engine> {
        let address =
            Address::parse(&self.url, &Environment::of_this_process()).expect("the test's own URL");
        let database = crontabber::store::Database::new(
            address,
            "crontabber test",
            4,
            Duration::from_secs(10),
        );
        let configuration: Vec<String> = self.jobs.iter().map(JobSpec::definition).collect();
        let place = Place {
            host: self.name.clone(),
            on_disagreement: self.on_disagreement,
            stays: self.stays,
            ..Place::default()
        };
        Arc::new(Engine {
            host: Identity::new(place, configuration.join(" ")),
            graph: JobGraph::resolve(self.jobs.clone()).expect("the test's own jobs"),
            heart: Arc::new(Heart::new(database.clone(), self.now)),
            stream: Arc::new(Stream::new(database.clone(), self.now)),
            records: Records::new(database.clone(), self.now),
            database,
            elsewhere: Elsewhere::default(),
            supervisor: Arc::new(Supervisor::with_program(env!("CARGO_BIN_EXE_crontabber"))),
            outcomes: Arc::new(Outcomes::nowhere()),
            turns: Arc::new(Semaphore::new(1)),
            suspects: Arc::new(Suspects::of_a_pass()),
            terms: lease(),
            max_parallel: 4,
            drain: Duration::from_secs(10),
            now: self.now,
            is_stopping: AtomicBool::new(false),
        })
    }

    /// One pass.
    pub async fn tick(&self) -> Pass {
        let mut stop = Stopper::listen().expect("signals can be listened for");
        let engine = self.engine();
        let pass = crontabber::tick::tick(&engine, &mut stop).await;
        assert!(
            pass.error.is_none(),
            "the pass broke off: {}",
            pass.error.expect("checked")
        );
        pass
    }

    /// What a pass would look at.
    pub async fn table(&self) -> Table {
        self.engine().look().await.expect("the table can be read")
    }

    /// The plan of a pass, given to a closure.
    pub async fn planned<T>(&self, look: impl FnOnce(&Plan<'_>) -> T) -> T {
        let engine = self.engine();
        let table = engine.look().await.expect("the table can be read");
        look(&plan(&engine.graph, &table, &engine.host.place))
    }

    /// What its plan has found of each job, all of which are due.
    pub async fn dues(&self) -> Vec<Due> {
        let due = |job: &Planned<'_>| match &job.verdict {
            Verdict::Run(due) => due.clone(),
            other => panic!("not due but {other:?}"),
        };
        self.planned(|plan| plan.jobs.iter().map(due).collect())
            .await
    }
}

/// The lease of the tests' jobs.
pub fn lease() -> Lease {
    Lease::of(Duration::from_secs(12))
}

/// A job that runs a line of shell, once an hour from the moment a host meets it.
pub fn job(name: &str, shell: &str) -> JobSpec {
    JobSpec {
        name: name.parse().expect("a name"),
        origin: Origin::default(),
        description: None,
        kind: Kind::Shell(shell.into()),
        class: None,
        timetable: Some(every(Duration::from_hours(1))),
        start: Start::Now,
        depends_on: Vec::new(),
        timeout: Duration::from_mins(1),
        lease: lease(),
        retry: Retry {
            first: Duration::from_mins(5),
            factor: 2.0,
            max: Duration::from_hours(1),
            jitter: 0.0,
            attempts: 0,
        },
        on_lost: OnLost::Retry,
        catch_up: CatchUp::Latest,
        catch_up_limit: None,
        start_deadline: None,
        overlap: Overlap::Skip,
        placement: Placement {
            hosts: Vec::new(),
            on: On::One,
        },
        keep_running: false,
        on_db_loss: OnDbLoss::Kill,
        stream_output: false,
        run_as: RunAs::default(),
        env: Vec::new(),
        secrets: Vec::new(),
        cwd: None,
        temporary_exit_codes: vec![75],
        fatal_exit_codes: vec![64, 78],
        tags: Vec::new(),
    }
}

/// A period without a wall time.
pub fn every(period: Duration) -> Timetable {
    Timetable {
        rules: vec![Rule::Every { period, at: None }],
        timezone: "UTC".into(),
        jitter: Duration::ZERO,
    }
}

/// Five crontab fields in UTC.
pub fn crontab(fields: &str) -> Timetable {
    let rules = vec![Rule::Crontab(
        Crontab::parse(fields).expect("crontab fields"),
    )];
    Timetable {
        rules,
        timezone: "UTC".into(),
        jitter: Duration::ZERO,
    }
}

/// The same job, waiting for these.
pub fn after(job: JobSpec, parents: &[&str]) -> JobSpec {
    let parents = parents.iter();
    let depends_on = parents.map(|name| Parent::named(name.parse().expect("a name")));
    JobSpec {
        depends_on: depends_on.collect(),
        ..job
    }
}

/// An instant after the server's start, so that reaping is not held back by it.
pub fn noon() -> Timestamp {
    "2031-05-05T12:00:00Z".parse().expect("a timestamp")
}

pub fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// The log, by slot: job, slot as minutes after noon, attempt, outcome.
pub async fn log(database: &Database) -> Vec<String> {
    let rows = database
        .rows(
            "SELECT app_name, (extract(epoch FROM slot - '2031-05-05T12:00Z') / 60)::int, attempt, outcome,
                    CASE WHEN outcome = 'skipped' THEN reason || ' x' || slots ELSE '' END
               FROM crontabber_log ORDER BY slot, id",
        )
        .await;
    rows.iter()
        .map(|row| row.join(" ").trim_end().to_owned())
        .collect()
}

/// When a job is next wanted, as minutes after noon.
pub async fn next_run(database: &Database, job: &str) -> i32 {
    database
        .query_one(&format!(
            "SELECT (extract(epoch FROM next_run - '2031-05-05T12:00Z') / 60)::int FROM crontabber WHERE app_name = '{job}'"
        ))
        .await
}

/// Claims a job and never records it: what a host that died leaves behind.
pub async fn dies_running(host: &Host) {
    let engine = host.engine();
    let due = host
        .planned(|plan| match &plan.jobs[0].verdict {
            Verdict::Run(due) => due.clone(),
            other => panic!("not due but {other:?}"),
        })
        .await;
    let place = Place {
        host: "dead".into(),
        ..Place::default()
    };
    let claimed = claim::claim(
        &engine.database,
        &place,
        &engine.graph.jobs()[0],
        &due,
        engine.now,
    )
    .await;
    assert!(matches!(claimed, Ok(Claimed::Ours(_))), "{claimed:?}");
}
