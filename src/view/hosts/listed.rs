//! One host of the listing.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::agreement::short;
use crate::{
    duration,
    store::hosts::{Announced, Daemon},
    view::{
        Times,
        mark::{Mark, Tone},
        table::Row,
    },
};

/// A host as `hosts --json` has it.
#[derive(Debug, Serialize)]
pub(super) struct Listed<'a> {
    pub(super) host: &'a str,
    pub(super) state: &'static str,
    pub(super) seen_at: Timestamp,
    pub(super) version: &'a str,
    pub(super) tags: &'a [String],
    pub(super) clock_skew: Option<f64>,
    pub(super) configuration: &'a str,
    pub(super) jobs: i64,
    pub(super) ongoing: usize,
    pub(super) daemon: Option<Process<'a>>,
    pub(super) drained: Option<Drained<'a>>,
    pub(super) config_error: Option<&'a str>,
    pub(super) same_name: Option<Namesake<'a>>,
}

/// The daemon behind a name.
#[derive(Debug, Serialize)]
pub(super) struct Process<'a> {
    instance: &'a str,
    started_at: Option<Timestamp>,
    status: Option<&'a str>,
}

/// Since when a host takes no work, and who has drained it.
#[derive(Debug, Serialize)]
pub(super) struct Drained<'a> {
    since: Timestamp,
    by: Option<&'a str>,
}

/// Another daemon that uses the same name.
#[derive(Debug, Serialize)]
pub(super) struct Namesake<'a> {
    instance: &'a str,
    seen_at: Timestamp,
}

impl<'a> Listed<'a> {
    pub(super) fn of(host: &'a Announced, now: Timestamp, ongoing: usize) -> Self {
        let state = if host.seen.is_live(now) {
            "live"
        } else {
            "silent"
        };
        let process = |daemon: &'a Daemon| Process {
            instance: &daemon.instance,
            started_at: daemon.started_at,
            status: daemon.status.as_deref(),
        };
        let by = host.drained_by.as_deref();
        let namesake = host.namesake(now);
        Self {
            host: host.seen.place.host.as_str(),
            state,
            seen_at: host.seen.at,
            version: &host.version,
            tags: &host.seen.place.tags,
            clock_skew: host.clock_skew,
            configuration: &host.configuration,
            jobs: host.jobs,
            ongoing,
            daemon: host.daemon.as_ref().map(process),
            drained: host.seen.drained.map(|since| Drained { since, by }),
            config_error: host.config_error.as_deref(),
            same_name: namesake.map(|(instance, seen_at)| Namesake { instance, seen_at }),
        }
    }

    /// What somebody should know of it, a line each.
    pub(super) fn remarks(&self, times: &Times) -> impl Iterator<Item = String> {
        let host = self.host;
        let drained = self.drained.as_ref().map(|Drained { since, by }| {
            let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
            format!(
                "{host}: drained{by} {}: crontabber drain {host} --undo",
                times.when(*since)
            )
        });
        let error = self.config_error.map(|error| {
            format!("{host}: goes on with an older configuration than its files have: {error}")
        });
        let other = self.same_name.as_ref().map(|other| {
            let seen = times.when(other.seen_at);
            format!(
                "{host}: another daemon uses this name, seen {seen}: {}",
                other.instance
            )
        });
        [drained, error, other].into_iter().flatten()
    }
}

/// How far a host's clock may be from the database's before it is marked: nothing depends on it, but the times in that
/// host's own logs are off.
const SKEW: f64 = 1.0;

pub(super) fn row(host: &Listed<'_>, times: &Times) -> Row {
    let people = times.medium.is_terminal();
    let off = host.clock_skew.is_some_and(|skew| skew.abs() > SKEW);
    let odd =
        off || host.drained.is_some() || host.config_error.is_some() || host.same_name.is_some();
    let (sign, tone) = match (host.state, odd) {
        ("live", false) => ('✓', Tone::Well),
        ("live", true) => ('!', Tone::Odd),
        _ => ('!', Tone::Bad),
    };
    let clock = match host.clock_skew {
        None => String::new(),
        Some(skew) if people => clock(skew),
        Some(skew) => format!("{skew:.3}"),
    };
    let status = host.daemon.as_ref().and_then(|daemon| daemon.status);
    let status = status.unwrap_or_default();
    let cells = vec![
        host.host.to_owned(),
        match host.state {
            "live" if host.drained.is_some() => "drained".to_owned(),
            state => state.to_owned(),
        },
        times.when(host.seen_at),
        host.version.to_owned(),
        host.tags.join(","),
        clock,
        if people {
            short(host.configuration)
        } else {
            host.configuration.to_owned()
        },
        host.jobs.to_string(),
        host.ongoing.to_string(),
        kind(host, times),
        status.to_owned(),
    ];
    Row {
        mark: Mark { sign, tone },
        cells,
    }
}

/// `passes`, or `daemon` and for people how long it has been one.
fn kind(host: &Listed<'_>, times: &Times) -> String {
    match &host.daemon {
        None => "passes".to_owned(),
        Some(Process {
            started_at: Some(at),
            ..
        }) if times.medium.is_terminal() => {
            format!("daemon {}", times.since(*at))
        }
        Some(_) => "daemon".to_owned(),
    }
}

/// `ok`, `4.2s ahead`, `13h behind`.
fn clock(skew: f64) -> String {
    // An interval that somebody wrote by hand may be longer than a duration.
    let span = Duration::try_from_secs_f64(skew.abs()).unwrap_or(Duration::MAX);
    match skew {
        _ if skew.abs() <= SKEW => "ok".to_owned(),
        _ if skew > 0.0 => format!("{} ahead", duration::short(span)),
        _ => format!("{} behind", duration::short(span)),
    }
}
