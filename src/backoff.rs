//! How long to leave a failing job alone.

use std::time::Duration;

use jiff::Timestamp;

use crate::spec::Retry;

/// The delay after the `failures`th failure in a row, counted from 1; never more than `retry.max`.
///
/// `chance`, drawn by the caller from 0 to 1, scales the last `retry.jitter` part of it, so that
/// jobs that failed together do not come back together. Whole milliseconds.
///
/// ```
/// use crontabber::{backoff::delay, spec::Retry};
/// use std::time::Duration;
///
/// let minutes = Duration::from_mins;
/// let retry = Retry { first: minutes(5), factor: 2.0, max: minutes(60), jitter: 0.1, attempts: 0 };
/// assert_eq!(delay(&retry, 1, 1.0), minutes(5));
/// assert_eq!(delay(&retry, 3, 1.0), minutes(20));
/// assert_eq!(delay(&retry, 9, 1.0), minutes(60));
/// assert_eq!(delay(&retry, 9, 0.0), minutes(54));
/// ```
#[must_use]
pub fn delay(retry: &Retry, failures: u32, chance: f64) -> Duration {
    let steps = f64::from(failures.saturating_sub(1));
    // Finite, so that no delay at all stays none however long it grows.
    let growth = retry.factor.powf(steps).min(f64::MAX);
    let full = (retry.first.as_secs_f64() * growth).min(retry.max.as_secs_f64());
    let jitter = retry.jitter.clamp(0.0, 1.0);
    let scaled = full * (1.0 - jitter + jitter * chance.clamp(0.0, 1.0));
    // A jitter or a chance that is no number waits longest.
    let delay = Duration::try_from_secs_f64(scaled).unwrap_or(retry.max);
    let rounded = delay.saturating_add(Duration::from_micros(500)).as_millis();
    Duration::from_millis(u64::try_from(rounded).unwrap_or(u64::MAX)).min(retry.max)
}

/// When a job that failed runs again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retried {
    /// Whether it runs for its next slot then, and the failed one is left behind.
    pub slot_moves: bool,
    /// The instant.
    pub at: Timestamp,
}

/// When a job runs again that failed at `now`: after the delay, or for its next slot if that comes
/// first. A next slot that is already past does not spare it the delay.
///
/// ```
/// use crontabber::backoff::{Retried, retry_at};
/// use jiff::Timestamp;
/// use std::time::Duration;
///
/// let at = |clock: &str| format!("2026-01-01T{clock}Z").parse::<Timestamp>().unwrap();
/// let five_minutes = Duration::from_mins(5);
/// // The next slot is hours away: again in five minutes, for the same slot.
/// let later = retry_at(at("10:00:00"), five_minutes, Some(at("12:00:00")));
/// assert_eq!(later, Retried { slot_moves: false, at: at("10:05:00") });
/// // It is two minutes away: then.
/// let sooner = retry_at(at("10:00:00"), five_minutes, Some(at("10:02:00")));
/// assert_eq!(sooner, Retried { slot_moves: true, at: at("10:02:00") });
/// // It went by while the job ran: five minutes all the same.
/// let missed = retry_at(at("10:00:00"), five_minutes, Some(at("09:59:00")));
/// assert_eq!(missed, Retried { slot_moves: false, at: at("10:05:00") });
/// ```
#[must_use]
pub fn retry_at(now: Timestamp, delay: Duration, next_slot: Option<Timestamp>) -> Retried {
    let later = now.checked_add(delay).unwrap_or(Timestamp::MAX);
    match next_slot {
        Some(slot) if now < slot && slot <= later => Retried {
            slot_moves: true,
            at: slot,
        },
        _ => Retried {
            slot_moves: false,
            at: later,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn retry(factor: f64, jitter: f64) -> Retry {
        Retry {
            first: Duration::from_mins(5),
            factor,
            max: Duration::from_hours(1),
            jitter,
            attempts: 0,
        }
    }

    #[test]
    fn each_failure_waits_twice_as_long_as_the_one_before_up_to_an_hour() {
        let seconds: Vec<u64> = (1..=6)
            .map(|failures| delay(&retry(2.0, 0.0), failures, 0.5).as_secs())
            .collect();
        assert_eq!(seconds, [300, 600, 1_200, 2_400, 3_600, 3_600]);
    }

    #[test]
    fn a_factor_of_one_waits_the_same_each_time() {
        assert_eq!(delay(&retry(1.0, 0.0), 7, 0.5), Duration::from_mins(5));
    }

    #[test]
    fn no_failure_waits_like_the_first() {
        assert_eq!(delay(&retry(2.0, 0.0), 0, 0.5), Duration::from_mins(5));
    }

    #[test]
    fn a_job_that_fails_for_ever_waits_the_longest_delay_and_no_longer() {
        assert_eq!(
            delay(&retry(2.0, 0.0), u32::MAX, 1.0),
            Duration::from_hours(1)
        );
        assert_eq!(
            delay(&retry(f64::NAN, 0.0), 2, 1.0),
            Duration::from_hours(1)
        );
    }

    #[test]
    fn half_a_delay_left_to_chance_is_between_half_and_whole() {
        let drawn = |chance| delay(&retry(2.0, 0.5), 1, chance).as_secs();
        assert_eq!([drawn(0.0), drawn(0.5), drawn(1.0)], [150, 225, 300]);
    }

    #[test]
    fn a_job_without_a_next_slot_waits_the_delay() {
        let now = Timestamp::UNIX_EPOCH;
        let again = retry_at(now, Duration::from_mins(5), None);
        assert_eq!(again.at, Timestamp::constant(300, 0));
        assert!(!again.slot_moves);
    }

    #[test]
    fn a_next_slot_at_this_very_instant_does_not_run_a_failed_job_at_once() {
        let now = Timestamp::UNIX_EPOCH;
        let again = retry_at(now, Duration::from_mins(5), Some(now));
        assert_eq!(again.at, Timestamp::constant(300, 0));
    }

    #[test]
    fn the_end_of_time_is_the_latest_retry() {
        let again = retry_at(Timestamp::MAX, Duration::MAX, None);
        assert_eq!(again.at, Timestamp::MAX);
    }

    proptest! {
        #[test]
        fn a_delay_never_shrinks_and_never_exceeds_its_limit(
            failures in 1_u32..2_000,
            factor in 1.0..10.0_f64,
            jitter in 0.0..=1.0_f64,
            chance in 0.0..=1.0_f64,
        ) {
            let retry = retry(factor, jitter);
            let this = delay(&retry, failures, chance);
            prop_assert!(this <= retry.max);
            prop_assert!(this <= delay(&retry, failures + 1, chance));
        }
    }
}
