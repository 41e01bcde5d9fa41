//! What is wrong beside the jobs: no host passes, a clock is off, rows that nobody knows.

use std::time::Duration;

use crate::{
    place::Seen,
    plan::Plan,
    store::{hosts::Announced, table::JobState},
    view::{Times, hosts::Disagreement, times::words},
};

use super::{Kind, Known, Problem, Scope, age, job::Stuck};

/// The host that passed last.
pub(super) fn last_pass<'a>(plan: &Plan<'a>) -> Option<&'a Seen> {
    plan.hosts.iter().max_by_key(|seen| seen.at)
}

/// Whether hosts still pass.
pub(super) fn no_pass(known: &Known<'_>) -> Option<Problem> {
    let limits = &known.limits.no_pass;
    let times = Times::in_words(known.plan.now);
    let what_to_do =
        "is `crontabber tick` in a crontab or a systemd timer, and does it reach this database?";
    let (severity, brief, sentence) = match last_pass(known.plan) {
        None => (
            limits.worst()?,
            "no host has ever passed".to_owned(),
            format!("no host has ever passed: {what_to_do}"),
        ),
        Some(Seen { place, at, .. }) => {
            let since = times.since(*at);
            (
                limits.of(age(known.plan.now, *at))?,
                format!("no pass for {since}"),
                format!(
                    "no pass for {since}, the last was seen on {} at {}: {what_to_do}",
                    place.host,
                    times.clock(*at)
                ),
            )
        }
    };
    Some(Problem {
        severity,
        kind: Kind::NoPass,
        name: None,
        host: None,
        brief,
        sentence,
    })
}

fn live<'a>(known: &Known<'a>) -> impl Iterator<Item = &'a Announced> {
    let now = known.plan.now;
    let hosts = known.hosts.iter();
    hosts.filter(move |host| host.seen.is_live(now))
}

/// The live hosts that could not read their configuration anew.
pub(super) fn config_error(known: &Known<'_>) -> impl Iterator<Item = Problem> {
    let severity = known.limits.config_error;
    live(known).filter_map(move |announced| {
        let error = announced.config_error.as_ref()?;
        let host = &announced.seen.place.host;
        Some(Problem {
            severity: severity?,
            kind: Kind::ConfigError,
            name: None,
            host: Some(host.clone()),
            brief: format!("configuration of {host}"),
            sentence: format!(
                "{host} goes on with an older configuration than its files have, until they are mended and it is \
                 reloaded: {error}"
            ),
        })
    })
}

/// The hosts whose name two daemons use.
pub(super) fn same_name(known: &Known<'_>) -> impl Iterator<Item = Problem> {
    let (severity, now) = (known.limits.same_name, known.plan.now);
    live(known).filter_map(move |announced| {
        let (other, _) = announced.namesake(now)?;
        let host = &announced.seen.place.host;
        Some(Problem {
            severity: severity?,
            kind: Kind::SameName,
            name: None,
            host: Some(host.clone()),
            brief: format!("two daemons named {host}"),
            sentence: format!(
                "two daemons use the name {host}, the other is {other}: give one of them another, in `[daemon] host`"
            ),
        })
    })
}

/// The live hosts whose clocks are off.
pub(super) fn clock_skew(known: &Known<'_>) -> impl Iterator<Item = Problem> {
    live(known).filter_map(|announced| {
        let skew = announced.clock_skew?;
        // What is no length of time is further off than any.
        let off = Duration::try_from_secs_f64(skew.abs()).unwrap_or(Duration::MAX);
        let severity = known.limits.clock_skew.of(off)?;
        let off = words(off);
        let direction = if skew < 0.0 { "behind" } else { "ahead of" };
        let host = &announced.seen.place.host;
        Some(Problem {
            severity,
            kind: Kind::ClockSkew,
            name: None,
            host: Some(host.clone()),
            brief: format!("clock of {host} off by {off}"),
            sentence: format!(
                "the clock of {host} is {off} {direction} the database's, which alone decides when jobs run: \
                 the times in its log mislead"
            ),
        })
    })
}

/// A job by which live hosts mean different things.
pub(super) fn disagreement(
    found: &Disagreement,
    known: &Known<'_>,
    scope: &Scope,
) -> Option<Problem> {
    let severity = known.limits.disagreement?;
    let tags = known.plan.get(&found.name).map(|job| &job.spec.tags);
    scope
        .holds(&found.name, tags.map_or(&[], Vec::as_slice))
        .then(|| Problem {
            severity,
            kind: Kind::Disagreement,
            name: Some(found.name.clone()),
            host: None,
            brief: "hosts disagree".to_owned(),
            sentence: format!(
                "live hosts mean different things by it: {}; a deploy that has not reached all of them?",
                found.words()
            ),
        })
}

/// A row that no job has; and the run that somebody left in it.
pub(super) fn ghost(name: &str, row: &JobState, known: &Known<'_>) -> Vec<Problem> {
    let stuck = row.claim.as_ref().and_then(|claim| {
        let stuck = Stuck {
            name,
            until: claim.lease_until,
            host: &claim.host,
            lease: known.lease,
        };
        stuck.problem(known)
    });
    let ghost = known.limits.ghost.map(|severity| Problem {
        severity,
        kind: Kind::Ghost,
        name: Some(name.to_owned()),
        host: None,
        brief: "ghost".to_owned(),
        sentence: "a row that no job of this configuration has".to_owned(),
    });
    stuck.into_iter().chain(ghost).collect()
}
