//! What is wanted next after a run: for which slot, and when. A run goes by it that was carried out, and one that was only
//! thought up.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Effect, Outcome, kept};
use crate::{
    backoff, claim,
    ended::How,
    heartbeat::Cut,
    plan::{Slots, Trigger},
    run::Finished,
    schedule::Timetable,
    spec::{CatchUp, JobSpec, OnLost, Overlap},
    store::table::never,
};

/// The end of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End<'a> {
    pub(crate) spec: &'a JobSpec,
    /// The name of its row.
    pub(crate) row: &'a str,
    pub(crate) run_id: Uuid,
    pub(crate) slot: Timestamp,
    pub(crate) trigger: Trigger,
    pub(crate) attempt: i32,
    /// Failures in a row before it.
    pub(crate) error_count: i32,
    /// When it started.
    pub(crate) since: Timestamp,
    pub(crate) how: &'a How,
    pub(crate) cut: Option<Cut>,
    pub(crate) outcome: Outcome,
    /// When it ended.
    pub(crate) at: Timestamp,
}

impl<'a> End<'a> {
    pub(super) fn of(finished: &'a Finished, outcome: Outcome) -> Self {
        let held = &finished.held;
        Self {
            spec: &held.spec,
            row: held.job().as_str(),
            run_id: held.run_id,
            slot: held.slot,
            trigger: held.trigger,
            attempt: held.attempt,
            error_count: held.error_count,
            since: held.since,
            how: &finished.ended.how,
            cut: finished.cut,
            outcome,
            at: finished.at,
        }
    }
}

/// What is wanted next.
pub(crate) struct Next {
    pub(crate) effect: Effect,
    /// The pending slot.
    pub(crate) slot: Timestamp,
    /// When that may start.
    pub(crate) at: Timestamp,
    /// The slots that fell due during the run, and are skipped.
    pub(crate) passed: Option<Slots>,
    /// Whether the job waits for a person.
    pub(crate) hold: bool,
}

/// What the end of a run means for its job.
pub(crate) fn next(end: &End<'_>) -> Next {
    if end.spec.keep_running {
        return kept::next(end);
    }
    match end.outcome {
        Outcome::Success => moved_on(end, Effect::Well),
        Outcome::Cancelled => moved_on(end, Effect::Neither),
        // Who asked for it sees it, and nothing waits for it.
        Outcome::Lost if end.trigger == Trigger::Backfill => same_slot(end, end.at, Effect::Failed),
        Outcome::Lost => match end.spec.on_lost {
            OnLost::Skip => moved_on(end, Effect::Failed),
            OnLost::Hold => Next {
                hold: true,
                ..same_slot(end, never(), Effect::Failed)
            },
            // At once; after an earlier failure with a delay, as a reaper does it.
            OnLost::Retry if end.error_count == 0 => same_slot(end, end.at, Effect::Failed),
            OnLost::Retry => retried(end, Effect::Failed),
        },
        Outcome::Failure if exits_with(end, &end.spec.temporary_exit_codes) => {
            retried(end, Effect::Neither)
        }
        Outcome::Failure if exits_with(end, &end.spec.fatal_exit_codes) => {
            moved_on(end, Effect::Failed)
        }
        Outcome::Failure | Outcome::Timeout => retried(end, Effect::Failed),
    }
}

pub(super) fn exits_with(end: &End<'_>, codes: &[i32]) -> bool {
    matches!(end.how, How::Exited(code) if codes.contains(code))
}

/// The schedule that a run follows and moves; by hand or after its parents, none.
fn schedule<'a>(end: &End<'a>) -> Option<&'a Timetable> {
    end.spec
        .timetable
        .as_ref()
        .filter(|_| end.trigger == Trigger::Schedule)
}

/// The slot is done with: on to the next one. Those that fell due meanwhile are skipped; or, where they queue, all of them
/// are wanted, or the first had come before, left to the claim as after an outage.
fn moved_on(end: &End<'_>, effect: Effect) -> Next {
    let stay = same_slot(end, never(), effect);
    let Some(when) = schedule(end) else {
        return stay;
    };
    let Some(first) = when.next(end.slot, end.slot) else {
        return stay;
    };
    let at = shifted(when, end, first);
    let queues = end.spec.overlap == Overlap::QueueOne;
    // It had come before this run began, which was for an earlier one: its parents were not ready, or it came in between.
    let had_come = at <= end.since;
    if at > end.at || had_come || queues || end.spec.catch_up == CatchUp::All {
        // A run kept it waiting, and no outage: where nothing is caught up on, it is still in time.
        let is_kept_waiting = queues && end.spec.catch_up == CatchUp::None;
        return Next {
            slot: first,
            at: if is_kept_waiting { at.max(end.at) } else { at },
            ..stay
        };
    }
    // What may have started by end.at, and did not.
    let jitter = when.offset(end.row);
    let passed_by = end.at.checked_sub(jitter).unwrap_or(end.at);
    let last = when
        .latest(passed_by, end.slot)
        .map_or(first, |last| last.max(first));
    let passed = Some(Slots {
        first,
        last,
        count: when.count(first, last).max(1),
    });
    match when.next(passed_by, end.slot) {
        Some(slot) => Next {
            slot,
            at: shifted(when, end, slot),
            passed,
            ..stay
        },
        None => Next { passed, ..stay },
    }
}

pub(super) fn same_slot(end: &End<'_>, at: Timestamp, effect: Effect) -> Next {
    Next {
        effect,
        slot: end.slot,
        at,
        passed: None,
        hold: false,
    }
}

/// The slot is tried again after a delay; or the next one is due first, and takes its place: unless all of them are
/// wanted, then it waits behind.
fn retried(end: &End<'_>, effect: Effect) -> Next {
    let attempts = end.spec.retry.attempts;
    if attempts > 0 && u32::try_from(end.attempt).is_ok_and(|attempt| attempt >= attempts) {
        return moved_on(end, effect);
    }
    let failures = u32::try_from(end.error_count).unwrap_or(0) + 1;
    let delay = backoff::delay(&end.spec.retry, failures, claim::chance(end.run_id));
    let schedule = schedule(end).filter(|_| end.spec.catch_up != CatchUp::All);
    let next = schedule.and_then(|when| {
        let slot = when.next(end.slot, end.slot)?;
        Some((slot, shifted(when, end, slot)))
    });
    let retried = backoff::retry_at(end.at, delay, next.map(|(_, at)| at));
    match next {
        // A next slot that went by meanwhile takes the place of this one, after the delay.
        Some((slot, at)) if retried.slot_moves || at <= end.at => Next {
            slot,
            ..same_slot(end, retried.at, effect)
        },
        _ => same_slot(end, retried.at, effect),
    }
}

/// When a slot may start: itself, later by the job's jitter.
fn shifted(when: &Timetable, end: &End<'_>, slot: Timestamp) -> Timestamp {
    later(slot, when.offset(end.row))
}

pub(super) fn later(at: Timestamp, by: std::time::Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.saturating_add(by).unwrap_or(at).min(never())
}
