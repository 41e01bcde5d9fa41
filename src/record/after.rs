//! What a run's end means for its job: the outcome, the next slot, when to start it. Values in, values out.

mod kept;
#[cfg(test)]
mod model;
mod next;

use jiff::Timestamp;

use super::ascii;
use crate::{
    claim::Held,
    ended::{Ended, How, Stopped},
    heartbeat::Cut,
    memory,
    plan::Slots,
    run::Finished,
};

pub(crate) use next::{End, Next, next};

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
    /// When that may start; [`never()`](crate::store::table::never) = no clock starts it.
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
    let next = next(&End::of(finished, outcome));
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
