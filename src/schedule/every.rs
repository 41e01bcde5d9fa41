//! Fixed periods: so much time from slot to slot, or so many days at a wall time.

use std::time::Duration;

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time},
    tz::{AmbiguousOffset, TimeZone},
};

/// Slots that lie a whole number of periods before or after an anchor, so that they never drift.
pub(super) struct Period {
    micros: i128,
    anchor: i128,
}

impl Period {
    /// `None`: a period of zero, which has no slots.
    pub(super) fn new(period: Duration, anchor: Timestamp) -> Option<Self> {
        let micros = i128::try_from(period.as_micros()).ok()?;
        (micros > 0).then(|| Self {
            micros,
            anchor: micros_of(anchor),
        })
    }

    pub(super) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        self.slot(self.periods(micros_of(after)) + 1)
    }

    pub(super) fn latest(&self, until: Timestamp) -> Option<Timestamp> {
        self.slot(self.periods(micros_of(until)))
    }

    /// How many slots lie in `from..=until`.
    pub(super) fn count(&self, from: Timestamp, until: Timestamp) -> i64 {
        let slots = self.periods(micros_of(until)) - self.periods(micros_of(from) - 1);
        i64::try_from(slots.max(0)).unwrap_or(i64::MAX)
    }

    /// How many whole periods lie between the anchor and an instant, less than zero before it.
    fn periods(&self, micros: i128) -> i128 {
        (micros - self.anchor).div_euclid(self.micros)
    }

    fn slot(&self, periods: i128) -> Option<Timestamp> {
        instant(periods.checked_mul(self.micros)?.checked_add(self.anchor)?)
    }
}

/// The microsecond an instant lies in, counted from 1970.
fn micros_of(instant: Timestamp) -> i128 {
    instant.as_nanosecond().div_euclid(1_000)
}

/// `None`: before or after all time.
fn instant(micros: i128) -> Option<Timestamp> {
    Timestamp::from_microsecond(i64::try_from(micros).ok()?).ok()
}

/// The same instant in whole microseconds, which is how the table keeps it.
pub(super) fn whole_micros(of: Timestamp) -> Option<Timestamp> {
    instant(micros_of(of))
}

/// Slots at one wall time of every so many days of the calendar.
///
/// A wall time that the clocks jump over is served at the jump, one that comes twice the first time.
pub(super) struct Days<'a> {
    step: i64,
    at: Time,
    first: Date,
    zone: &'a TimeZone,
}

impl<'a> Days<'a> {
    /// `None`: a period of less than a day, which has no slots.
    pub(super) fn new(
        period: Duration,
        at: Time,
        anchor: Timestamp,
        zone: &'a TimeZone,
    ) -> Option<Self> {
        let step = i64::try_from(period.as_secs() / 86_400).ok()?;
        let local = zone.to_datetime(anchor);
        let mut this = Self {
            step,
            at,
            first: local.date(),
            zone,
        };
        // A jump across midnight serves a wall time of the day before.
        if let Ok(yesterday) = local.date().yesterday()
            && local.time() != at
            && this.instant(yesterday) == Some(anchor)
        {
            this.first = yesterday;
        }
        (step > 0).then_some(this)
    }

    pub(super) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        // Tomorrow's slot may have passed, when clocks set back across midnight show today again.
        let period = self.period_of(after, 0);
        (period..period.saturating_add(4))
            .filter_map(|period| self.slot(period))
            .find(|slot| *slot > after)
    }

    pub(super) fn latest(&self, until: Timestamp) -> Option<Timestamp> {
        let period = self.period_of(until, 1);
        (period.saturating_sub(4)..=period)
            .rev()
            .filter_map(|period| self.slot(period))
            .find(|slot| *slot <= until)
    }

    /// The period that holds the day which is `days` after the one of an instant.
    fn period_of(&self, instant: Timestamp, days: i64) -> i64 {
        let date = self.zone.to_datetime(instant).date();
        let distance = self.first.duration_until(date).as_hours() / 24;
        (distance + days).div_euclid(self.step)
    }

    fn slot(&self, period: i64) -> Option<Timestamp> {
        let hours = period.checked_mul(self.step)?.checked_mul(24)?;
        let date = self
            .first
            .checked_add(SignedDuration::try_from_hours(hours)?);
        self.instant(date.ok()?)
    }

    fn instant(&self, date: Date) -> Option<Timestamp> {
        let wall = date.to_datetime(self.at);
        let instant = match self.zone.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(wall).ok()?,
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(wall).ok()?,
            AmbiguousOffset::Gap { after, .. } => {
                let before_the_jump = after.to_timestamp(wall).ok()?;
                self.zone.following(before_the_jump).next()?.timestamp()
            }
        };
        whole_micros(instant)
    }
}
