//! The host that is killed half-way through a run, and the other one that repeats it.

use std::time::{Duration, Instant};

use crate::event::{Event, Run};

/// The job whose run is killed: it takes long enough to be in the middle of something.
const VICTIM: &str = "report";

/// How far its run gets.
const HALF_WAY: Duration = Duration::from_secs(1);

/// By when the other host must have taken over; otherwise the dead one is put back up, and it is tried again.
const PATIENCE: Duration = Duration::from_secs(12);

/// How long the audience rests before it happens again.
const REST: Duration = Duration::from_mins(1);

/// Where in the story we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plot {
    /// Nobody is in danger before this instant.
    Quiet { until: Instant },
    /// A run is going on whose host dies then.
    Aimed {
        host: usize,
        run_id: String,
        at: Instant,
    },
    /// The host has been killed then, and is down.
    Struck {
        host: usize,
        run_id: String,
        at: Instant,
        is_gone: bool,
    },
}

impl Plot {
    /// The beginning.
    pub(crate) fn begin(now: Instant) -> Self {
        Self::Quiet { until: now }
    }

    /// The host that is down.
    pub(crate) fn down(&self) -> Option<usize> {
        match self {
            Self::Struck { host, .. } => Some(*host),
            Self::Quiet { .. } | Self::Aimed { .. } => None,
        }
    }

    /// Whether the story is in the middle of something.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self, Self::Quiet { .. })
    }

    /// Goes on with what a host did: it takes aim, or the dead host is put back up because the other has taken over.
    /// Returns the host that is back.
    pub(crate) fn follow(&mut self, host: usize, event: &Event, now: Instant) -> Option<usize> {
        let Event::Ongoing(Run {
            job,
            run_id,
            attempt,
        }) = event
        else {
            return None;
        };
        match *self {
            Self::Quiet { until } if job == VICTIM && *attempt == 1 && now >= until => {
                *self = Self::Aimed {
                    host,
                    run_id: run_id.clone(),
                    at: now + HALF_WAY,
                };
                None
            }
            Self::Struck { host: dead, .. } if job == VICTIM && host != dead => {
                *self = Self::Quiet { until: now + REST };
                Some(dead)
            }
            _ => None,
        }
    }

    /// The dead host, if nobody has taken over in time; it is tried again with the next run.
    pub(crate) fn give_up(&mut self, now: Instant) -> Option<usize> {
        match *self {
            Self::Struck { host, at, .. } if now >= at + PATIENCE => {
                *self = Self::Quiet { until: now };
                Some(host)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ongoing(job: &str, attempt: i32) -> Event {
        Event::Ongoing(Run {
            job: job.into(),
            run_id: format!("{job} {attempt}"),
            attempt,
        })
    }

    fn struck(now: Instant) -> Plot {
        Plot::Struck {
            host: 1,
            run_id: "report 1".into(),
            at: now,
            is_gone: true,
        }
    }

    #[test]
    fn only_a_first_attempt_of_a_report_is_aimed_at() {
        let now = Instant::now();
        let mut plot = Plot::begin(now);
        plot.follow(0, &ongoing("pulse", 1), now);
        plot.follow(0, &ongoing("report", 2), now);
        assert!(!plot.is_open());
        plot.follow(1, &ongoing("report", 1), now);
        assert_eq!(
            plot,
            Plot::Aimed {
                host: 1,
                run_id: "report 1".into(),
                at: now + HALF_WAY
            }
        );
    }

    #[test]
    fn the_dead_host_is_back_when_the_other_has_taken_over() {
        let now = Instant::now();
        let mut plot = struck(now);
        assert_eq!(plot.follow(0, &ongoing("pulse", 1), now), None);
        assert_eq!(plot.down(), Some(1));
        assert_eq!(plot.follow(0, &ongoing("report", 2), now), Some(1));
        assert_eq!(plot, Plot::Quiet { until: now + REST });
    }

    #[test]
    fn it_is_tried_again_at_once_when_nobody_has_taken_over() {
        let now = Instant::now();
        let mut plot = struck(now);
        assert_eq!(plot.give_up(now), None);
        assert_eq!(plot.give_up(now + PATIENCE), Some(1));
        assert_eq!(
            plot,
            Plot::Quiet {
                until: now + PATIENCE
            }
        );
    }
}
