//! What the configuration says of a job, for `show --json`.

use serde::Serialize;

use crate::{
    dag::JobGraph,
    plan::Planned,
    spec::{
        CatchUp, JobName, JobSpec, Kind, NO_TIMEOUT, Needed, On, OnDbLoss, OnLost, Overlap, Parent,
    },
};

/// What the configuration says; durations in seconds.
#[derive(Serialize)]
pub(super) struct Definition<'a> {
    file: String,
    line: usize,
    description: Option<&'a str>,
    does: &'a Kind,
    promise: Promise,
    timezone: Option<&'a str>,
    jitter_offset: Option<f64>,
    parents: Vec<WaitedFor<'a>>,
    children: Vec<&'a str>,
    hosts: &'a [String],
    on: On,
    /// `None`: as long as it wants.
    timeout: Option<f64>,
    keep_running: bool,
    retry: RetryInSeconds,
    lease: LeaseInSeconds,
    on_lost: OnLost,
    catch_up: CatchUp,
    /// `None`: as many as there are.
    catch_up_limit: Option<u32>,
    /// `None`: however late.
    start_deadline: Option<f64>,
    overlap: Overlap,
    on_db_loss: OnDbLoss,
    tags: &'a [String],
    hash: String,
}

/// How often the effects of a slot can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Promise {
    /// Effects and record are one commit.
    ExactlyOnce,
    /// Each attempt starts once; what a lost one has done, the next does again.
    OncePerAttempt,
    /// As above, though it is SQL: effects and record are two commits.
    TwoCommits,
    /// A run goes on without a proof of its claim, and another may start beside it.
    AtLeastOnce,
}

/// What is promised of the effects of such a job.
pub(super) fn promise(spec: &JobSpec) -> Promise {
    match &spec.kind {
        Kind::Sql(sql) if sql.is_exactly_once() => Promise::ExactlyOnce,
        _ if spec.on_db_loss == OnDbLoss::Continue => Promise::AtLeastOnce,
        Kind::Sql(_) => Promise::TwoCommits,
        Kind::Command(_) | Kind::Shell(_) | Kind::Action { .. } => Promise::OncePerAttempt,
    }
}

impl Promise {
    /// The same for people.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::ExactlyOnce => "exactly once: effects and record are one commit",
            Self::OncePerAttempt => {
                "each attempt starts once; effects exactly once if it uses CRONTABBER_RUN_KEY or crontabber_assert_fence"
            }
            Self::TwoCommits => {
                "at least once: effects and record are two commits (no transaction, or another database)"
            }
            Self::AtLeastOnce => {
                "at least once: it goes on while the database is away, and another host may run it meanwhile"
            }
        }
    }
}

/// A parent, and what of it is waited for.
#[derive(Serialize)]
struct WaitedFor<'a> {
    name: &'a JobName,
    on: Needed,
    /// `None`: its latest slot.
    within: Option<f64>,
}

impl<'a> WaitedFor<'a> {
    fn of(parent: &'a Parent) -> Self {
        Self {
            name: &parent.job,
            on: parent.on,
            within: parent.within.map(|within| within.as_secs_f64()),
        }
    }
}

#[derive(Serialize)]
struct RetryInSeconds {
    first: f64,
    factor: f64,
    max: f64,
    jitter: f64,
    attempts: u32,
}

#[derive(Serialize)]
struct LeaseInSeconds {
    lease: f64,
    heartbeat: f64,
    margin: f64,
    grace: f64,
}

impl<'a> Definition<'a> {
    pub(super) fn of(planned: &Planned<'a>, graph: &'a JobGraph) -> Self {
        let spec = planned.spec;
        let (retry, lease, timetable) = (&spec.retry, &spec.lease, spec.timetable.as_ref());
        Self {
            file: spec.origin.file.display().to_string(),
            line: spec.origin.line,
            description: spec.description.as_deref(),
            does: &spec.kind,
            promise: promise(spec),
            timezone: timetable.map(|when| when.timezone.as_str()),
            jitter_offset: timetable.map(|when| when.offset(&planned.name).as_secs_f64()),
            parents: spec.depends_on.iter().map(WaitedFor::of).collect(),
            children: super::names(graph, graph.children(planned.index)),
            hosts: &spec.placement.hosts,
            on: spec.placement.on,
            timeout: (spec.timeout < NO_TIMEOUT).then_some(spec.timeout.as_secs_f64()),
            keep_running: spec.keep_running,
            retry: RetryInSeconds {
                first: retry.first.as_secs_f64(),
                factor: retry.factor,
                max: retry.max.as_secs_f64(),
                jitter: retry.jitter,
                attempts: retry.attempts,
            },
            lease: LeaseInSeconds {
                lease: lease.lease.as_secs_f64(),
                heartbeat: lease.heartbeat.as_secs_f64(),
                margin: lease.margin.as_secs_f64(),
                grace: lease.grace.as_secs_f64(),
            },
            on_lost: spec.on_lost,
            catch_up: spec.catch_up,
            catch_up_limit: spec.catch_up_limit,
            start_deadline: spec.start_deadline.map(|late| late.as_secs_f64()),
            overlap: spec.overlap,
            on_db_loss: spec.on_db_loss,
            tags: &spec.tags,
            hash: spec.definition(),
        }
    }
}
