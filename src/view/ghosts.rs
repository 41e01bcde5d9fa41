//! Rows that no job of this configuration has: what they hold, and who knows them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    control::Ghost,
    plan::{Plan, State, next_run},
    store::table::JobState,
};

use super::{
    Medium, Times,
    list::Pause,
    mark::Mark,
    ongoing::Ongoing,
    table::{Column, Row, render},
    text::{self, counted},
};

/// A ghost as `ghosts --json` has it.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    name: &'a str,
    next_run: Option<Timestamp>,
    last_run: Option<Timestamp>,
    last_success: Option<Timestamp>,
    last_host: Option<&'a str>,
    error_count: i32,
    last_error: Option<&'a str>,
    paused: Option<Pause<'a>>,
    ongoing: Option<Ongoing>,
    known_by: &'a [String],
}

/// A table, and for people what it means and what to type next.
#[must_use]
pub fn text(plan: &Plan<'_>, known: &BTreeMap<String, Ghost>, medium: Medium) -> String {
    let times = Times {
        now: plan.now,
        medium,
    };
    let columns = [
        Column::left("JOB").yields(1, 16),
        Column::left("LAST"),
        Column::right("ERR"),
        Column::left("HOST"),
        Column::left("NEXT"),
        Column::left("KNOWN BY").yields(2, 12),
    ];
    let rows: Vec<Row> = plan
        .ghosts
        .iter()
        .map(|(name, row)| line(name, row, known.get(*name), &times))
        .collect();
    let mut text = render(&columns, &rows, medium);
    if medium.is_terminal() {
        text.push_str(&footer(rows.len()));
    }
    text
}

/// An array of objects, by name.
#[must_use]
pub fn json(plan: &Plan<'_>, known: &BTreeMap<String, Ghost>) -> String {
    let ghosts = plan.ghosts.iter();
    let listed: Vec<Listed<'_>> = ghosts
        .map(|&(name, row)| listed(name, row, known.get(name), plan))
        .collect();
    text::json(&listed)
}

fn listed<'a>(
    name: &'a str,
    row: &'a JobState,
    ghost: Option<&'a Ghost>,
    plan: &Plan<'_>,
) -> Listed<'a> {
    Listed {
        name,
        next_run: next_run(row),
        last_run: row.last_run,
        last_success: row.last_success,
        last_host: ghost.and_then(|ghost| ghost.last_host.as_deref()),
        error_count: row.error_count,
        last_error: row.last_error.as_deref(),
        paused: Pause::of_row(row, plan.now),
        ongoing: Ongoing::of_row(row, plan.now, plan.max_ongoing_age),
        known_by: ghost.map_or(&[], |ghost| ghost.known_by.as_slice()),
    }
}

fn line(name: &str, row: &JobState, ghost: Option<&Ghost>, times: &Times) -> Row {
    let known_by = ghost.map(|ghost| ghost.known_by.join(", "));
    let cells = vec![
        name.to_owned(),
        times.when_any(row.last_run),
        row.error_count.to_string(),
        ghost
            .and_then(|ghost| ghost.last_host.clone())
            .unwrap_or_default(),
        times.when_any(row.next_run),
        known_by.unwrap_or_default(),
    ];
    Row {
        mark: Mark::of_state(State::Ghost),
        cells,
    }
}

fn footer(ghosts: usize) -> String {
    match ghosts {
        0 => "no ghosts: this configuration knows every row\n".to_owned(),
        many => format!(
            "{} that no job of this configuration has.\nhint: crontabber ghosts --remove NAME --yes   deletes its row, not its history\n",
            counted(many, "row")
        ),
    }
}
