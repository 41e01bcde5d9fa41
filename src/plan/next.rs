//! When the plan will be another one, as far as it can tell by itself.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Live, Plan, Planned, Trigger, Verdict, catch_up::start_by};
use crate::store::table::never;

impl<'a> Plan<'a> {
    /// When the verdict on a row of this host's will be another one by the clock alone: its time comes, or a later slot
    /// takes the place of the one that is due.
    #[must_use]
    pub fn changes_at(&self, job: &Planned<'a>) -> Option<Timestamp> {
        let at = match &job.verdict {
            Verdict::NotYet(at) | Verdict::Paused(at) => *at,
            Verdict::Run(due) if due.trigger == Trigger::Schedule => {
                let next = self.next_start(job, due.slot);
                [next, due.start_by.and_then(just_after)]
                    .into_iter()
                    .flatten()
                    .min()?
            }
            // Its next slot may leave it behind.
            Verdict::Blocked(_) => {
                let pending = job.row?.pending()?;
                let start_by = start_by(job.spec, pending, job.spec.jitter(&job.name));
                let late = start_by.and_then(just_after).filter(|at| *at > self.now);
                [self.next_start(job, pending), late]
                    .into_iter()
                    .flatten()
                    .min()?
            }
            _ => return None,
        };
        (job.is_here && at < never()).then_some(at)
    }

    /// When the first slot from now on may start.
    fn next_start(&self, job: &Planned<'a>, known: Timestamp) -> Option<Timestamp> {
        let slot = job.spec.timetable.as_ref()?.next(self.now, known)?;
        Some(job.spec.start_of(&job.name, slot))
    }

    /// When what others are running is worth a look: a lease and its grace are over, or the next slot of a job has come
    /// and its run may have made room for it. `is_ours` says which runs are this process's own, whose end it hears of.
    #[must_use]
    pub fn next_of_others(
        &self,
        grace: Duration,
        is_ours: impl Fn(Uuid) -> bool,
    ) -> Option<Timestamp> {
        let grace = SignedDuration::try_from(grace).unwrap_or(SignedDuration::MAX);
        let over = |lease_until: Timestamp| lease_until.checked_add(grace).ok();
        let is_theirs = |live: &Live| live.run_id.is_none_or(|run_id| !is_ours(run_id));
        let jobs = self.jobs.iter().filter_map(|job| match &job.verdict {
            Verdict::Ongoing(live) if is_theirs(live) => Some((job, live)),
            _ => None,
        });
        let known = jobs.flat_map(|(job, live)| {
            let row = job.row.filter(|_| job.is_here);
            let slot = row.and_then(|row| self.next_start(job, row.pending().unwrap_or(self.now)));
            [slot, live.lease_until.and_then(over)]
        });
        let ghosts = self
            .ghosts
            .iter()
            .filter_map(|(_, row)| over(row.claim.as_ref()?.lease_until));
        known
            .flatten()
            .chain(ghosts)
            .filter(|at| *at > self.now)
            .min()
    }
}

/// The first instant after this, as fine as the table has it.
fn just_after(at: Timestamp) -> Option<Timestamp> {
    at.checked_add(SignedDuration::from_micros(1)).ok()
}
