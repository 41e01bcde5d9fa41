//! What should happen to each job now, and why: a pure function of the graph, the table and the place.
//!
//! The tick, the dry run, the listing and `why` are readers of the same value, so the listing can never
//! disagree with the tick. The plan is advisory: it locks nothing, and `claim` checks everything again.

mod next;
mod placement;
mod state;
mod wants;

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    dag::JobGraph,
    place::{Place, Seen},
    spec::{JobName, JobSpec, Kind, On},
    store::table::{JobState, Table, never},
};

pub use placement::{NoHost, no_host, that_match};
pub use state::State;
pub(crate) use wants::coalesced;

/// A verdict for every job, parents before children; then the rows no job of the configuration has.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The database's clock.
    pub now: Timestamp,
    /// The jobs, in the order of the graph.
    pub jobs: Vec<Planned<'a>>,
    /// Rows without a job, by name.
    pub ghosts: Vec<(&'a str, &'a JobState)>,
    /// The hosts that have announced themselves, by name; none where nobody asked.
    pub hosts: &'a [Seen],
    /// How long a Python host's `ongoing` is respected where the plan was made.
    pub max_ongoing_age: Duration,
}

/// One job, its row and the verdict.
#[derive(Debug)]
pub struct Planned<'a> {
    /// Its place in the graph.
    pub index: usize,
    /// The job.
    pub spec: &'a JobSpec,
    /// Its row; `None`: no host has met this job before.
    pub row: Option<&'a JobState>,
    /// What should happen to it now.
    pub verdict: Verdict,
}

/// What should happen to a job now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// No row knows it: a pass makes one, with this first slot (`None`: its parents decide).
    New(Option<Timestamp>),
    /// It is due: claim it.
    Run(Due),
    /// Its time has not come.
    NotYet(Timestamp),
    /// It has no schedule, and its parents have not all succeeded anew.
    AfterParents,
    /// It is due, but no live host may run it. Only where the table was read with its hosts: a pass counts itself as
    /// live and leaves what is not for it to the others.
    NoHost(NoHost),
    /// It is due, but a parent's slot must succeed first.
    Blocked(Vec<Block>),
    /// A run is going on.
    Ongoing(Live),
    /// Somebody paused it until then.
    Paused(Timestamp),
    /// It waits for a person: a run was lost, and `on_lost` says so.
    Held,
    /// It is due, but not on this host.
    Elsewhere,
    /// It is due, but this build cannot run it.
    Unsupported(&'static str),
}

/// Everything a claim needs to know of a due job; each of it is checked again under the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The pending slot in the row: the claim compares it.
    pub pending: Option<Timestamp>,
    /// The slot to run: `pending`, or a later one that others are coalesced into.
    pub slot: Timestamp,
    /// The slots coalesced into it, from `pending`.
    pub coalesced: Option<Slots>,
    /// What makes it run.
    pub trigger: Trigger,
    /// Per parent, the slot that must have succeeded.
    pub needs: Vec<(JobName, Timestamp)>,
    /// Failures in a row so far.
    pub failures: u32,
    /// The run that somebody has asked for, if it is that one: the claim compares it.
    pub asked: Option<Uuid>,
}

/// A range of contiguous slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    /// The first.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
    /// How many.
    pub count: i64,
}

/// What makes a job run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// Its schedule.
    Schedule,
    /// The success of all its parents; it has no schedule.
    Parents,
    /// Somebody, by hand; the schedule is left alone.
    Manual,
}

impl Trigger {
    /// The word in tables, JSON and the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Parents => "parents",
            Self::Manual => "manual",
        }
    }
}

/// A parent that keeps a due job from running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The parent.
    pub parent: JobName,
    /// Why its slot has not succeeded.
    pub why: BlockedBy,
}

/// Why a parent's slot has not succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockedBy {
    /// No run of it has ever succeeded.
    NeverRan,
    /// It is running at this moment.
    Running,
    /// Its last run failed, with this message.
    Failing(Option<String>),
    /// It is paused or held.
    Paused,
    /// Its slot is still to come to its turn.
    Pending,
}

/// A run that is going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// Since when.
    pub since: Timestamp,
    /// Where, as far as the row says.
    pub host: Option<String>,
    /// The run; `None`: a Python host's.
    pub run_id: Option<Uuid>,
    /// Until when its claim is proof.
    pub lease_until: Option<Timestamp>,
    /// Whether the job would be due now if it were not running.
    pub due: bool,
}

/// A verdict for every job, parents before children.
#[must_use]
pub fn plan<'a>(graph: &'a JobGraph, table: &'a Table, place: &Place) -> Plan<'a> {
    let jobs = graph
        .jobs()
        .iter()
        .enumerate()
        .map(|(index, spec)| {
            let row = table.jobs.get(spec.name.as_str());
            let verdict = verdict(graph, index, row, table, place);
            Planned {
                index,
                spec,
                row,
                verdict,
            }
        })
        .collect();
    let known: HashSet<&str> = graph.jobs().iter().map(|spec| spec.name.as_str()).collect();
    let mut ghosts: Vec<_> = table
        .jobs
        .iter()
        .filter(|(name, _)| !known.contains(name.as_str()))
        .map(|(name, row)| (name.as_str(), row))
        .collect();
    ghosts.sort_unstable_by_key(|(name, _)| *name);
    Plan {
        now: table.now,
        jobs,
        ghosts,
        hosts: &table.hosts,
        max_ongoing_age: place.max_ongoing_age,
    }
}

fn verdict(
    graph: &JobGraph,
    index: usize,
    row: Option<&JobState>,
    table: &Table,
    place: &Place,
) -> Verdict {
    let spec = &graph.jobs()[index];
    let now = table.now;
    let Some(row) = row else {
        return Verdict::New(
            spec.timetable
                .as_ref()
                .and_then(|when| when.first(now, spec.start)),
        );
    };
    let wanted = wants::wanted(graph, index, row, table);
    if let Some(since) = live_since(row, now, place.max_ongoing_age) {
        return Verdict::Ongoing(Live {
            since,
            host: row.claim.as_ref().map(|claim| claim.host.clone()),
            run_id: row.claim.as_ref().map(|claim| claim.run_id),
            lease_until: row.claim.as_ref().map(|claim| claim.lease_until),
            due: matches!(wanted, wants::Wanted::Now(_)),
        });
    }
    if let Some(until) = row.paused_until.filter(|&until| until > now) {
        let held = row.paused_by.as_deref() == Some(ON_LOST);
        return if held {
            Verdict::Held
        } else {
            Verdict::Paused(until)
        };
    }
    match wanted {
        wants::Wanted::At(at) => Verdict::NotYet(at),
        wants::Wanted::AfterParents => Verdict::AfterParents,
        wants::Wanted::Now(due) => may_run(spec)
            .or_else(|| no_host(&spec.placement, &table.hosts, now).map(Verdict::NoHost))
            .or_else(|| blocked(&due, table, place))
            .or_else(|| (!place.matches(&spec.placement)).then_some(Verdict::Elsewhere))
            .unwrap_or(Verdict::Run(due)),
    }
}

/// Who pauses a job when its run was lost and `on_lost` is `hold`.
pub const ON_LOST: &str = "on_lost";

/// Since when a claim holds the row, ours or a Python host's that is not too old.
pub(crate) fn live_since(
    row: &JobState,
    now: Timestamp,
    max_ongoing_age: Duration,
) -> Option<Timestamp> {
    let since = row.ongoing?;
    let respected = row.claim.is_some()
        || now.duration_since(since).unsigned_abs() < max_ongoing_age
        || since > now;
    respected.then_some(since)
}

/// Why a due job cannot run on any host, whatever its parents say.
fn may_run(spec: &JobSpec) -> Option<Verdict> {
    match &spec.kind {
        Kind::Action { .. } => return Some(Verdict::Unsupported("action")),
        Kind::Command(_) | Kind::Shell(_) | Kind::Sql(_) => {}
    }
    if spec.placement.on == On::Each {
        return Some(Verdict::Unsupported("on = \"each\""));
    }
    None
}

/// The parents that keep a due job from running.
fn blocked(due: &Due, table: &Table, place: &Place) -> Option<Verdict> {
    let blocks: Vec<Block> = due
        .needs
        .iter()
        .filter_map(|(parent, slot)| {
            let row = table.jobs.get(parent.as_str());
            let reached = row
                .and_then(|row| row.success_slot)
                .is_some_and(|done| done >= *slot);
            (!reached).then(|| Block {
                parent: parent.clone(),
                why: blocked_by(row, table.now, place.max_ongoing_age),
            })
        })
        .collect();
    (!blocks.is_empty()).then_some(Verdict::Blocked(blocks))
}

fn blocked_by(parent: Option<&JobState>, now: Timestamp, max_ongoing_age: Duration) -> BlockedBy {
    match parent {
        None => BlockedBy::NeverRan,
        Some(row) if live_since(row, now, max_ongoing_age).is_some() => BlockedBy::Running,
        Some(row) if row.paused_until.is_some_and(|until| until > now) => BlockedBy::Paused,
        Some(row) if row.error_count > 0 => BlockedBy::Failing(row.last_error.clone()),
        Some(row) if row.success_slot.is_none() => BlockedBy::NeverRan,
        Some(_) => BlockedBy::Pending,
    }
}

impl Plan<'_> {
    /// The job of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Planned<'_>> {
        self.jobs
            .iter()
            .find(|planned| planned.spec.name.as_str() == name)
    }

    /// The state of every job, in the order of the plan.
    #[must_use]
    pub fn states(&self) -> HashMap<&str, State> {
        self.jobs
            .iter()
            .map(|job| (job.spec.name.as_str(), job.state(self.now)))
            .collect()
    }
}

/// When a job may next start by the clock; `None`: no clock starts it.
#[must_use]
pub fn next_run(row: &JobState) -> Option<Timestamp> {
    row.next_run.filter(|&at| at < never())
}
