//! The listings of crontabber 0.18 (Python), in its words: scripts and people search for them.
//!
//! What is shown is the same table and plan that the new commands show. The wording, the order of the labels and the
//! zone of the instants are those of the old program; where it was wrong, the difference stands beside the code.

// The whole of each last error, and the zone.
pub mod memory;
// `3 hours, 1 minute`.
mod timesince;
// `--list-jobs`.
mod list_jobs;
// `--nagios`.
mod nagios;

use std::path::Path;

use crate::{
    dag::render,
    duration::written,
    plan::{Plan, Planned},
    schedule::Rule,
    spec::{JobSpec, Kind},
};

use super::text::harmless;

pub use self::{
    list_jobs::list_jobs,
    memory::Memory,
    nagios::{Status, broken, nagios},
};

/// The jobs in the order in which they are written: the main file first, then the others by name. crontabber lists
/// them in the order of its `jobs`, not of their dependencies.
#[must_use]
pub fn in_writing<'a>(plan: &'a Plan<'a>, main: &Path) -> Vec<&'a Planned<'a>> {
    let mut jobs: Vec<_> = plan.jobs.iter().collect();
    jobs.sort_by_key(|job| {
        let origin = &job.spec.origin;
        (origin.file != main, &origin.file, origin.line)
    });
    jobs
}

/// The rows that no job of the configuration has, with crontabber's headline; nothing where there are none.
#[must_use]
pub fn ghosts(plan: &Plan<'_>) -> String {
    let mut text = String::new();
    for (name, _) in &plan.ghosts {
        if text.is_empty() {
            text.push_str(
                "Found the following in the state database but not available as a configured job:\n",
            );
        }
        text.push('\t');
        text.push_str(&harmless(name));
        text.push('\n');
    }
    text
}

/// The Python class that a job calls, if it calls one.
#[must_use]
pub fn class(job: &JobSpec) -> Option<&str> {
    job.class.as_deref()
}

/// What a run does, in one line: where crontabber has a class with its module.
fn what(job: &JobSpec) -> String {
    if let Some(class) = class(job) {
        return class.to_owned();
    }
    match &job.kind {
        Kind::Command(argv) => argv.join(" "),
        Kind::Shell(text) => first_line(text).to_owned(),
        Kind::Sql(sql) => first_line(&sql.text).to_owned(),
        Kind::Action { name, .. } => format!("action {name}"),
    }
}

/// The same in a word: where crontabber has a class without its module.
fn what_in_a_word(job: &JobSpec) -> &str {
    if let Some(class) = class(job) {
        return class.rsplit('.').next().unwrap_or(class);
    }
    match &job.kind {
        Kind::Command(argv) => {
            let program = argv.first().map_or("", String::as_str);
            program.rsplit('/').next().unwrap_or(program)
        }
        Kind::Shell(_) => "shell",
        Kind::Sql(_) => "sql",
        Kind::Action { name, .. } => name,
    }
}

fn first_line(text: &str) -> &str {
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| !line.is_empty()).unwrap_or_default()
}

/// `1h`, `1d @ 03:45`; what crontabber has no words for as it is listed elsewhere.
fn frequency(job: &JobSpec) -> String {
    let rules = job.timetable.as_ref().map(|when| when.rules.as_slice());
    match rules {
        Some([Rule::Every { period, at: None }]) => written(*period),
        Some(
            [
                Rule::Every {
                    period,
                    at: Some(at),
                },
            ],
        ) if job
            .timetable
            .as_ref()
            .is_some_and(|when| when.timezone == "UTC") =>
        {
            format!("{} @ {}", written(*period), at.strftime("%H:%M"))
        }
        _ => render::when(job),
    }
}
