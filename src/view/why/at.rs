//! What became of one slot: what the log says of it, or what is still to come.

mod said;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    plan::next_run,
    schedule::Timetable,
    store::table::JobState,
    view::{
        Times,
        entry::{Entry, OfSlot, short},
        lines::Lines,
        mark::Mark,
        subject::Subject,
        text,
    },
};

use super::{
    Command, Known, Why,
    commands::{quoted, tell_commands},
    explain,
};

/// What became of a slot. In JSON as it stands here.
#[derive(Debug, Serialize)]
pub struct At {
    /// The job.
    pub name: String,
    /// The instant that was asked about.
    pub at: Timestamp,
    /// The slot it names: that instant, or the latest before it; `None`: there is none.
    pub slot: Option<Timestamp>,
    /// What became of it.
    pub verdict: Verdict,
    /// The answer, in a sentence or two.
    pub conclusion: String,
    /// Its attempts, and the range in which it was left behind, oldest first.
    pub entries: Vec<Entry>,
    /// Why the job runs or does not run now; only of a slot that is pending or ahead.
    pub why: Option<Why>,
    /// What to type next.
    pub commands: Vec<Command>,
}

/// What became of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A run for it has succeeded, or somebody has marked it.
    Success,
    /// A run for it is going on.
    Running,
    /// It has come, and its verdict has not.
    Pending,
    /// It has not come.
    Ahead,
    /// Its runs have all ended otherwise, and it is not tried again.
    Failure,
    /// It was left behind without a run.
    Skipped,
    /// The log has nothing of it.
    Unknown,
}

/// A slot, as it was found.
struct Found<'a> {
    slot: Timestamp,
    /// The runs for it, oldest first.
    runs: Vec<&'a Entry>,
    /// The range in which it was left behind.
    skipped: Option<&'a Entry>,
    verdict: Verdict,
}

/// Finds what became of the slot of a row that `at` names; `log` is what [`crate::view::entry::of_slot`] has read for both.
#[must_use]
pub fn explain_at(subject: &Subject<'_>, at: Timestamp, log: &OfSlot, known: &Known<'_>) -> At {
    let found = find(subject, at, &log.its, known.times.now);
    let verdict = found.as_ref().map_or(Verdict::Unknown, |it| it.verdict);
    let is_to_come = matches!(verdict, Verdict::Pending | Verdict::Ahead);
    let why = is_to_come.then(|| explain(subject, known));
    let mut conclusion = said::conclusion(subject, found.as_ref(), log, known);
    match &found {
        None => conclusion = format!("{} {conclusion}", said::no_slot(subject, at, &known.times)),
        Some(found) if found.slot != at => {
            let note = said::another(subject, at, found.slot, &known.times);
            conclusion = format!("{note} {conclusion}");
        }
        Some(_) => {}
    }
    if let Some(why) = &why {
        conclusion = format!("{conclusion} {}", why.conclusion);
    }
    let commands = match &found {
        Some(found) if !is_to_come => commands(subject, found, log),
        _ => Vec::new(),
    };
    let entries = found.as_ref().map_or_else(Vec::new, |found| {
        let entries = found.skipped.iter().chain(&found.runs);
        entries.map(|&entry| entry.clone()).collect()
    });
    At {
        name: subject.name().to_owned(),
        at,
        slot: found.map(|found| found.slot),
        verdict,
        conclusion,
        entries,
        why,
        commands,
    }
}

fn find<'a>(
    subject: &Subject<'_>,
    at: Timestamp,
    its: &'a [Entry],
    now: Timestamp,
) -> Option<Found<'a>> {
    let slot = slot(subject, at, its)?;
    let runs: Vec<_> = its
        .iter()
        .filter(|entry| entry.is_run() && entry.slot == Some(slot))
        .collect();
    let skipped = its.iter().rfind(|entry| {
        !entry.is_run()
            && entry.slot <= Some(slot)
            && entry.slot_until.or(entry.slot) >= Some(slot)
            && !runs.iter().any(|run| is_by_hand(run))
    });
    let has = |outcome: &str| runs.iter().any(|run| run.outcome == outcome);
    let verdict = if has("success") {
        Verdict::Success
    } else if has("running") {
        Verdict::Running
    } else if is_to_come(subject, slot) {
        if slot > now {
            Verdict::Ahead
        } else {
            Verdict::Pending
        }
    } else if !runs.is_empty() {
        Verdict::Failure
    } else if skipped.is_some() {
        Verdict::Skipped
    } else {
        Verdict::Unknown
    };
    Some(Found {
        slot,
        runs,
        skipped,
        verdict,
    })
}

/// The slot that an instant names.
///
/// The pending one and those behind it follow from the schedule. Of those before it the log knows best: the schedule may
/// have been another one then. Plain periods count from the newest that it knows.
fn slot(subject: &Subject<'_>, at: Timestamp, its: &[Entry]) -> Option<Timestamp> {
    let logged = its.iter().filter_map(|entry| {
        let last = entry.slot_until.or(entry.slot)?;
        (last <= at).then_some(last).or(entry.slot)
    });
    let logged = logged.max();
    if logged == Some(at) {
        return logged;
    }
    let pending = scheduled(subject).filter(|&slot| slot <= at);
    let known = pending.or(logged).or(scheduled(subject)).unwrap_or(at);
    let by_schedule = timetable(subject).and_then(|when| when.latest(at, known));
    logged.max(pending).max(by_schedule)
}

fn timetable<'a>(subject: &Subject<'a>) -> Option<&'a Timetable> {
    match subject {
        Subject::Job(job) => job.spec.timetable.as_ref(),
        Subject::Ghost(..) => None,
    }
}

/// The pending slot, where it is not one that was handled already: as it is in a job that its parents start.
fn scheduled(subject: &Subject<'_>) -> Option<Timestamp> {
    match subject {
        Subject::Job(job) if job.spec.timetable.is_some() || job.spec.keep_running => {
            subject.row()?.pending()
        }
        _ => None,
    }
}

/// Whether the verdict of a slot is still to come: it is the pending one or behind that, or waits to be tried again.
fn is_to_come(subject: &Subject<'_>, slot: Timestamp) -> bool {
    if let Some(pending) = scheduled(subject) {
        return slot >= pending;
    }
    let is_retried = |row: &JobState| row.slot == Some(slot) && next_run(row).is_some();
    subject.row().is_some_and(is_retried)
}

/// Whether it is a run that somebody has asked for, and that no schedule knows of.
fn is_by_hand(run: &Entry) -> bool {
    run.trigger.as_deref() == Some("manual") && !said::is_marked(run)
}

/// When a slot might have started.
fn start_of(subject: &Subject<'_>, slot: Timestamp) -> Timestamp {
    match subject {
        Subject::Job(job) => job.spec.start_of(&job.name, slot),
        Subject::Ghost(..) => slot,
    }
}

/// What to type next.
fn commands(subject: &Subject<'_>, found: &Found<'_>, log: &OfSlot) -> Vec<Command> {
    let mut commands = Vec::new();
    let told = found.runs.last().copied();
    let stood_in = found
        .skipped
        .and_then(|skipped| said::passed_by(skipped, &log.others));
    let logs = |purpose: &str, run: &Entry| {
        Some(Command {
            purpose: purpose.to_owned(),
            command: format!("crontabber logs {}", short(run.run_id?)),
        })
    };
    match (told, stood_in) {
        (Some(run), _) => commands.extend(logs("To see what it printed:", run)),
        (None, Some(run)) => commands.extend(logs("To see what ran instead:", run)),
        (None, None) => {}
    }
    let parents = found.skipped.map(said::blamed).unwrap_or_default();
    commands.extend(parents.iter().filter_map(|parent| {
        Some(Command {
            purpose: "To see what kept it:".to_owned(),
            command: format!("crontabber why {} --at {}", quoted(parent)?, found.slot),
        })
    }));
    let is_here = |subject: &Subject<'_>| match subject {
        Subject::Job(job) => job.is_here && job.spec.timetable.is_some(),
        Subject::Ghost(..) => false,
    };
    let is_left = matches!(
        found.verdict,
        Verdict::Failure | Verdict::Skipped | Verdict::Unknown
    );
    if is_left && is_here(subject) && !found.runs.iter().any(|run| is_by_hand(run)) {
        let (job, slot) = (subject.job(), found.slot);
        commands.push(Command {
            purpose: "To make up for it:".to_owned(),
            command: format!("crontabber backfill {job} --from {slot} --to {slot}"),
        });
    }
    if found.verdict == Verdict::Unknown {
        commands.extend(quoted(subject.name()).map(|name| Command {
            purpose: "To see what the log has:".to_owned(),
            command: format!("crontabber history {name}"),
        }));
    }
    commands
}

impl At {
    /// The sentence, a line for each entry, and what to type next; of a slot that is to come all that `why` says.
    #[must_use]
    pub fn text(&self, times: &Times) -> String {
        let medium = times.medium;
        let mut lines = Lines::new(medium);
        lines.line(&self.conclusion);
        for entry in &self.entries {
            let label = match entry.attempt {
                Some(attempt) if entry.is_run() => format!("attempt {attempt}"),
                _ => "no attempt".to_owned(),
            };
            let mark = Mark::of_outcome(&entry.outcome);
            lines.marked(mark, &entry.outcome, &label, &said::entry(entry, times));
        }
        if let Some(why) = &self.why {
            why.tell_checks(&mut lines);
        }
        if medium.is_terminal() {
            let of_why = self.why.iter().flat_map(|why| &why.commands);
            tell_commands(&mut lines, of_why.chain(&self.commands));
        }
        lines.into_text()
    }

    /// An object.
    #[must_use]
    pub fn json(&self) -> String {
        text::json(self)
    }
}
