//! Which of the slots that have come is run, and what becomes of those it passes.
//!
//! Values in, values out. The plan decides with it, and the transaction that moves `slot` writes down what was decided:
//! the claim of the slot that runs, or, where none of them does any more, a statement of its own ([`crate::skip`]).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Slots;
use crate::{
    schedule::Timetable,
    spec::{CatchUp, JobSpec, RowName},
};

/// A range of slots that are not run, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Which; the first is the pending one.
    pub slots: Slots,
    /// Why.
    pub reason: Reason,
}

/// Why slots are not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A later one runs in their place.
    Coalesced,
    /// Nobody was there when they were due, or another run was going on, and the job does not catch up on them.
    Missed,
    /// They fell due in a pause.
    Paused,
    /// They could not start before their `start_deadline`.
    Late,
    /// The next slot came, and these parents had still not done what they needed.
    Blocked(Vec<RowName>),
}

/// The word in tables, JSON and the log: `coalesced`, `missed`, `paused`, `late`, `blocked by feeds, users`.
impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parents = match self {
            Self::Coalesced => return f.write_str("coalesced"),
            Self::Missed => return f.write_str("missed"),
            Self::Paused => return f.write_str("paused"),
            Self::Late => return f.write_str("late"),
            Self::Blocked(parents) => parents,
        };
        for (number, parent) in parents.iter().enumerate() {
            let before = if number == 0 { "blocked by " } else { ", " };
            write!(f, "{before}{parent}")?;
        }
        Ok(())
    }
}

/// How long a slot may be due under `catch_up = "none"` without having been missed: several passes of a host that asks
/// every minute. A `start_deadline` takes its place.
pub const MISSED_AFTER: Duration = Duration::from_mins(10);

/// What the row says of a job whose time has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    /// Its pending slot.
    pub(crate) pending: Timestamp,
    /// Since when that may start: the slot and its jitter, or a retry, or the end of a pause.
    pub(crate) since: Timestamp,
    /// How much later than its slots it starts.
    pub(crate) jitter: Duration,
    /// The end of its last pause.
    pub(crate) paused_until: Option<Timestamp>,
}

/// Which slot is run now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    /// It; `None`: those that have come have all had their time.
    pub(crate) slot: Option<Timestamp>,
    /// The slots it passes, or all that have come, from the pending one.
    pub(crate) skipped: Option<Skipped>,
}

/// The last instant at which a run for a slot may start; `None`: however late.
pub(crate) fn start_by(spec: &JobSpec, slot: Timestamp, jitter: Duration) -> Option<Timestamp> {
    let late = jitter.saturating_add(spec.start_deadline?);
    slot.checked_add(SignedDuration::try_from(late).ok()?).ok()
}

/// Chooses among the slots from the pending one to the latest that may start now.
pub(crate) fn choose(spec: &JobSpec, when: &Timetable, row: &Waiting, now: Timestamp) -> Choice {
    let due_by = now.checked_sub(row.jitter).unwrap_or(now);
    let last = when
        .latest(due_by, row.pending)
        .map_or(row.pending, |latest| latest.max(row.pending));
    let come = Come { when, row, last };
    let (slot, reason) = match (spec.catch_up, spec.start_deadline) {
        (CatchUp::Latest, None) => (Some(last), Reason::Coalesced),
        (CatchUp::Latest, Some(limit)) => come.not_before(last, due_by, limit, Reason::Coalesced),
        (CatchUp::All, None) => come.newest(spec.catch_up_limit),
        (CatchUp::All, Some(limit)) => {
            let (slot, reason) = come.newest(spec.catch_up_limit);
            come.not_before(slot.unwrap_or(last), due_by, limit, reason)
        }
        (CatchUp::None, Some(limit)) => come.not_before(last, due_by, limit, Reason::Missed),
        // It cannot tell a parent that took its time from a night without hosts.
        (CatchUp::None, None) if !spec.depends_on.is_empty() => (Some(last), Reason::Missed),
        (CatchUp::None, None) if come.is_retry() && last == row.pending => {
            let is_in_time = row.since >= earlier(now, MISSED_AFTER);
            (is_in_time.then_some(last), Reason::Missed)
        }
        (CatchUp::None, None) => come.not_before(last, due_by, MISSED_AFTER, Reason::Missed),
    };
    Choice {
        slot,
        skipped: come.before(slot, reason),
    }
}

/// Chooses the oldest of them that is not too late to start, for a job whose newest has to wait.
pub(crate) fn oldest(spec: &JobSpec, when: &Timetable, row: &Waiting, now: Timestamp) -> Choice {
    let due_by = now.checked_sub(row.jitter).unwrap_or(now);
    let last = when.latest(due_by, row.pending);
    let last = last.map_or(row.pending, |last| last.max(row.pending));
    let come = Come { when, row, last };
    let (slot, reason) = match spec.start_deadline {
        None => (Some(row.pending), Reason::Late),
        Some(limit) => come.not_before(row.pending, due_by, limit, Reason::Late),
    };
    Choice {
        slot,
        skipped: come.before(slot, reason),
    }
}

/// The slots that have come.
struct Come<'a> {
    when: &'a Timetable,
    row: &'a Waiting,
    last: Timestamp,
}

impl Come<'_> {
    /// The oldest of the newest so many.
    fn newest(&self, limit: Option<u32>) -> (Option<Timestamp>, Reason) {
        let pending = self.row.pending;
        let Some(limit) = limit.filter(|limit| {
            pending < self.last && self.when.count(pending, self.last) > i64::from(*limit)
        }) else {
            return (Some(pending), Reason::Missed);
        };
        let mut oldest = self.last;
        for _ in 1..limit {
            match self.when.latest(earlier(oldest, MICROSECOND), pending) {
                Some(before) if before > pending => oldest = before,
                _ => break,
            }
        }
        (Some(oldest), Reason::Missed)
    }

    /// That slot, or the first after it that is not too late to start; and why the others are skipped.
    fn not_before(
        &self,
        slot: Timestamp,
        due_by: Timestamp,
        limit: Duration,
        reason: Reason,
    ) -> (Option<Timestamp>, Reason) {
        let too_late = earlier(due_by, limit);
        if slot >= too_late {
            return (Some(slot), reason);
        }
        let reason = match reason {
            Reason::Missed if limit == MISSED_AFTER => Reason::Missed,
            _ => Reason::Late,
        };
        let in_time = self
            .when
            .next(earlier(too_late, MICROSECOND), self.row.pending);
        (in_time.filter(|slot| *slot <= self.last), reason)
    }

    /// Whether the pending slot waits for another instant than its own: it was tried before. After a pause it was not.
    fn is_retry(&self) -> bool {
        let Waiting {
            pending,
            since,
            jitter,
            paused_until,
        } = *self.row;
        let start = pending.checked_add(jitter).unwrap_or(pending);
        since > start && paused_until.is_none_or(|until| until < since)
    }

    /// The slots before this one, or all of them; in a pause they were paused, whatever else would have come of them.
    fn before(&self, slot: Option<Timestamp>, reason: Reason) -> Option<Skipped> {
        let first = self.row.pending;
        let slots = match slot {
            Some(slot) => slots_before(self.when, first, slot)?,
            None => slots_until(self.when, first, self.last),
        };
        let is_paused = self
            .row
            .paused_until
            .is_some_and(|until| slots.last <= until);
        let reason = if is_paused { Reason::Paused } else { reason };
        Some(Skipped { slots, reason })
    }
}

/// The slots from the pending one to the last before this; `None`: this is the pending one.
pub(crate) fn slots_before(when: &Timetable, pending: Timestamp, slot: Timestamp) -> Option<Slots> {
    let last = when.latest(earlier(slot, MICROSECOND), pending)?;
    (pending < slot).then(|| slots_until(when, pending, last))
}

fn slots_until(when: &Timetable, first: Timestamp, last: Timestamp) -> Slots {
    let last = last.max(first);
    Slots {
        first,
        last,
        count: when.count(first, last).max(1),
    }
}

const MICROSECOND: Duration = Duration::from_micros(1);

fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}
