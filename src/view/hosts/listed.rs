//! One host of the listing.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::agreement::short;
use crate::{
    duration,
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
}

/// How far a host's clock may be from the database's before it is marked: nothing depends on it, but the times in that
/// host's own logs are off.
const SKEW: f64 = 1.0;

pub(super) fn row(host: &Listed<'_>, times: &Times) -> Row {
    let people = times.medium.is_terminal();
    let off = host.clock_skew.is_some_and(|skew| skew.abs() > SKEW);
    let (sign, tone) = match (host.state, off) {
        ("live", false) => ('✓', Tone::Well),
        ("live", true) => ('!', Tone::Odd),
        _ => ('!', Tone::Bad),
    };
    let clock = match host.clock_skew {
        None => String::new(),
        Some(skew) if people => clock(skew),
        Some(skew) => format!("{skew:.3}"),
    };
    let cells = vec![
        host.host.to_owned(),
        host.state.to_owned(),
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
    ];
    Row {
        mark: Mark { sign, tone },
        cells,
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
