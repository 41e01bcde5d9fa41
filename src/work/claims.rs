//! What is claimed at the same time, claimed together.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::Semaphore;

use crate::{
    claim::{Claimed, Wanted, claim, claim_all},
    engine::Engine,
    plan::Due,
    store::error::DatabaseError,
    together::Together,
};

/// Where jobs are handed in that are to be claimed.
#[derive(Debug, Clone)]
pub(super) struct Claims {
    together: Together<Job, Answer>,
    is_closed: Arc<AtomicBool>,
}

/// A job that is due.
#[derive(Debug, Clone)]
struct Job {
    engine: Arc<Engine>,
    /// Its place in the graph of the engine.
    number: usize,
    due: Arc<Due>,
}

/// What came of a job that was handed in.
#[derive(Debug)]
enum Answer {
    Claimed(Result<Claimed, DatabaseError>),
    /// Another was in its way, and nothing is written.
    Alone,
    /// It was not asked for any more.
    Dropped,
}

impl Claims {
    /// With `is_closed` set nothing more is claimed.
    pub(super) fn new(turns: &Arc<Semaphore>, is_closed: &Arc<AtomicBool>) -> Self {
        let closed = Arc::clone(is_closed);
        let together = Together::new(Arc::clone(turns), move |jobs: Vec<Job>| {
            let is_closed = Arc::clone(&closed);
            async move {
                if is_closed.load(Ordering::SeqCst) {
                    return jobs.iter().map(|_| Answer::Dropped).collect();
                }
                match all(&jobs).await {
                    Some(each) => each.into_iter().map(Answer::Claimed).collect(),
                    None => jobs.iter().map(|_| Answer::Alone).collect(),
                }
            }
        });
        Self {
            together,
            is_closed: Arc::clone(is_closed),
        }
    }

    /// Claims a job, with others or alone. `None`: nothing is claimed any more.
    pub(super) async fn claim(
        &self,
        engine: &Arc<Engine>,
        number: usize,
        due: Due,
    ) -> Option<Result<Claimed, DatabaseError>> {
        let (engine, due) = (Arc::clone(engine), Arc::new(due));
        let job = Job {
            engine,
            number,
            due,
        };
        match self.together.ask(job.clone()).await {
            Some(Answer::Claimed(claimed)) => Some(claimed),
            Some(Answer::Alone) => {
                let _turn = job.engine.turns.acquire().await;
                let is_closed = self.is_closed.load(Ordering::SeqCst);
                if is_closed {
                    None
                } else {
                    Some(job.alone().await)
                }
            }
            Some(Answer::Dropped) => None,
            None => {
                let why = "a bug in crontabber: its claim was given up";
                Some(Ok(Claimed::Doubtful(why.to_owned())))
            }
        }
    }
}

impl Job {
    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            place: &self.engine.host.place,
            spec: &self.engine.graph.jobs()[self.number],
            due: &self.due,
        }
    }

    async fn alone(&self) -> Result<Claimed, DatabaseError> {
        let Wanted { place, spec, due } = self.wanted();
        claim(&self.engine.database, place, spec, due, self.engine.now).await
    }
}

async fn all(jobs: &[Job]) -> Option<Vec<Result<Claimed, DatabaseError>>> {
    // Those of before and after a reload are of one host and one database.
    let engine = &jobs[0].engine;
    let wanted: Vec<_> = jobs.iter().map(Job::wanted).collect();
    claim_all(&engine.database, &wanted, engine.now).await
}
