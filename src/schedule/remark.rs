//! What clocks that jump do to slots, in words.

use std::{fmt, ops::Range};

use jiff::{
    SignedDuration, Timestamp,
    civil::{DateTime, Time},
    tz::TimeZone,
};

use super::{Rule, Timetable, stretch::Stretch, zone};

/// A wall clock that is put forward or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jump {
    /// What it would have shown at that instant.
    pub from: DateTime,
    /// What it shows instead.
    pub to: DateTime,
}

/// What a jump of the clocks does to a slot.
///
/// Prints as a sentence: `02:30 does not exist that night (clocks go from 02:00 to 03:00): runs at 03:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remark {
    /// The clocks jump over its wall times: due at the jump, all of them at once.
    Skipped {
        /// The earliest of the wall times.
        first: DateTime,
        /// The latest of them.
        last: DateTime,
        /// Over which they jump.
        jump: Jump,
    },
    /// Its wall time comes twice: due the first time only.
    Once {
        /// The wall time.
        wall: DateTime,
        /// After which it comes again.
        jump: Jump,
    },
    /// Its wall time comes twice: due both times, because the schedule follows real time.
    Twice {
        /// The wall time.
        wall: DateTime,
        /// Between the two.
        jump: Jump,
    },
    /// The clocks jumped over wall times between it and the slot before: left out, because the schedule follows real time.
    LeftOut {
        /// The earliest of the wall times.
        first: DateTime,
        /// The latest of them.
        last: DateTime,
        /// Over which they jumped.
        jump: Jump,
    },
}

impl Timetable {
    /// What the clocks of the zone do to a slot; `None`: nothing.
    #[must_use]
    pub fn remark(&self, slot: Timestamp) -> Option<Remark> {
        let zone = zone::known(&self.timezone)?;
        self.rules.iter().find_map(|rule| rule.remark(slot, &zone))
    }
}

impl Rule {
    /// What jumps of the clocks from `from` to `until` do to a rule for fixed times, in their order.
    ///
    /// Nothing for rules that follow real time, for a period of more than one day, whose days only its row knows, and
    /// in a zone that nobody knows.
    #[must_use]
    pub fn moved(&self, timezone: &str, from: Timestamp, until: Timestamp) -> Vec<Remark> {
        let Some(zone) = zone::known(timezone).filter(|_| self.is_fixed() && !self.is_anchored())
        else {
            return Vec::new();
        };
        let mut remarks = Vec::new();
        let mut stretch = Stretch::around(from.as_second(), &zone);
        while let Some(following) = stretch.following(&zone) {
            if following.start > until.as_second() {
                break;
            }
            remarks.extend(self.skipped(&following).or_else(|| {
                let (first, _) = self.walls_in(folded(&following))?;
                Some(Remark::Once {
                    wall: wall(first)?,
                    jump: jump(&following)?,
                })
            }));
            stretch = following;
        }
        remarks
    }

    fn remark(&self, slot: Timestamp, zone: &TimeZone) -> Option<Remark> {
        let slot = slot.as_second();
        // The stretch before knows where this one starts, even where looking back from here does not.
        let before = Stretch::around(slot - 1, zone);
        let stretch = if before.end <= slot {
            before.following(zone)?
        } else {
            before
        };
        let shown = stretch.wall(slot);
        if self.is_fixed() && slot == stretch.start {
            let skipped = self.skipped(&stretch);
            if skipped.is_some() {
                return skipped;
            }
        }
        // Of several rules it may be another's slot.
        self.walls_in(shown..shown + 1)?;
        let following = stretch.following(zone);
        let again = following.filter(|following| folded(following).contains(&shown));
        if self.is_fixed() {
            let (wall, jump) = (wall(shown)?, jump(&again?)?);
            return Some(Remark::Once { wall, jump });
        }
        let second = Some(stretch).filter(|stretch| folded(stretch).contains(&shown));
        if let Some(folded) = again.or(second) {
            let (wall, jump) = (wall(shown)?, jump(&folded)?);
            return Some(Remark::Twice { wall, jump });
        }
        self.left_out(slot, &stretch)
    }

    /// What is due at the start of a stretch because the clocks jump over it.
    fn skipped(&self, stretch: &Stretch) -> Option<Remark> {
        let (first, last) = self.walls_in(missing(stretch))?;
        Some(Remark::Skipped {
            first: wall(first)?,
            last: wall(last)?,
            jump: jump(stretch)?,
        })
    }

    /// What the first slot of a stretch leaves behind. A rule that matches in every hour goes on as if nothing were.
    fn left_out(&self, slot: i64, stretch: &Stretch) -> Option<Remark> {
        let Self::Crontab(crontab) = self else {
            return None;
        };
        let is_first = || {
            self.walls_in(stretch.wall(stretch.start)..stretch.wall(slot))
                .is_none()
        };
        if !crontab.leaves_hours_out() || !is_first() {
            return None;
        }
        let (first, last) = self.walls_in(missing(stretch))?;
        Some(Remark::LeftOut {
            first: wall(first)?,
            last: wall(last)?,
            jump: jump(stretch)?,
        })
    }

    /// Whether it is for fixed times, which a day has once.
    fn is_fixed(&self) -> bool {
        match self {
            Self::Crontab(crontab) => !crontab.follows_real_time(),
            Self::Every { at, .. } => at.is_some(),
        }
    }

    /// The first and the last of its wall times in a range.
    fn walls_in(&self, walls: Range<i64>) -> Option<(i64, i64)> {
        match self {
            Self::Crontab(crontab) if !walls.is_empty() => crontab.walls_in(walls),
            Self::Every { at: Some(at), .. } => time_in(*at, walls),
            Self::Crontab(_) | Self::Every { at: None, .. } => None,
        }
    }
}

/// The wall times that the jump at the start of a stretch leaves out.
fn missing(stretch: &Stretch) -> Range<i64> {
    stretch.wall_before()..stretch.wall(stretch.start)
}

/// The wall times that come again after it.
fn folded(stretch: &Stretch) -> Range<i64> {
    stretch.wall(stretch.start)..stretch.wall_before()
}

fn jump(stretch: &Stretch) -> Option<Jump> {
    Some(Jump {
        from: wall(stretch.wall_before())?,
        to: wall(stretch.wall(stretch.start))?,
    })
}

fn wall(seconds: i64) -> Option<DateTime> {
    let instant = Timestamp::from_second(seconds).ok()?;
    Some(TimeZone::UTC.to_datetime(instant))
}

/// The first and the last time that a clock shows this time of day in a range of wall times.
fn time_in(time: Time, walls: Range<i64>) -> Option<(i64, i64)> {
    const DAY: i64 = 86_400;
    let time = time.duration_since(Time::midnight()).as_secs();
    let first = walls.start + (time - walls.start).rem_euclid(DAY);
    let last = walls.end - 1 - (walls.end - 1 - time).rem_euclid(DAY);
    (first <= last).then_some((first, last))
}

impl Jump {
    /// How far the clocks are put, forward or back.
    fn length(&self) -> SignedDuration {
        self.from.duration_until(self.to)
    }

    /// A wall time beside this jump: `02:30`; with its date where a whole day is jumped over.
    fn shown(&self, wall: DateTime) -> String {
        let is_of_days = self.length().abs() >= SignedDuration::from_hours(24);
        let date = if is_of_days { "%F " } else { "" };
        let seconds = if wall.second() == 0 { "" } else { ":%S" };
        wall.strftime(&format!("{date}%H:%M{seconds}")).to_string()
    }

    fn words(&self, how: &str) -> String {
        format!(
            "clocks go {how} {} to {}",
            self.shown(self.from),
            self.shown(self.to)
        )
    }

    /// `02:30 does`, or `02:00 to 02:30 do`.
    fn walls(&self, first: DateTime, last: DateTime, one: &str, many: &str) -> String {
        if first == last {
            return format!("{} {one}", self.shown(first));
        }
        format!("{} to {} {many}", self.shown(first), self.shown(last))
    }
}

impl Remark {
    /// The wall time that it is about; of several the first.
    #[must_use]
    pub fn wall(&self) -> DateTime {
        match *self {
            Self::Skipped { first, .. } | Self::LeftOut { first, .. } => first,
            Self::Once { wall, .. } | Self::Twice { wall, .. } => wall,
        }
    }

    /// The jump of the clocks.
    #[must_use]
    pub fn jump(&self) -> Jump {
        match *self {
            Self::Skipped { jump, .. }
            | Self::Once { jump, .. }
            | Self::Twice { jump, .. }
            | Self::LeftOut { jump, .. } => jump,
        }
    }

    /// The sentence with other words for `that night`, such as `on 2027-03-14`.
    #[must_use]
    pub fn said_of(&self, day: &str) -> String {
        let jump = self.jump();
        match *self {
            Self::Skipped { first, last, .. } => {
                let once = if first == last { "" } else { "once, " };
                format!(
                    "{} not exist {day} ({}): runs {once}at {}",
                    jump.walls(first, last, "does", "do"),
                    jump.words("from"),
                    jump.shown(jump.to)
                )
            }
            Self::Once { wall, .. } => format!(
                "{} comes twice {day} ({}): runs the first time only",
                jump.shown(wall),
                jump.words("back from")
            ),
            Self::Twice { .. } => {
                let what = match jump.length().abs().as_mins() {
                    60 => "this hour",
                    30 => "this half hour",
                    _ => "this time",
                };
                format!(
                    "{}: {what} comes twice, runs in both",
                    jump.words("back from")
                )
            }
            Self::LeftOut { first, last, .. } => format!(
                "{} not exist on {} ({}): left out",
                jump.walls(first, last, "did", "did"),
                first.strftime("%F"),
                jump.words("from")
            ),
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said_of("that night"))
    }
}

#[cfg(test)]
mod tests;
