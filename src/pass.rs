//! How a pass went: what ran, what was left to others, and the exit code that says so.

use crate::{
    claim::{Claimed, Held},
    exit::Exit,
    plan::{Plan, Skip, Verdict},
    record::{After, Outcome, Recorded},
    spec::RowName,
    stop::Stop,
    store::{error::DatabaseError, table::JobState},
};

/// A run that has ended and was recorded.
#[derive(Debug)]
pub struct Ran {
    /// What was run.
    pub held: Held,
    /// How it went, and what is wanted next.
    pub after: After,
    /// What became of the record.
    pub recorded: Recorded,
    /// What it printed: the beginning and the end.
    pub output: String,
}

/// The tally of a pass.
#[derive(Debug, Default)]
pub struct Pass {
    /// Runs that did what they should.
    pub well: usize,
    /// Runs that failed, timed out, were lost or fenced.
    pub failed: usize,
    /// Claims of rows that somebody else held at that instant.
    pub contended: usize,
    /// Due jobs that were going on elsewhere.
    pub ongoing: usize,
    /// Claims that found their job run, moved, paused or blocked since the plan.
    pub changed: usize,
    /// Claims that were not started because nobody could say whether they are durable.
    pub doubtful: usize,
    /// What broke the pass off.
    pub error: Option<DatabaseError>,
    /// The signal of a second request to stop.
    pub killed_by: Option<i32>,
}

impl Pass {
    /// Counts what the plan leaves to others.
    pub(crate) fn saw(&mut self, plan: &Plan<'_>) {
        for job in &plan.jobs {
            if let Verdict::Ongoing(live) = &job.verdict
                && live.due
                && job.is_here
                && self.well + self.failed == 0
            {
                self.ongoing += 1;
                tracing::debug!(job = %job.name, host = live.host.as_deref(), "ongoing elsewhere");
            }
        }
    }

    pub(crate) fn started(held: &Held) {
        tracing::info!(job = %held.job(), slot = %held.slot, run_id = %held.run_id, attempt = held.attempt, fence = held.fence, "ongoing");
    }

    pub(crate) fn skipped(job: &RowName, skip: &Skip, row: &JobState) {
        let slots = skip.skipped.slots;
        let (reason, next_run) = (&skip.skipped.reason, row.next_run());
        tracing::warn!(%job, slot = %slots.first, slots = slots.count, %reason, %next_run, "skipped");
    }

    pub(crate) fn left(&mut self, job: &RowName, claimed: &Claimed) {
        match claimed {
            Claimed::Contended => {
                self.contended += 1;
                tracing::info!(%job, "contended: another process holds the row, left to it");
            }
            Claimed::Ongoing(live) => {
                self.ongoing += 1;
                tracing::info!(%job, host = live.host.as_deref(), "ongoing elsewhere, left to it");
            }
            Claimed::Changed | Claimed::Gone => {
                self.changed += 1;
                tracing::info!(%job, "not due any more");
            }
            Claimed::Doubtful(why) => {
                tracing::warn!(%job, %why, "not started: the claim is in doubt");
                self.doubtful += 1;
            }
            Claimed::Ours(_) => {}
        }
    }

    pub(crate) fn ended(&mut self, ran: Ran) {
        let Ran {
            held,
            after,
            recorded,
            ..
        } = ran;
        let (job, slot, run_id, attempt) = (held.job(), held.slot, held.run_id, held.attempt);
        let outcome = after.outcome.as_str();
        let reason = after.reason.as_deref();
        if after.effect.is_failure() || matches!(recorded, Recorded::Fenced | Recorded::Forgotten) {
            self.failed += 1;
        } else {
            self.well += 1;
        }
        match &recorded {
            Recorded::Written(row) if after.outcome == Outcome::Success => {
                let next_run = row.next_run();
                tracing::info!(%job, %slot, %run_id, attempt, %next_run, "{outcome}");
            }
            Recorded::Written(row) => {
                let next_run = row.next_run();
                tracing::error!(%job, %slot, %run_id, attempt, reason, %next_run, "{outcome}");
            }
            Recorded::Already => {
                tracing::info!(%job, %slot, %run_id, attempt, reason, "{outcome}, recorded before");
            }
            Recorded::Forgotten => {
                tracing::error!(%job, %slot, %run_id, attempt, reason, "forgotten: it ended with {outcome}, and the database has lost its claim; the log says so");
            }
            Recorded::Fenced => {
                tracing::error!(%job, %slot, %run_id, attempt, reason, "fenced: it ended, but another host holds the job; nothing was recorded");
            }
        }
    }

    pub(crate) fn broke(&mut self, error: DatabaseError) {
        tracing::error!(%error, "the pass breaks off");
        self.error.get_or_insert(error);
    }

    /// A run whose record the database has not taken before this pass had to end.
    pub(crate) fn abandoned(&mut self) {
        self.failed += 1;
        tracing::error!(
            "a run was killed and could not be recorded; it is `lost` when its lease is over"
        );
    }

    pub(crate) fn asked_to_stop(&mut self, asked: Stop) {
        match asked {
            Stop::Drain => tracing::info!("asked to stop: waiting for what is running"),
            Stop::Kill(signal) => {
                self.killed_by = Some(signal);
                tracing::warn!("asked to stop again: killing what is running");
            }
        }
    }

    /// What the pass says to monitoring.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match (&self.error, self.killed_by) {
            (_, Some(signal)) => Exit::of_signal(signal),
            (Some(error), None) => error.exit(),
            (None, None) if self.failed > 0 || self.doubtful > 0 => Exit::Failed,
            (None, None) if self.well > 0 => Exit::Ok,
            (None, None) if self.ongoing > 0 => Exit::Ongoing,
            (None, None) if self.contended > 0 => Exit::Contended,
            (None, None) => Exit::Ok,
        }
    }
}
