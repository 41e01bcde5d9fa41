//! The text of the first line: what is worst, by name as far as there is room.

use std::collections::HashSet;

use crate::{
    check::{Checked, Kind, Problem, Severity},
    view::text::counted,
};

use super::line::{cut, plain};

/// No name of the first line is longer, in bytes.
const NAME: usize = 60;

/// How many problems that are no job's the first line tells.
const OTHERS: usize = 2;

/// `2 of 10 jobs: feeds (4 errors), vacuum (overdue for 19h); 1 warning`, in at most so many bytes.
pub(super) fn of(checked: &Checked, room: usize) -> String {
    let Some(worst) = checked.worst() else {
        return cut(&all_is_well(checked), room).into_owned();
    };
    let told = |problem: &&Problem| problem.severity == worst;
    let problems: Vec<&Problem> = checked.problems.iter().filter(told).collect();
    let mut before = others(&problems);
    let mut after = ghosts(&problems);
    let warnings = checked.count(Severity::Warning);
    if worst == Severity::Critical && warnings > 0 {
        after.push(counted(warnings, "warning"));
    }
    let taken: usize = before.iter().chain(&after).map(|part| part.len() + 2).sum();
    before.extend(jobs(checked, &problems, room.saturating_sub(taken)));
    before.extend(after);
    cut(&before.join("; "), room).into_owned()
}

fn all_is_well(checked: &Checked) -> String {
    let figures = &checked.figures;
    let states = [(figures.ongoing, "ongoing"), (figures.paused, "paused")];
    let states = states.into_iter().filter(|&(number, _)| number > 0);
    let states = states.map(|(number, state)| format!(", {number} {state}"));
    counted(figures.jobs, "job") + &states.collect::<String>()
}

/// What is no job's: that no host passes, that a clock is off.
fn others(problems: &[&Problem]) -> Vec<String> {
    let others = problems.iter().filter(|problem| problem.name.is_none());
    others
        .take(OTHERS)
        .map(|problem| cut(&plain(&problem.brief), NAME).into_owned())
        .collect()
}

fn ghosts(problems: &[&Problem]) -> Vec<String> {
    let is_ghost = |problem: &&&Problem| problem.kind == Kind::Ghost;
    match problems.iter().filter(is_ghost).count() {
        0 => Vec::new(),
        number => vec![counted(number, "ghost")],
    }
}

/// Each job once, with its first problem.
fn jobs(checked: &Checked, problems: &[&Problem], room: usize) -> Option<String> {
    let mut met = HashSet::new();
    let mut jobs: Vec<(&str, &str)> = Vec::new();
    for problem in problems
        .iter()
        .filter(|problem| problem.kind != Kind::Ghost)
    {
        let Some(name) = problem.name.as_deref() else {
            continue;
        };
        if met.insert(name) {
            jobs.push((name, &problem.brief));
        }
    }
    if jobs.is_empty() {
        return None;
    }
    let all = checked.figures.jobs.max(jobs.len());
    let mut text = format!("{} of {}", jobs.len(), counted(all, "job"));
    for (told, (name, brief)) in jobs.iter().enumerate() {
        let separator = if told == 0 { ": " } else { ", " };
        let next = format!(
            "{separator}{} ({})",
            cut(&plain(name), NAME),
            cut(&plain(brief), NAME)
        );
        let more = format!(", and {} more", jobs.len() - told);
        let is_last = told + 1 == jobs.len();
        let needed = text.len() + next.len() + if is_last { 0 } else { more.len() };
        if needed > room {
            if told > 0 {
                text.push_str(&more);
            }
            break;
        }
        text.push_str(&next);
    }
    Some(text)
}
