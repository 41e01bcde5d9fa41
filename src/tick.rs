//! One pass: look, plan, claim, run, record; children as soon as their parents have succeeded.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{task::JoinError, time::Instant};

use crate::{
    clock::sleep_until,
    engine::Engine,
    pass::Pass,
    plan::{plan, plan_of},
    spec::{CatchUp, JobName},
    stop::{Stop, Stopper},
    store::{error::DatabaseError, table::JobState},
    work::{Came, Scope, Work},
};

/// How often a pass that waits for its runs plans again: a host under a systemd timer keeps taking work.
pub const PLAN_AGAIN: Duration = Duration::from_mins(1);

/// How long whoever was told twice to stop still tries to record what it has killed.
pub(crate) const LAST_WORDS: Duration = Duration::from_secs(30);

/// Runs everything that is due and may run here, and says how it went.
///
/// The plan is made from one reading of the table and may be stale a moment later; the claim is the judge.
pub async fn tick(engine: &Arc<Engine>, stop: &mut Stopper) -> Pass {
    let mut tick = Tick {
        engine: Arc::clone(engine),
        pass: Pass::default(),
        work: Work::new(engine, stop.flag()),
        plan_at: Instant::now(),
        drain_at: None,
        began: None,
    };
    tick.look(Look::All).await;
    loop {
        tick.work.start(engine);
        let (is_running, plan_at, drain_at) = (!tick.work.is_idle(), tick.plan_at, tick.drain_at);
        tokio::select! {
            Some(ended) = tick.work.next() => tick.ended(ended).await,
            () = sleep_until(Some(plan_at)), if is_running => tick.look(Look::All).await,
            () = sleep_until(drain_at), if is_running => tick.drained(),
            asked = stop.changed(), if is_running => tick.stopped(asked),
            else => return tick.pass,
        }
    }
}

struct Tick {
    engine: Arc<Engine>,
    pass: Pass,
    work: Work,
    plan_at: Instant,
    drain_at: Option<Instant>,
    /// The database's clock at its first look.
    began: Option<Timestamp>,
}

/// What a look at the table is for.
#[derive(Clone, Copy)]
enum Look {
    /// Everything that is due.
    All,
    /// The children of a job that has just ended, and the job itself where it has more slots to catch up on. Not all that
    /// is due: a pass whose jobs are short and frequent would never end.
    After(usize),
}

impl Tick {
    /// Reads the table, plans, and wants what is due.
    async fn look(&mut self, look: Look) {
        let table = match self.engine.look().await {
            Ok(table) => table,
            Err(error) => return self.give_up(error),
        };
        self.began.get_or_insert(table.now);
        let engine = &self.engine;
        let (graph, place) = (&engine.graph, &engine.host.place);
        match look {
            Look::All => {
                let plan = plan(graph, &table, place);
                self.plan_at = Instant::now() + PLAN_AGAIN;
                self.work.leave_nothing();
                self.work.want(engine, &Scope::All, engine.in_order(&plan));
                self.pass.saw(&plan);
            }
            Look::After(job) => {
                let mut jobs = graph.children(job).to_vec();
                let name = engine.row(&graph.jobs()[job].name);
                if self.catches_up(job, table.row(name.as_str())) {
                    jobs.push(job);
                    jobs.sort_unstable();
                }
                let plan = plan_of(graph, &table, place, jobs.iter().copied());
                let scope = Scope::Jobs(jobs);
                self.work.want(engine, &scope, engine.in_order(&plan));
            }
        }
    }

    /// Whether a job has slots left that had come when this pass began.
    fn catches_up(&self, job: usize, row: Option<&JobState>) -> bool {
        let is_wanted = self.engine.graph.jobs()[job].catch_up == CatchUp::All;
        let pending = row.and_then(JobState::pending);
        is_wanted && pending.is_some_and(|slot| Some(slot) <= self.began)
    }

    async fn ended(&mut self, ended: Result<(JobName, Came), JoinError>) {
        match ended {
            Ok((job, Came::Ran(ran))) => {
                self.pass.ended(*ran);
                let graph = &self.engine.graph;
                if let Some(job) = graph.number(&job) {
                    let is_alone = graph.children(job).is_empty();
                    let catches_up = graph.jobs()[job].catch_up == CatchUp::All;
                    if !is_alone || catches_up {
                        self.look(Look::After(job)).await;
                    }
                }
            }
            Ok((job, Came::Left(claimed))) => {
                self.pass.left(&self.engine.row(&job), &claimed);
                self.work.leave(job, self.plan_at);
            }
            Ok((_, Came::Unclaimed(error) | Came::Unrecorded(error))) => self.give_up(error),
            Ok((job, Came::Skipped(skip, row))) => {
                Pass::skipped(&self.engine.row(&job), &skip, &row);
            }
            Ok((_, Came::Dropped)) => {}
            // Given up in `drained`: its lease ends, and another host finds it.
            Err(error) if error.is_cancelled() => self.pass.abandoned(),
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }

    /// Nothing more is claimed; what is running goes on under its lease, and is waited for.
    fn give_up(&mut self, error: DatabaseError) {
        self.work.want_nothing();
        self.pass.broke(error);
        self.plan_at = Instant::now() + PLAN_AGAIN;
    }

    fn stopped(&mut self, asked: Stop) {
        self.pass.asked_to_stop(asked);
        let limit = match asked {
            Stop::Drain => self.engine.drain,
            Stop::Kill(_) => {
                self.engine.heart.stop_all();
                LAST_WORDS
            }
        };
        self.drain_at = Some(Instant::now() + limit);
    }

    /// The runs have not ended in time after a stop was asked for: they are killed; and if they were killed before,
    /// they are dead by now, and the database takes no record of it.
    fn drained(&mut self) {
        self.drain_at = None;
        if self.pass.killed_by.is_some() {
            self.work.give_up();
        } else {
            self.engine.heart.stop_all();
        }
    }
}
