//! Every job and its state.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    plan::{Plan, State, Verdict, next_run},
    spec::JobName,
    store::table::{JobState, never},
};

use super::{
    Medium, Times,
    mark::Mark,
    ongoing::Ongoing,
    subject::{self, Subject},
    table::{Column, Row, render},
    text::{self, counted, harmless},
};

/// A listing: of everything, or of what was asked for.
#[derive(Debug)]
pub struct List<'a> {
    /// What a pass would do.
    pub plan: &'a Plan<'a>,
    /// Where each job ran last.
    pub last_hosts: &'a HashMap<String, String>,
    /// Only names that match this pattern.
    pub glob: Option<&'a str>,
    /// Only these states; none = all of them.
    pub states: &'a [State],
}

impl<'a> List<'a> {
    /// For people a table, a summary and what to look at; for programs one line a job, in the same order.
    #[must_use]
    pub fn text(&self, medium: Medium) -> String {
        let times = Times {
            now: self.plan.now,
            medium,
        };
        let columns = [
            Column::left("JOB").yields(3, 16),
            Column::left("STATE").toned(),
            Column::left("SCHEDULE").yields(2, 12),
            Column::left("NEXT"),
            Column::left("LAST"),
            Column::right("ERR"),
            Column::left("HOST"),
            Column::left("WHY").yields(1, 30),
        ];
        let shown = self.shown();
        let rows: Vec<Row> = shown
            .iter()
            .map(|subject| self.row(subject, &times))
            .collect();
        let mut text = render(&columns, &rows, medium);
        if medium.is_terminal() {
            text.push_str(&self.footer(&shown, &times));
            text.extend(self.hint(&shown));
        }
        text
    }

    /// An array of objects, in the same order.
    #[must_use]
    pub fn json(&self) -> String {
        let listed = |subject| {
            Listed::of(
                &subject,
                self.plan.now,
                self.last_hosts.get(subject.name()).cloned(),
            )
        };
        let objects: Vec<Listed<'_>> = self.shown().into_iter().map(listed).collect();
        text::json(&objects)
    }

    fn shown(&self) -> Vec<Subject<'a>> {
        subject::all(self.plan)
            .filter(|subject| self.glob.is_none_or(|pattern| subject.is_called(pattern)))
            .filter(|subject| {
                self.states.is_empty() || self.states.contains(&subject.state(self.plan.now))
            })
            .collect()
    }

    /// Where it runs, or ran last.
    fn host(&self, subject: &Subject<'_>) -> Option<String> {
        let ongoing = subject.ongoing(self.plan.now);
        ongoing
            .map(|run| run.host)
            .or_else(|| self.last_hosts.get(subject.name()).cloned())
    }

    fn row(&self, subject: &Subject<'_>, times: &Times) -> Row {
        let state = subject.state(self.plan.now);
        let row = subject.row();
        let cells = vec![
            subject.name().to_owned(),
            state.to_string(),
            subject.schedule(),
            times.when_any(subject.next_start()),
            times.when_any(row.and_then(|row| row.last_run)),
            row.map_or(0, |row| row.error_count).to_string(),
            self.host(subject).unwrap_or_default(),
            subject.reason_for(times),
        ];
        Row {
            mark: Mark::of_state(state),
            cells,
        }
    }

    fn footer(&self, shown: &[Subject<'_>], times: &Times) -> String {
        let count = |state| {
            shown
                .iter()
                .filter(|subject| subject.state(times.now) == state)
                .count()
        };
        let counts: Vec<String> = State::ALL
            .iter()
            .rev()
            .map(|&state| (count(state), state))
            .filter(|&(number, _)| number > 0)
            .map(|(number, state)| format!("{number} {state}"))
            .collect();
        let all = self.plan.jobs.len() + self.plan.ghosts.len();
        let how_many = match shown.len() {
            0 => return format!("none of {} is so\n", counted(all, "job")),
            number if number < all => format!("{number} of {}", counted(all, "job")),
            number => counted(number, "job"),
        };
        let next = next(shown).map(|(name, at)| match at {
            Some(at) => format!("  Next: {} {}.", harmless(name), times.when(at)),
            None => format!("  Next: {}, now.", harmless(name)),
        });
        format!(
            "{how_many}: {}.{}\n",
            counts.join(", "),
            next.unwrap_or_default()
        )
    }

    /// What to look at first.
    fn hint(&self, shown: &[Subject<'_>]) -> Option<String> {
        let first = |state| {
            shown
                .iter()
                .find(|subject| subject.state(self.plan.now) == state)
        };
        let worst = [
            State::Held,
            State::Overdue,
            State::Failing,
            State::Retrying,
            State::Blocked,
        ];
        let subject = worst.into_iter().find_map(first)?;
        Some(format!(
            "hint: crontabber why {}\n",
            harmless(subject.name())
        ))
    }
}

/// What starts next, and when; `None`: now.
fn next<'a>(shown: &[Subject<'a>]) -> Option<(&'a str, Option<Timestamp>)> {
    let starts = shown.iter().filter_map(|subject| match subject {
        Subject::Job(planned) => match planned.verdict {
            Verdict::Run(_) => Some((None, subject.name())),
            Verdict::NotYet(_) | Verdict::New(_) => {
                Some((Some(subject.next_start()?), subject.name()))
            }
            _ => None,
        },
        Subject::Ghost(..) => None,
    });
    starts.min().map(|(at, name)| (name, at))
}

/// A job as `list --json` has it.
#[derive(Debug, Serialize)]
pub(super) struct Listed<'a> {
    name: &'a str,
    state: State,
    schedule: Option<String>,
    next_run: Option<Timestamp>,
    slot: Option<Timestamp>,
    last_run: Option<Timestamp>,
    last_success: Option<Timestamp>,
    last_host: Option<String>,
    error_count: i32,
    last_error: Option<&'a str>,
    depends_on: Vec<&'a JobName>,
    paused: Option<Pause<'a>>,
    ongoing: Option<Ongoing>,
    why: String,
}

/// A pause, or a hold, that is in force.
#[derive(Debug, Serialize)]
pub(super) struct Pause<'a> {
    /// `None`: until somebody resumes it.
    until: Option<Timestamp>,
    by: Option<&'a str>,
    reason: Option<&'a str>,
}

impl<'a> Pause<'a> {
    pub(super) fn of_row(row: &'a JobState, now: Timestamp) -> Option<Self> {
        let until = row.paused_until.filter(|&until| until > now)?;
        Some(Self {
            until: Some(until).filter(|&until| until < never()),
            by: row.paused_by.as_deref(),
            reason: row.pause_reason.as_deref(),
        })
    }
}

impl<'a> Listed<'a> {
    /// Of one name.
    pub(super) fn of(subject: &Subject<'a>, now: Timestamp, last_host: Option<String>) -> Self {
        let row = subject.row();
        let spec = match subject {
            Subject::Job(planned) => Some(planned.spec),
            Subject::Ghost(..) => None,
        };
        Self {
            name: subject.name(),
            state: subject.state(now),
            schedule: spec
                .and_then(|spec| spec.timetable.as_ref())
                .map(ToString::to_string),
            next_run: row.and_then(next_run),
            slot: row
                .and_then(JobState::pending)
                .filter(|&slot| slot < never()),
            last_run: row.and_then(|row| row.last_run),
            last_success: row.and_then(|row| row.last_success),
            last_host,
            error_count: row.map_or(0, |row| row.error_count),
            last_error: row.and_then(|row| row.last_error.as_deref()),
            depends_on: spec
                .iter()
                .flat_map(|spec| spec.depends_on.iter().map(|parent| &parent.job))
                .collect(),
            paused: row.and_then(|row| Pause::of_row(row, now)),
            ongoing: subject.ongoing(now),
            why: subject.reason(),
        }
    }
}
