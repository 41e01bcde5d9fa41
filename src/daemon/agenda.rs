//! When each job is worth another verdict though nothing happens but time.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use crate::{plan::Plan, work::Scope};

/// The instants at which verdicts change, by the database's clock; the jobs by their places in the graph.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    in_order: BTreeSet<(Timestamp, usize)>,
    of_job: HashMap<usize, Timestamp>,
}

impl Agenda {
    /// Takes up what a plan says of these jobs. What is under way has no instant: its end is what matters.
    pub(super) fn note(
        &mut self,
        of: &Scope,
        plan: &Plan<'_>,
        is_under_way: impl Fn(usize) -> bool,
    ) {
        match of {
            Scope::All => self.clear(),
            Scope::Jobs(jobs) => jobs.iter().for_each(|&job| self.forget(job)),
        }
        for job in &plan.jobs {
            if let Some(at) = plan.changes_at(job).filter(|_| !is_under_way(job.index)) {
                self.of_job.insert(job.index, at);
                self.in_order.insert((at, job.index));
            }
        }
    }

    /// Knows nothing any more.
    pub(super) fn clear(&mut self) {
        self.in_order.clear();
        self.of_job.clear();
    }

    fn forget(&mut self, job: usize) {
        if let Some(at) = self.of_job.remove(&job) {
            self.in_order.remove(&(at, job));
        }
    }

    /// The first instant, and whose it is.
    pub(super) fn first(&self) -> Option<(usize, Timestamp)> {
        self.in_order.first().map(|&(at, job)| (job, at))
    }

    /// The jobs whose instant has come. Each waits for its next verdict.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<usize> {
        let mut due = Vec::new();
        while let Some((job, _)) = self.first().filter(|(_, at)| *at <= now) {
            self.forget(job);
            due.push(job);
        }
        due
    }
}
