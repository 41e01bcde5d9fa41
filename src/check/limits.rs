//! From where on something is a problem: what `[check]` says, checked.

use std::time::Duration;

use super::Severity;

/// From where on a value is worth a warning or an alarm; `None`: never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds<T> {
    /// Exit code 1.
    pub warning: Option<T>,
    /// Exit code 2.
    pub critical: Option<T>,
}

/// What `[check]` says. Errors are counted from their threshold on; a duration is a problem when it is longer than
/// its threshold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Errors in a row of a job.
    pub errors: Thresholds<u32>,
    /// Errors in a row of a job that catches up on every slot.
    pub errors_backfill: Thresholds<u32>,
    /// How long a job is due.
    pub overdue: Thresholds<Duration>,
    /// How long a job that has never run is due.
    pub never_run: Thresholds<Duration>,
    /// For how much longer than its timeout and grace a run goes on.
    pub ongoing: Thresholds<Duration>,
    /// How long a due job waits for a parent.
    pub blocked: Thresholds<Duration>,
    /// How long no host has passed.
    pub no_pass: Thresholds<Duration>,
    /// How far the clock of a host is off the database's.
    pub clock_skew: Thresholds<Duration>,
    /// A run whose lease is over by more than another lease and the grace; `None`: no problem.
    pub stuck: Option<Severity>,
    /// A job that waits for a person; likewise.
    pub held: Option<Severity>,
    /// A due job that no live host may run; likewise.
    pub no_host: Option<Severity>,
    /// A job by which live hosts mean different things; likewise.
    pub disagreement: Option<Severity>,
    /// A host that goes on with an older configuration than its files have; likewise.
    pub config_error: Option<Severity>,
    /// A host whose name two daemons use; likewise.
    pub same_name: Option<Severity>,
    /// A row that no job has; likewise.
    pub ghost: Option<Severity>,
}

impl<T: Copy> Thresholds<T> {
    /// How bad it is, if `passed` says which thresholds are passed.
    pub fn severity(&self, passed: impl Fn(T) -> bool) -> Option<Severity> {
        if self.critical.is_some_and(&passed) {
            return Some(Severity::Critical);
        }
        self.warning
            .is_some_and(&passed)
            .then_some(Severity::Warning)
    }

    /// The worst it can get.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.severity(|_| true)
    }
}

impl Thresholds<Duration> {
    /// How bad a length of time is.
    #[must_use]
    pub fn of(&self, length: Duration) -> Option<Severity> {
        self.severity(|threshold| length > threshold)
    }
}

impl Thresholds<u32> {
    /// How bad a number is.
    #[must_use]
    pub fn of(&self, number: u32) -> Option<Severity> {
        self.severity(|threshold| number >= threshold)
    }
}

impl<T: PartialOrd> Thresholds<T> {
    /// Whether the warning comes no later than the alarm; otherwise nobody would ever see it.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        match (&self.warning, &self.critical) {
            (Some(warning), Some(critical)) => warning <= critical,
            _ => true,
        }
    }
}
