//! Five crontab fields with cronie's meaning.
//!
//! A match of the fields is a wall time; a slot is an instant. Between the two stands the zone, as
//! a row of stretches in each of which it keeps one offset from UTC. Where one stretch meets the
//! next the wall clock jumps, and there are two kinds of schedule:
//!
//! - A minute or hour field that begins with `*` makes it one that follows real time: each stretch
//!   is matched with its own wall clock, what a jump leaves out is left out, what comes twice runs
//!   twice. So `*/10 * * * *` is every ten minutes in every night of the year.
//! - All others are for fixed times, which a day has once: in each stretch the wall times from where
//!   the stretch before ended are matched. Those that the clocks jumped over are due at the jump,
//!   all at once; those that come a second time have been served.
//!
//! Each slot belongs to one stretch and depends on it and the one before alone, so `next` and
//! `latest` cannot disagree about which slots there are.

mod field;
mod fields;
mod mistakes;
mod oddities;
mod walls;

use std::{
    fmt,
    ops::Range,
    sync::{Arc, OnceLock},
};

use jiff::{Timestamp, tz::TimeZone};
use serde::{Serialize, Serializer};

use super::stretch::Stretch;
use field::Values;
use fields::Fields;
use walls::Walls;

pub use mistakes::BadCrontab;
pub use oddities::{Oddity, OddityKind};

/// Five crontab fields, or a nickname such as `@daily`, checked.
#[derive(Clone)]
pub struct Crontab {
    source: String,
    fields: Fields,
    /// Built when first asked for a slot: a pass with nothing due reads every schedule and asks none.
    walls: OnceLock<Arc<Walls>>,
}

impl Crontab {
    /// The fields, checked.
    ///
    /// Minute, hour, day of the month, month, day of the week (0 and 7 are Sunday); lists, ranges and
    /// steps in each; names of months and of days of the week in any case. A day of the month *or*
    /// a day of the week is enough when neither field begins with `*`. What would never run or can
    /// hardly be meant is refused: a range that runs backwards, a step that no second value follows,
    /// the 30th of February.
    pub fn parse(source: &str) -> Result<Self, BadCrontab> {
        Ok(Self {
            source: source.to_owned(),
            fields: Fields::parse(source)?,
            walls: OnceLock::new(),
        })
    }

    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The first slot after `after`; `None` when there is none before the year 2101.
    pub(super) fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let after = whole_second(after);
        let mut stretch = Stretch::around(after, zone);
        loop {
            let first = self.first_wall(&stretch);
            let wall = if after < stretch.start {
                first
            } else {
                first.max(stretch.wall(after) + 1)
            };
            let slot = stretch.instant(self.walls().at_or_after(wall)?);
            if slot < stretch.end {
                return Timestamp::from_second(slot).ok();
            }
            stretch = stretch.following(zone)?;
        }
    }

    /// The latest slot at or before `until`; `None` when there is none since 1970.
    pub(super) fn latest(&self, until: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let until = whole_second(until);
        let mut stretch = Stretch::around(until, zone);
        loop {
            let last = stretch.wall(until.min(stretch.end - 1));
            let wall = self.walls().at_or_before(last)?;
            if wall >= self.first_wall(&stretch) {
                return Timestamp::from_second(stretch.instant(wall)).ok();
            }
            stretch = stretch.preceding(zone)?;
        }
    }

    /// How many slots lie in `from..=until`, by arithmetic: as cheap for a year as for a day.
    pub(super) fn count(&self, from: Timestamp, until: Timestamp, zone: &TimeZone) -> i64 {
        // Rounded up: a slot in the second that `from` is a part of has passed.
        let from = whole_second(from) + i64::from(from.subsec_nanosecond() != 0);
        let until = whole_second(until);
        let mut counted = 0;
        let mut stretch = Stretch::around(from, zone);
        while stretch.start <= until {
            counted += self.count_in(&stretch, from, until);
            match stretch.following(zone) {
                Some(following) => stretch = following,
                None => break,
            }
        }
        counted
    }

    /// Whether it follows real time: a minute or hour field begins with `*`.
    pub(super) fn follows_real_time(&self) -> bool {
        self.fields.follow_real_time
    }

    /// Whether some hours of the day have no match.
    pub(super) fn leaves_hours_out(&self) -> bool {
        self.fields.hours != Values::DAY
    }

    /// The first and the last match in a range of wall times, seconds since 1970 as if the zone were UTC.
    pub(super) fn walls_in(&self, walls: Range<i64>) -> Option<(i64, i64)> {
        let first = self.walls().at_or_after(walls.start)?;
        let last = self.walls().at_or_before(walls.end - 1)?;
        (first <= last).then_some((first, last))
    }

    fn count_in(&self, stretch: &Stretch, from: i64, until: i64) -> i64 {
        let first = self.first_wall(stretch);
        let at_start = stretch.wall(stretch.start);
        let last = stretch.wall(until.min(stretch.end - 1));
        let later = first.max(at_start).max(stretch.wall(from));
        let jump_is_due = from <= stretch.start && self.fields.count(first, at_start) > 0;
        let jump_is_counted = self.fields.count(at_start, at_start) > 0;
        self.fields.count(later, last) + i64::from(jump_is_due && !jump_is_counted)
    }

    /// The first wall time that a stretch serves.
    fn first_wall(&self, stretch: &Stretch) -> i64 {
        if self.fields.follow_real_time {
            stretch.wall(stretch.start)
        } else {
            stretch.wall_before()
        }
    }

    fn walls(&self) -> &Walls {
        self.walls.get_or_init(|| Walls::shared(&self.fields))
    }
}

/// The second an instant lies in, counted from 1970. Slots and the jumps of clocks are whole
/// seconds, so that nothing is lost.
fn whole_second(instant: Timestamp) -> i64 {
    instant.as_second() - i64::from(instant.subsec_nanosecond() < 0)
}

impl PartialEq for Crontab {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Crontab {}

impl fmt::Debug for Crontab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Crontab").field(&self.source).finish()
    }
}

impl Serialize for Crontab {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

#[cfg(test)]
mod tests;
