//! Whether a job is wanted now, for which slot, and what its parents must have done by then.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::{Due, Slots, Trigger};
use crate::{
    dag::JobGraph,
    schedule::Timetable,
    store::table::{JobState, Table, Triggered},
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

pub(super) fn wanted(graph: &JobGraph, index: usize, row: &JobState, table: &Table) -> Wanted {
    if let Some(asked) = &row.triggered {
        return Wanted::Now(by_hand(row, asked));
    }
    match &graph.jobs()[index].timetable {
        Some(when) => by_schedule(graph, index, row, table, when),
        None => by_parents(graph, index, row, table),
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

fn by_schedule(
    graph: &JobGraph,
    index: usize,
    row: &JobState,
    table: &Table,
    when: &Timetable,
) -> Wanted {
    let now = table.now;
    // A Python host that died in a job's first run left no next_run at all: the slot is its start.
    let Some(pending) = row.pending() else {
        return Wanted::At(now);
    };
    let at = row.next_run.unwrap_or(pending).max(pending);
    if at > now {
        return Wanted::At(at);
    }
    // A slot may start when its jitter has passed, and is not due before.
    let jitter = when.offset(graph.jobs()[index].name.as_str());
    let due_by = now.checked_sub(jitter).unwrap_or(now);
    let slot = when
        .latest(due_by, pending)
        .map_or(pending, |latest| latest.max(pending));
    let coalesced = coalesced(when, pending, slot);
    let needs = needs_at(graph, index, slot, table);
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
fn by_parents(graph: &JobGraph, index: usize, row: &JobState, table: &Table) -> Wanted {
    let parents = graph.parents(index);
    let handled = row.slot.unwrap_or(Timestamp::UNIX_EPOCH);
    let successes: Vec<Option<Timestamp>> = parents
        .iter()
        .map(|&parent| {
            table
                .jobs
                .get(graph.jobs()[parent].name.as_str())
                .and_then(|row| row.success_slot)
        })
        .collect();
    let newest = successes.iter().flatten().max().copied();
    let anew = !parents.is_empty() && successes.iter().all(|s| s.is_some_and(|s| s > handled));
    let retry = super::next_run(row);
    let due = |slot: Timestamp, since: Timestamp| {
        let needs = parents
            .iter()
            .map(|&p| (graph.jobs()[p].name.clone(), since))
            .collect();
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
        (Some(at), _) if at > table.now => Wanted::At(at),
        (_, Some(newest)) if anew => Wanted::Now(due(newest, handled + MICROSECOND)),
        (Some(_), _) => Wanted::Now(Due {
            needs: Vec::new(),
            ..due(handled, handled)
        }),
        (None, _) => Wanted::AfterParents,
    }
}

/// Per parent of a scheduled job, the slot that must have succeeded before `slot` may run.
fn needs_at(
    graph: &JobGraph,
    index: usize,
    slot: Timestamp,
    table: &Table,
) -> Vec<(crate::spec::JobName, Timestamp)> {
    let mut seen = HashMap::new();
    graph
        .parents(index)
        .iter()
        .filter_map(|&parent| {
            let need = latest_slot(graph, parent, slot, table, &mut seen)?;
            Some((graph.jobs()[parent].name.clone(), need))
        })
        .collect()
}

/// The latest slot of a job at or before `until`. For a job without a schedule it is the latest of its parents'.
///
/// Walks up with a stack of its own: a chain of a hundred thousand jobs is legal.
fn latest_slot(
    graph: &JobGraph,
    job: usize,
    until: Timestamp,
    table: &Table,
    seen: &mut HashMap<usize, Option<Timestamp>>,
) -> Option<Timestamp> {
    let mut stack = vec![job];
    while let Some(&top) = stack.last() {
        if seen.contains_key(&top) {
            stack.pop();
            continue;
        }
        let spec = &graph.jobs()[top];
        if let Some(when) = &spec.timetable {
            let row = table.jobs.get(spec.name.as_str());
            let anchor = row.and_then(JobState::pending).unwrap_or(until);
            seen.insert(top, when.latest(until, anchor));
            continue;
        }
        let parents = graph.parents(top);
        if let Some(&unknown) = parents.iter().find(|parent| !seen.contains_key(parent)) {
            stack.push(unknown);
        } else {
            seen.insert(top, parents.iter().filter_map(|parent| seen[parent]).max());
        }
    }
    seen[&job]
}
