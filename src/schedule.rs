//! When a job is next wanted: pure functions of a timetable and an instant.

pub mod crontab;
mod every;
mod nearest;
mod remark;
mod stretch;
mod zone;

use std::{fmt, iter, time::Duration};

use jiff::{Timestamp, civil::Time, tz::TimeZone};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{duration, spec::Start};
use every::{Days, Period};

pub use crontab::Crontab;
pub use remark::{Jump, Remark};
pub use zone::{UnknownZone, zone};

/// When a job is wanted: one or more rules in one time zone.
///
/// Slots are whole microseconds, as the table keeps them. A zone that [`zone()`] does not know has
/// no slots at all, rather than slots at the wrong time.
#[derive(Debug, Clone, Serialize)]
pub struct Timetable {
    /// The rules; a slot of any of them is a slot of the timetable. Never empty.
    pub rules: Vec<Rule>,
    /// IANA name of the zone the rules' wall times are in.
    pub timezone: String,
    /// Slots run up to this much later, by an offset hashed from the job's name.
    pub jitter: Duration,
}

/// One rule of a timetable.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Five crontab fields.
    Crontab(Crontab),
    /// A fixed period, at a wall time when it is whole days.
    Every {
        /// The period, at least a second; zero has no slots.
        period: Duration,
        /// The wall time, when the period is whole days; hours beyond whole days do not count.
        at: Option<Time>,
    },
}

impl Timetable {
    /// The most slots that [`Timetable::count`] counts one by one.
    pub const COUNTED: i64 = 100_000;

    /// The first slot after `after`. `anchor` is a known slot: plain periods count from it.
    ///
    /// `None` when there is none: the calendar of crontab fields ends with the year 2100, that of
    /// periods with the year 9999.
    #[must_use]
    pub fn next(&self, after: Timestamp, anchor: Timestamp) -> Option<Timestamp> {
        self.next_in(&zone::known(&self.timezone)?, after, anchor)
    }

    /// The latest slot at or before `until`, `anchor` as in [`Timetable::next`].
    ///
    /// `None` when there is none: crontab fields have no slots before 1970.
    #[must_use]
    pub fn latest(&self, until: Timestamp, anchor: Timestamp) -> Option<Timestamp> {
        let (zone, anchor) = (zone::known(&self.timezone)?, self.anchor(anchor));
        let latest = |rule: &Rule| rule.latest(until, anchor, &zone);
        self.rules.iter().filter_map(latest).max()
    }

    /// How many slots lie in `from..=until`, both of them slots.
    ///
    /// A crontab and a plain period are counted by arithmetic, however many slots they have; days
    /// at a wall time, and several rules together, one by one and no further than
    /// [`Timetable::COUNTED`].
    #[must_use]
    pub fn count(&self, from: Timestamp, until: Timestamp) -> i64 {
        let Some(zone) = zone::known(&self.timezone) else {
            return 0;
        };
        match self.rules.as_slice() {
            [Rule::Crontab(crontab)] => crontab.count(from, until, &zone),
            [Rule::Every { period, at: None }] => {
                Period::new(*period, from).map_or(0, |period| period.count(from, until))
            }
            _ => self.count_one_by_one(&zone, from, until),
        }
    }

    /// The first slot of a job that no row knows yet; plain periods count from `now`.
    #[must_use]
    pub fn first(&self, now: Timestamp, start: Start) -> Option<Timestamp> {
        match start {
            Start::Now => every::whole_micros(now),
            Start::Next => self.next(now, now),
        }
    }

    /// How much later than its slots the job of this name runs: the same on every host and in every
    /// version, at least zero, less than [`Timetable::jitter`], in whole milliseconds.
    ///
    /// It is the first eight bytes of the name's SHA-256, big-endian, modulo the jitter.
    #[must_use]
    pub fn offset(&self, name: &str) -> Duration {
        if self.jitter.is_zero() {
            return Duration::ZERO;
        }
        let digest = Sha256::digest(name);
        let first = digest[..8].iter();
        let first = first.fold(0, |number, byte| number << 8 | u64::from(*byte));
        let jitter = u64::try_from(self.jitter.as_millis()).unwrap_or(u64::MAX);
        let millis = first.checked_rem(jitter);
        Duration::from_millis(millis.unwrap_or(0))
    }

    /// Whether its slots count from a known slot, so that nobody can tell them who has none.
    #[must_use]
    pub fn is_anchored(&self) -> bool {
        matches!(self.rules.as_slice(), [rule] if rule.is_anchored())
    }

    /// Beside other rules a known slot may be one of theirs, and a period that counted from it
    /// would move: there it counts from 1970.
    fn anchor(&self, known: Timestamp) -> Timestamp {
        match self.rules.len() {
            0 | 1 => known,
            _ => Timestamp::UNIX_EPOCH,
        }
    }

    fn next_in(&self, zone: &TimeZone, after: Timestamp, known: Timestamp) -> Option<Timestamp> {
        let anchor = self.anchor(known);
        let next = |rule: &Rule| rule.next(after, anchor, zone);
        self.rules.iter().filter_map(next).min()
    }

    fn count_one_by_one(&self, zone: &TimeZone, from: Timestamp, until: Timestamp) -> i64 {
        let before = from.checked_sub(Duration::from_micros(1)).ok();
        let first = before.and_then(|before| self.next_in(zone, before, from));
        let slots = iter::successors(first, |slot| self.next_in(zone, *slot, from));
        let counted = usize::try_from(Self::COUNTED).unwrap_or(usize::MAX);
        let slots = slots.take_while(|slot| *slot <= until).take(counted);
        i64::try_from(slots.count()).unwrap_or(Self::COUNTED)
    }
}

impl Rule {
    fn next(&self, after: Timestamp, anchor: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Crontab(crontab) => crontab.next(after, zone),
            Self::Every { period, at: None } => Period::new(*period, anchor)?.next(after),
            Self::Every {
                period,
                at: Some(at),
            } => Days::new(*period, *at, anchor, zone)?.next(after),
        }
    }

    fn latest(&self, until: Timestamp, anchor: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Crontab(crontab) => crontab.latest(until, zone),
            Self::Every { period, at: None } => Period::new(*period, anchor)?.latest(until),
            Self::Every {
                period,
                at: Some(at),
            } => Days::new(*period, *at, anchor, zone)?.latest(until),
        }
    }

    /// Whether its slots count from a known slot: a plain period, and one of several days.
    fn is_anchored(&self) -> bool {
        const DAYS: Duration = Duration::from_hours(48);
        matches!(self, Self::Every { period, at } if at.is_none() || *period >= DAYS)
    }

    /// Whether its slots are wall times of a zone.
    fn has_wall_times(&self) -> bool {
        !matches!(self, Self::Every { at: None, .. })
    }
}

/// As in a listing: `*/10 * * * *`, `every 1h`, `every 1d at 03:45`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crontab(crontab) => f.write_str(crontab.as_str()),
            Self::Every { period, at } => {
                write!(f, "every {}", duration::written(*period))?;
                match at {
                    Some(at) if at.second() == 0 => write!(f, " at {}", at.strftime("%H:%M")),
                    Some(at) => write!(f, " at {}", at.strftime("%H:%M:%S")),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Its rules, and the zone if it is not UTC and they have wall times: `0 7 * * 1-5 (Europe/Berlin)`.
impl fmt::Display for Timetable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, rule) in self.rules.iter().enumerate() {
            let separator = if number == 0 { "" } else { "; " };
            write!(f, "{separator}{rule}")?;
        }
        if self.timezone != zone::UTC && self.rules.iter().any(Rule::has_wall_times) {
            write!(f, " ({})", self.timezone)?;
        }
        Ok(())
    }
}
