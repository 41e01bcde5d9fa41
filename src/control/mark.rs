//! Marking slots as succeeded: somebody has done the work by hand, or a first deploy must not fire what is old.
//!
//! Which slot, where the schedule goes from there, and which slots it speaks for is decided here, by the plan's own
//! rules and from one reading of the table; the statement compares what was read, under the lock.

use std::collections::HashMap;

use jiff::Timestamp;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::{
    dag::JobGraph,
    place::Place,
    plan::{
        self, Slots,
        catch_up::slots_before,
        rows::{Node, Rows},
    },
    schedule::Timetable,
    spec::{JobSpec, RowName},
    store::{
        Database,
        error::DatabaseError,
        table::{JobState, Table, never},
    },
};

use super::{Answer, By, Happened, Locked, Passed, Statement, change};

/// A slot that is to count as succeeded, and what that moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marking {
    /// The row of the job.
    pub name: RowName,
    /// The slot.
    pub slot: Timestamp,
    pending: Option<Timestamp>,
    success_slot: Option<Timestamp>,
    /// The next slot and its start; `None`: the schedule stays where it is.
    next: Option<(Timestamp, Timestamp)>,
    coalesced: Option<Slots>,
    after_pending: Option<Timestamp>,
    /// Whether it is the newest slot there is: then the failures are over.
    is_newest: bool,
}

/// What marking would do to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// This.
    Mark(Box<Marking>),
    /// Nothing: this slot has succeeded, and no failure is left.
    Succeeded(Timestamp),
    /// Nothing: there is no slot yet that could have succeeded.
    NoSlot,
    /// Nothing: no host has met the job.
    NoRow,
    /// The slot that was named is none of this job; those around it.
    NotASlot {
        /// The latest slot before it.
        before: Option<Timestamp>,
        /// The first slot after it.
        after: Option<Timestamp>,
    },
    /// The slot that was named lies ahead.
    Ahead,
}

/// What marking does to each of these rows, parents before children: the newest slot of each that could have
/// succeeded by now, or the slot that is named. A child counts its parents in this list as succeeded.
#[must_use]
pub fn markings(
    graph: &JobGraph,
    table: &Table,
    place: &Place,
    wanted: impl Fn(&RowName) -> bool,
    slot: Option<Timestamp>,
) -> Vec<(RowName, Decision)> {
    let rows = Rows::of(graph, table, place);
    let mut marked = HashMap::new();
    let mut decisions = Vec::new();
    for node in (0..graph.jobs().len()).flat_map(|job| rows.of_job(job)) {
        let name = rows.name(node);
        if !wanted(&name) {
            continue;
        }
        let decision = decide(&rows, node, &marked, slot);
        if let Decision::Mark(marking) = &decision {
            marked.insert(node, marking.slot);
        }
        decisions.push((name, decision));
    }
    decisions
}

/// The slots that are to count as succeeded.
type Marked<'a> = HashMap<Node<'a>, Timestamp>;

fn decide<'a>(
    rows: &Rows<'a>,
    node: Node<'a>,
    marked: &Marked<'a>,
    given: Option<Timestamp>,
) -> Decision {
    let Some(row) = rows.row(node) else {
        return Decision::NoRow;
    };
    if given.is_some_and(|slot| slot > rows.table.now) {
        return Decision::Ahead;
    }
    let spec = rows.spec(node);
    match &spec.timetable {
        Some(when) => by_schedule((spec, rows.name(node)), when, row, rows.table.now, given),
        None => by_parents(rows, node, row, marked, given),
    }
}

fn by_schedule(
    (spec, name): (&JobSpec, RowName),
    when: &Timetable,
    row: &JobState,
    now: Timestamp,
    given: Option<Timestamp>,
) -> Decision {
    let pending = row.pending().filter(|&pending| pending < never());
    let anchor = pending.unwrap_or(now);
    // As the plan has it: a slot is there when its offset has passed, or when the row says that it may start.
    let jitter = when.offset(name.as_str());
    let due_by = now.checked_sub(jitter).unwrap_or(now);
    let may_start = |slot| row.next_run.unwrap_or(slot).max(slot) <= now;
    let due = pending.filter(|&slot| slot <= due_by || may_start(slot));
    let newest = match (when.latest(due_by, anchor), due) {
        (Some(latest), Some(due)) => Some(latest.max(due)),
        (latest, due) => latest.or(due),
    };
    let slot = match (given, newest) {
        (Some(slot), _) if Some(slot) != pending && when.latest(slot, anchor) != Some(slot) => {
            return Decision::NotASlot {
                before: when.latest(slot, anchor),
                after: when.next(slot, anchor),
            };
        }
        (Some(slot), _) => slot,
        (None, Some(newest)) => newest,
        (None, None) => return Decision::NoSlot,
    };
    if row.success_slot == Some(slot) && row.error_count == 0
        || given.is_none() && row.success_slot >= Some(slot) && row.error_count == 0
    {
        return Decision::Succeeded(slot);
    }
    let moved_from = pending.filter(|&pending| pending <= slot);
    let next = moved_from.map(|_| match when.next(slot, slot) {
        Some(next) => (next, spec.start_of(name.as_str(), next)),
        None => (slot, never()),
    });
    Decision::Mark(Box::new(Marking {
        name,
        slot,
        pending: row.slot.or(row.next_run),
        success_slot: row.success_slot,
        next,
        coalesced: moved_from.and_then(|pending| slots_before(when, pending, slot)),
        after_pending: moved_from.and_then(|pending| when.next(pending, pending)),
        is_newest: next.is_some() || newest.is_none_or(|newest| slot >= newest),
    }))
}

/// A job without a schedule: the newest success of its parents, if they have all succeeded anew; else the slot it
/// handled last, if that has failed; and of a job that people start, now.
fn by_parents<'a>(
    rows: &Rows<'a>,
    node: Node<'a>,
    row: &JobState,
    marked: &Marked<'a>,
    given: Option<Timestamp>,
) -> Decision {
    let success = |parent: Node<'a>| {
        let done = plan::done(rows, node, parent);
        done.max(marked.get(&parent).copied())
    };
    let (parents, newest) = plan::awaited(rows, node, success);
    let handled = row.slot.filter(|&slot| slot > Timestamp::UNIX_EPOCH);
    let anew = parents.iter().all(|&parent| {
        let success = success(parent);
        success > handled && success.is_some()
    });
    let slot = match (given, handled) {
        (Some(slot), _) => slot,
        (None, _) if parents.is_empty() => rows.table.now,
        (None, Some(handled)) if !anew => handled,
        (None, _) => match newest.filter(|_| anew) {
            Some(newest) => newest,
            None => return Decision::NoSlot,
        },
    };
    let has_succeeded = row.success_slot >= Some(slot) && row.error_count == 0;
    if has_succeeded && (given.is_none() || row.success_slot == Some(slot)) {
        return Decision::Succeeded(slot);
    }
    // What it has handled is behind it, and a retry of that is over.
    let is_newest = parents.is_empty() || handled.is_none_or(|handled| slot >= handled);
    let moves = is_newest && !parents.is_empty();
    Decision::Mark(Box::new(Marking {
        name: rows.name(node),
        slot,
        pending: row.slot.or(row.next_run),
        success_slot: row.success_slot,
        next: moves.then(|| (slot, never())),
        coalesced: None,
        after_pending: None,
        is_newest,
    }))
}

/// Counts these slots as succeeded, each where no run is going on.
pub async fn mark(
    database: &Database,
    by: &By<'_>,
    markings: &[Marking],
    now: Option<Timestamp>,
) -> Result<Answer, DatabaseError> {
    let of = |part: fn(&Marking) -> Option<Timestamp>| markings.iter().map(part).collect();
    let names: Vec<&str> = markings
        .iter()
        .map(|marking| marking.name.as_str())
        .collect();
    let pending: Vec<Option<Timestamp>> = of(|marking| marking.pending);
    let success_slots: Vec<Option<Timestamp>> = of(|marking| marking.success_slot);
    let slots: Vec<Option<Timestamp>> = of(|marking| Some(marking.slot));
    let next_slots: Vec<Option<Timestamp>> = of(|marking| marking.next.map(|(slot, _)| slot));
    let next_runs: Vec<Option<Timestamp>> = of(|marking| marking.next.map(|(_, start)| start));
    let newest: Vec<bool> = markings.iter().map(|marking| marking.is_newest).collect();
    let run_ids: Vec<Uuid> = markings.iter().map(|_| Uuid::new_v4()).collect();
    let mut passed = Passed::default();
    for marking in markings {
        passed.push(marking.coalesced, marking.after_pending);
    }
    let parameters: [(&(dyn ToSql + Sync), Type); 15] = [
        (&names, Type::TEXT_ARRAY),
        (&pending, Type::TIMESTAMPTZ_ARRAY),
        (&success_slots, Type::TIMESTAMPTZ_ARRAY),
        (&slots, Type::TIMESTAMPTZ_ARRAY),
        (&next_slots, Type::TIMESTAMPTZ_ARRAY),
        (&next_runs, Type::TIMESTAMPTZ_ARRAY),
        (&passed.after_pending, Type::TIMESTAMPTZ_ARRAY),
        (&passed.last, Type::TIMESTAMPTZ_ARRAY),
        (&passed.slots, Type::INT8_ARRAY),
        (&newest, Type::BOOL_ARRAY),
        (&run_ids, Type::UUID_ARRAY),
        (&by.who, Type::TEXT),
        (&by.host, Type::TEXT),
        (&by.reason, Type::TEXT),
        (&now, Type::TIMESTAMPTZ),
    ];
    let statement = Statement {
        sql: include_str!("../../sql/mark.sql"),
        parameters: &parameters,
    };
    let why_not = |_: &str, locked: &Locked| {
        if locked.row.ongoing.is_some() {
            Happened::Ongoing
        } else {
            Happened::ChangedMeanwhile
        }
    };
    let answer = change(database, &names, statement, why_not, now).await?;
    let Answer::Jobs(mut changes) = answer else {
        return Ok(answer);
    };
    for change in &mut changes {
        let marking = markings
            .iter()
            .find(|marking| marking.name.as_str() == change.name);
        change.slot = marking.map(|marking| marking.slot);
    }
    Ok(Answer::Jobs(changes))
}
