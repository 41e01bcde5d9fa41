//! A table in which every state occurs, and a history.

use std::path::Path;

use crontabber::{
    config::{Config, Surroundings, load_in},
    place::{Place, Seen},
    store::{
        hosts::{Announced, Daemon, Meaning},
        identity::Identity,
        table::{JobState, LiveClaim, Table, never},
    },
    view::{counts::Counts, entry::Entry},
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

/// What the hosts have announced: two live, one of them with a clock that is wrong, one is silent, one is long gone.
pub(crate) fn announced() -> Vec<Announced> {
    let announced =
        |host: &str, tags: &[&str], ago: i64, clock_skew, configuration: &str| Announced {
            seen: Seen {
                place: Place {
                    host: host.into(),
                    tags: tags.iter().map(|&tag| tag.into()).collect(),
                    ..Place::default()
                },
                at: minutes(-ago),
                drained: None,
            },
            version: "0.1.0".into(),
            clock_skew,
            configuration: configuration.into(),
            jobs: 13,
            ..Announced::default()
        };
    let daemon = Daemon {
        instance: "b0071d 4026531836 4711 900".into(),
        started_at: Some(minutes(-75)),
        status: Some("2 running, next mail in 3m".into()),
    };
    vec![
        announced("db1", &["eu"], 20 * 60, Some(0.004), "9f3c5e6a00000000"),
        announced("gone", &[], 3 * 24 * 60, Some(0.0), "9f3c5e6a00000000"),
        Announced {
            daemon: Some(daemon),
            config_error: Some("jobs/feeds.toml:3:1: unknown key `evry`\u{1b}[2J".into()),
            other: Some(("b0071d 4026531836 4712 950".into(), minutes(-1))),
            ..announced("web1", &[], 2, Some(-0.312), "a1b2c3d4e5f60718")
        },
        announced(
            "web2\u{1b}[2J",
            &["eu", "ssd"],
            7,
            Some(-46_800.25),
            "9f3c5e6a00000000",
        ),
        drained(announced("web3", &[], 1, Some(0.0), "a1b2c3d4e5f60718")),
    ]
}

/// The same, drained by somebody half an hour ago.
fn drained(mut host: Announced) -> Announced {
    host.seen.drained = Some(minutes(-30));
    host.drained_by = Some("anna@web1".into());
    host
}

/// The hosts as a plan sees them.
fn hosts() -> Vec<Seen> {
    announced().into_iter().map(|host| host.seen).collect()
}

/// What the two live hosts do not mean alike.
pub(crate) fn meanings() -> Vec<Meaning> {
    let meaning = |name: &str, hash: &str, hosts: &[&str]| Meaning {
        name: name.into(),
        hash: hash.into(),
        hosts: hosts.iter().map(|&host| host.into()).collect(),
    };
    vec![
        meaning("mail", "5f6e7d8c9b0a1234", &["web1"]),
        meaning("mail", "0123456789abcdef", &["web2\u{1b}[2J"]),
        meaning("report", "1111111111111111", &["web1"]),
    ]
}

/// Which database it is.
pub(crate) fn identity() -> Identity {
    Identity {
        name: "cron".into(),
        oid: 16_385,
        address: Some("10.0.0.5".into()),
        port: 5432,
        started_at: minutes(-10_000),
        system_identifier: Some("7301234567890123456".into()),
        role: "crontabber".into(),
    }
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
        finish_slot: None,
        blocked_since: None,
        claim: None,
        paused_until: None,
        paused_by: None,
        pause_reason: None,
        definition_hash: None,
        triggered: None,
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
        claim: Some(Box::new(claim)),
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
        ("stuck", well(minutes(-45))),
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
        .map(|(name, row)| (name.into(), Box::new(row)))
        .collect();
    Table {
        now: now(),
        jobs,
        hosts: hosts(),
        ..Table::default()
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
        Entry {
            counts: Counts::at_the_end_of(
                "{\"sent\": 12, \"failed\": 0, \"bounced\": {\"full\": 1}}",
            ),
            ..run(1, "success", -4_000)
        },
    ]
}
