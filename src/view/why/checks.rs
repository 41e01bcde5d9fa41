//! What a claim asks, each with its own sentence.

use jiff::Timestamp;

use crate::{
    dag::render,
    plan::{self, Block, BlockedBy, NotHere, ON_LOST, Planned, Verdict, no_host, that_match},
    rights::refusal,
    spec::{Needed, Parent, RunAs},
    store::table::{JobState, never},
    view::{Times, subject::Subject, text::counted},
};

use super::{Check, Known};

/// All of them, in the order in which they are asked.
pub(super) fn of(job: &Planned<'_>, known: &Known<'_>) -> Vec<Check> {
    let mut checks: Vec<Check> = asked_for(job, &known.times).into_iter().collect();
    let of_the_schedule = checks.len();
    checks.push(due(job, &known.times));
    checks.extend(parents(job, known));
    checks.push(not_paused(job, &known.times));
    checks.push(retry(job, &known.times));
    if job.triggered().is_some() {
        // A run by hand asks for none of these.
        checks[of_the_schedule..]
            .iter_mut()
            .for_each(|check| check.passed = None);
    }
    let retry = checks.pop();
    checks.push(not_ongoing(job, &known.times));
    checks.push(placement(job, known));
    checks.extend(rights(job, known));
    checks.extend(this_host(job));
    checks.extend(retry);
    checks
}

/// Somebody has asked for a run, and no host has claimed it yet.
fn asked_for(job: &Planned<'_>, times: &Times) -> Option<Check> {
    let asked = job.triggered()?;
    let by = asked.by.as_deref().unwrap_or("somebody");
    Some(Check {
        check: "asked for",
        passed: Some(true),
        detail: format!("by {by} {}", times.both(asked.at)),
    })
}

/// What keeps this host from a job that it may run.
fn this_host(job: &Planned<'_>) -> Option<Check> {
    let Verdict::Elsewhere(NotHere::Drained(_) | NotHere::Older(_)) = job.verdict else {
        return None;
    };
    Some(Check {
        check: "this host",
        passed: Some(false),
        detail: job.reason(),
    })
}

fn due(job: &Planned<'_>, times: &Times) -> Check {
    let (passed, detail) = match (job.row, &job.spec.timetable) {
        (None, Some(_)) => {
            let first = Subject::Job(job)
                .next_start()
                .map(|at| format!(" {}", times.both(at)));
            (
                Some(false),
                format!(
                    "no host has met it yet; its first slot will be{}",
                    first.unwrap_or_default()
                ),
            )
        }
        (Some(row), None) if job.spec.keep_running => {
            by_schedule(row, &render::when(job.spec), times)
        }
        (None, None) => (Some(false), "no host has met it yet".to_owned()),
        (Some(row), Some(_)) => by_schedule(row, &render::when(job.spec), times),
        (Some(_), None) => by_parents(job),
    };
    Check {
        check: "due",
        passed,
        detail,
    }
}

fn by_schedule(row: &JobState, schedule: &str, times: &Times) -> (Option<bool>, String) {
    match row.pending().filter(|&slot| slot < never()) {
        None => (Some(false), format!("no slot is ahead; {schedule}")),
        Some(slot) if slot > times.now => (
            Some(false),
            format!("not before {}; {schedule}", times.both(slot)),
        ),
        Some(slot) => (
            Some(true),
            format!("since {}; {schedule}", times.both(slot)),
        ),
    }
}

fn by_parents(job: &Planned<'_>) -> (Option<bool>, String) {
    let anew = "its parents have succeeded anew";
    match &job.verdict {
        Verdict::AfterParents if job.spec.depends_on.is_empty() => {
            (Some(false), "it runs by hand".to_owned())
        }
        Verdict::AfterParents => (
            Some(false),
            "its parents have not all succeeded anew".to_owned(),
        ),
        Verdict::Ongoing(_) => (None, "asked when the run has ended".to_owned()),
        Verdict::Paused(_) | Verdict::Held => (None, "asked when it is resumed".to_owned()),
        _ => (Some(true), anew.to_owned()),
    }
}

fn parents<'a>(job: &'a Planned<'_>, known: &'a Known<'_>) -> impl Iterator<Item = Check> + 'a {
    let checks = known.graph.parents(job.index).iter().map(move |&number| {
        let rows = known.plan.rows(number).iter();
        // Where both run on each host, the row of the same one.
        rows.filter(|parent| {
            let hosts = Option::zip(parent.host(), job.host());
            hosts.is_none_or(|(parents, own)| parents == own)
        })
        .map(|parent| {
            let terms = known.graph.terms(job.index, number);
            let (passed, detail) = parent_of(job, (parent, terms), &known.times);
            Check {
                check: "depends_on",
                passed,
                detail,
            }
        })
        .collect::<Vec<_>>()
    });
    checks.flatten()
}

fn parent_of(
    job: &Planned<'_>,
    (parent, terms): (&Planned<'_>, Option<&Parent>),
    times: &Times,
) -> (Option<bool>, String) {
    let name = &parent.name;
    let on = terms.map_or(Needed::Success, |terms| terms.on);
    let (has, to) = match on {
        Needed::Success => ("succeeded", "succeed"),
        Needed::Finish => ("ended", "end"),
    };
    let done = parent.row.and_then(|row| row.done(on));
    let slot = done.map_or("never".to_owned(), |slot| times.both(slot));
    let has_done = format!("{name} has {has} for its slot {slot}");
    match &job.verdict {
        Verdict::Run(_) if job.triggered().is_none() => (Some(true), has_done),
        Verdict::Blocked(blocks) => blocked_by(blocks, parent, has_done, times),
        Verdict::Skip(skip) => blocked_by(&skip.blocks, parent, has_done, times),
        Verdict::AfterParents => {
            let handled = job
                .row
                .and_then(|row| row.slot)
                .unwrap_or(Timestamp::UNIX_EPOCH);
            let anew = done.is_some_and(|slot| slot > handled);
            // An older one may do, and whether it does the others decide.
            let passed = (anew || terms.is_none_or(|terms| terms.within.is_none())).then_some(anew);
            let not = if anew { "" } else { " not" };
            (
                passed,
                format!("{name} has{not} {has} anew; its last slot to {to}: {slot}"),
            )
        }
        _ => {
            let state = parent.state(times.now);
            (
                None,
                format!("{name} is {state}; its last slot to {to}: {slot}"),
            )
        }
    }
}

fn blocked_by(
    blocks: &[Block],
    parent: &Planned<'_>,
    has_done: String,
    times: &Times,
) -> (Option<bool>, String) {
    let name = &parent.name;
    match blocks.iter().find(|block| block.parent.as_str() == name) {
        Some(block) => (
            Some(false),
            format!("{block}{}", next_try(&block.why, parent, times)),
        ),
        None => (Some(true), has_done),
    }
}

/// What becomes of a failing parent.
fn next_try(why: &BlockedBy, parent: &Planned<'_>, times: &Times) -> String {
    let (BlockedBy::Failing(_), Some(row)) = (why, parent.row) else {
        return String::new();
    };
    let errors = counted(usize::try_from(row.error_count).unwrap_or(0), "error");
    match Subject::Job(parent).next_start() {
        Some(at) => format!("; {errors} in a row, next try {}", times.both(at)),
        None => format!("; {errors} in a row"),
    }
}

fn not_paused(job: &Planned<'_>, times: &Times) -> Check {
    let paused = is_paused(job.row, times.now);
    let detail = if paused {
        pause(job.row, times)
    } else {
        String::new()
    };
    Check {
        check: "not paused",
        passed: Some(!paused),
        detail,
    }
}

fn is_paused(row: Option<&JobState>, now: Timestamp) -> bool {
    row.and_then(|row| row.paused_until)
        .is_some_and(|until| until > now)
}

/// `paused by anna until ...: disk swap`.
pub(in crate::view) fn pause(row: Option<&JobState>, times: &Times) -> String {
    let Some(row) = row else {
        return "paused".to_owned();
    };
    let mut words = match row.paused_by.as_deref() {
        Some(ON_LOST) => "held after a lost run".to_owned(),
        Some(who) => format!("paused by {who}"),
        None => "paused".to_owned(),
    };
    if let Some(until) = row.paused_until.filter(|&until| until < never()) {
        words = format!("{words} until {}", times.both(until));
    }
    match &row.pause_reason {
        Some(why) => format!("{words}: {why}"),
        None => words,
    }
}

fn not_ongoing(job: &Planned<'_>, times: &Times) -> Check {
    let ongoing = Subject::Job(job).ongoing(times.now);
    let detail = ongoing.as_ref().map(|run| {
        let id = run
            .run_id
            .map(|id| format!(", run {id}"))
            .unwrap_or_default();
        let lease = run
            .lease_until
            .map(|at| format!(", lease until {}", times.both(at)))
            .unwrap_or_default();
        format!("on {} since {}{id}{lease}", run.host, times.both(run.since))
    });
    Check {
        check: "not ongoing",
        passed: Some(ongoing.is_none()),
        detail: detail.unwrap_or_default(),
    }
}

fn placement(job: &Planned<'_>, known: &Known<'_>) -> Check {
    if let Some(host) = job.host() {
        return on_host(job, host, known);
    }
    let (placement, plan) = (&job.spec.placement, known.plan);
    let asked = || format!("hosts = {:?}", placement.hosts);
    let (passed, detail) = match (
        no_host(placement, plan.hosts, plan.now),
        live(job, known).as_slice(),
    ) {
        _ if job.spec.is_on_each() => (None, "each host: asked when one has met it".to_owned()),
        _ if placement.hosts.is_empty() => (Some(true), "any host".to_owned()),
        (Some(no_host), _) => {
            let since = |at| format!("since {}", known.times.both(at));
            (Some(false), no_host.sentence(since))
        }
        (None, []) if known.place.matches(placement) => {
            (Some(true), format!("{}: this host", asked()))
        }
        (None, []) => (None, format!("{}: asked when a host has passed", asked())),
        (None, live) => (Some(true), format!("{}: {}", asked(), live.join(", "))),
    };
    Check {
        check: "placement",
        passed,
        detail,
    }
}

/// Whether it may be run here as it asks; nothing where it asks for nothing.
fn rights(job: &Planned<'_>, known: &Known<'_>) -> Option<Check> {
    let asked = &job.spec.run_as;
    if *asked == RunAs::default() {
        return None;
    }
    let refusal = refusal(job.spec, &known.place.rights);
    Some(Check {
        check: "rights",
        passed: Some(refusal.is_none()),
        detail: refusal.unwrap_or_else(|| "this host may run it as it asks".to_owned()),
    })
}

/// Of a row that is one host's: only that one may run it.
fn on_host(job: &Planned<'_>, host: &str, known: &Known<'_>) -> Check {
    let mut hosts = known.plan.hosts.iter();
    let seen = hosts.find(|seen| seen.place.host == host);
    let silent = seen.filter(|seen| !seen.is_live(known.plan.now));
    let whose = if job.is_here { "this host" } else { host };
    Check {
        check: "placement",
        passed: Some(silent.is_none()),
        detail: match silent {
            None => format!("on each host: {whose}"),
            Some(seen) => format!(
                "on each host: {whose}, silent since {}",
                known.times.both(seen.at)
            ),
        },
    }
}

/// The live hosts that may run it and take work.
pub(super) fn live<'a>(job: &'a Planned<'_>, known: &Known<'a>) -> Vec<&'a str> {
    that_match(known.plan.hosts, &job.spec.placement)
        .filter(|seen| seen.takes_work(known.plan.now))
        .filter(|seen| job.host().is_none_or(|host| host == seen.place.host))
        .map(|seen| seen.place.host.as_str())
        .collect()
}

fn retry(job: &Planned<'_>, times: &Times) -> Check {
    let (passed, detail) = match job.row {
        None => (Some(true), "no failure to wait for".to_owned()),
        Some(row) => delay(job, row, times),
    };
    Check {
        check: "retry delay",
        passed,
        detail,
    }
}

fn delay(job: &Planned<'_>, row: &JobState, times: &Times) -> (Option<bool>, String) {
    let errors = counted(usize::try_from(row.error_count).unwrap_or(0), "error");
    let last = row
        .last_error
        .as_ref()
        .map(|error| format!("; last: {error}"))
        .unwrap_or_default();
    let waits =
        row.pending().is_some_and(|slot| slot <= times.now) && !is_paused(job.row, times.now);
    let until = plan::next_run(row).filter(|&at| at > times.now && waits);
    let is_ahead = row.pending().is_some_and(|slot| slot > times.now);
    match (until, row.error_count > 0) {
        (None, true) if is_paused(job.row, times.now) => (
            None,
            format!("asked when it is resumed; {errors} in a row{last}"),
        ),
        (None, true) if is_ahead => (
            Some(true),
            format!("none: it waits for its next slot, after {errors} in a row{last}"),
        ),
        (Some(at), true) => (
            Some(false),
            format!("until {} after {errors} in a row{last}", times.both(at)),
        ),
        (Some(at), false) if is_offset(job, row, at) => (
            Some(false),
            format!(
                "none, but its slots run later by its jitter: {}",
                times.both(at)
            ),
        ),
        (Some(at), false) => (
            Some(false),
            format!(
                "until {}: its last run asked to be tried again",
                times.both(at)
            ),
        ),
        (None, true) => (Some(true), format!("over after {errors} in a row{last}")),
        (None, false) => (Some(true), "no failure to wait for".to_owned()),
    }
}

/// Whether a slot merely waits for the job's own offset.
fn is_offset(job: &Planned<'_>, row: &JobState, at: Timestamp) -> bool {
    let start = row.pending().map(|slot| job.spec.start_of(&job.name, slot));
    start.is_some_and(|start| at <= start)
}
