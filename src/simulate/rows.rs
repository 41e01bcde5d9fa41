//! What the statements make of a row, without a database: `claim.sql`, `record.sql`, `skip.sql`.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::{
    dag::JobGraph,
    place::Place,
    plan::{
        Due, Skip, Slots, Trigger,
        catch_up::{Reason, Skipped},
    },
    record::{Effect, Next, Outcome},
    spec::{JobName, JobSpec, on_host},
    store::table::{JobState, LiveClaim, Table, never},
};

/// A table in which every job is well: its last slot has succeeded, and it waits for its next.
pub(super) fn all_well(graph: &JobGraph, places: &[Place], now: Timestamp) -> Table {
    let mut table = Table {
        now,
        ..Table::default()
    };
    for spec in graph.jobs() {
        let mut add = |name: String| {
            let row = well(spec, &name, now);
            table.jobs.insert(name.into(), Box::new(row));
        };
        if spec.is_on_each() {
            let hosts = places.iter().filter(|place| place.matches(&spec.placement));
            hosts.for_each(|place| add(spec.row(&place.host).to_string()));
        } else {
            add(spec.name.to_string());
        }
    }
    table
}

fn well(spec: &JobSpec, name: &str, now: Timestamp) -> JobState {
    let just_before = now
        .checked_sub(SignedDuration::from_micros(1))
        .unwrap_or(now);
    let (slot, next_run, success) = match &spec.timetable {
        Some(when) => {
            let slot = when.next(just_before, now);
            let start = slot.map(|slot| spec.start_of(name, slot));
            (slot, start, when.latest(just_before, now))
        }
        None if spec.keep_running => (Some(now), Some(now), None),
        None => (Some(just_before), None, Some(just_before)),
    };
    JobState {
        slot,
        next_run: Some(next_run.unwrap_or_else(never)),
        first_run: success,
        last_run: success,
        last_success: success,
        success_slot: success.or(Some(just_before)),
        ..JobState::default()
    }
}

/// The identity of the run of this number: as random as one, and the same each time.
pub(super) fn run_id(number: u64) -> Uuid {
    let mixed = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Uuid::from_u128(mixed ^ (mixed >> 64))
}

/// What a claim writes of itself.
pub(super) struct Claimed<'a> {
    pub(super) run_id: Uuid,
    pub(super) host: &'a str,
    pub(super) attempt: i32,
    pub(super) lease: Duration,
}

pub(super) fn claim(row: &mut JobState, due: &Due, claimed: &Claimed<'_>, now: Timestamp) {
    row.ongoing = Some(now);
    row.claim = Some(Box::new(LiveClaim {
        run_id: claimed.run_id,
        slot: due.slot,
        trigger: due.trigger.as_str().to_owned(),
        attempt: claimed.attempt,
        host: claimed.host.to_owned(),
        lease_until: super::later(now, claimed.lease),
    }));
    if matches!(due.trigger, Trigger::Schedule | Trigger::Parents) {
        row.slot = Some(due.slot);
        row.blocked_since = None;
    }
}

pub(super) fn record(row: &mut JobState, outcome: Outcome, next: &Next) {
    let started = row.ongoing.take();
    let slot = row.claim.take().map(|claim| claim.slot);
    row.first_run = row.first_run.or(started);
    row.last_run = started;
    if next.effect == Effect::Well {
        row.last_success = started;
        row.success_slot = row.success_slot.max(slot);
    }
    let is_tried_again = outcome == Outcome::Lost && slot == Some(next.slot);
    if !is_tried_again {
        row.finish_slot = row.finish_slot.max(slot);
    }
    row.error_count = match next.effect {
        Effect::Well => 0,
        Effect::Failed => row.error_count + 1,
        Effect::FailedAnew => 1,
        Effect::Neither => row.error_count,
    };
    row.slot = Some(next.slot);
    row.next_run = Some(next.at);
    if next.hold {
        row.next_run = Some(never());
        row.paused_until = Some(never());
        row.paused_by = Some(crate::plan::ON_LOST.to_owned());
    }
}

pub(super) fn skip(row: &mut JobState, spec: &JobSpec, name: &str, skip: &Skip) {
    let start = skip.slot.map(|slot| spec.start_of(name, slot));
    row.slot = skip.slot.or(Some(skip.pending));
    row.next_run = Some(start.unwrap_or_else(never));
    if matches!(skip.skipped.reason, Reason::Blocked(_)) {
        row.blocked_since = row.blocked_since.or(Some(skip.pending));
    }
}

/// The slots that get this for a verdict: without the first, where that was tried.
pub(super) fn untried(
    graph: &JobGraph,
    row: &str,
    skipped: &Skipped,
    is_tried: bool,
) -> Option<Skipped> {
    if !is_tried {
        return Some(skipped.clone());
    }
    let Slots { first, last, count } = skipped.slots;
    let job = on_host(row).map_or(row, |(job, _)| job).parse::<JobName>();
    let when = graph.get(&job.ok()?)?.timetable.as_ref()?;
    let first = when.next(first, first).filter(|first| *first <= last)?;
    (count > 1).then(|| Skipped {
        slots: Slots {
            first,
            last,
            count: count - 1,
        },
        reason: skipped.reason.clone(),
    })
}
