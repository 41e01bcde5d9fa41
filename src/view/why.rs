//! Why a job runs or does not run now: everything that a claim will ask, asked one by one.

pub mod at;
mod checks;
mod commands;

use serde::Serialize;

use crate::{
    dag::JobGraph,
    place::Place,
    plan::{Block, Due, Live, NotHere, Plan, Planned, State, Trigger, Verdict},
};

use super::{
    Medium, Times,
    lines::Lines,
    mark::{Mark, Tone},
    subject::Subject,
    text,
};

pub(super) use checks::pause;
pub use commands::Command;
pub(crate) use commands::quoted;
use commands::tell_commands;

/// What an explanation is made from.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What a pass would do.
    pub plan: &'a Plan<'a>,
    /// The jobs and who waits for whom.
    pub graph: &'a JobGraph,
    /// This host.
    pub place: &'a Place,
    /// How to say when.
    pub times: Times,
}

/// An explanation. In JSON as it stands here.
#[derive(Debug, Serialize)]
pub struct Why {
    /// The job.
    pub name: String,
    /// Its state.
    pub state: State,
    /// The answer, in one sentence.
    pub conclusion: String,
    /// What was asked, one by one; nothing for a ghost.
    pub checks: Vec<Check>,
    /// What to type next.
    pub commands: Vec<Command>,
}

/// One thing that must be so for a job to run.
#[derive(Debug, Serialize)]
pub struct Check {
    /// Which, in a word or two.
    pub check: &'static str,
    /// Whether it is so; `None`: it is asked only when something else is so.
    pub passed: Option<bool>,
    /// Why, in a sentence.
    pub detail: String,
}

/// Explains the state of one job, or of a row that no job has.
#[must_use]
pub fn explain(subject: &Subject<'_>, known: &Known<'_>) -> Why {
    let (conclusion, checks) = match subject {
        Subject::Job(job) => (conclusion(job, known), checks::of(job, known)),
        Subject::Ghost(name, ..) => (ghost(name, subject, &known.times), Vec::new()),
    };
    Why {
        name: subject.name().to_owned(),
        state: subject.state(known.plan.now),
        conclusion,
        checks,
        commands: commands::after(subject),
    }
}

impl Why {
    /// The sentence, the checks, and for people what to type next.
    #[must_use]
    pub fn text(&self, medium: Medium) -> String {
        let mut lines = Lines::new(medium);
        lines.line(&self.conclusion);
        self.tell_checks(&mut lines);
        if medium.is_terminal() {
            tell_commands(&mut lines, &self.commands);
        }
        lines.into_text()
    }

    /// A line for each check.
    fn tell_checks(&self, lines: &mut Lines) {
        for check in &self.checks {
            let (sign, tone, word) = match check.passed {
                Some(true) => ('✓', Tone::Well, "yes"),
                Some(false) => ('✗', Tone::Bad, "no"),
                None => ('○', Tone::Plain, "-"),
            };
            lines.marked(Mark { sign, tone }, word, check.check, &check.detail);
        }
    }

    /// An object.
    #[must_use]
    pub fn json(&self) -> String {
        text::json(self)
    }
}

fn conclusion(job: &Planned<'_>, known: &Known<'_>) -> String {
    let (name, times) = (&job.name, &known.times);
    match &job.verdict {
        Verdict::New(_) => format!(
            "{name} is not running because no host has met it yet: the next pass makes its row."
        ),
        Verdict::Run(due) => due_now(job, due, known),
        Verdict::NotYet(at) if job.row.is_some_and(|row| row.error_count > 0) => {
            format!(
                "{name} is not running because its last run failed; it runs again {}.",
                times.both(*at)
            )
        }
        Verdict::NotYet(at) if job.spec.keep_running => format!(
            "{name} is not running because its last run has ended; it is started again {}.",
            times.both(*at)
        ),
        Verdict::NotYet(at) => format!(
            "{name} is not running because it is not due; it runs {}.",
            times.both(*at)
        ),
        Verdict::AfterParents if job.spec.depends_on.is_empty() => {
            format!(
                "{name} is not running because nothing starts it but a person: it has no schedule and no parents."
            )
        }
        Verdict::AfterParents => {
            format!(
                "{name} is not running because its parents have not all succeeded since it ran last."
            )
        }
        Verdict::NoHost(no_host) => {
            let why = no_host.sentence(|at| format!("since {}", times.both(at)));
            format!("{name} is due, but there is {why}.")
        }
        Verdict::Blocked(blocks) => blocked(job, blocks),
        Verdict::Skip(skip) if !skip.blocks.is_empty() => blocked(job, &skip.blocks),
        Verdict::Skip(skip) => format!(
            "{name} is not running because {skip}; the next pass writes that down and waits for {}.",
            skip.slot
                .map_or_else(|| "nothing more".to_owned(), |slot| times.both(slot))
        ),
        Verdict::Ongoing(live) => ongoing(job, live, times),
        Verdict::Paused(_) => format!(
            "{name} is not running because it is {}.",
            checks::pause(job.row, times)
        ),
        Verdict::Held => {
            let why = checks::pause(job.row, times);
            format!("{name} is not running because it waits for a person: {why}.")
        }
        Verdict::Elsewhere(why) => elsewhere(job, why, known),
        Verdict::Refused(why) => refused(job, why, known),
        Verdict::ForDaemons => for_daemons(job, known),
    }
}

/// Nothing keeps it: then the next pass runs it, if there is one.
fn due_now(job: &Planned<'_>, due: &Due, known: &Known<'_>) -> String {
    let name = &job.name;
    let what = match due.trigger {
        Trigger::Parents => "its parents have succeeded".to_owned(),
        Trigger::Schedule | Trigger::Manual | Trigger::Backfill => "it is due".to_owned(),
    };
    let what = asked(job, &known.times).unwrap_or(what);
    if job.state(known.plan.now) != State::Overdue {
        return format!("{name} is about to run: {what}, and the next pass starts it.");
    }
    let whose = if checks::live(job, known).is_empty() {
        "no host that may run it has passed lately: is `crontabber tick` in its crontab, or the daemon running?"
    } else {
        "the hosts that may run it are busy, or their passes fail: their logs say which"
    };
    format!("{name} should be running: {what}, and nothing keeps it but that {whose}")
}

/// `a run of it was asked for by anna@web1 2031-05-05 12:00:00Z (3s ago)`.
pub(super) fn asked(job: &Planned<'_>, times: &Times) -> Option<String> {
    let asked = job.triggered()?;
    Some(format!(
        "a run of it was {} {}",
        asked.words(),
        times.both(asked.at)
    ))
}

fn blocked(job: &Planned<'_>, blocks: &[Block]) -> String {
    let name = &job.name;
    match blocks {
        [one] => format!("{name} is due, but waits for a job it depends on: {one}."),
        many => format!(
            "{name} is due, but waits for {} jobs it depends on.",
            many.len()
        ),
    }
}

fn ongoing(job: &Planned<'_>, live: &Live, times: &Times) -> String {
    let name = &job.name;
    let host = live.host.as_deref().unwrap_or("a Python host");
    let since = times.both(live.since);
    match live.lease_until {
        Some(until) if until < times.now => format!(
            "{name} was started on {host} {since}, but that host has not renewed its lease, which ended {}: a pass of \
             any host will count the run as lost.",
            times.both(until)
        ),
        _ => format!("{name} is running on {host} since {since}."),
    }
}

fn elsewhere(job: &Planned<'_>, why: &NotHere, known: &Known<'_>) -> String {
    let name = &job.name;
    let live = checks::live(job, known);
    let is_drained = matches!(why, NotHere::Drained(_));
    match live.as_slice() {
        _ if matches!(why, NotHere::Older(_)) => {
            format!(
                "{name} is due, but this host leaves it to others: {}.",
                job.reason()
            )
        }
        [] if job.spec.is_on_each() && job.host().is_none() => format!(
            "{name} is not running because no host that it runs on has met it yet: each makes its own row."
        ),
        [] if is_drained => format!(
            "{name} is due, but this host is drained, and no other that may run it is live."
        ),
        hosts if is_drained => format!(
            "{name} is due, and the next pass of {} starts it; this host is drained.",
            hosts.join(" or ")
        ),
        [] => format!(
            "{name} is due, and waits for the first pass of a host that may run it; this host may not."
        ),
        hosts => format!(
            "{name} is due, and the next pass of {} starts it; this host may not.",
            hosts.join(" or ")
        ),
    }
}

/// Not here; and who else may, as far as placement tells.
fn refused(job: &Planned<'_>, why: &str, known: &Known<'_>) -> String {
    let name = &job.name;
    let mut others = checks::live(job, known);
    others.retain(|host| *host != known.place.host);
    match others.as_slice() {
        [] => format!("{name} is due, but {why}."),
        others => format!(
            "{name} is due, but {why}. {} may, if it can.",
            others.join(" or ")
        ),
    }
}

/// Nothing keeps it but that nobody who stays has come by.
fn for_daemons(job: &Planned<'_>, known: &Known<'_>) -> String {
    let name = &job.spec.name;
    if job.state(known.plan.now) == State::Overdue {
        return format!(
            "{name} should be running: it is kept running by daemons, and none that may run it has started it: is \
             `crontabber daemon` running on such a host?"
        );
    }
    format!(
        "{name} is about to run: it is kept running, and the next daemon that may run it starts it; no pass does."
    )
}

fn ghost(name: &str, subject: &Subject<'_>, times: &Times) -> String {
    let ongoing = subject
        .ongoing(times.now)
        .map(|run| format!(" It is running on {}, {}.", run.host, run.words(times)));
    format!(
        "{name} is a row that no job of this configuration has: hosts that know the job run it, this one does not.{}",
        ongoing.unwrap_or_default()
    )
}
