//! What a check has found, as Nagios, Icinga and their kin read it: one line that says it all and carries the
//! figures, then a line a problem.
//!
//! The rules are those of the Monitoring Plugins' guidelines: the exit code decides, everything is on standard output,
//! and the first `|` ends the text. So texts are made plain: whatever bytes a job's error holds, there is one `|` in
//! all, before the figures, and no control character.

mod headline;
mod line;
mod perfdata;

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use crate::check::{Checked, Figures, Limits, Problem, Severity};

use super::text;

use line::{cut, plain};

/// The answer of a plugin: the worst there is, or that nothing can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// All is well.
    Ok,
    /// Somebody should look.
    Warning,
    /// Somebody should look now.
    Critical,
    /// The question could not be answered.
    Unknown,
}

/// The first line has fewer bytes: a pager shows little more, and some transports cut it.
pub const FIRST_LINE: usize = 300;

/// The whole answer has fewer bytes: NRPE and older Nagios cut there, silently.
pub const ALL: usize = 4096;

/// No line of the long output is longer: one error must not take the room of ten.
const LINE: usize = 400;

impl Status {
    /// Of what was found.
    #[must_use]
    pub fn of(checked: &Checked) -> Self {
        match checked.worst() {
            None => Self::Ok,
            Some(Severity::Warning) => Self::Warning,
            Some(Severity::Critical) => Self::Critical,
        }
    }

    /// The exit code, as the guidelines have it.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        })
    }
}

/// The status line with its figures, then a line a problem, the worst first.
#[must_use]
pub fn text(checked: &Checked, limits: &Limits) -> String {
    let figures = format!(" | {}\n", perfdata::of(checked, limits));
    let room = FIRST_LINE.saturating_sub(1 + figures.len());
    let mut text = status_line(Status::of(checked), room, |room| {
        headline::of(checked, room)
    });
    text.push_str(&figures);
    push_problems(&mut text, &checked.problems);
    text
}

/// The one line of a check that found nothing out.
#[must_use]
pub fn failure(status: Status, message: &str) -> String {
    let whole = |room| cut(&plain(message), room).into_owned();
    status_line(status, FIRST_LINE - 2, whole) + "\n"
}

/// `CRONTABBER OK: ` and a text, in so many bytes together.
fn status_line(status: Status, room: usize, text: impl FnOnce(usize) -> String) -> String {
    let mut line = format!("CRONTABBER {status}: ");
    line.push_str(&text(room.saturating_sub(line.len())));
    line
}

fn push_problems(text: &mut String, problems: &[Problem]) {
    for (told, problem) in problems.iter().enumerate() {
        let line = format!("{}\n", cut(&plain(&told_of(problem)), LINE));
        let left = problems.len() - told;
        let more = format!("and {left} more: `crontabber check --json` tells all of them\n");
        // What is left after this line must still fit, or the line that says how many there are.
        if text.len() + line.len() + more.len() >= ALL {
            text.push_str(&more);
            return;
        }
        text.push_str(&line);
    }
}

/// `CRITICAL feeds: 4 errors in a row, ...`.
fn told_of(problem: &Problem) -> String {
    let severity = match problem.severity {
        Severity::Warning => "WARNING ",
        Severity::Critical => "CRITICAL",
    };
    match &problem.name {
        Some(name) => format!("{severity} {}: {}", cut(name, LINE / 4), problem.sentence),
        None => format!("{severity} {}", problem.sentence),
    }
}

/// An answer as programs read it.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    status: Status,
    exit_code: u8,
    summary: &'a str,
    now: Option<Timestamp>,
    problems: &'a [Problem],
    figures: Option<&'a Figures>,
}

/// An object, every problem in it.
#[must_use]
pub fn json(checked: &Checked) -> String {
    let status = Status::of(checked);
    text::json(&Answer {
        status,
        exit_code: status.code(),
        summary: &headline::of(checked, FIRST_LINE),
        now: Some(checked.now),
        problems: &checked.problems,
        figures: Some(&checked.figures),
    })
}

/// The same object for a check that found nothing out.
#[must_use]
pub fn failure_json(status: Status, message: &str) -> String {
    text::json(&Answer {
        status,
        exit_code: status.code(),
        summary: message,
        now: None,
        problems: &[],
        figures: None,
    })
}
