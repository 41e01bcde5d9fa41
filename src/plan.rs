//! What should happen to each job now, and why: a pure function of the graph, the table and the place.
//!
//! The tick, the dry run, the listing and `why` are readers of the same value, so the listing can never
//! disagree with the tick. The plan is advisory: it locks nothing, and `claim` checks everything again.

mod blocked;
pub mod catch_up;
mod next;
mod placement;
pub(crate) mod rows;
mod state;
mod wants;

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    time::Duration,
};

use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    dag::JobGraph,
    place::{OnDisagreement, Place, Seen},
    rights::refusal,
    spec::{JobSpec, Needed, RowName, on_host},
    store::table::{JobState, Table, never},
};

use blocked::blocked;
pub use blocked::{Block, BlockedBy};
use catch_up::Skipped;
pub use placement::{NoHost, NotHere, no_host, that_match};
use rows::{Found, Node, Rows};
pub use state::State;
pub(crate) use wants::{awaited, done};

/// A verdict for every row of every job, parents before children; then the rows no job of the configuration has.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The database's clock.
    pub now: Timestamp,
    /// The jobs, in the order of the graph. A job that runs on each host has an entry for each, by host: this one's and
    /// those that have a row; and where there is none of them one entry that is called as the job is.
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
    /// The name of its row: the job's, or `name@host`.
    pub name: Cow<'a, str>,
    /// Whether this host is the one that would run it, should its `hosts` allow that.
    pub is_here: bool,
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
    /// Slots of it have come that are not run any more: a pass writes that down, and waits for the next one.
    ///
    /// Boxed, as the skipped slots of a [`Due`]: most verdicts are small, and a plan has one for every job.
    Skip(Box<Skip>),
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
    Elsewhere(NotHere),
    /// It is due, but this host may not run it as it asks; why not, and what to do.
    Refused(String),
    /// It is due, but is kept running, and this process does not stay.
    ForDaemons,
}

/// Everything a claim needs to know of a due job; each of it is checked again under the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The pending slot in the row: the claim compares it.
    pub pending: Option<Timestamp>,
    /// The slot to run: `pending`, or a later one.
    pub slot: Timestamp,
    /// The slots it passes, from `pending`.
    pub skipped: Option<Box<Skipped>>,
    /// After that it may not start any more.
    pub start_by: Option<Timestamp>,
    /// What makes it run.
    pub trigger: Trigger,
    /// What the rows of its parents must have done.
    pub needs: Vec<Need>,
    /// Failures in a row so far.
    pub failures: u32,
    /// The run that somebody has asked for, if it is that one: the claim compares it.
    pub asked: Option<Uuid>,
}

/// Everything needed to leave slots behind that are not run; each of it is checked again when it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// The pending slot in the row, which is compared.
    pub pending: Timestamp,
    /// When it might have started, and
    pub next_run: Option<Timestamp>,
    /// when the last run started: both are compared too.
    pub last_run: Option<Timestamp>,
    /// The slots to leave behind, and why.
    pub skipped: Skipped,
    /// The pending slot from then on; `None`: there is no other.
    pub slot: Option<Timestamp>,
    /// What parents have not done for the first of them: one of it must still be so. Only where they are the reason.
    pub needs: Vec<Need>,
    /// Where they are, what keeps the slot that is due now.
    pub blocks: Vec<Block>,
}

/// What the row of a parent must have done before its child may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The row.
    pub parent: RowName,
    /// For which of its slots, or for a later one.
    pub slot: Timestamp,
    /// What.
    pub on: Needed,
}

impl Need {
    /// Whether it is enough that a run has ended.
    #[must_use]
    pub fn is_finish(&self) -> bool {
        self.on == Needed::Finish
    }
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
    /// Somebody who makes up for slots of the past; the schedule is left alone, and goes first.
    Backfill,
}

impl Trigger {
    /// The word in tables, JSON and the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Parents => "parents",
            Self::Manual => "manual",
            Self::Backfill => "backfill",
        }
    }
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

/// A verdict for every row of every job, parents before children.
#[must_use]
pub fn plan<'a>(graph: &'a JobGraph, table: &'a Table, place: &Place) -> Plan<'a> {
    let by_number = in_order_of_names(graph, table);
    let found = Found {
        table,
        by_number: &by_number,
    };
    let mut plan = plan_with(graph, found, place, 0..graph.jobs().len());
    let with_row = plan.jobs.iter().filter(|job| job.row.is_some());
    if with_row.count() == table.jobs.len() {
        // As nearly always: to look for ghosts by name costs as much as the plan.
        return plan;
    }
    let known: HashSet<&str> = plan.jobs.iter().map(|job| job.name.as_ref()).collect();
    let ghosts = table.jobs.iter();
    plan.ghosts = ghosts
        .filter(|(name, _)| !known.contains(name.as_str()))
        .map(|(name, row)| (name.as_str(), row.as_ref()))
        .collect();
    plan
}

/// The row of each job that has one for all hosts, by the number of the job. Jobs and rows are gone through side by side.
fn in_order_of_names<'a>(graph: &JobGraph, table: &'a Table) -> Vec<Option<&'a JobState>> {
    let mut found = vec![None; graph.jobs().len()];
    let mut rows = table.jobs.iter().peekable();
    for (job, number) in graph.by_name() {
        while rows
            .next_if(|(row, _)| row.as_str() < job.as_str())
            .is_some()
        {}
        let row = rows.next_if(|(row, _)| row.as_str() == job.as_str());
        found[number] = row.map(|(_, row)| row.as_ref());
    }
    found
}

/// The same for these jobs of the graph only, in ascending order, and without ghosts: for who knows what has changed
/// since the whole was planned. A verdict depends on the job's rows, those of its parents, and the time.
pub(crate) fn plan_of<'a>(
    graph: &'a JobGraph,
    table: &'a Table,
    place: &Place,
    of: impl IntoIterator<Item = usize>,
) -> Plan<'a> {
    let by_number = &[];
    plan_with(graph, Found { table, by_number }, place, of)
}

fn plan_with<'a>(
    graph: &'a JobGraph,
    found: Found<'_, 'a>,
    place: &Place,
    of: impl IntoIterator<Item = usize>,
) -> Plan<'a> {
    let table = found.table;
    let rows = Rows::among(graph, found, place);
    let of = of.into_iter();
    let mut jobs = Vec::with_capacity(of.size_hint().0);
    for index in of {
        let known = jobs.len();
        let nodes = rows.of_job(index);
        jobs.extend(nodes.map(|node| planned(&rows, node, graph, found)));
        if jobs.len() == known {
            jobs.push(nowhere(index, &graph.jobs()[index], table));
        }
    }
    Plan {
        now: table.now,
        jobs,
        ghosts: Vec::new(),
        hosts: &table.hosts,
        max_ongoing_age: place.max_ongoing_age,
    }
}

fn planned<'a>(
    rows: &Rows<'_>,
    node: Node<'_>,
    graph: &'a JobGraph,
    found: Found<'_, 'a>,
) -> Planned<'a> {
    let spec = &graph.jobs()[node.job];
    let (name, row) = if node.host.is_none() {
        let row = found.row(node.job, spec);
        (Cow::Borrowed(spec.name.as_str()), row)
    } else {
        let name = rows.name(node).as_str().to_owned();
        let row = found.table.row(&name);
        (Cow::Owned(name), row)
    };
    Planned {
        index: node.job,
        is_here: rows.is_here(node),
        spec,
        row,
        name,
        verdict: verdict(rows, node),
    }
}

/// A job that runs on each host, and none is known that it might run on.
fn nowhere<'a>(index: usize, spec: &'a JobSpec, table: &'a Table) -> Planned<'a> {
    let no_host = no_host(&spec.placement, &table.hosts, table.now);
    Planned {
        index,
        name: Cow::Borrowed(spec.name.as_str()),
        is_here: false,
        spec,
        row: None,
        verdict: no_host.map_or(Verdict::Elsewhere(NotHere::Placement), Verdict::NoHost),
    }
}

fn verdict(rows: &Rows<'_>, node: Node<'_>) -> Verdict {
    let (spec, table, place) = (rows.spec(node), rows.table, rows.place);
    let now = table.now;
    let Some(row) = rows.row(node) else {
        return Verdict::New(first_slot(spec, now));
    };
    let wanted = wants::wanted(rows, node, row);
    if let Some(since) = live_since(row, now, place.max_ongoing_age) {
        return Verdict::Ongoing(Live {
            since,
            host: row.claim.as_ref().map(|claim| claim.host.clone()),
            run_id: row.claim.as_ref().map(|claim| claim.run_id),
            lease_until: row.claim.as_ref().map(|claim| claim.lease_until),
            // One that is kept running is where it should be.
            due: matches!(wanted, wants::Wanted::Now(_)) && !spec.keep_running,
        });
    }
    // Who asks for a run means it: a pause keeps the schedule, and no person.
    let pause = row.paused_until.filter(|&until| until > now);
    if let Some(until) = pause.filter(|_| row.triggered.is_none()) {
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
        wants::Wanted::NoMore(skip) => nobody(rows, node)
            .map(Verdict::NoHost)
            .or_else(|| not_by_us(rows, node, row))
            .unwrap_or_else(|| Verdict::Skip(Box::new(skip))),
        wants::Wanted::Now(due) => nobody(rows, node)
            .map(Verdict::NoHost)
            .or_else(|| blocked(rows, node, row, &due))
            .or_else(|| not_by_us(rows, node, row))
            .unwrap_or(Verdict::Run(due)),
    }
}

/// Why this one does not, though another may.
fn not_by_us(rows: &Rows<'_>, node: Node<'_>, row: &JobState) -> Option<Verdict> {
    let (spec, place) = (rows.spec(node), rows.place);
    not_here(rows, node, row)
        .map(Verdict::Elsewhere)
        .or_else(|| refusal(spec, &place.rights).map(Verdict::Refused))
        .or_else(|| (spec.keep_running && !place.stays).then_some(Verdict::ForDaemons))
}

/// The first slot of a job that no row knows yet; `None`: its parents decide.
fn first_slot(spec: &JobSpec, now: Timestamp) -> Option<Timestamp> {
    match &spec.timetable {
        Some(when) => when.first(now, spec.start),
        None => spec.keep_running.then_some(now),
    }
}

/// Why no host would run a row.
fn nobody(rows: &Rows<'_>, node: Node<'_>) -> Option<NoHost> {
    if node.host.is_some() {
        return rows.silent(node);
    }
    let table = rows.table;
    no_host(&rows.spec(node).placement, &table.hosts, table.now)
}

/// Why a due row is not for this host; `None`: it may run here.
fn not_here(rows: &Rows<'_>, node: Node<'_>, row: &JobState) -> Option<NotHere> {
    let (spec, table, place) = (rows.spec(node), rows.table, rows.place);
    if !rows.is_here(node) || !place.matches(&spec.placement) {
        return Some(NotHere::Placement);
    }
    let drained = table.drained.map(NotHere::Drained);
    drained.or_else(|| placement::older(spec, row, table, place))
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

impl<'a> Plan<'a> {
    /// The row of this name; or of the job of this name, the first.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Planned<'a>> {
        let row = self.jobs.iter().find(|planned| planned.name == name);
        row.or_else(|| {
            let mut rows = self.jobs.iter();
            rows.find(|planned| planned.spec.name.as_str() == name)
        })
    }

    /// The rows of a job, by its place in the graph.
    #[must_use]
    pub fn rows(&self, index: usize) -> &[Planned<'a>] {
        let first = self.jobs.partition_point(|job| job.index < index);
        let end = self.jobs.partition_point(|job| job.index <= index);
        &self.jobs[first..end]
    }

    /// The row of a job that is this host's to run.
    #[must_use]
    pub fn here(&self, index: usize) -> Option<&Planned<'a>> {
        self.rows(index).iter().find(|job| job.is_here)
    }

    /// The state of every row of a job.
    #[must_use]
    pub fn states(&self) -> HashMap<&str, State> {
        self.jobs
            .iter()
            .map(|job| (job.name.as_ref(), job.state(self.now)))
            .collect()
    }
}

impl Planned<'_> {
    /// The host whose row it is; `None`: the job has one row for all hosts, or none at all.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        let (_, host) = on_host(&self.name)?;
        Some(host)
    }
}

/// The due jobs that this host leaves to others because it does not know who goes by their newest definition: by name,
/// the hash of that.
#[must_use]
pub fn outdated<'a>(graph: &JobGraph, table: &'a Table, place: &Place) -> Vec<(&'a str, &'a str)> {
    if place.on_disagreement == OnDisagreement::Warn {
        return Vec::new();
    }
    let plan = plan(graph, table, place);
    let outdated = plan.jobs.iter().filter_map(|job| {
        let Verdict::Elsewhere(NotHere::Older(_)) = job.verdict else {
            return None;
        };
        let (name, row) = table.jobs.get_key_value(job.spec.name.as_str())?;
        Some((name.as_str(), row.definition_hash.as_deref()?))
    });
    outdated.collect()
}

/// When a job may next start by the clock; `None`: no clock starts it.
#[must_use]
pub fn next_run(row: &JobState) -> Option<Timestamp> {
    row.next_run.filter(|&at| at < never())
}
