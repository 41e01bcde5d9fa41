//! What parents keep a job from, and why.

use super::{
    Due, Need, NoHost, Skip, Verdict,
    catch_up::{Reason, Skipped},
    live_since, nobody, not_by_us,
    rows::{Node, Rows, is_nobodys},
    wants::{earlier, needs_at},
};
use crate::{spec::RowName, store::table::JobState};

/// A parent that keeps a due job from running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The parent, by its row.
    pub parent: RowName,
    /// Why it has not done what it is needed for.
    pub why: BlockedBy,
}

/// Why a parent has not done what it is needed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockedBy {
    /// No run of it has ever succeeded.
    NeverRan,
    /// It runs on each host, and no live one has a row of it.
    NoHost,
    /// It is running at this moment.
    Running,
    /// Its last run failed, with this message.
    Failing(Option<String>),
    /// It is paused or held.
    Paused,
    /// No live host may run it. Only where the table was read with its hosts.
    NoLiveHost(NoHost),
    /// Its slot is still to come to its turn.
    Pending,
}

/// What parents make of a due job; `None`: they keep it from nothing.
///
/// Where its next slot has come while it waited, the oldest that is not too late still runs if it may by now: a parent that
/// takes longer than from one slot to the next would never let its children run. And it is left behind where a parent stands
/// still.
pub(super) fn blocked(
    rows: &Rows<'_>,
    node: Node<'_>,
    row: &JobState,
    due: &Due,
) -> Option<Verdict> {
    let blocked = blocks(&due.needs, rows);
    if blocked.is_empty() {
        return None;
    }
    let Some(skipped) = due.skipped.as_ref() else {
        return Some(Verdict::Blocked(blocked));
    };
    let not_by_us = || not_by_us(rows, node, row);
    let earlier = earlier(rows, node, row, due);
    if let Some(due) = earlier.filter(|due| blocks(&due.needs, rows).is_empty()) {
        return Some(not_by_us().unwrap_or(Verdict::Run(due)));
    }
    let first = skipped.slots.first;
    let mut needs = needs_at(rows, node, first);
    let mut to_blame = blocks(&needs, rows);
    to_blame.retain(|block| stands_still(rows, block));
    if to_blame.is_empty() || not_by_us().is_some() {
        return Some(Verdict::Blocked(blocked));
    }
    let parents: Vec<RowName> = to_blame.into_iter().map(|block| block.parent).collect();
    needs.retain(|need| parents.contains(&need.parent));
    Some(Verdict::Skip(Box::new(Skip {
        pending: first,
        next_run: row.next_run,
        last_run: row.last_run,
        skipped: Skipped {
            slots: skipped.slots,
            reason: Reason::Blocked(parents),
        },
        slot: Some(due.slot),
        needs,
        blocks: blocked,
    })))
}

/// The parents that have not done what is needed of them.
fn blocks(needs: &[Need], rows: &Rows<'_>) -> Vec<Block> {
    let blocks = needs.iter().filter_map(|Need { parent, slot, on }| {
        let row = rows.table.row(parent.as_str());
        let done = row.and_then(|row| row.done(*on));
        let reached = done.is_some_and(|done| done >= *slot);
        (!reached).then(|| Block {
            parent: parent.clone(),
            why: why(rows, parent, row),
        })
    });
    blocks.collect()
}

/// Whether a parent is neither at it nor about to be. One that has left slots behind itself is waiting for its own. Which
/// hosts are live counts for nothing: a pass does not know, and who reads must say what it will do.
fn stands_still(rows: &Rows<'_>, block: &Block) -> bool {
    let now = rows.table.now;
    match block.why {
        BlockedBy::Running | BlockedBy::NoHost => false,
        BlockedBy::Paused => true,
        BlockedBy::NeverRan
        | BlockedBy::Failing(_)
        | BlockedBy::Pending
        | BlockedBy::NoLiveHost(_) => {
            let row = rows.table.row(block.parent.as_str());
            row.is_none_or(|row| row.next_run() > now || row.blocked_since.is_some())
        }
    }
}

fn why(rows: &Rows<'_>, parent: &RowName, row: Option<&JobState>) -> BlockedBy {
    let now = rows.table.now;
    let Some(row) = row else {
        return if is_nobodys(parent) {
            BlockedBy::NoHost
        } else {
            BlockedBy::NeverRan
        };
    };
    if live_since(row, now, rows.place.max_ongoing_age).is_some() {
        return BlockedBy::Running;
    }
    if row.paused_until.is_some_and(|until| until > now) {
        return BlockedBy::Paused;
    }
    if let Some(no_host) = rows.node(parent).and_then(|node| nobody(rows, node)) {
        return BlockedBy::NoLiveHost(no_host);
    }
    match row {
        row if row.error_count > 0 => BlockedBy::Failing(row.last_error.clone()),
        row if row.success_slot.is_none() => BlockedBy::NeverRan,
        _ => BlockedBy::Pending,
    }
}
