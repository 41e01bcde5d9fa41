//! The stretches of a time zone.

use jiff::{Timestamp, tz::TimeZone};

/// A stretch of time in which a zone keeps one offset from UTC. Instants and wall times are seconds
/// since 1970, wall times as if the zone were UTC.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    /// Its first instant.
    pub(super) start: i64,
    /// The first instant after it.
    pub(super) end: i64,
    offset: i64,
    offset_before: i64,
}

impl Stretch {
    /// The stretch that an instant lies in.
    pub(super) fn around(instant: i64, zone: &TimeZone) -> Self {
        let offset = offset(instant, zone);
        let start = zone.preceding(timestamp(instant + 1)).next();
        let end = zone.following(timestamp(instant)).next();
        let start = start.map(|transition| transition.timestamp().as_second());
        let end = end.map(|transition| transition.timestamp().as_second());
        Self {
            start: start.unwrap_or(Timestamp::MIN.as_second()),
            end: end.unwrap_or(Timestamp::MAX.as_second() + 1),
            offset,
            offset_before: start.map_or(offset, |start| self::offset(start - 1, zone)),
        }
    }

    /// The next stretch; `None` at the end of time.
    pub(super) fn following(&self, zone: &TimeZone) -> Option<Self> {
        // It starts here whatever the zone says: at the end of a zone's table, in 2037, jiff knows
        // transitions when it looks ahead that it does not know when it looks back.
        (self.end <= Timestamp::MAX.as_second()).then(|| Self {
            start: self.end,
            offset_before: self.offset,
            ..Self::around(self.end, zone)
        })
    }

    /// The stretch before; `None` at the beginning of time.
    pub(super) fn preceding(&self, zone: &TimeZone) -> Option<Self> {
        (self.start > Timestamp::MIN.as_second()).then(|| Self {
            end: self.start,
            ..Self::around(self.start - 1, zone)
        })
    }

    /// What a wall clock of this stretch shows.
    pub(super) fn wall(&self, instant: i64) -> i64 {
        instant + self.offset
    }

    /// What the wall clock would have shown at the start, had the offset stayed the same.
    pub(super) fn wall_before(&self) -> i64 {
        self.start + self.offset_before
    }

    /// When the wall clock shows this; the start for what it jumped over.
    pub(super) fn instant(&self, wall: i64) -> i64 {
        (wall - self.offset).max(self.start)
    }
}

fn offset(instant: i64, zone: &TimeZone) -> i64 {
    i64::from(zone.to_offset(timestamp(instant)).seconds())
}

/// The ends of time for what lies beyond them.
fn timestamp(second: i64) -> Timestamp {
    let limits = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    let second = second.clamp(limits.0, limits.1);
    Timestamp::from_second(second).expect("a second between the ends of time")
}
