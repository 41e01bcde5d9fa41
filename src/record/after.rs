//! What a run's end means for its job: the outcome, the next slot, when to start it. Values in, values out.

mod kept;
#[cfg(test)]
mod model;

use jiff::{SignedDuration, Timestamp};

use super::ascii;
use crate::{
    backoff,
    claim::{self, Held},
    ended::{Ended, How, Stopped},
    heartbeat::Cut,
    memory,
    plan::{Slots, Trigger},
    run::Finished,
    schedule::Timetable,
    spec::{CatchUp, OnLost, Overlap},
    store::table::never,
};

/// How a run went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It exited with 0, or its SQL was carried out.
    Success,
    /// It did not start, exited with another code, died by a signal, or the server refused its SQL.
    Failure,
    /// It was killed at its timeout.
    Timeout,
    /// Somebody asked to cancel it.
    Cancelled,
    /// It was cut short by no fault of its own: its host stopped, or could not prove its claim.
    Lost,
}

impl Outcome {
    /// The word in tables, JSON and the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }
}

/// What a run does to the error count of its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Back to 0.
    Well,
    /// One more.
    Failed,
    /// The first one: those before it were over.
    FailedAnew,
    /// Nothing.
    Neither,
}

impl Effect {
    /// Whether it counts as a failure.
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::FailedAnew)
    }

    /// The word the record statement takes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Failed => "failed",
            Self::FailedAnew => "failed_anew",
            Self::Neither => "neither",
        }
    }
}

/// What is written after a run.
#[derive(Debug, Clone, PartialEq)]
pub struct After {
    /// How it went.
    pub outcome: Outcome,
    /// What that does to the error count.
    pub effect: Effect,
    /// Why, in a sentence; `None` for a success.
    pub reason: Option<String>,
    /// The exit code, if it exited.
    pub exit_code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// `last_error` as JSON in ASCII; `None` unless it failed.
    pub last_error: Option<String>,
    /// The pending slot from now on.
    pub slot: Timestamp,
    /// When that may start; [`never()`] = no clock starts it.
    pub next_run: Timestamp,
    /// The slots that fell due while the run was going on, and are skipped.
    pub passed: Option<Slots>,
    /// Whether the job waits for a person from now on.
    pub hold: bool,
}

impl After {
    /// The outcome and the reason in one phrase.
    #[must_use]
    pub fn summary(&self) -> String {
        match &self.reason {
            Some(reason) => format!("{}: {reason}", self.outcome.as_str()),
            None => self.outcome.as_str().to_owned(),
        }
    }
}

/// Decides what a run that has ended means for its job.
#[must_use]
pub fn after(finished: &Finished) -> After {
    let (held, ended) = (&finished.held, &finished.ended);
    let outcome = outcome(ended, finished.cut);
    let next = if held.spec.keep_running {
        kept::next(finished, outcome)
    } else {
        next(held, ended, outcome, finished.at)
    };
    let reason = match ended.stopped {
        Some(Stopped::OutOfMemory) => Some(out_of_memory(held)),
        _ => reason(ended, outcome, finished.cut),
    };
    let failed = next.effect.is_failure();
    let last_error = failed.then(|| last_error(outcome, reason.as_deref(), ended));
    let (exit_code, signal) = match ended.how {
        How::Exited(code) => (Some(code), None),
        How::Signaled(signal) => (None, Some(signal)),
        How::NotStarted(_) | How::GuardLost | How::CarriedOut | How::Refused(_) => (None, None),
    };
    After {
        outcome,
        effect: next.effect,
        reason,
        exit_code,
        signal,
        last_error,
        slot: next.slot,
        next_run: next.at,
        passed: next.passed,
        hold: next.hold,
    }
}

fn outcome(ended: &Ended, cut: Option<Cut>) -> Outcome {
    match (ended.stopped, &ended.how) {
        (Some(Stopped::Timeout), _) => Outcome::Timeout,
        (Some(Stopped::Cancelled), _) if cut.is_none() => Outcome::Cancelled,
        (Some(Stopped::OutOfMemory), _) => Outcome::Failure,
        (Some(_), _) | (None, How::GuardLost) => Outcome::Lost,
        (None, How::Exited(0) | How::CarriedOut) => Outcome::Success,
        (None, How::Exited(_) | How::Signaled(_) | How::NotStarted(_) | How::Refused(_)) => {
            Outcome::Failure
        }
    }
}

/// What is wanted next.
struct Next {
    effect: Effect,
    slot: Timestamp,
    at: Timestamp,
    passed: Option<Slots>,
    hold: bool,
}

fn next(held: &Held, ended: &Ended, outcome: Outcome, now: Timestamp) -> Next {
    match outcome {
        Outcome::Success => moved_on(held, now, Effect::Well),
        Outcome::Cancelled => moved_on(held, now, Effect::Neither),
        // Who asked for it sees it, and nothing waits for it.
        Outcome::Lost if held.trigger == Trigger::Backfill => same_slot(held, now, Effect::Failed),
        Outcome::Lost => match held.spec.on_lost {
            OnLost::Skip => moved_on(held, now, Effect::Failed),
            OnLost::Hold => Next {
                hold: true,
                ..same_slot(held, never(), Effect::Failed)
            },
            // At once; after an earlier failure with a delay, as a reaper does it.
            OnLost::Retry if held.error_count == 0 => same_slot(held, now, Effect::Failed),
            OnLost::Retry => retried(held, now, Effect::Failed),
        },
        Outcome::Failure if exits_with(ended, &held.spec.temporary_exit_codes) => {
            retried(held, now, Effect::Neither)
        }
        Outcome::Failure if exits_with(ended, &held.spec.fatal_exit_codes) => {
            moved_on(held, now, Effect::Failed)
        }
        Outcome::Failure | Outcome::Timeout => retried(held, now, Effect::Failed),
    }
}

fn exits_with(ended: &Ended, codes: &[i32]) -> bool {
    matches!(&ended.how, How::Exited(code) if codes.contains(code))
}

/// The schedule that a run follows and moves; by hand or after its parents, none.
fn schedule(held: &Held) -> Option<&Timetable> {
    held.spec
        .timetable
        .as_ref()
        .filter(|_| held.trigger == Trigger::Schedule)
}

/// The slot is done with: on to the next one. Those that fell due meanwhile are skipped; or, where they queue, all of them
/// are wanted, or the first had come before, left to the claim as after an outage.
fn moved_on(held: &Held, now: Timestamp, effect: Effect) -> Next {
    let stay = same_slot(held, never(), effect);
    let Some(when) = schedule(held) else {
        return stay;
    };
    let Some(first) = when.next(held.slot, held.slot) else {
        return stay;
    };
    let at = shifted(when, held, first);
    let queues = held.spec.overlap == Overlap::QueueOne;
    // It had come before this run began, which was for an earlier one: its parents were not ready, or it came in between.
    let had_come = at <= held.since;
    if at > now || had_come || queues || held.spec.catch_up == CatchUp::All {
        // A run kept it waiting, and no outage: where nothing is caught up on, it is still in time.
        let is_kept_waiting = queues && held.spec.catch_up == CatchUp::None;
        return Next {
            slot: first,
            at: if is_kept_waiting { at.max(now) } else { at },
            ..stay
        };
    }
    // What may have started by now, and did not.
    let jitter = when.offset(held.job().as_str());
    let passed_by = now.checked_sub(jitter).unwrap_or(now);
    let last = when
        .latest(passed_by, held.slot)
        .map_or(first, |last| last.max(first));
    let passed = Some(Slots {
        first,
        last,
        count: when.count(first, last).max(1),
    });
    match when.next(passed_by, held.slot) {
        Some(slot) => Next {
            slot,
            at: shifted(when, held, slot),
            passed,
            ..stay
        },
        None => Next { passed, ..stay },
    }
}

fn same_slot(held: &Held, at: Timestamp, effect: Effect) -> Next {
    Next {
        effect,
        slot: held.slot,
        at,
        passed: None,
        hold: false,
    }
}

/// The slot is tried again after a delay; or the next one is due first, and takes its place: unless all of them are
/// wanted, then it waits behind.
fn retried(held: &Held, now: Timestamp, effect: Effect) -> Next {
    let attempts = held.spec.retry.attempts;
    if attempts > 0 && u32::try_from(held.attempt).is_ok_and(|attempt| attempt >= attempts) {
        return moved_on(held, now, effect);
    }
    let failures = u32::try_from(held.error_count).unwrap_or(0) + 1;
    let delay = backoff::delay(&held.spec.retry, failures, claim::chance(held.run_id));
    let schedule = schedule(held).filter(|_| held.spec.catch_up != CatchUp::All);
    let next = schedule.and_then(|when| {
        let slot = when.next(held.slot, held.slot)?;
        Some((slot, shifted(when, held, slot)))
    });
    let retried = backoff::retry_at(now, delay, next.map(|(_, at)| at));
    match next {
        // A next slot that went by meanwhile takes the place of this one, after the delay.
        Some((slot, at)) if retried.slot_moves || at <= now => Next {
            slot,
            ..same_slot(held, retried.at, effect)
        },
        _ => same_slot(held, retried.at, effect),
    }
}

/// When a slot may start: itself, later by the job's jitter.
fn shifted(when: &Timetable, held: &Held, slot: Timestamp) -> Timestamp {
    later(slot, when.offset(held.job().as_str()))
}

fn later(at: Timestamp, by: std::time::Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.saturating_add(by).unwrap_or(at).min(never())
}

fn reason(ended: &Ended, outcome: Outcome, cut: Option<Cut>) -> Option<String> {
    let output = ended.output.text();
    let detail = || {
        last_line(&output)
            .map(|line| format!(": {line}"))
            .unwrap_or_default()
    };
    let reason = match (outcome, &ended.how) {
        (Outcome::Success, _) => return None,
        (Outcome::Timeout, _) => format!("killed at its timeout{}", detail()),
        (Outcome::Cancelled, _) => "cancelled".to_owned(),
        (_, How::GuardLost) => "its guard was killed".to_owned(),
        (Outcome::Lost, _) => lost(ended.stopped, cut).to_owned(),
        (_, How::NotStarted(why) | How::Refused(why)) => why.clone(),
        // Carried out is well, unless it was stopped, and that was said above.
        (_, How::CarriedOut) => outcome.as_str().to_owned(),
        (_, How::Exited(code)) => format!("exit {code}{}", detail()),
        (_, How::Signaled(signal)) => format!("signal {signal}{}", detail()),
    };
    Some(clipped(&reason, 500))
}

/// Whose limit it was: the job's own, or that of whatever this host runs in.
fn out_of_memory(held: &Held) -> String {
    match held.spec.run_as.memory_max {
        Some(bytes) => format!(
            "killed: out of memory (memory_max {})",
            memory::written(bytes)
        ),
        None => "killed: out of memory (of its host)".to_owned(),
    }
}

/// The last line that says anything.
fn last_line(output: &str) -> Option<&str> {
    output
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty())
}

fn lost(stopped: Option<Stopped>, cut: Option<Cut>) -> &'static str {
    match (cut, stopped) {
        (Some(Cut::Fenced), _) => "killed: another host holds the job",
        (Some(Cut::HostStopped), _) => "killed: its host was told to stop",
        (None, Some(Stopped::Deadline)) => "killed: its lease could not be renewed in time",
        (None, _) => "killed: its host was gone",
    }
}

/// What Python's listing prints: ASCII only, because it dies of anything else on a pipe.
fn last_error(outcome: Outcome, reason: Option<&str>, ended: &Ended) -> String {
    let output = ended.output.text();
    let tail = output
        .char_indices()
        .rev()
        .nth(2000)
        .map_or(output.as_str(), |(at, _)| &output[at..]);
    serde_json::json!({
        "type": outcome.as_str(),
        "value": ascii(reason.unwrap_or(outcome.as_str())),
        "traceback": ascii(tail),
    })
    .to_string()
}

fn clipped(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
