//! A table in which every state occurs, and a history.

use std::path::Path;

use crontabber::{
    config::{Config, Surroundings, load_in},
    plan::Place,
    store::table::{JobState, LiveClaim, Table, never},
    view::{entry::Entry, hosts::Seen},
};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// The database's clock.
pub(crate) fn now() -> Timestamp {
    "2031-05-05T12:00:00Z".parse().expect("a timestamp")
}

/// So many minutes from now; negative: ago.
pub(crate) fn minutes(number: i64) -> Timestamp {
    now() + SignedDuration::from_mins(number)
}

fn seconds(number: i64) -> Timestamp {
    now() + SignedDuration::from_secs(number)
}

/// The configuration that goes with the table.
pub(crate) fn config() -> Config {
    let file = Path::new("tests/cli_read/golden/crontabber.toml");
    load_in(Some(file), &Surroundings::none()).unwrap_or_else(|report| panic!("{report}"))
}

/// This host.
pub(crate) fn place() -> Place {
    Place {
        host: "web1".into(),
        ..Place::default()
    }
}

/// The hosts that have announced themselves: one lives, one is silent.
pub(crate) fn hosts() -> Vec<Seen> {
    let seen = |host: &str, at| Seen {
        place: Place {
            host: host.into(),
            ..Place::default()
        },
        at,
    };
    vec![seen("db1", minutes(-20 * 60)), seen("web1", minutes(-2))]
}

/// A row of a job that is well.
fn well(next: Timestamp) -> JobState {
    JobState {
        next_run: Some(next),
        first_run: Some(minutes(-10_000)),
        last_run: Some(minutes(-6)),
        last_success: Some(minutes(-6)),
        ongoing: None,
        error_count: 0,
        last_error: None,
        slot: Some(next),
        success_slot: Some(minutes(-6)),
        claim: None,
        paused_until: None,
        paused_by: None,
        pause_reason: None,
    }
}

fn claimed(row: JobState, host: &str, since: Timestamp, until: Timestamp) -> JobState {
    let claim = LiveClaim {
        run_id: run(7),
        slot: since,
        trigger: "parents".into(),
        attempt: 2,
        host: host.into(),
        lease_until: until,
    };
    JobState {
        ongoing: Some(since),
        claim: Some(claim),
        ..row
    }
}

fn failed(row: JobState, errors: i32, error: &str) -> JobState {
    JobState {
        error_count: errors,
        last_error: Some(error.into()),
        ..row
    }
}

/// The table.
pub(crate) fn table() -> Table {
    let mail = JobState {
        slot: Some(minutes(-30)),
        success_slot: Some(minutes(-4_000)),
        ..well(minutes(5))
    };
    let rows = [
        ("fetch", well(seconds(252))),
        (
            "index",
            claimed(well(never()), "web1", seconds(-12), seconds(108)),
        ),
        (
            "legacy",
            JobState {
                ongoing: Some(minutes(-90)),
                ..well(minutes(-91))
            },
        ),
        (
            "disk_swap",
            JobState {
                paused_until: Some(minutes(2 * 24 * 60)),
                paused_by: Some("anna".into()),
                pause_reason: Some("new disks".into()),
                ..well(minutes(2 * 24 * 60))
            },
        ),
        (
            "vacuum",
            JobState {
                paused_until: Some(never()),
                paused_by: Some("on_lost".into()),
                pause_reason: Some("its run on web2 was lost".into()),
                slot: Some(minutes(-500)),
                ..failed(
                    well(never()),
                    1,
                    "the host of the run stopped renewing its lease",
                )
            },
        ),
        (
            "mail",
            failed(mail, 2, "exit 1: 421 mail server busy\u{1b}[2J"),
        ),
        ("report", well(minutes(-3))),
        (
            "archive",
            JobState {
                last_run: Some(minutes(-43 * 60)),
                ..well(minutes(-19 * 60))
            },
        ),
        (
            "backup",
            failed(well(minutes(20)), 1, "exit 78: no\tsuch disk"),
        ),
        ("beat", well(now())),
        (
            "adhoc",
            JobState {
                slot: Some(Timestamp::UNIX_EPOCH),
                success_slot: None,
                ..well(never())
            },
        ),
        (
            "digest",
            JobState {
                slot: Some(minutes(-60)),
                ..well(never())
            },
        ),
        ("old\u{1b}[2Jjob\n", well(minutes(7))),
        (
            "other",
            claimed(well(minutes(1)), "db1", minutes(-200), minutes(-3)),
        ),
    ];
    let jobs = rows
        .into_iter()
        .map(|(name, row)| (name.to_owned(), row))
        .collect();
    Table {
        now: now(),
        jobs,
        announced: None,
    }
}

/// The id of a run.
pub(crate) fn run(number: u128) -> Uuid {
    Uuid::from_u128(number << 96 | number)
}

/// What the log says of `mail`, newest first.
pub(crate) fn entries() -> Vec<Entry> {
    let run = |number: u128, outcome: &str, at: i64| Entry {
        run_id: Some(run(number)),
        name: "mail".into(),
        slot: Some(minutes(-30)),
        attempt: Some(1),
        fence: Some(40),
        host: Some("web1".into()),
        trigger: Some("schedule".into()),
        outcome: outcome.into(),
        started_at: Some(minutes(at)),
        finished_at: Some(minutes(at) + SignedDuration::from_millis(1_250)),
        exit_code: Some(i32::from(outcome != "success")),
        ..Entry::default()
    };
    let line = |line| format!("line {line} \u{202e}\u{9b}2J\n");
    let output = (1..=9).map(line).collect::<Vec<_>>().concat();
    let skipped = Entry {
        run_id: None,
        attempt: Some(0),
        slot: Some(minutes(-600)),
        slot_until: Some(minutes(-60)),
        slots: Some(10),
        reason: Some("missed".into()),
        started_at: None,
        exit_code: None,
        host: None,
        ..run(0, "skipped", -30)
    };
    vec![
        Entry {
            reason: Some("exit 1: 421 mail server busy".into()),
            output: Some(output),
            attempt: Some(2),
            ..run(3, "failure", -6)
        },
        Entry {
            reason: Some("exit 1: 421 mail server busy".into()),
            ..run(2, "failure", -12)
        },
        skipped,
        run(1, "success", -4_000),
    ]
}
