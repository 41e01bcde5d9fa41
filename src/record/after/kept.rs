//! What the end of an instance means for a job that is kept running: when the next one starts, and what is counted.
//!
//! Each start is a slot of its own, the instant it is planned for. What was lost starts again for the same one: it is
//! the same start, on another host.

use std::time::Duration;

use super::{
    Effect, Outcome,
    next::{End, Next, exits_with, later, same_slot},
};
use crate::{backoff, claim, ended::How, heartbeat::Cut, spec::OnLost, store::table::never};

pub(super) fn next(end: &End<'_>) -> Next {
    let spec = end.spec;
    let (failed, failures) = counted(end);
    let delay = |failures| backoff::delay(&spec.retry, failures, claim::chance(end.run_id));
    match end.outcome {
        Outcome::Success => started_anew(end, delay(1), Effect::Well),
        Outcome::Cancelled => started_anew(end, delay(1), Effect::Neither),
        // No fault of its own: another host takes it over.
        Outcome::Lost if end.cut == Some(Cut::HostStopped) => {
            same_slot(end, end.at, Effect::Neither)
        }
        Outcome::Lost => match spec.on_lost {
            OnLost::Skip => started_anew(end, delay(failures), failed),
            OnLost::Hold => Next {
                hold: true,
                ..same_slot(end, never(), failed)
            },
            OnLost::Retry if failures == 1 => same_slot(end, end.at, failed),
            OnLost::Retry => same_slot(end, later(end.at, delay(failures)), failed),
        },
        Outcome::Failure if exits_with(end, &spec.temporary_exit_codes) => {
            started_anew(end, delay(failures), Effect::Neither)
        }
        // There is no next slot to wait for, and trying again is said to be pointless.
        Outcome::Failure if exits_with(end, &spec.fatal_exit_codes) => {
            started_anew(end, spec.retry.max, failed)
        }
        Outcome::Failure | Outcome::Timeout => started_anew(end, delay(failures), failed),
    }
}

/// What a failure now does to the error count, and how many in a row it makes. One that comes after the healthy period
/// is the first again, whether or not somebody has got to write down that the instance was healthy.
fn counted(end: &End<'_>) -> (Effect, u32) {
    let up = Duration::try_from(end.at.duration_since(end.since)).unwrap_or_default();
    let was_up = !matches!(end.how, How::NotStarted(_));
    if was_up && up >= end.spec.healthy_after() {
        return (Effect::FailedAnew, 1);
    }
    let before = u32::try_from(end.error_count).unwrap_or(0);
    (Effect::Failed, before.saturating_add(1))
}

fn started_anew(end: &End<'_>, delay: Duration, effect: Effect) -> Next {
    let at = later(end.at, delay);
    Next {
        slot: at,
        ..same_slot(end, at, effect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ended::Stopped,
        record::after::{
            After, after,
            model::{finished, job, noon},
        },
        spec::{JobSpec, Retry},
    };

    fn kept(on_lost: OnLost) -> JobSpec {
        JobSpec {
            timetable: None,
            keep_running: true,
            retry: Retry {
                first: Duration::from_secs(1),
                factor: 2.0,
                max: Duration::from_mins(1),
                jitter: 0.0,
                attempts: 0,
            },
            on_lost,
            ..job()
        }
    }

    /// What is written of an instance that was up for so many seconds, after so many errors.
    fn ended(how: How, errors: i32, up: u64) -> After {
        after(&finished(
            &kept(OnLost::Retry),
            errors,
            how,
            Duration::from_secs(up),
        ))
    }

    /// Seconds from its end to the next start, and whether that is a slot of its own.
    fn next(after: &After, up: u64) -> (i64, bool) {
        let end = noon() + jiff::SignedDuration::from_secs(i64::try_from(up).unwrap());
        let delay = after.next_run.duration_since(end).as_secs();
        (delay, after.slot == after.next_run)
    }

    #[test]
    fn one_that_ends_well_is_started_again_after_the_first_delay() {
        let well = ended(How::Exited(0), 4, 5);
        assert_eq!(well.effect, Effect::Well);
        assert_eq!(next(&well, 5), (1, true));
    }

    #[test]
    fn each_failure_in_a_row_waits_longer_up_to_the_longest_delay() {
        let delays = [0, 1, 2, 5, 6, 60].map(|errors| {
            let failed = ended(How::Exited(1), errors, 5);
            assert_eq!(failed.effect, Effect::Failed);
            next(&failed, 5)
        });
        let expected = [1, 2, 4, 32, 60, 60].map(|delay| (delay, true));
        assert_eq!(delays, expected);
    }

    #[test]
    fn one_that_was_up_for_the_longest_delay_fails_for_the_first_time() {
        let young = ended(How::Exited(1), 6, 59);
        assert_eq!((young.effect, next(&young, 59).0), (Effect::Failed, 60));
        let healthy = ended(How::Exited(1), 6, 60);
        assert_eq!(
            (healthy.effect, next(&healthy, 60).0),
            (Effect::FailedAnew, 1)
        );
        assert!(healthy.last_error.is_some());
    }

    #[test]
    fn one_that_could_not_be_started_for_so_long_was_never_up() {
        let hung = ended(How::NotStarted("it hangs".to_owned()), 6, 90);
        assert_eq!((hung.effect, next(&hung, 90).0), (Effect::Failed, 60));
    }

    #[test]
    fn an_exit_code_that_is_temporary_counts_nothing_and_a_fatal_one_waits_longest() {
        let temporary = ended(How::Exited(75), 2, 5);
        assert_eq!(
            (temporary.effect, next(&temporary, 5)),
            (Effect::Neither, (4, true))
        );
        let fatal = ended(How::Exited(64), 0, 5);
        assert_eq!(
            (fatal.effect, next(&fatal, 5)),
            (Effect::Failed, (60, true))
        );
    }

    fn lost(on_lost: OnLost, errors: i32, cut: Option<Cut>) -> After {
        let mut finished = finished(
            &kept(on_lost),
            errors,
            How::Signaled(9),
            Duration::from_secs(5),
        );
        let stopped = cut.map_or(Stopped::Deadline, |_| Stopped::Cancelled);
        finished.ended.stopped = Some(stopped);
        finished.cut = cut;
        after(&finished)
    }

    #[test]
    fn one_whose_host_stops_is_due_elsewhere_at_once_and_no_error() {
        for on_lost in [OnLost::Retry, OnLost::Skip, OnLost::Hold] {
            let moved = lost(on_lost, 3, Some(Cut::HostStopped));
            assert_eq!(moved.effect, Effect::Neither);
            assert_eq!((next(&moved, 5).0, moved.slot), (0, noon()));
            assert!(!moved.hold);
        }
    }

    #[test]
    fn one_whose_lease_is_lost_follows_on_lost() {
        let first = lost(OnLost::Retry, 0, None);
        assert_eq!((first.effect, next(&first, 5).0), (Effect::Failed, 0));
        let again = lost(OnLost::Retry, 2, None);
        assert_eq!((next(&again, 5).0, again.slot), (4, noon()));
        let skipped = lost(OnLost::Skip, 2, None);
        assert_eq!(next(&skipped, 5), (4, true));
        assert!(lost(OnLost::Hold, 0, None).hold);
    }
}
