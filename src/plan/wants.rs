//! Whether a job is wanted now, for which slot, and what its parents must have done by then.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::{
    Due, Slots, Trigger,
    rows::{Node, Rows},
};
use crate::{
    schedule::Timetable,
    spec::RowName,
    store::table::{JobState, Triggered},
};

/// When a job is wanted, apart from everything that may keep it from running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Now.
    Now(Due),
    /// Then.
    At(Timestamp),
    /// When all its parents have succeeded anew.
    AfterParents,
}

pub(super) fn wanted(rows: &Rows<'_>, node: Node<'_>, row: &JobState) -> Wanted {
    let spec = rows.spec(node);
    // One that is kept running nobody has to ask for.
    if let Some(asked) = row.triggered.as_ref().filter(|_| !spec.keep_running) {
        return Wanted::Now(by_hand(row, asked));
    }
    match &spec.timetable {
        Some(when) => by_schedule(rows, node, row, when),
        None if spec.keep_running => always(row, rows.table.now),
        None => by_parents(rows, node, row),
    }
}

/// A run that somebody has asked for comes first, and leaves the schedule alone: what that wants is due afterwards. It
/// waits for no parent and no retry. It is not repeated: if its host is lost, or gives the claim back, the request is
/// gone, and only the log tells.
fn by_hand(row: &JobState, asked: &Triggered) -> Due {
    Due {
        pending: None,
        slot: asked.at,
        coalesced: None,
        trigger: Trigger::Manual,
        needs: Vec::new(),
        failures: failures(row),
        asked: Some(asked.id),
    }
}

/// A job that is kept running: due when its next start has come, whoever runs it meanwhile. Each start is a slot.
fn always(row: &JobState, now: Timestamp) -> Wanted {
    let Some(pending) = row.pending() else {
        return Wanted::At(now);
    };
    let at = row.next_run.unwrap_or(pending).max(pending);
    if at > now {
        return Wanted::At(at);
    }
    Wanted::Now(Due {
        pending: Some(pending),
        slot: pending,
        coalesced: None,
        trigger: Trigger::Schedule,
        needs: Vec::new(),
        failures: failures(row),
        asked: None,
    })
}

fn by_schedule(rows: &Rows<'_>, node: Node<'_>, row: &JobState, when: &Timetable) -> Wanted {
    let now = rows.table.now;
    // A Python host that died in a job's first run left no next_run at all: the slot is its start.
    let Some(pending) = row.pending() else {
        return Wanted::At(now);
    };
    let at = row.next_run.unwrap_or(pending).max(pending);
    if at > now {
        return Wanted::At(at);
    }
    // A slot may start when its jitter has passed, and is not due before.
    let jitter = when.offset(rows.name(node).as_str());
    let due_by = now.checked_sub(jitter).unwrap_or(now);
    let slot = when
        .latest(due_by, pending)
        .map_or(pending, |latest| latest.max(pending));
    let coalesced = coalesced(when, pending, slot);
    let needs = needs_at(rows, node, slot);
    Wanted::Now(Due {
        pending: Some(pending),
        slot,
        coalesced,
        trigger: Trigger::Schedule,
        needs,
        failures: failures(row),
        asked: None,
    })
}

/// The slots that a run for `slot` speaks for, from the pending one. Whether that has run already, only the log
/// knows: the claim leaves it out then.
pub(crate) fn coalesced(when: &Timetable, pending: Timestamp, slot: Timestamp) -> Option<Slots> {
    let last = when
        .latest(slot.checked_sub(MICROSECOND).ok()?, pending)?
        .max(pending);
    (pending < slot).then(|| Slots {
        first: pending,
        last,
        count: when.count(pending, last).max(1),
    })
}

fn failures(row: &JobState) -> u32 {
    u32::try_from(row.error_count).unwrap_or(0)
}

const MICROSECOND: SignedDuration = SignedDuration::from_micros(1);

/// A job without a schedule: due when every parent has succeeded since the slot it handled last, for the newest
/// of them; after a failure again at `next_run`.
fn by_parents(rows: &Rows<'_>, node: Node<'_>, row: &JobState) -> Wanted {
    let handled = row.slot.unwrap_or(Timestamp::UNIX_EPOCH);
    let success = |parent: Node<'_>| rows.row(parent).and_then(|row| row.success_slot);
    let (parents, newest) = awaited(rows, node, success);
    let is_anew = |&parent: &Node<'_>| success(parent).is_some_and(|slot| slot > handled);
    let anew = !parents.is_empty() && parents.iter().all(is_anew);
    let retry = super::next_run(row);
    let due = |slot: Timestamp, since: Timestamp| {
        let needs = parents.iter();
        let needs = needs.map(|&parent| (rows.name(parent), since)).collect();
        Due {
            pending: row.slot,
            slot,
            coalesced: None,
            trigger: Trigger::Parents,
            needs,
            failures: failures(row),
            asked: None,
        }
    };
    match (retry, newest) {
        (Some(at), _) if at > rows.table.now => Wanted::At(at),
        (_, Some(newest)) if anew => Wanted::Now(due(newest, handled + MICROSECOND)),
        (Some(_), _) => Wanted::Now(Due {
            needs: Vec::new(),
            ..due(handled, handled)
        }),
        (None, _) => Wanted::AfterParents,
    }
}

/// The rows whose success a job without a schedule waits for, and the newest of their successes.
pub(crate) fn awaited<'a>(
    rows: &Rows<'a>,
    node: Node<'a>,
    success: impl Fn(Node<'a>) -> Option<Timestamp>,
) -> (Vec<Node<'a>>, Option<Timestamp>) {
    let mut groups = rows.parents(node);
    let newest = groups
        .iter()
        .flatten()
        .filter_map(|&row| success(row))
        .max();
    for group in &mut groups {
        rows.leave_out_newcomers(group, |_| newest);
    }
    (groups.concat(), newest)
}

/// Per row of a parent of a scheduled job, the slot that must have succeeded before `slot` may run.
fn needs_at(rows: &Rows<'_>, node: Node<'_>, slot: Timestamp) -> Vec<(RowName, Timestamp)> {
    let mut seen = HashMap::new();
    let mut needs = Vec::new();
    for mut group in rows.parents(node) {
        for &parent in &group {
            latest_slot(rows, parent, slot, &mut seen);
        }
        rows.leave_out_newcomers(&mut group, |parent| seen[&parent]);
        let known = group.into_iter();
        needs.extend(known.filter_map(|parent| Some((rows.name(parent), seen[&parent]?))));
    }
    needs
}

/// Finds the latest slot of a row at or before `until`. For a job without a schedule it is the latest of its parents'.
///
/// Walks up with a stack of its own: a chain of a hundred thousand jobs is legal.
fn latest_slot<'a>(
    rows: &Rows<'a>,
    node: Node<'a>,
    until: Timestamp,
    seen: &mut HashMap<Node<'a>, Option<Timestamp>>,
) {
    let mut stack = vec![node];
    while let Some(&top) = stack.last() {
        if seen.contains_key(&top) {
            stack.pop();
            continue;
        }
        if let Some(when) = &rows.spec(top).timetable {
            let row = rows.row(top);
            let anchor = row.and_then(JobState::pending).unwrap_or(until);
            seen.insert(top, when.latest(until, anchor));
            continue;
        }
        let parents = rows.parents(top).concat();
        if let Some(&unknown) = parents.iter().find(|parent| !seen.contains_key(parent)) {
            stack.push(unknown);
        } else {
            seen.insert(top, parents.iter().filter_map(|parent| seen[parent]).max());
        }
    }
}
