//! The database's clock, told from this host's between two readings.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::clock::Boottime;

/// How fast two good clocks drift apart at most: so much is taken off, so that this host is rather late than early.
const DRIFT: f64 = 20e-6;

/// What the database's clock says by now, at least: who claims too early has claimed in vain.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DatabaseClock {
    /// What it said, and a moment here by which it had said so.
    said: Option<(Timestamp, Boottime)>,
}

impl DatabaseClock {
    /// Learns from a question that was sent and answered then.
    ///
    /// The answer was written some time between: so by `answered` the clock has said at least that much. A later answer
    /// that took longer says less than an earlier one; unless it proves that the clock was set back meanwhile.
    pub(super) fn learn(&mut self, now: Timestamp, (sent, answered): (Boottime, Boottime)) {
        let says_more = self.at(answered).is_none_or(|known| known < now);
        let was_set_back = self.at(sent).is_some_and(|known| known > now);
        if says_more || was_set_back {
            self.said = Some((now, answered));
        }
    }

    /// What it says at this moment here; `None`: it was never read.
    pub(super) fn at(&self, here: Boottime) -> Option<Timestamp> {
        let (said, heard) = self.said?;
        let since = here.saturating_since(heard);
        let ahead = SignedDuration::try_from(since.mul_f64(1.0 - DRIFT)).ok()?;
        let before = SignedDuration::try_from(heard.saturating_since(here)).ok()?;
        said.checked_add(ahead).ok()?.checked_sub(before).ok()
    }

    /// The moment here at which it says that; `None`: it was never read.
    pub(super) fn when(&self, instant: Timestamp) -> Option<Boottime> {
        let (said, heard) = self.said?;
        let ahead = Duration::try_from(instant.duration_since(said)).unwrap_or_default();
        Some(heard + ahead.div_f64(1.0 - DRIFT).saturating_add(TICK))
    }
}

/// The database keeps microseconds: an instant has come when it is over by less than one.
const TICK: Duration = Duration::from_micros(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Timestamp {
        "2031-05-05T12:00:00Z".parse().unwrap()
    }

    fn seconds(clock: &DatabaseClock, here: Boottime) -> i64 {
        clock.at(here).unwrap().duration_since(noon()).as_secs()
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_is_never_ahead_of_what_was_said() {
        let here = Boottime::now();
        let mut clock = DatabaseClock::default();
        assert_eq!(clock.at(here), None);
        clock.learn(noon(), (here, here + SECOND));
        assert_eq!(seconds(&clock, here + SECOND), 0);
        assert!(clock.at(here + SECOND * 2).unwrap() < noon() + SignedDuration::from_secs(1));
    }

    #[test]
    fn the_quicker_answer_counts() {
        let here = Boottime::now();
        let mut clock = DatabaseClock::default();
        clock.learn(noon(), (here, here));
        // Ten seconds later, with an answer that took nine.
        let later = noon() + SignedDuration::from_secs(10);
        clock.learn(later, (here + SECOND * 10, here + SECOND * 19));
        assert_eq!(seconds(&clock, here + SECOND * 20), 19);
    }

    #[test]
    fn a_clock_that_was_set_is_believed() {
        let here = Boottime::now();
        let mut clock = DatabaseClock::default();
        clock.learn(noon(), (here, here));
        let back = noon() - SignedDuration::from_secs(100);
        clock.learn(back, (here + SECOND, here + SECOND));
        assert_eq!(seconds(&clock, here + SECOND), -100);
        let ahead = noon() + SignedDuration::from_secs(100);
        clock.learn(ahead, (here + SECOND * 2, here + SECOND * 2));
        assert_eq!(seconds(&clock, here + SECOND * 2), 100);
    }

    #[test]
    fn an_instant_has_come_when_the_alarm_for_it_rings() {
        let here = Boottime::now();
        let mut clock = DatabaseClock::default();
        clock.learn(noon(), (here, here));
        for seconds in [0, 1, 15, 86_400] {
            let instant = noon() + SignedDuration::from_secs(seconds);
            let rings = clock.when(instant).unwrap();
            assert!(clock.at(rings).unwrap() >= instant, "{seconds}");
        }
    }
}
