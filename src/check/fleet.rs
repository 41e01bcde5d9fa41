//! What is wrong beside the jobs: no host passes, a clock is off, rows that nobody knows.

use jiff::SignedDuration;

use crate::{
    host::ANNOUNCE_EVERY,
    store::{announced::Announced, table::JobState},
    view::{Times, times::words},
};

use super::{Kind, Known, Problem, age, job::Stuck};

/// How old an announcement may be for its clock to be worth a look: three times as old as hosts let it get.
const LIVE_FOR: SignedDuration = SignedDuration::from_secs(3 * ANNOUNCE_EVERY.as_secs());

/// The newest announcement.
pub(super) fn last_pass(hosts: &[Announced]) -> Option<&Announced> {
    hosts.iter().max_by_key(|announced| announced.at)
}

/// Whether hosts still pass.
pub(super) fn no_pass(known: &Known<'_>) -> Option<Problem> {
    let limits = &known.limits.no_pass;
    let times = Times::in_words(known.plan.now);
    let what_to_do =
        "is `crontabber tick` in a crontab or a systemd timer, and does it reach this database?";
    let (severity, brief, sentence) = match last_pass(known.hosts) {
        None => (
            limits.worst()?,
            "no host has ever passed".to_owned(),
            format!("no host has ever passed: {what_to_do}"),
        ),
        Some(Announced { host, at, .. }) => {
            let since = times.since(*at);
            (
                limits.of(age(known.plan.now, *at))?,
                format!("no pass for {since}"),
                format!(
                    "no pass for {since}, the last was seen on {host} at {}: {what_to_do}",
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

/// The live hosts whose clocks are off.
pub(super) fn clock_skew(known: &Known<'_>) -> impl Iterator<Item = Problem> {
    let now = known.plan.now;
    let live = move |announced: &&Announced| now.duration_since(announced.at) <= LIVE_FOR;
    known.hosts.iter().filter(live).filter_map(|announced| {
        let skew = announced.clock_skew?;
        let severity = known.limits.clock_skew.of(skew.unsigned_abs())?;
        let off = words(skew.unsigned_abs());
        let direction = if skew.is_negative() { "behind" } else { "ahead of" };
        let host = &announced.host;
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
