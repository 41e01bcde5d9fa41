//! When a job is next wanted: pure functions of a timetable and an instant.

pub mod crontab;

use jiff::{Timestamp, civil::Time};
use serde::Serialize;
use std::time::Duration;

pub use crontab::Crontab;

/// When a job is wanted: one or more rules in one time zone.
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
        /// The period, at least a second.
        period: Duration,
        /// The wall time of a period of whole days.
        at: Option<Time>,
    },
}

impl Timetable {
    /// The first slot after `after`. `anchor` is a known slot: plain periods count from it.
    #[must_use]
    pub fn next(&self, after: Timestamp, anchor: Timestamp) -> Option<Timestamp> {
        let _ = (after, anchor);
        None
    }

    /// The latest slot at or before `until`, `anchor` as in [`Timetable::next`].
    #[must_use]
    pub fn latest(&self, until: Timestamp, anchor: Timestamp) -> Option<Timestamp> {
        let _ = (until, anchor);
        None
    }

    /// How many slots lie in `from..=until`, both of them slots.
    #[must_use]
    pub fn count(&self, from: Timestamp, until: Timestamp) -> i64 {
        let _ = (from, until);
        1
    }
}
