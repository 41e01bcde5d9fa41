//! One pass: look, plan, claim, run, record; children as soon as their parents have succeeded.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::{
    task::{JoinError, JoinSet},
    time::Instant,
};

use crate::{
    claim::{Claim, Claimed, claim},
    clock::sleep_until,
    engine::Engine,
    pass::{Pass, Ran},
    plan::{Due, Verdict, plan},
    record::record,
    run::run,
    stop::{Stop, Stopper},
    store::error::DatabaseError,
};

/// How often a pass that waits for its runs plans again: a host under a systemd timer keeps taking work.
pub const PLAN_AGAIN: Duration = Duration::from_mins(1);

/// Runs everything that is due and may run here, and says how it went.
///
/// The plan is made from one reading of the table and may be stale a moment later; the claim is the judge.
pub async fn tick(engine: &Arc<Engine>, stop: &mut Stopper) -> Pass {
    let mut tick = Tick::new(Arc::clone(engine));
    tick.look(Look::All).await;
    loop {
        tick.start(stop).await;
        let (is_running, plan_at, drain_at) = (!tick.runs.is_empty(), tick.plan_at, tick.drain_at);
        tokio::select! {
            Some(ended) = tick.runs.join_next() => tick.ended(ended).await,
            () = sleep_until(Some(plan_at)), if is_running => tick.look(Look::All).await,
            () = sleep_until(drain_at), if is_running => tick.drained(),
            asked = stop.changed(), if is_running => tick.stopped(asked),
            else => return tick.pass,
        }
    }
}

/// How long whoever was told twice to stop still tries to record what it has killed.
pub(crate) const LAST_WORDS: Duration = Duration::from_secs(30);

/// Takes one claim through its stations.
pub(crate) async fn run_and_record(
    engine: Arc<Engine>,
    claim: Claim,
) -> Result<Ran, DatabaseError> {
    let finished = run(claim, &engine.means()).await;
    let (held, output) = (finished.held().clone(), finished.output().text());
    let (after, recorded) = record(finished, &engine.database, engine.now).await?;
    Ok(Ran {
        held,
        after,
        recorded,
        output,
    })
}

struct Tick {
    engine: Arc<Engine>,
    pass: Pass,
    /// What the last plan wants and nobody has claimed yet.
    queue: VecDeque<(usize, Due)>,
    /// What came back from a claim as not ours: not asked for again before the next full plan.
    left: HashSet<usize>,
    runs: JoinSet<(usize, Result<Ran, DatabaseError>)>,
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
    fn new(engine: Arc<Engine>) -> Self {
        Self {
            engine,
            pass: Pass::default(),
            queue: VecDeque::new(),
            left: HashSet::new(),
            runs: JoinSet::new(),
            plan_at: Instant::now(),
            drain_at: None,
        }
    }

    /// Reads the table, plans, and queues what is due.
    async fn look(&mut self, look: Look) {
        let table = match self.engine.look().await {
            Ok(table) => table,
            Err(error) => return self.give_up(error),
        };
        let plan = plan(&self.engine.graph, &table, &self.engine.host.place);
        let graph = &self.engine.graph;
        match look {
            Look::All => {
                self.plan_at = Instant::now() + PLAN_AGAIN;
                self.queue = self.engine.in_order(&plan);
                self.left.clear();
                self.pass.saw(&plan);
            }
            Look::ChildrenOf(parent) => {
                for &child in graph.children(parent) {
                    let queued = self.queue.iter().any(|(job, _)| *job == child);
                    let here = plan.here(child).map(|job| &job.verdict);
                    if let Some(Verdict::Run(due)) = here
                        && !queued
                        && !self.left.contains(&child)
                    {
                        self.queue.push_back((child, due.clone()));
                    }
                }
            }
        }
    }

    /// Claims what is wanted, as far as there is room for it, and starts what is ours.
    async fn start(&mut self, stop: &Stopper) {
        while self.runs.len() < self.engine.max_parallel && !stop.is_requested() {
            let Some((job, due)) = self.queue.pop_front() else {
                return;
            };
            let engine = Arc::clone(&self.engine);
            let spec = &engine.graph.jobs()[job];
            let place = &engine.host.place;
            match claim(&engine.database, place, spec, &due, engine.now).await {
                Ok(Claimed::Ours(claim)) => {
                    Pass::started(claim.held());
                    let run = run_and_record(Arc::clone(&engine), *claim);
                    self.runs.spawn(async move { (job, run.await) });
                }
                Ok(not_ours) => {
                    self.left.insert(job);
                    self.pass.left(&spec.row(&place.host), &not_ours);
                    if matches!(not_ours, Claimed::Doubtful(_)) {
                        engine.close_orphans().await;
                    }
                }
                Err(error) => self.give_up(error),
            }
        }
        if stop.is_requested() {
            self.queue.clear();
        }
    }

    async fn ended(&mut self, ended: Result<(usize, Result<Ran, DatabaseError>), JoinError>) {
        match ended {
            Ok((job, Ok(ran))) => {
                self.pass.ended(ran);
                if !self.engine.graph.children(job).is_empty() {
                    self.look(Look::ChildrenOf(job)).await;
                }
            }
            Ok((_, Err(error))) => self.give_up(error),
            // Given up in `drained`: its lease ends, and another host finds it.
            Err(error) if error.is_cancelled() => self.pass.abandoned(),
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }

    /// Nothing more is claimed; what is running goes on under its lease, and is waited for.
    fn give_up(&mut self, error: DatabaseError) {
        self.queue.clear();
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
            self.runs.abort_all();
        } else {
            self.engine.heart.stop_all();
        }
    }
}
