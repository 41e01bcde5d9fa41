//! One job, all of it: what it is, how it is, how it went.

mod definition;

use std::{fmt::Write as _, time::Duration};

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    dag::{JobGraph, render},
    duration::{short as short_span, written},
    plan::{Plan, Planned},
    spec::{
        CatchUp, JobSpec, Kind, Lease, NO_TIMEOUT, Needed, On, OnLost, Parent, Placement, Retry,
    },
    store::table::{JobState, never},
};

use super::{
    Medium, Times,
    counts::before_the_last_line,
    entry::{Entry, short},
    lines::Lines,
    list::Listed,
    mark::Mark,
    subject::Subject,
    text,
    why::pause,
};

use definition::{Definition, promise};

/// What is shown of one job.
#[derive(Debug, Clone, Copy)]
pub struct Show<'a> {
    /// What a pass would do.
    pub plan: &'a Plan<'a>,
    /// The jobs and who waits for whom.
    pub graph: &'a JobGraph,
    /// The job, or the row that no job has.
    pub subject: Subject<'a>,
    /// Its newest entries of the log, newest first, each with the end of its output.
    pub entries: &'a [Entry],
}

/// How many slots ahead are shown.
const SLOTS: usize = 3;
/// How many lines of output are shown.
const OUTPUT: usize = 5;

impl<'a> Show<'a> {
    /// Labelled lines.
    #[must_use]
    pub fn text(&self, medium: Medium) -> String {
        let times = Times {
            now: self.plan.now,
            medium,
        };
        let mut lines = Lines::new(medium);
        self.title(&mut lines);
        if let Subject::Job(planned) = self.subject {
            self.definition(planned, &mut lines);
        }
        self.condition(&times, &mut lines);
        self.runs(&times, &mut lines);
        lines.into_text()
    }

    /// An object: what `list --json` has, and the definition, the slots ahead and the runs.
    #[must_use]
    pub fn json(&self) -> String {
        let newest = self.newest_run();
        let last_host = newest.and_then(|run| run.host.clone());
        text::json(&Shown {
            listed: Listed::of(&self.subject, self.plan.now, last_host),
            definition: match self.subject {
                Subject::Job(planned) => Some(Definition::of(planned, self.graph)),
                Subject::Ghost(..) => None,
            },
            next_slots: self.slots(),
            runs: self.entries,
            last_output: newest.and_then(|run| run.output.as_deref()),
        })
    }

    fn title(&self, lines: &mut Lines) {
        let description = match self.subject {
            Subject::Job(planned) => planned.spec.description.as_deref(),
            Subject::Ghost(..) => None,
        };
        match description {
            Some(description) => lines.line(&format!("{}  {description}", self.subject.name())),
            None => lines.line(self.subject.name()),
        }
    }

    fn definition(&self, planned: &Planned<'_>, lines: &mut Lines) {
        let spec = planned.spec;
        let origin = format!("{}:{}", spec.origin.file.display(), spec.origin.line);
        lines.labelled("defined in", &origin);
        lines.labelled("does", &does(&spec.kind));
        lines.labelled("promise", promise(spec).sentence());
        lines.labelled("schedule", &schedule(planned));
        let parents = spec.depends_on.iter().map(waited_for);
        lines.labelled("depends on", &parents.collect::<Vec<_>>().join(", "));
        lines.labelled(
            "children",
            &names(self.graph, self.graph.children(planned.index)).join(", "),
        );
        lines.labelled("runs on", &runs_on(&spec.placement));
        lines.labelled("timeout", &timeout(spec.timeout));
        lines.labelled("retry", &retry(&spec.retry));
        if spec.timetable.is_some() {
            lines.labelled("missed slots", &missed(spec));
        }
        lines.labelled("lease", &lease(&spec.lease, spec.on_lost));
        lines.labelled("tags", &spec.tags.join(", "));
    }

    fn condition(&self, times: &Times, lines: &mut Lines) {
        let state = self.subject.state(times.now);
        let reason = self.subject.reason_for(times);
        let state = if reason.is_empty() {
            state.to_string()
        } else {
            format!("{state}: {reason}")
        };
        lines.labelled("state", &state);
        let row = self.subject.row();
        if row.is_some_and(|row| row.paused_until.is_some_and(|until| until > times.now)) {
            lines.labelled("paused", &pause(row, times));
        }
        let slots: Vec<String> = self
            .slots()
            .into_iter()
            .map(|slot| times.both(slot))
            .collect();
        lines.labelled("next slots", &slots.join(", "));
        let both = |at: Option<Timestamp>| at.map(|at| times.both(at)).unwrap_or_default();
        lines.labelled("last run", &both(row.and_then(|row| row.last_run)));
        lines.labelled("last success", &both(row.and_then(|row| row.last_success)));
        if let Some(row) = row.filter(|row| row.error_count > 0) {
            let error = row.last_error.as_deref().unwrap_or("unknown");
            lines.labelled(
                "last error",
                &format!(
                    "{error} ({} in a row)",
                    text::counted(usize::try_from(row.error_count).unwrap_or(0), "error")
                ),
            );
        }
    }

    fn runs(&self, times: &Times, lines: &mut Lines) {
        lines.labelled("last runs", &self.strip(times.medium));
        let Some(run) = self.newest_run() else { return };
        let mut printed = run.output.as_deref().unwrap_or_default().trim_end();
        if let Some(counts) = &run.counts {
            lines.labelled("last counts", &counts.text());
            printed = before_the_last_line(printed);
        }
        let tail = printed.lines().count().saturating_sub(OUTPUT);
        let label = run.run_id.map_or_else(String::new, short);
        for (number, line) in printed.lines().skip(tail).enumerate() {
            let label = if number == 0 { "last output" } else { "" };
            lines.labelled(label, if line.is_empty() { " " } else { line });
        }
        if times.medium.is_terminal() && tail > 0 {
            lines.labelled("", &format!("(all of it: crontabber logs {label})"));
        }
    }

    /// Oldest first: a mark for each run, and how long they take; words for programs.
    fn strip(&self, medium: Medium) -> String {
        let runs: Vec<&Entry> = self
            .entries
            .iter()
            .rev()
            .filter(|entry| entry.is_run())
            .collect();
        if !medium.is_terminal() {
            return runs
                .iter()
                .map(|run| run.outcome.as_str())
                .collect::<Vec<_>>()
                .join(" ");
        }
        let mut strip: String = runs
            .iter()
            .map(|run| Mark::of_outcome(&run.outcome).sign)
            .collect();
        let mut took: Vec<Duration> = runs.iter().filter_map(|run| took(run)).collect();
        took.sort_unstable();
        if let (Some(usual), Some(longest)) = (took.get(took.len() / 2), took.last()) {
            let (usual, longest) = (short_span(*usual), short_span(*longest));
            write!(strip, "  usually {usual}, at most {longest}")
                .expect("a String takes all it is given");
        }
        strip
    }

    /// The newest run that has ended.
    fn newest_run(&self) -> Option<&'a Entry> {
        self.entries
            .iter()
            .find(|entry| entry.is_run() && entry.outcome != "running")
    }

    /// The pending slot, if it lies ahead, and those after it; without the job's jitter.
    fn slots(&self) -> Vec<Timestamp> {
        let Subject::Job(Planned {
            spec: JobSpec {
                timetable: Some(when),
                ..
            },
            row,
            ..
        }) = self.subject
        else {
            return Vec::new();
        };
        let now = self.plan.now;
        let pending = row
            .and_then(JobState::pending)
            .filter(|&slot| slot < never());
        let anchor = pending.unwrap_or(now);
        let ahead = pending.filter(|&slot| slot > now).or_else(|| match row {
            Some(_) => when.next(now, anchor),
            None => self.subject.next_start(),
        });
        std::iter::successors(ahead, |&slot| when.next(slot, anchor))
            .take(SLOTS)
            .collect()
    }
}

fn took(entry: &Entry) -> Option<Duration> {
    entry
        .finished_at?
        .duration_since(entry.started_at?)
        .try_into()
        .ok()
}

fn runs_on(placement: &Placement) -> String {
    let hosts = placement.hosts.join(", ");
    match (placement.on, hosts.as_str()) {
        (On::One, "") => "any host".to_owned(),
        (On::One, hosts) => hosts.to_owned(),
        (On::Each, "") => "each host".to_owned(),
        (On::Each, hosts) => format!("each of {hosts}"),
    }
}

fn names<'a>(graph: &'a JobGraph, numbers: &[usize]) -> Vec<&'a str> {
    numbers
        .iter()
        .map(|&number| graph.jobs()[number].name.as_str())
        .collect()
}

/// What a run does, as it is written in the configuration.
fn does(kind: &Kind) -> String {
    match kind {
        Kind::Command(argv) => format!("command = {argv:?}"),
        Kind::Shell(text) => format!("shell = {text}"),
        Kind::Sql(sql) => format!("sql = {}", sql.text),
        Kind::Action { name, .. } => format!("action = {name:?}"),
    }
}

fn schedule(planned: &Planned<'_>) -> String {
    let when = render::when(planned.spec);
    match planned.spec.jitter(&planned.name) {
        Duration::ZERO => when,
        jitter => format!("{when}; {} after its slots, by its jitter", written(jitter)),
    }
}

fn timeout(timeout: Duration) -> String {
    match timeout {
        NO_TIMEOUT => "never".to_owned(),
        timeout => written(timeout),
    }
}

/// `feeds`, `feeds (any end of a run)`, `feeds (at most 1d older)`.
pub(super) fn waited_for(parent: &Parent) -> String {
    let end = (parent.on == Needed::Finish).then(|| "any end of a run".to_owned());
    let within = parent
        .within
        .map(|within| format!("at most {} older", written(within)));
    let terms: Vec<String> = end.into_iter().chain(within).collect();
    match terms.as_slice() {
        [] => parent.job.to_string(),
        terms => format!("{} ({})", parent.job, terms.join(", ")),
    }
}

/// What becomes of slots that nobody was there for: `the latest runs`, `each runs, at most 5; none more than 2h late`.
fn missed(spec: &JobSpec) -> String {
    let policy = match (spec.catch_up, spec.catch_up_limit) {
        (CatchUp::None, _) => "none runs".to_owned(),
        (CatchUp::Latest, _) => "the latest runs".to_owned(),
        (CatchUp::All, None) => "each runs".to_owned(),
        (CatchUp::All, Some(limit)) => format!("each runs, at most {limit}"),
    };
    match spec.start_deadline {
        Some(deadline) => format!("{policy}; none more than {} late", written(deadline)),
        None => policy,
    }
}

fn retry(retry: &Retry) -> String {
    let attempts = match retry.attempts {
        0 => "for ever".to_owned(),
        number => text::counted(usize::try_from(number).unwrap_or(usize::MAX), "attempt"),
    };
    let Retry {
        first,
        factor,
        max,
        jitter,
        ..
    } = retry;
    format!(
        "after {} x {factor} up to {}, jitter {jitter}, {attempts}",
        written(*first),
        written(*max)
    )
}

fn lease(lease: &Lease, on_lost: OnLost) -> String {
    let Lease {
        lease,
        heartbeat,
        margin,
        grace,
    } = lease;
    let on_lost = match on_lost {
        OnLost::Retry => "retry",
        OnLost::Skip => "skip",
        OnLost::Hold => "hold",
    };
    format!(
        "{}, heartbeat {}, margin {}, grace {}; a lost run: {on_lost}",
        written(*lease),
        written(*heartbeat),
        written(*margin),
        written(*grace)
    )
}

/// A job as `show --json` has it.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    listed: Listed<'a>,
    definition: Option<Definition<'a>>,
    next_slots: Vec<Timestamp>,
    runs: &'a [Entry],
    last_output: Option<&'a str>,
}
