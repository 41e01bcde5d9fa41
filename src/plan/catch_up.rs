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
    let come = Come::until(now, when, row);
    let (slot, reason) = match spec.catch_up {
        CatchUp::None => (come.last, Reason::Missed),
        CatchUp::Latest => (come.last, Reason::Coalesced),
        CatchUp::All => (come.newest(spec.catch_up_limit), Reason::Missed),
    };
    match (spec.start_deadline, spec.catch_up) {
        (Some(limit), _) => come.within(limit, slot, reason, Reason::Late),
        // With parents it cannot tell one that took its time from a night without hosts.
        (None, CatchUp::None) if spec.depends_on.is_empty() => come.in_time(slot, now),
        (None, _) => come.chosen(Some(slot), reason),
    }
}

/// Chooses the oldest of them that is not too late to start, for a job whose newest has to wait.
pub(crate) fn oldest(spec: &JobSpec, when: &Timetable, row: &Waiting, now: Timestamp) -> Choice {
    let come = Come::until(now, when, row);
    match spec.start_deadline {
        Some(limit) => come.within(limit, row.pending, Reason::Late, Reason::Late),
        None => come.chosen(Some(row.pending), Reason::Late),
    }
}

/// The slots that have come.
struct Come<'a> {
    when: &'a Timetable,
    row: &'a Waiting,
    last: Timestamp,
    /// The instant whose slot, with its jitter, may start now.
    due_by: Timestamp,
}

impl<'a> Come<'a> {
    fn until(now: Timestamp, when: &'a Timetable, row: &'a Waiting) -> Self {
        let due_by = earlier(now, row.jitter);
        let last = when.latest(due_by, row.pending);
        Self {
            when,
            row,
            last: last.map_or(row.pending, |last| last.max(row.pending)),
            due_by,
        }
    }

    /// The oldest of the newest so many.
    fn newest(&self, limit: Option<u32>) -> Timestamp {
        let pending = self.row.pending;
        let Some(limit) = limit.filter(|limit| {
            pending < self.last && self.when.count(pending, self.last) > i64::from(*limit)
        }) else {
            return pending;
        };
        let mut oldest = self.last;
        for _ in 1..limit {
            match self.when.latest(earlier(oldest, MICROSECOND), pending) {
                Some(before) if before > pending => oldest = before,
                _ => break,
            }
        }
        oldest
    }

    /// That slot, or the first after it that came no longer ago than this; `over` is why the others are skipped then.
    fn within(&self, limit: Duration, slot: Timestamp, reason: Reason, over: Reason) -> Choice {
        let too_late = earlier(self.due_by, limit);
        if slot >= too_late {
            return self.chosen(Some(slot), reason);
        }
        let pending = self.row.pending;
        let in_time = self.when.next(earlier(too_late, MICROSECOND), pending);
        self.chosen(in_time.filter(|slot| *slot <= self.last), over)
    }

    /// That slot, if it was not missed; one that is tried again waits for the instant of that, and not for its own.
    fn in_time(&self, slot: Timestamp, now: Timestamp) -> Choice {
        if slot == self.row.pending && self.is_retry() {
            let is_in_time = self.row.since >= earlier(now, MISSED_AFTER);
            return self.chosen(is_in_time.then_some(slot), Reason::Missed);
        }
        self.within(MISSED_AFTER, slot, Reason::Missed, Reason::Missed)
    }

    fn chosen(&self, slot: Option<Timestamp>, reason: Reason) -> Choice {
        Choice {
            slot,
            skipped: self.before(slot, reason),
        }
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
