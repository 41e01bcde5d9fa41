//! What happens in a scenario, and what it comes to.

use std::time::Duration;

use jiff::Timestamp;

use crate::{plan::catch_up::Skipped, record::Outcome};

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening<'a> {
    /// A run has ended, or would go on after the last instant.
    Ran(Ran<'a>),
    /// Slots are left behind.
    Skipped {
        /// The row.
        row: &'a str,
        /// Which, and why.
        skipped: &'a Skipped,
        /// When that is written down.
        at: Timestamp,
    },
}

/// A run that was only thought up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ran<'a> {
    /// The row.
    pub row: &'a str,
    /// The number of its job in the graph.
    pub job: usize,
    /// Where.
    pub host: &'a str,
    /// For which slot.
    pub slot: Timestamp,
    /// Which attempt at it, from 1.
    pub attempt: i32,
    /// Its beginning, and
    pub started_at: Timestamp,
    /// its end.
    pub finished_at: Timestamp,
    /// How it went; `None`: it would go on.
    pub outcome: Option<Outcome>,
}

/// What it comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The most runs at once, those aside that are kept running, and
    pub peak: usize,
    /// when there were so many for the first time.
    pub peak_at: Timestamp,
    /// The longest time that a slot was due before it started, and whose: it waited for room, for a host, or behind others.
    pub longest_wait: Option<(String, Duration)>,
}
