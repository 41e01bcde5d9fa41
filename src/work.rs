//! What this process has under way: what the last plan wants, what is being claimed, what runs.
//!
//! A pass and a daemon do the same with it. They differ in when they look, and in when they end.

mod claims;

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    task::{Id, JoinError, JoinSet},
    time::Instant,
};

use crate::{
    claim::{Claim, Claimed},
    engine::{Engine, Step},
    pass::{Pass, Ran},
    plan::{Due, Skip},
    record::record,
    run::run,
    skip,
    spec::JobName,
    store::{error::DatabaseError, table::JobState},
};

use claims::Claims;

/// Claims, runs and records, as many at once as there is room for.
#[derive(Debug)]
pub(crate) struct Work {
    /// What is due and not asked for yet, parents before children.
    queue: VecDeque<(usize, Step)>,
    /// The same of jobs that are kept running, which need no room.
    kept: VecDeque<(usize, Step)>,
    /// What is being claimed or run here.
    busy: HashMap<JobName, Busy>,
    /// What is not asked for again before then: it came back from a claim as not ours, or has just ended.
    left: HashMap<JobName, Left>,
    tasks: JoinSet<Came>,
    claims: Claims,
    /// The jobs of the tasks.
    jobs: HashMap<Id, JobName>,
    /// Whether somebody has asked to stop: nothing is claimed then.
    is_closed: Arc<AtomicBool>,
}

/// A job left alone.
#[derive(Debug, Clone, Copy)]
struct Left {
    until: Instant,
    /// Its row is out of date: as soon as that is read, it may be asked for again.
    unless_read: bool,
}

/// Which jobs a plan is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All of them.
    All,
    /// These, by their places in the graph, in ascending order.
    Jobs(Vec<usize>),
}

/// A job under way.
#[derive(Debug)]
struct Busy {
    /// Kept running, it takes no room: nobody else would ever have it.
    is_kept: bool,
}

/// What came of a job that was asked for.
#[derive(Debug)]
pub(crate) enum Came {
    /// It is not ours.
    Left(Claimed),
    /// Nobody could say whose it is.
    Unclaimed(DatabaseError),
    /// It was not asked for any more.
    Dropped,
    /// Slots of it were left behind; the row as it is now.
    Skipped(Box<Skip>, Box<JobState>),
    /// It ran, and was recorded.
    Ran(Box<Ran>),
    /// It ran, and the database has not taken its record.
    Unrecorded(DatabaseError),
}

impl Work {
    /// Nothing under way. With `is_closed` set nothing more is claimed. Must be called in a runtime.
    pub(crate) fn new(engine: &Engine, is_closed: Arc<AtomicBool>) -> Self {
        Self {
            queue: VecDeque::new(),
            kept: VecDeque::new(),
            busy: HashMap::new(),
            left: HashMap::new(),
            tasks: JoinSet::new(),
            claims: Claims::new(&engine.turns, &is_closed),
            jobs: HashMap::new(),
            is_closed,
        }
    }

    /// Wants what is due of these jobs, as far as it is not under way or left alone; of the others what it wanted before.
    pub(crate) fn want(&mut self, engine: &Engine, of: &Scope, due: VecDeque<(usize, Step)>) {
        for wanted in [&mut self.queue, &mut self.kept] {
            match of {
                Scope::All => wanted.clear(),
                Scope::Jobs(jobs) => wanted.retain(|(job, _)| jobs.binary_search(job).is_err()),
            }
        }
        let now = Instant::now();
        for (job, step) in due {
            let spec = &engine.graph.jobs()[job];
            let left = self.left.get(&spec.name);
            if left.is_some_and(|left| left.until > now) || self.busy.contains_key(&spec.name) {
                continue;
            }
            let wanted = if spec.keep_running {
                &mut self.kept
            } else {
                &mut self.queue
            };
            wanted.push_back((job, step));
        }
    }

    /// Whether this job is being claimed or run here.
    pub(crate) fn is_under_way(&self, job: &JobName) -> bool {
        self.busy.contains_key(job)
    }

    /// Wants nothing any more. What is under way goes on.
    pub(crate) fn want_nothing(&mut self) {
        self.queue.clear();
        self.kept.clear();
    }

    /// Does not ask for this job before then.
    pub(crate) fn leave(&mut self, job: JobName, until: Instant) {
        let unless_read = false;
        self.left.insert(job, Left { until, unless_read });
    }

    /// Does not ask for this job before its row is read, or then.
    pub(crate) fn leave_until_read(&mut self, job: JobName, until: Instant) {
        let unless_read = true;
        self.left.insert(job, Left { until, unless_read });
    }

    /// The row of this job was read.
    pub(crate) fn was_read(&mut self, job: &JobName) {
        if self.left.get(job).is_some_and(|left| left.unless_read) {
            self.left.remove(job);
        }
    }

    /// May ask for everything again.
    pub(crate) fn leave_nothing(&mut self) {
        self.left.clear();
    }

    /// Takes out what was left alone and may be asked for again.
    pub(crate) fn take_no_longer_left(&mut self) -> Vec<JobName> {
        let now = Instant::now();
        let over = self.left.extract_if(|_, left| left.until <= now);
        over.map(|(job, _)| job).collect()
    }

    /// When the first of what is left alone may be asked for again.
    pub(crate) fn left_until(&self) -> Option<Instant> {
        self.left.values().map(|left| left.until).min()
    }

    /// Takes up what is wanted, as far as there is room for it.
    pub(crate) fn start(&mut self, engine: &Arc<Engine>) {
        if self.is_closed.load(Ordering::SeqCst) {
            self.want_nothing();
        }
        while let Some((job, step)) = self.next_with_room(engine) {
            let spec = &engine.graph.jobs()[job];
            let is_kept = spec.keep_running;
            self.busy.insert(spec.name.clone(), Busy { is_kept });
            let name = spec.name.clone();
            let engine = Arc::clone(engine);
            let task = match step {
                Step::Run(due) => {
                    let claims = self.claims.clone();
                    self.tasks
                        .spawn(claim_run_and_record(engine, job, due, claims))
                }
                Step::Skip(skip) => {
                    let is_closed = Arc::clone(&self.is_closed);
                    self.tasks.spawn(leave_behind(engine, job, skip, is_closed))
                }
            };
            self.jobs.insert(task.id(), name);
        }
    }

    /// Takes the first of what is wanted that there is room for.
    fn next_with_room(&mut self, engine: &Engine) -> Option<(usize, Step)> {
        if let Some(kept) = self.kept.pop_front() {
            return Some(kept);
        }
        let taken = self.busy.values().filter(|busy| !busy.is_kept).count();
        if taken < engine.max_parallel {
            self.queue.pop_front()
        } else {
            None
        }
    }

    /// What has come of the next one; `None`: nothing is under way. To be dropped and asked again at will.
    pub(crate) async fn next(&mut self) -> Option<Result<(JobName, Came), JoinError>> {
        let ended = self.tasks.join_next_with_id().await?;
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let job = self.jobs.remove(&id).expect("each task has a job");
        self.busy.remove(&job);
        Some(ended.map(|(_, came)| (job, came)))
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    /// How many are wanted and wait for room.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len() + self.kept.len()
    }

    /// Gives up on what is under way.
    pub(crate) fn give_up(&mut self) {
        self.tasks.abort_all();
    }
}

/// Takes one job through its stations.
async fn claim_run_and_record(engine: Arc<Engine>, job: usize, due: Due, claims: Claims) -> Came {
    let Some(claimed) = claims.claim(&engine, job, due).await else {
        return Came::Dropped;
    };
    match claimed {
        Ok(Claimed::Ours(claim)) => {
            Pass::started(claim.held());
            match run_and_record(Arc::clone(&engine), *claim).await {
                Ok(ran) => Came::Ran(Box::new(ran)),
                Err(error) => Came::Unrecorded(error),
            }
        }
        Ok(claimed) => {
            if matches!(claimed, Claimed::Doubtful(_)) {
                engine.close_orphans().await;
            }
            Came::Left(claimed)
        }
        Err(error) => Came::Unclaimed(error),
    }
}

/// Leaves slots of a job behind that are not run any more.
async fn leave_behind(
    engine: Arc<Engine>,
    job: usize,
    skip: Box<Skip>,
    is_closed: Arc<AtomicBool>,
) -> Came {
    let spec = &engine.graph.jobs()[job];
    let _turn = engine.turns.acquire().await;
    if is_closed.load(Ordering::SeqCst) {
        return Came::Dropped;
    }
    let place = &engine.host.place;
    let of = (spec, &spec.row(&place.host));
    match skip::skip(&engine.database, place, of, &skip, engine.now).await {
        Ok(Some(row)) => Came::Skipped(skip, row),
        Ok(None) => Came::Left(Claimed::Changed),
        Err(error) => Came::Unclaimed(error),
    }
}

/// Takes one claim through its stations.
pub(crate) async fn run_and_record(
    engine: Arc<Engine>,
    claim: Claim,
) -> Result<Ran, DatabaseError> {
    let finished = run(claim, &engine.means()).await;
    let (held, output) = (finished.held().clone(), finished.output().text());
    let (after, recorded) = record(finished, engine.recorder()).await?;
    Ok(Ran {
        held,
        after,
        recorded,
        output,
    })
}
