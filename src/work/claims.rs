//! What is claimed at the same time, claimed together.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::Semaphore;

use crate::{
    claim::{Claimed, Wanted, claim_all},
    engine::Engine,
    plan::Due,
    store::error::DatabaseError,
    together::Together,
};

/// A job that is due, by its place in the graph of an engine.
type Job = (Arc<Engine>, usize, Due);

/// What came of it. `None`: it was not asked for any more.
type Answer = Option<Result<Claimed, DatabaseError>>;

/// Where jobs are handed in that are to be claimed.
#[derive(Debug, Clone)]
pub(super) struct Claims(Together<Job, Answer>);

impl Claims {
    /// With `is_closed` set nothing more is claimed.
    pub(super) fn new(turns: &Arc<Semaphore>, is_closed: &Arc<AtomicBool>) -> Self {
        let is_closed = Arc::clone(is_closed);
        Self(Together::new(Arc::clone(turns), move |jobs: Vec<Job>| {
            let is_closed = Arc::clone(&is_closed);
            async move {
                if is_closed.load(Ordering::SeqCst) {
                    return jobs.iter().map(|_| None).collect();
                }
                claimed(&jobs).await.into_iter().map(Some).collect()
            }
        }))
    }

    pub(super) async fn claim(&self, engine: &Arc<Engine>, job: usize, due: Due) -> Answer {
        let asked = self.0.ask((Arc::clone(engine), job, due)).await;
        asked.unwrap_or_else(|| {
            let why = "a bug in crontabber: its claim was given up";
            Some(Ok(Claimed::Doubtful(why.to_owned())))
        })
    }
}

async fn claimed(jobs: &[Job]) -> Vec<Result<Claimed, DatabaseError>> {
    // Those of before and after a reload are of one host and one database.
    let engine = &jobs[0].0;
    let wanted: Vec<Wanted<'_>> = jobs
        .iter()
        .map(|(engine, job, due)| Wanted {
            place: &engine.host.place,
            spec: &engine.graph.jobs()[*job],
            due,
        })
        .collect();
    claim_all(&engine.database, &wanted, engine.now).await
}
