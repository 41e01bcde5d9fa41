//! What runs now, and where: by this configuration's jobs and by all others.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    plan::{Plan, live_since},
    store::table::JobState,
};

use super::{
    Medium, Times,
    entry::short,
    mark::{Mark, Tone},
    subject::{self, Subject},
    table::{Column, Row, render},
    text::{self, counted},
};

/// A run that is going on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ongoing {
    /// Since when.
    pub since: Timestamp,
    /// Where; `python`: on some host of crontabber 0.18 or older, which says no more.
    pub host: String,
    /// The run; `None`: a Python host's.
    pub run_id: Option<Uuid>,
    /// Until when its claim is proof; `None`: a Python host's is, for `max_ongoing_age`.
    pub lease_until: Option<Timestamp>,
    /// Which attempt at its slot it is.
    pub attempt: Option<i32>,
}

/// The host of runs that do not say theirs.
const PYTHON: &str = "python";

impl Ongoing {
    /// The run that a row holds, if it is respected: a Python host's for so long.
    #[must_use]
    pub fn of_row(row: &JobState, now: Timestamp, max_ongoing_age: Duration) -> Option<Self> {
        live_since(row, now, max_ongoing_age).map(|since| Self::since(row, since))
    }

    /// The run that a row holds since then.
    #[must_use]
    pub fn since(row: &JobState, since: Timestamp) -> Self {
        let claim = row.claim.as_ref();
        Self {
            since,
            host: claim.map_or_else(|| PYTHON.to_owned(), |claim| claim.host.clone()),
            run_id: claim.map(|claim| claim.run_id),
            lease_until: claim.map(|claim| claim.lease_until),
            attempt: claim.map(|claim| claim.attempt),
        }
    }

    /// `since 12s, lease 4m 48s`.
    #[must_use]
    pub fn words(&self, times: &Times) -> String {
        let since = times.since(self.since);
        match self.lease_until {
            Some(until) => format!("since {since}, lease {}", left(until, times)),
            None => format!("since {since}, run by a Python host"),
        }
    }

    /// Whether its lease has ended: its host is gone, and a pass of any other will say so.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.lease_until.is_some_and(|until| until < now)
    }
}

/// How long a lease lasts, or since when it does not.
fn left(until: Timestamp, times: &Times) -> String {
    if until < times.now {
        format!("ended {} ago", times.since(until))
    } else {
        let left = Times {
            now: until,
            ..*times
        };
        left.since(times.now)
    }
}

/// A table, the longest run first.
#[must_use]
pub fn text(plan: &Plan<'_>, medium: Medium) -> String {
    let times = Times {
        now: plan.now,
        medium,
    };
    let runs = runs(plan);
    let columns = [
        Column::left("RUN").toned(),
        Column::left("JOB").yields(1, 16),
        Column::left("HOST"),
        Column::left("SINCE"),
        Column::right("FOR"),
        Column::left("LEASE"),
        Column::right("ATTEMPT"),
    ];
    let rows: Vec<Row> = runs
        .iter()
        .map(|(subject, run)| row(subject, run, &times))
        .collect();
    let mut text = render(&columns, &rows, medium);
    if medium.is_terminal() {
        text.push_str(&footer(&runs));
    }
    text
}

fn row(subject: &Subject<'_>, run: &Ongoing, times: &Times) -> Row {
    let people = times.medium.is_terminal();
    let id = |id: Uuid| if people { short(id) } else { id.to_string() };
    let lease = |until: Timestamp| {
        if people {
            left(until, times)
        } else {
            until.to_string()
        }
    };
    let cells = vec![
        run.run_id.map(id).unwrap_or_default(),
        subject.name().to_owned(),
        run.host.clone(),
        times.clock(run.since),
        if people {
            times.since(run.since)
        } else {
            times.took(run.since, times.now)
        },
        run.lease_until.map(lease).unwrap_or_default(),
        run.attempt
            .map(|attempt| attempt.to_string())
            .unwrap_or_default(),
    ];
    let tone = if run.is_expired(times.now) {
        Tone::Bad
    } else {
        Tone::Well
    };
    Row {
        mark: Mark {
            sign: if tone == Tone::Bad { '!' } else { '●' },
            tone,
        },
        cells,
    }
}

fn footer(runs: &[(Subject<'_>, Ongoing)]) -> String {
    let hosts: BTreeSet<&str> = runs.iter().map(|(_, run)| run.host.as_str()).collect();
    match runs.len() {
        0 => "nothing is running\n".to_owned(),
        number => format!(
            "{} on {}\n",
            counted(number, "run"),
            counted(hosts.len(), "host")
        ),
    }
}

/// The longest first; what began at the same instant by name.
fn runs<'a>(plan: &'a Plan<'a>) -> Vec<(Subject<'a>, Ongoing)> {
    let mut runs: Vec<_> = subject::all(plan)
        .filter_map(|subject| Some((subject, subject.ongoing(plan.now)?)))
        .collect();
    runs.sort_by_key(|(subject, run)| (run.since, subject.name()));
    runs
}

/// A run as `ongoing --json` has it.
#[derive(Serialize)]
struct Run<'a> {
    name: &'a str,
    /// Whether this configuration has the job.
    known: bool,
    slot: Option<Timestamp>,
    trigger: Option<&'a str>,
    #[serde(flatten)]
    ongoing: &'a Ongoing,
}

/// An array of objects.
#[must_use]
pub fn json(plan: &Plan<'_>) -> String {
    let runs = runs(plan);
    let objects: Vec<Run<'_>> = runs
        .iter()
        .map(|(subject, ongoing)| {
            let claim = subject.row().and_then(|row| row.claim.as_ref());
            Run {
                name: subject.name(),
                known: matches!(subject, Subject::Job(_)),
                slot: claim.map(|claim| claim.slot),
                trigger: claim.map(|claim| claim.trigger.as_str()),
                ongoing,
            }
        })
        .collect();
    text::json(&objects)
}
