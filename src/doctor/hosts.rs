//! The other hosts, as they have announced themselves.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Check, Finding};
use crate::{
    place::LIVE_FOR,
    store::checkup::{Checkup, Fleet, Heard},
    view::{hosts::LISTED_FOR, text::counted, times::words},
};

/// How many names a line has.
const NAMED: usize = 5;

pub(super) fn findings(checkup: &Checkup) -> Vec<Finding> {
    match &checkup.fleet {
        None => Vec::new(),
        Some(Err(why)) => vec![Finding::unasked(Check::Hosts, why)],
        Some(Ok(fleet)) => of(fleet),
    }
}

fn of(fleet: &Fleet) -> Vec<Finding> {
    let (now, all) = (fleet.now, &fleet.hosts);
    let live: Vec<&Heard> = all
        .iter()
        .filter(|host| is_live(host.seen_at, now))
        .collect();
    let mut found = Vec::new();
    found.extend(silent(all, now));
    found.extend(live.iter().filter_map(|host| namesake(host, now)));
    found.extend(live.iter().filter_map(|host| old_configuration(host)));
    found.extend(versions(&live));
    found.extend(disagreement(fleet));
    if all.is_empty() {
        found.push(Finding::warning(
            Check::Hosts,
            "no host has passed yet",
            "`crontabber tick` in a crontab or a timer of each, or `crontabber daemon`",
        ));
    } else if found.is_empty() {
        let also = if live.len() > 1 {
            ", of one version, and mean the same by every job they share"
        } else {
            ""
        };
        let names = live.iter().map(|host| host.name.as_str());
        let fact = match live.len() {
            0 => "none has passed for more than a day".to_owned(),
            number => format!("{number} live ({}){also}", some(names)),
        };
        found.push(match live.len() {
            0 => Finding::warning(
                Check::Hosts,
                fact,
                "is `crontabber tick` in a crontab or a timer?",
            ),
            _ => Finding::ok(Check::Hosts, fact),
        });
    }
    found
}

fn is_live(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at) <= LIVE_FOR
}

/// Those that were there within a day.
fn silent(hosts: &[Heard], now: Timestamp) -> Option<Finding> {
    let is_silent = |at: Timestamp| !is_live(at, now) && now.duration_since(at) <= LISTED_FOR;
    let silent: Vec<&Heard> = hosts
        .iter()
        .filter(|host| is_silent(host.seen_at))
        .collect();
    let last = silent.iter().map(|host| host.seen_at).max()?;
    let since = words(now.duration_since(last).try_into().unwrap_or_default());
    Some(Finding::warning(
        Check::Hosts,
        format!(
            "{} silent for {since} or longer: {}",
            counted(silent.len(), "host"),
            some(silent.iter().map(|host| host.name.as_str()))
        ),
        "are their timers on? `crontabber hosts --forget NAME` for one that is gone",
    ))
}

/// A second daemon of the same name.
fn namesake(host: &Heard, now: Timestamp) -> Option<Finding> {
    let (other, at) = host.other.as_ref()?;
    if now.duration_since(*at) > LIVE_FOR {
        return None;
    }
    let since = words(
        now.duration_since(*at)
            .max(SignedDuration::ZERO)
            .unsigned_abs(),
    );
    Some(Finding::problem(
        Check::Hosts,
        format!(
            "two daemons are called {}: the other ({other}) was there {since} ago",
            host.name
        ),
        "a name for each: `[daemon] host`, or CRONTABBER_HOST",
    ))
}

fn old_configuration(host: &Heard) -> Option<Finding> {
    let error = host.config_error.as_ref()?;
    Some(Finding::warning(
        Check::Hosts,
        format!(
            "{} goes on with an older configuration than its files have: {error}",
            host.name
        ),
        "`crontabber config check` there",
    ))
}

fn versions(live: &[&Heard]) -> Option<Finding> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for host in live {
        versions.entry(&host.version).or_default().push(&host.name);
    }
    let named = versions.iter().map(|(version, hosts)| {
        let hosts = some(hosts.iter().copied());
        format!("{version} on {hosts}")
    });
    let named: Vec<String> = named.collect();
    (named.len() > 1).then(|| {
        Finding::warning(
            Check::Hosts,
            format!("live hosts have different versions: {}", named.join(", ")),
            "one version beside the next is fine; see the upgrade through",
        )
    })
}

fn disagreement(fleet: &Fleet) -> Option<Finding> {
    let jobs = &fleet.disagreements;
    (!jobs.is_empty()).then(|| {
        Finding::warning(
            Check::Hosts,
            format!(
                "live hosts mean different things by {}: {}",
                counted(jobs.len(), "job"),
                some(jobs.iter().map(String::as_str))
            ),
            "see the deploy through; `crontabber hosts` says who means what",
        )
    })
}

/// `web1, web2`; of many the first, and how many more.
fn some<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(NAMED);
    let text = names.take(NAMED).collect::<Vec<_>>().join(", ");
    match more {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}
