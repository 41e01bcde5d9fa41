//! One pass: look, plan, claim, run, record; children as soon as their parents have succeeded.

use std::{sync::Arc, time::Duration};

use tokio::{task::JoinError, time::Instant};

use crate::{
    clock::sleep_until,
    engine::Engine,
    pass::Pass,
    plan::{plan, plan_of},
    spec::JobName,
    stop::{Stop, Stopper},
    store::error::DatabaseError,
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
        work: Work::new(stop.flag()),
        plan_at: Instant::now(),
        drain_at: None,
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
}

/// What a look at the table is for.
#[derive(Clone, Copy)]
enum Look {
    /// Everything that is due.
    All,
    /// The children of a job that has just ended. Not all that is due: a pass whose jobs are short and frequent
    /// would never end.
    ChildrenOf(usize),
}

impl Tick {
    /// Reads the table, plans, and wants what is due.
    async fn look(&mut self, look: Look) {
        let table = match self.engine.look().await {
            Ok(table) => table,
            Err(error) => return self.give_up(error),
        };
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
            Look::ChildrenOf(parent) => {
                let children = graph.children(parent);
                let plan = plan_of(graph, &table, place, children.iter().copied());
                let scope = Scope::Jobs(children.to_vec());
                self.work.want(engine, &scope, engine.in_order(&plan));
            }
        }
    }

    async fn ended(&mut self, ended: Result<(JobName, Came), JoinError>) {
        match ended {
            Ok((job, Came::Ran(ran))) => {
                self.pass.ended(*ran);
                let job = self.engine.graph.number(&job);
                if let Some(job) = job.filter(|&job| !self.engine.graph.children(job).is_empty()) {
                    self.look(Look::ChildrenOf(job)).await;
                }
            }
            Ok((job, Came::Left(claimed))) => {
                self.pass.left(&self.engine.row(&job), &claimed);
                self.work.leave(job, self.plan_at);
            }
            Ok((_, Came::Unclaimed(error) | Came::Unrecorded(error))) => self.give_up(error),
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
