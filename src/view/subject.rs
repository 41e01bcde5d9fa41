//! What is known about one name: a job of the configuration, or a row that no job has.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    dag::render,
    place::glob,
    plan::{Plan, Planned, State, Verdict, next_run},
    store::table::{JobState, never},
};

use super::{Medium, Times, ongoing::Ongoing};

/// A name in the listing.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// A job, with the plan's verdict.
    Job(&'a Planned<'a>),
    /// A row without a job, by its name; and how long a Python host's `ongoing` in it is respected.
    Ghost(&'a str, &'a JobState, Duration),
}

/// All of them: the jobs in the order of the graph, then the ghosts by name.
pub fn all<'a>(plan: &'a Plan<'a>) -> impl Iterator<Item = Subject<'a>> {
    let jobs = plan.jobs.iter().map(Subject::Job);
    jobs.chain(
        plan.ghosts
            .iter()
            .map(|&(name, row)| Subject::Ghost(name, row, plan.max_ongoing_age)),
    )
}

/// The one of this name, as it stands in the table.
#[must_use]
pub fn named<'a>(plan: &'a Plan<'a>, name: &str) -> Option<Subject<'a>> {
    all(plan).find(|subject| subject.name() == name)
}

/// What people mean by a name: a job's all its rows, also where each host has one; any other the row of this name.
#[must_use]
pub fn meant<'a>(plan: &'a Plan<'a>, name: &str) -> Vec<Subject<'a>> {
    let jobs = plan.jobs.iter();
    let rows: Vec<Subject<'a>> = jobs
        .filter(|job| job.spec.name.as_str() == name)
        .map(Subject::Job)
        .collect();
    if rows.is_empty() {
        named(plan, name).into_iter().collect()
    } else {
        rows
    }
}

impl<'a> Subject<'a> {
    /// Its name, as it stands in the table: a ghost's may hold anything.
    #[must_use]
    pub fn name(&self) -> &'a str {
        match *self {
            Self::Job(planned) => &planned.name,
            Self::Ghost(name, ..) => name,
        }
    }

    /// The name of the job, which rows of several hosts have in common.
    #[must_use]
    pub fn job(&self) -> &'a str {
        match *self {
            Self::Job(planned) => planned.spec.name.as_str(),
            Self::Ghost(name, ..) => name,
        }
    }

    /// Whether a pattern means it, by its own name or by its job's.
    #[must_use]
    pub fn is_called(&self, pattern: &str) -> bool {
        glob(pattern, self.name()) || glob(pattern, self.job())
    }

    /// Its row.
    #[must_use]
    pub fn row(&self) -> Option<&'a JobState> {
        match *self {
            Self::Job(planned) => planned.row,
            Self::Ghost(_, row, _) => Some(row),
        }
    }

    /// Its state.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> State {
        match self {
            Self::Job(planned) => planned.state(now),
            Self::Ghost(..) => State::Ghost,
        }
    }

    /// The run that is going on.
    #[must_use]
    pub fn ongoing(&self, now: Timestamp) -> Option<Ongoing> {
        let row = self.row()?;
        let since = match self {
            Self::Job(planned) => match &planned.verdict {
                Verdict::Ongoing(live) => live.since,
                _ => return None,
            },
            Self::Ghost(_, row, respected) => return Ongoing::of_row(row, now, *respected),
        };
        Some(Ongoing::since(row, since))
    }

    /// When it is wanted, in a few words; nothing for a ghost, of which nobody knows.
    #[must_use]
    pub fn schedule(&self) -> String {
        match self {
            Self::Job(planned) => render::when(planned.spec),
            Self::Ghost(..) => String::new(),
        }
    }

    /// When it may start next, as far as the clock decides; in the past for a job that is due.
    #[must_use]
    pub fn next_start(&self) -> Option<Timestamp> {
        let Self::Job(planned) = self else {
            return self.row().and_then(next_run);
        };
        let by_clock = planned.row.and_then(next_run);
        let next = match planned.verdict {
            Verdict::New(first) => first,
            Verdict::NotYet(at) => Some(at),
            Verdict::Run(_)
            | Verdict::Skip(_)
            | Verdict::Elsewhere(_)
            | Verdict::Refused(_)
            | Verdict::ForDaemons => planned.triggered().map_or(by_clock, |asked| Some(asked.at)),
            Verdict::Paused(until) => Some(by_clock.map_or(until, |at| at.max(until))),
            Verdict::AfterParents
            | Verdict::NoHost(_)
            | Verdict::Blocked(_)
            | Verdict::Ongoing(_)
            | Verdict::Held => None,
        };
        next.filter(|&at| at < never())
    }

    /// Why it is in its state: the plan's own words.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Job(planned) => planned.reason(),
            Self::Ghost(..) => "no job of this configuration has this name".to_owned(),
        }
    }

    /// The same; people are told for how long a run is going on, and how long its lease lasts, and for how long
    /// hosts are silent.
    #[must_use]
    pub fn reason_for(&self, times: &Times) -> String {
        match (times.medium, self.ongoing(times.now), self) {
            (Medium::Terminal { .. }, Some(ongoing), _) => ongoing.words(times),
            (Medium::Terminal { .. }, None, Self::Job(planned)) => match &planned.verdict {
                Verdict::NoHost(no_host) => {
                    no_host.sentence(|at| format!("for {}", times.since(at)))
                }
                _ => self.reason(),
            },
            _ => self.reason(),
        }
    }
}
