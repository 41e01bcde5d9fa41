//! What came of a change by hand: what was done to each job, or why nothing, and what to type next.

mod said;

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    control::{Change, Happened},
    exit::Exit,
    store::table::{JobState, never},
};

use super::{
    Times,
    lines::Lines,
    list::Pause,
    mark::{Mark, Tone},
    ongoing::Ongoing,
    text::{self, harmless},
    why::quoted,
};

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `pause`.
    Pause,
    /// `resume`.
    Resume,
    /// `reset`.
    Reset,
    /// `mark --success`.
    Mark,
    /// `ghosts --remove`.
    Remove,
}

impl Verb {
    /// The word in JSON and in pipes for a job that it was done to.
    #[must_use]
    pub fn done(self) -> &'static str {
        match self {
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Reset => "reset",
            Self::Mark => "marked",
            Self::Remove => "removed",
        }
    }
}

/// The answer to a command that changes jobs.
#[derive(Debug)]
pub struct Changes<'a> {
    /// What was asked for.
    pub verb: Verb,
    /// What happened to each job.
    pub changes: &'a [Change],
    /// How to say when.
    pub times: Times,
    /// How long a Python host's `ongoing` is respected.
    pub max_ongoing_age: Duration,
}

/// A change in JSON.
#[derive(Debug, Serialize)]
struct Changed<'a> {
    name: &'a str,
    did: Option<&'static str>,
    refused: Option<&'static str>,
    slot: Option<Timestamp>,
    before: Option<Row<'a>>,
    after: Option<Row<'a>>,
    ongoing: Option<Ongoing>,
    why: String,
}

/// What people change of a row.
#[derive(Debug, Serialize)]
struct Row<'a> {
    slot: Option<Timestamp>,
    next_run: Option<Timestamp>,
    success_slot: Option<Timestamp>,
    error_count: i32,
    paused: Option<Pause<'a>>,
}

impl<'a> Row<'a> {
    fn of(row: &'a JobState, now: Timestamp) -> Self {
        let by_clock = |at: Option<Timestamp>| at.filter(|&at| at < never());
        Self {
            slot: by_clock(row.pending()),
            next_run: by_clock(row.next_run),
            success_slot: row.success_slot,
            error_count: row.error_count,
            paused: Pause::of_row(row, now),
        }
    }
}

impl Changes<'_> {
    /// One line a job: what was done, or that there was nothing to do; for people also what to type next.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines = Lines::new(self.times.medium);
        for change in self
            .changes
            .iter()
            .filter(|change| exit_of(change) == Exit::Ok)
        {
            let (sign, tone) = match change.happened {
                Happened::Done => ('✓', Tone::Well),
                _ => ('○', Tone::Plain),
            };
            let word = change.happened.refused().unwrap_or(self.verb.done());
            let name = harmless(&change.name);
            lines.marked(Mark { sign, tone }, word, &name, &self.said(change));
        }
        if self.times.medium.is_terminal() {
            for hint in self.hints() {
                lines.line(&format!("hint: {hint}"));
            }
        }
        lines.into_text()
    }

    /// Why it was refused for some, one line each; for stderr.
    #[must_use]
    pub fn refusals(&self) -> String {
        let mut lines = Lines::new(self.times.medium);
        for change in self
            .changes
            .iter()
            .filter(|change| exit_of(change) != Exit::Ok)
        {
            lines.line(&format!(
                "not {}: {} {}",
                self.verb.done(),
                change.name,
                self.said(change)
            ));
        }
        lines.into_text()
    }

    /// An array of objects, one a job.
    #[must_use]
    pub fn json(&self) -> String {
        let changed = |change| self.changed(change);
        let objects: Vec<Changed<'_>> = self.changes.iter().map(changed).collect();
        text::json(&objects)
    }

    fn changed<'a>(&self, change: &'a Change) -> Changed<'a> {
        let now = self.times.now;
        let after = change.after.as_ref();
        Changed {
            name: &change.name,
            did: (change.happened == Happened::Done).then(|| self.verb.done()),
            refused: change.happened.refused(),
            slot: change.slot,
            before: change.before.as_ref().map(|row| Row::of(row, now)),
            after: after.map(|row| Row::of(row, now)),
            ongoing: after.and_then(|row| self.run_of(row)),
            why: self.said(change),
        }
    }

    /// 0: it is so now, whoever brought it about; else the reason that keeps it from being so, 3 before 2 before 1.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let exits = self.changes.iter().map(exit_of);
        exits.max_by_key(|exit| exit.code()).unwrap_or(Exit::Ok)
    }

    /// The run that a row holds.
    fn run_of(&self, row: &JobState) -> Option<Ongoing> {
        Ongoing::of_row(row, self.times.now, self.max_ongoing_age)
    }

    fn hints(&self) -> Vec<String> {
        let done: Vec<&Change> = self
            .changes
            .iter()
            .filter(|change| change.happened == Happened::Done)
            .collect();
        let names: Vec<String> = done
            .iter()
            .filter_map(|change| quoted(&change.name))
            .collect();
        let some = match names.len() {
            0 => return Vec::new(),
            1..=5 => names.join(" "),
            _ => "JOB".to_owned(),
        };
        let running = done.iter().find(|change| {
            let row = change.after.as_ref();
            row.is_some_and(|row| self.run_of(row).is_some_and(|run| run.run_id.is_some()))
        });
        let running = running.and_then(|change| quoted(&change.name));
        match self.verb {
            Verb::Pause => {
                let cancel = running.map(|name| format!("crontabber cancel {name}"));
                [format!("crontabber resume {some}")]
                    .into_iter()
                    .chain(cancel)
                    .collect()
            }
            Verb::Resume | Verb::Mark => vec![format!("crontabber why {}", names[0])],
            Verb::Reset => vec![format!("crontabber run {} --force   runs it now", names[0])],
            Verb::Remove => vec![format!("crontabber history {}", names[0])],
        }
    }
}

/// What a command says with its exit code about one job.
fn exit_of(change: &Change) -> Exit {
    match change.happened {
        Happened::Done
        | Happened::NoRow
        | Happened::NotPaused
        | Happened::Succeeded(_)
        | Happened::NoSlot
        | Happened::AskedBefore
        | Happened::Ended => Exit::Ok,
        Happened::Paused | Happened::KnownBy(_) => Exit::Failed,
        Happened::ChangedMeanwhile => Exit::Contended,
        Happened::Ongoing => Exit::Ongoing,
    }
}
