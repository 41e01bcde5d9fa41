//! What needs a person: from a plan, the hosts' last announcements and the thresholds of `[check]` to problems.
//!
//! Pure, like the plan it reads, so that `check` can never disagree with `list` and `why`. What is a problem of
//! a job is in `job`, who is at the root of a block in `blocked`, and what concerns no job in `fleet`.

mod blocked;
mod fleet;
mod job;
pub mod limits;

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    place::glob,
    plan::{Plan, Planned, Verdict},
    spec::Lease,
    store::hosts::Announced,
    view::hosts::Disagreement,
};

pub use limits::{Limits, Thresholds};

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Somebody should look, in working hours.
    Warning,
    /// Somebody should look now.
    Critical,
}

/// What kind of problem it is: one closed set, the words of JSON; each but `failing` is a key of `[check]` too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Its last runs failed.
    Failing,
    /// It has been due for long, and does not run.
    Overdue,
    /// The same, and it has never run.
    NeverRun,
    /// Its run goes on for longer than it may.
    Ongoing,
    /// The lease of its run ended long ago, and no pass has counted the run as lost.
    Stuck,
    /// It gave up and waits for a person.
    Held,
    /// It has been due for long, and a parent keeps it waiting.
    Blocked,
    /// It is due, and no live host may run it.
    NoHost,
    /// Live hosts mean different things by it.
    Disagreement,
    /// A row that no job of the configuration has.
    Ghost,
    /// No host passes any more.
    NoPass,
    /// The clock of a host is off.
    ClockSkew,
    /// A host goes on with an older configuration than its files have.
    ConfigError,
    /// Two daemons use one name.
    SameName,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// What kind it is.
    pub kind: Kind,
    /// The job, or the row that no job has; `None`: it is no job's.
    pub name: Option<String>,
    /// The host whose problem it is.
    pub host: Option<String>,
    /// A few words: `4 errors`, `overdue 19h`.
    pub brief: String,
    /// All of it, in a sentence without a full stop; quotes what jobs printed, so it may hold anything.
    pub sentence: String,
}

/// What a check looks at.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What a pass would do.
    pub plan: &'a Plan<'a>,
    /// What hosts have announced.
    pub hosts: &'a [Announced],
    /// The jobs by which live hosts mean different things.
    pub disagreements: &'a [Disagreement],
    /// From where on something is a problem.
    pub limits: &'a Limits,
    /// The terms that rows without a job are measured by.
    pub lease: Lease,
    /// How long a Python host's claim is respected.
    pub max_ongoing_age: Duration,
}

/// Which jobs are looked at.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Patterns of names, any of which must match; none: every name.
    pub jobs: Vec<String>,
    /// Tags, any of which a job must have; none: any job. Rows without a job have no tags.
    pub tags: Vec<String>,
}

impl Scope {
    /// Whether it is everything: only then is the fleet looked at too.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.jobs.is_empty() && self.tags.is_empty()
    }

    /// Whether a name with these tags is part of it.
    #[must_use]
    pub fn holds(&self, name: &str, tags: &[String]) -> bool {
        let named = self.jobs.iter().any(|pattern| glob(pattern, name));
        let tagged = self.tags.iter().any(|tag| tags.contains(tag));
        (self.jobs.is_empty() || named) && (self.tags.is_empty() || tagged)
    }
}

/// What a check has found.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The database's clock.
    pub now: Timestamp,
    /// What is wrong: the worst first, and of one severity the fleet, then jobs as in the plan, then ghosts.
    pub problems: Vec<Problem>,
    /// What to draw graphs of.
    pub figures: Figures,
}

/// Numbers about the jobs that were looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Figures {
    /// How many jobs were looked at.
    pub jobs: usize,
    /// How many of them run now.
    pub ongoing: usize,
    /// How many failed last.
    pub failing: usize,
    /// How many have a problem of the kinds `overdue` and `never_run`.
    pub overdue: usize,
    /// How many are due and wait for a parent, or for a host that may run them.
    pub blocked: usize,
    /// How many wait for a person.
    pub held: usize,
    /// How many somebody has paused.
    pub paused: usize,
    /// How many rows no job has.
    pub ghosts: usize,
    /// Seconds since the newest announcement of a host; `None`: there is none.
    pub last_pass_age: Option<u64>,
    /// Seconds for which the longest run goes on, of those that are meant to end; 0: none does.
    pub longest_ongoing: u64,
    /// Seconds since the last success of the scheduled job whose last success is the oldest, among those that ever
    /// succeeded and are not paused; `None`: there is none.
    pub oldest_success_age: Option<u64>,
}

/// Looks at everything in the scope.
#[must_use]
pub fn check(known: &Known<'_>, scope: &Scope) -> Checked {
    let plan = known.plan;
    let roots = blocked::roots(plan);
    let within = |job: &&Planned<'_>| {
        let (name, tags) = (job.spec.name.as_str(), &job.spec.tags);
        scope.holds(name, tags) || scope.holds(&job.name, tags)
    };
    let mut problems = Vec::new();
    if scope.is_all() {
        problems.extend(fleet::no_pass(known));
        problems.extend(fleet::clock_skew(known));
        problems.extend(fleet::config_error(known));
        problems.extend(fleet::same_name(known));
    }
    let mut figures = Figures {
        last_pass_age: fleet::last_pass(plan).map(|last| seconds(age(plan.now, last.at))),
        ..Figures::default()
    };
    for planned in plan.jobs.iter().filter(within) {
        let found = job::problems(planned, known, &roots);
        figures.add(planned, &found, plan.now);
        problems.extend(found);
    }
    let disagreements = known.disagreements.iter();
    problems.extend(disagreements.filter_map(|found| fleet::disagreement(found, known, scope)));
    let ghosts = plan
        .ghosts
        .iter()
        .filter(|(name, _)| scope.holds(name, &[]));
    for (name, row) in ghosts {
        figures.ghosts += 1;
        problems.extend(fleet::ghost(name, row, known));
    }
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
    Checked {
        now: plan.now,
        problems,
        figures,
    }
}

impl Checked {
    /// The worst there is; `None`: all is well.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.problems.iter().map(|problem| problem.severity).max()
    }

    /// How many problems are this bad.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let like = |problem: &&Problem| problem.severity == severity;
        self.problems.iter().filter(like).count()
    }
}

impl Figures {
    fn add(&mut self, job: &Planned<'_>, problems: &[Problem], now: Timestamp) {
        let is_late = |problem: &Problem| matches!(problem.kind, Kind::Overdue | Kind::NeverRun);
        self.jobs += 1;
        self.overdue += usize::from(problems.iter().any(is_late));
        match &job.verdict {
            Verdict::Ongoing(live) => {
                self.ongoing += 1;
                // What is kept running would hide for how long the others take.
                if !job.spec.keep_running {
                    self.longest_ongoing = self.longest_ongoing.max(seconds(age(now, live.since)));
                }
            }
            Verdict::Blocked(_) | Verdict::NoHost(_) => self.blocked += 1,
            Verdict::Skip(skip) if !skip.blocks.is_empty() => self.blocked += 1,
            Verdict::Held => self.held += 1,
            // A person has taken it out of the game: it counts as nothing else.
            Verdict::Paused(_) => {
                self.paused += 1;
                return;
            }
            _ => {}
        }
        let Some(row) = job.row else { return };
        self.failing += usize::from(row.error_count > 0);
        if job.spec.timetable.is_some() {
            let success = row.last_success.map(|at| seconds(age(now, at)));
            self.oldest_success_age = self.oldest_success_age.max(success);
        }
    }
}

/// How long ago an instant was; nothing for one to come.
fn age(now: Timestamp, at: Timestamp) -> Duration {
    now.duration_since(at).try_into().unwrap_or_default()
}

fn seconds(age: Duration) -> u64 {
    age.as_secs()
}
