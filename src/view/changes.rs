//! What came of a change by hand: what was done to each job, or why nothing, and what to type next.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    control::{Change, Happened},
    exit::Exit,
    plan::ON_LOST,
    store::table::{JobState, never},
};

use super::{
    Times,
    lines::Lines,
    list::Pause,
    mark::{Mark, Tone},
    ongoing::Ongoing,
    text::{self, counted, harmless},
    why::{pause, quoted},
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
            ongoing: after.and_then(|row| Ongoing::of_row(row, now)),
            why: self.said(change),
        }
    }

    /// 0: it is so now, whoever brought it about; else the reason that keeps it from being so, 3 before 2 before 1.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let exits = self.changes.iter().map(exit_of);
        exits.max_by_key(|exit| exit.code()).unwrap_or(Exit::Ok)
    }

    fn said(&self, change: &Change) -> String {
        let (Some(before), after) = (&change.before, change.after.as_ref()) else {
            return "has no row: no host has met it yet, or it was removed".to_owned();
        };
        match (&change.happened, self.verb) {
            (Happened::Done, Verb::Pause) => self.paused(before, after),
            (Happened::Done, Verb::Resume) => {
                let held = is_held(before, self.times.now).then_some("was held after a lost run; ");
                format!("{}{}", held.unwrap_or_default(), self.next(after))
            }
            (Happened::Done, Verb::Reset) => self.reset(before, after),
            (Happened::Done, Verb::Mark) => {
                let slot = change
                    .slot
                    .map(|slot| self.times.both(slot))
                    .unwrap_or_default();
                format!("slot {slot} counts as succeeded; {}", self.next(after))
            }
            (Happened::Done, Verb::Remove) => "its row is removed; its history stays".to_owned(),
            (refused, _) => self.refused(refused, &change.name, before),
        }
    }

    fn paused(&self, before: &JobState, after: Option<&JobState>) -> String {
        let until = after
            .and_then(|row| row.paused_until)
            .filter(|&until| until < never());
        let until = until.map_or_else(
            || "somebody resumes it".to_owned(),
            |until| self.times.both(until),
        );
        let mut words = vec![format!("is paused until {until}")];
        if is_held(before, self.times.now) {
            words.push("it was held after a lost run".to_owned());
        } else if is_paused(before, self.times.now) {
            let pause = pause(Some(before), &self.times);
            words.push(format!("before, it was {pause}"));
        }
        if let Some(run) = Ongoing::of_row(before, self.times.now) {
            words.push(format!("its run on {} goes on", run.host));
        }
        words.join("; ")
    }

    fn reset(&self, before: &JobState, after: Option<&JobState>) -> String {
        let errors = usize::try_from(before.error_count).unwrap_or(0);
        let mut words = vec![match errors {
            0 => "had no errors".to_owned(),
            1 => "its error is forgotten".to_owned(),
            many => format!("its {} are forgotten", counted(many, "error")),
        }];
        if is_held(before, self.times.now) {
            words.push("it is held no longer".to_owned());
        }
        if let Some(since) = before.ongoing {
            words.push(format!(
                "the run that a Python host started {} is counted as lost, but its process may still be running",
                self.times.both(since)
            ));
        }
        words.push(self.next(after));
        words.join("; ")
    }

    /// When it runs next.
    fn next(&self, after: Option<&JobState>) -> String {
        let Some(row) = after else {
            return "it was removed meanwhile".to_owned();
        };
        if is_held(row, self.times.now) {
            return "it waits for a person still, after a lost run".to_owned();
        }
        if is_paused(row, self.times.now) {
            return format!("it is still {}", pause(Some(row), &self.times));
        }
        if let Some(run) = Ongoing::of_row(row, self.times.now) {
            return format!("it is running on {}", run.host);
        }
        match (row.next_run, row.pending()) {
            (Some(at), Some(slot)) if at <= self.times.now => {
                format!("it is due now, for its slot {}", self.times.both(slot))
            }
            (Some(at), _) if at < never() => format!("it runs next {}", self.times.both(at)),
            _ => "it runs when its parents or people start it".to_owned(),
        }
    }

    fn refused(&self, why: &Happened, name: &str, row: &JobState) -> String {
        let typed = quoted(name).unwrap_or_else(|| "JOB".to_owned());
        match why {
            Happened::Ongoing => self.ongoing(row, &typed),
            Happened::NotPaused => "is not paused".to_owned(),
            Happened::Paused => format!("is paused; first: crontabber resume {typed}"),
            Happened::Succeeded(slot) => {
                let slot = self.times.both(*slot);
                format!("nothing to do: its slot {slot} has succeeded, and no failure is left")
            }
            Happened::NoSlot => "has no slot yet that could have succeeded".to_owned(),
            Happened::KnownBy(hosts) if hosts.is_empty() => {
                "was met by a host that knows it a moment ago".to_owned()
            }
            Happened::KnownBy(hosts) => format!(
                "is known on {}, which would make its row anew; --force removes it all the same",
                hosts.join(", ")
            ),
            Happened::Ended => "is not running any more".to_owned(),
            Happened::AskedBefore => "was asked to stop before".to_owned(),
            Happened::Done | Happened::NoRow | Happened::ChangedMeanwhile => format!(
                "was changed by somebody else at this moment; look again: crontabber show {typed}"
            ),
        }
    }

    fn ongoing(&self, row: &JobState, typed: &str) -> String {
        let now = self.times.now;
        let Some(claim) = &row.claim else {
            let since = row
                .ongoing
                .map(|since| self.times.both(since))
                .unwrap_or_default();
            return format!(
                "was started by a Python host {since}, which has not recorded it yet; where that process is dead: \
                 crontabber reset {typed} --clear-ongoing"
            );
        };
        let since = row.ongoing.unwrap_or(now);
        let running = format!(
            "is running on {} since {}, run {}",
            claim.host,
            self.times.both(since),
            claim.run_id
        );
        if claim.lease_until < now {
            let ended = self.times.both(claim.lease_until);
            return format!(
                "{running}; its lease ended {ended}: a pass of any host counts it as lost, then type this again"
            );
        }
        format!("{running}; to stop it: crontabber cancel {typed}")
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
            row.is_some_and(|row| {
                Ongoing::of_row(row, self.times.now).is_some_and(|run| run.run_id.is_some())
            })
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

fn is_paused(row: &JobState, now: Timestamp) -> bool {
    row.paused_until.is_some_and(|until| until > now)
}

fn is_held(row: &JobState, now: Timestamp) -> bool {
    is_paused(row, now) && row.paused_by.as_deref() == Some(ON_LOST)
}
