//! Whether a job is wanted now, for which slot, and what its parents must have done by then.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::{
    Due, Need, Skip, Trigger,
    catch_up::{Choice, Waiting, choose, oldest, start_by},
    rows::{Node, Rows},
};
use crate::{
    schedule::Timetable,
    spec::{CatchUp, Needed, Parent},
    store::table::{JobState, Triggered},
};

/// When a job is wanted, apart from everything that may keep it from running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Now.
    Now(Due),
    /// Not for the slots that have come: they have had their time.
    NoMore(Skip),
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
        skipped: None,
        start_by: None,
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
        skipped: None,
        start_by: None,
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
    let waiting = waiting(rows, node, row, pending);
    let Choice { slot, skipped } = choose(rows.spec(node), when, &waiting, now);
    let Some(slot) = slot else {
        return skipped.map_or(Wanted::At(at), |skipped| {
            Wanted::NoMore(Skip {
                pending,
                next_run: row.next_run,
                last_run: row.last_run,
                slot: when.next(skipped.slots.last, pending),
                skipped,
                needs: Vec::new(),
                blocks: Vec::new(),
            })
        });
    };
    Wanted::Now(Due {
        pending: Some(pending),
        slot,
        skipped: skipped.map(Box::new),
        start_by: start_by(rows.spec(node), slot, waiting.jitter),
        trigger: Trigger::Schedule,
        needs: needs_at(rows, node, slot),
        failures: failures(row),
        asked: None,
    })
}

fn waiting(rows: &Rows<'_>, node: Node<'_>, row: &JobState, pending: Timestamp) -> Waiting {
    Waiting {
        pending,
        since: row.next_run.unwrap_or(pending).max(pending),
        // A slot may start when its jitter has passed, and is not due before.
        jitter: rows.spec(node).jitter(rows.name(node).as_str()),
        paused_until: row.paused_until,
    }
}

/// The same job for the oldest of its slots that may still start, where that is not the one that is due. One that catches up
/// on all of them has its oldest already, but for those beyond its limit.
pub(super) fn earlier(rows: &Rows<'_>, node: Node<'_>, row: &JobState, due: &Due) -> Option<Due> {
    let (spec, now) = (rows.spec(node), rows.table.now);
    let when = spec.timetable.as_ref()?;
    if spec.catch_up == CatchUp::All {
        return None;
    }
    let waiting = waiting(rows, node, row, due.pending?);
    let Choice { slot, skipped } = oldest(spec, when, &waiting, now);
    let slot = slot.filter(|&slot| slot < due.slot)?;
    Some(Due {
        slot,
        skipped: skipped.map(Box::new),
        start_by: start_by(spec, slot, waiting.jitter),
        needs: needs_at(rows, node, slot),
        ..due.clone()
    })
}

fn failures(row: &JobState) -> u32 {
    u32::try_from(row.error_count).unwrap_or(0)
}

const MICROSECOND: SignedDuration = SignedDuration::from_micros(1);

/// A job without a schedule: due when every parent has done anew what is needed of it, since the slot it handled last,
/// for the newest of them; after a failure again at `next_run`. A parent with `within` may have done it before.
fn by_parents(rows: &Rows<'_>, node: Node<'_>, row: &JobState) -> Wanted {
    let handled = row.slot.unwrap_or(Timestamp::UNIX_EPOCH);
    let done = |parent: Node<'_>| done(rows, node, parent);
    let (parents, newest) = awaited(rows, node, done);
    let newest = newest.filter(|newest| *newest > handled);
    let needed = |parent: Node<'_>, newest: Timestamp| {
        let new_enough = terms(rows, node, parent)
            .and_then(|terms| terms.within)
            .map(|within| newest.saturating_sub(signed(within)).unwrap_or(newest));
        new_enough.map_or(handled + MICROSECOND, |slot| {
            slot.min(handled + MICROSECOND)
        })
    };
    let is_anew = |newest: &Timestamp| {
        !parents.is_empty()
            && parents
                .iter()
                .all(|&parent| done(parent) >= Some(needed(parent, *newest)))
    };
    let due = |slot: Timestamp, needs: Vec<Need>| Due {
        pending: row.slot,
        slot,
        skipped: None,
        start_by: None,
        trigger: Trigger::Parents,
        needs,
        failures: failures(row),
        asked: None,
    };
    match (super::next_run(row), newest.filter(is_anew)) {
        (Some(at), _) if at > rows.table.now => Wanted::At(at),
        (_, Some(newest)) => {
            let needs = parents.iter().map(|&parent| Need {
                parent: rows.name(parent),
                slot: needed(parent, newest),
                on: terms(rows, node, parent).map_or(Needed::Success, |terms| terms.on),
            });
            Wanted::Now(due(newest, needs.collect()))
        }
        (Some(_), None) => Wanted::Now(due(handled, Vec::new())),
        (None, None) => Wanted::AfterParents,
    }
}

/// What a job says of a parent beyond its name.
fn terms<'a>(rows: &Rows<'a>, node: Node<'_>, parent: Node<'_>) -> Option<&'a Parent> {
    rows.graph.terms(node.job, parent.job)
}

/// The newest slot for which a parent has done what a job needs of it.
pub(crate) fn done(rows: &Rows<'_>, node: Node<'_>, parent: Node<'_>) -> Option<Timestamp> {
    let needed = terms(rows, node, parent).map_or(Needed::Success, |terms| terms.on);
    rows.row(parent)?.done(needed)
}

fn signed(duration: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

/// The rows that a job without a schedule waits for, and the newest slot that one of them is done with.
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

/// What the rows of its parents must have done before `slot` of a scheduled job may run.
pub(super) fn needs_at(rows: &Rows<'_>, node: Node<'_>, slot: Timestamp) -> Vec<Need> {
    let mut seen = HashMap::new();
    let mut needs = Vec::new();
    for mut group in rows.parents(node) {
        for &parent in &group {
            latest_slot(rows, parent, slot, &mut seen);
        }
        rows.leave_out_newcomers(&mut group, |parent| seen[&parent]);
        let known = group.into_iter();
        needs.extend(known.filter_map(|parent| {
            let latest = seen[&parent]?;
            let terms = terms(rows, node, parent);
            let new_enough = terms
                .and_then(|terms| terms.within)
                .and_then(|within| slot.checked_sub(signed(within)).ok());
            Some(Need {
                parent: rows.name(parent),
                slot: new_enough.map_or(latest, |new_enough| new_enough.min(latest)),
                on: terms.map_or(Needed::Success, |terms| terms.on),
            })
        }));
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
