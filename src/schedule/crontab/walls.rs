//! The `cron` crate, kept where it is right.
//!
//! Its zones are not: in autumn it returns instants that have passed, in spring it drops a night's
//! job. Its fields mean other things too (1 is Sunday, day of the month *and* day of the week). So it
//! is given the plain values of our fields, and wall times dressed as UTC.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Arc, LazyLock, Mutex, PoisonError, Weak},
};

use chrono::{DateTime, Utc};
use cron::Schedule;

use super::{field::Values, fields::Fields};

/// The last second of the year 2100, where the crate's calendar ends.
pub(super) const LAST: i64 = 4_133_980_799;

/// The wall times that match, in seconds since 1970 as if the zone were UTC, from 1970 to 2100.
#[derive(Debug, Clone)]
pub(super) struct Walls {
    /// A match of any of them counts; two when a day of the month or of the week is enough.
    schedules: Vec<Schedule>,
}

/// The schedules of the crate that are in use: most jobs share theirs with others, and each takes a kilobyte.
static SHARED: LazyLock<Mutex<HashMap<Fields, Weak<Walls>>>> = LazyLock::new(Mutex::default);

impl Walls {
    /// Those of the fields, shared with everybody who has the same.
    pub(super) fn shared(fields: &Fields) -> Arc<Self> {
        // Nothing that holds this lock can panic half-way through a change.
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = shared.get(fields).and_then(Weak::upgrade) {
            return known;
        }
        if shared.len() == shared.capacity() {
            // Rather than grow for what nobody has any more.
            shared.retain(|_, walls| walls.strong_count() > 0);
        }
        let walls = Arc::new(Self::of(fields));
        shared.insert(*fields, Arc::downgrade(&walls));
        walls
    }

    fn of(fields: &Fields) -> Self {
        let Fields { days, weekdays, .. } = fields;
        let schedules = if fields.either_day {
            vec![
                schedule(fields, *days, Values::WEEK),
                schedule(fields, Values::MONTH, *weekdays),
            ]
        } else {
            vec![schedule(fields, *days, *weekdays)]
        };
        Self { schedules }
    }

    pub(super) fn at_or_after(&self, wall: i64) -> Option<i64> {
        // The crate takes no year before 0, and has no match before 1970.
        let before = dressed(wall.max(0) - 1)?;
        let next = |schedule: &Schedule| schedule.after(&before).next();
        let walls = self.schedules.iter().filter_map(next);
        walls.min().map(|wall| wall.timestamp())
    }

    pub(super) fn at_or_before(&self, wall: i64) -> Option<i64> {
        if wall < 0 {
            return None;
        }
        // From a later year the crate would look for that year's month and day in 2100.
        let after = dressed(wall.min(LAST) + 1)?;
        let previous = |schedule: &Schedule| schedule.after(&after).next_back();
        let walls = self.schedules.iter().filter_map(previous);
        walls.max().map(|wall| wall.timestamp())
    }
}

fn dressed(wall: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(wall, 0)
}

fn schedule(fields: &Fields, days: Values, weekdays: Values) -> Schedule {
    let text = format!(
        "0 {} {} {} {} {}",
        list(fields.minutes, Values::HOUR, 0),
        list(fields.hours, Values::DAY, 0),
        list(days, Values::MONTH, 0),
        list(fields.months, Values::YEAR, 0),
        list(weekdays, Values::WEEK, 1), // the crate's Sunday is 1
    );
    text.parse().expect("lists of values in their ranges")
}

/// The values as the crate reads them, each `shift` more; `*` for all of them, which it keeps cheaper.
fn list(values: Values, all: Values, shift: u8) -> String {
    if values == all {
        return "*".to_owned();
    }
    let mut text = String::new();
    for value in values.iter() {
        let separator = if text.is_empty() { "" } else { "," };
        write!(text, "{separator}{}", value + shift).expect("a String takes all it is given");
    }
    text
}
