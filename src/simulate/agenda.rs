//! What comes next on the virtual clock.

use std::{cmp::Reverse, collections::BinaryHeap};

use jiff::Timestamp;
use uuid::Uuid;

/// What there is to do at an instant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// The run of a row ends.
    End(String, Uuid),
    /// A host goes down, or comes up.
    HostsChange,
    /// The verdict on a job may be another one.
    Look(usize),
}

/// All of it, in order of time; what falls on one instant in the order of [`What`].
#[derive(Debug, Default)]
pub(super) struct Agenda(BinaryHeap<Reverse<(Timestamp, What)>>);

impl Agenda {
    pub(super) fn add(&mut self, at: Timestamp, what: What) {
        self.0.push(Reverse((at, what)));
    }

    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// The next that comes by then.
    pub(super) fn take(&mut self, by: Timestamp) -> Option<What> {
        self.next_at().filter(|at| *at <= by)?;
        self.0.pop().map(|Reverse((_, what))| what)
    }
}
