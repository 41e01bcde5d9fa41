//! What programs are told: lines with tabs, and JSON.

use std::{fs, path::Path};

use serde::Deserialize;
use serde_json::{Value, json};

use super::common::{Crontabber, Finished};

/// `next`, on a machine without a configuration and without a database.
async fn next(arguments: &[&str]) -> Finished {
    Crontabber::new([&["next"], arguments].concat()).run().await
}

async fn printed(arguments: &[&str]) -> String {
    let finished = next(arguments).await;
    assert_eq!(finished.code, Some(0), "{arguments:?}: {}", finished.stderr);
    finished.stdout
}

async fn instants(arguments: &[&str]) -> Vec<String> {
    let text = printed(&[arguments, &["--json"]].concat()).await;
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The same of the jobs of a configuration that names no database.
async fn of_jobs(arguments: &[&str]) -> String {
    let directory = tempfile::tempdir().expect("/tmp takes directories");
    let file = directory.path().join("crontabber.toml");
    fs::write(&file, JOBS).expect("the directory is ours");
    let file = file.to_str().expect("paths of tests are text");
    printed(&[&["--config", file], arguments].concat()).await
}

pub(crate) const JOBS: &str = "
[jobs.backup]
schedule = '30 2 * * *'
timezone = 'Europe/Berlin'
command = ['true']

[jobs.backup_check]
depends_on = ['backup']
command = ['true']

[jobs.clean]
every = '1h'
command = ['true']

[jobs.gateway]
keep_running = true
command = ['true']

[jobs.report]
every = '1d'
at = '06:00'
jitter = '10m'
command = ['true']

[jobs.rotate]
schedule = '0 4 * * *'
jitter = '10m'
on = 'each'
command = ['true']
";

#[derive(Deserialize)]
struct Vector {
    crontab: String,
    zone: String,
    after: String,
    /// The first four slots; `None`: refused.
    slots: Option<Vec<String>>,
}

#[tokio::test]
async fn fifty_three_schedules_are_told_as_cron_runs_them() {
    let vectors = include_str!("../schedule/data/crontab_vectors.json");
    let vectors: Vec<Vector> = serde_json::from_str(vectors).expect("vectors");
    for vector in vectors {
        let Vector {
            crontab,
            zone,
            after,
            slots,
        } = &vector;
        let arguments = ["--schedule", crontab, "--timezone", zone, "--from", after];
        match slots {
            Some(slots) => {
                let found = instants(&[&arguments[..], &["-n", "4"]].concat()).await;
                assert_eq!(&found, slots, "{crontab} in {zone} after {after}");
            }
            None => assert_eq!(next(&arguments).await.code, Some(64), "{crontab}"),
        }
    }
}

#[tokio::test]
async fn a_schedule_needs_no_configuration_and_is_told_with_its_clocks() {
    let arguments = ["--schedule", "30 2 * * *", "--timezone", "America/New_York"];
    let window = ["--from", "2026-03-07T17:00:00Z", "-n", "2"];
    let text = printed(&[arguments, window].concat()).await;
    let expected = "\
2026-03-08T03:00:00-04:00\t2026-03-08T07:00:00Z\t2026-03-08T07:00:00Z\t02:30 does not exist that night (clocks go from 02:00 to 03:00): runs at 03:00
2026-03-09T02:30:00-04:00\t2026-03-09T06:30:00Z\t2026-03-09T06:30:00Z\t
";
    assert_eq!(text, expected);
}

#[tokio::test]
async fn several_schedules_are_one_with_the_slots_of_all() {
    let schedules = ["--schedule", "0 2 13 * *", "--schedule", "0 2 * * 5"];
    let window = ["--from", "2026-11-01T00:00:00Z", "-n", "4"];
    let two = instants(&[schedules, window].concat()).await;
    let expected = ["2026-11-06", "2026-11-13", "2026-11-20", "2026-11-27"];
    assert_eq!(two, expected.map(|day| format!("{day}T02:00:00Z")));
    let one = instants(&[&["--schedule", "0 2 13 * 5"], &window[..]].concat()).await;
    assert_eq!(one, two);
}

#[tokio::test]
async fn a_period_counts_from_where_it_is_asked_for() {
    let hourly = ["--every", "1h", "--from", "2026-11-21T10:20:30Z", "-n", "2"];
    let expected = ["2026-11-21T11:20:30Z", "2026-11-21T12:20:30Z"];
    assert_eq!(instants(&hourly).await, expected);
    let daily = ["--every", "1d", "--at", "03:45", "--timezone", "Asia/Tokyo"];
    let window = ["--from", "2026-11-21T10:20:30Z", "-n", "1"];
    let found = instants(&[&daily[..], &window].concat()).await;
    assert_eq!(found, ["2026-11-21T18:45:00Z"]);
}

#[tokio::test]
async fn a_day_begins_with_its_midnight_and_an_instant_after_itself() {
    let from = async |from| {
        let zone = [
            "--schedule",
            "@daily",
            "--timezone",
            "Asia/Tokyo",
            "-n",
            "1",
        ];
        instants(&[&zone[..], &["--from", from]].concat()).await
    };
    assert_eq!(from("2026-03-08").await, ["2026-03-07T15:00:00Z"]);
    assert_eq!(from("2026-03-08 00:00").await, ["2026-03-08T15:00:00Z"]);
    assert_eq!(from("2026-03-07T15:00:00Z").await, ["2026-03-08T15:00:00Z"]);
}

#[tokio::test]
async fn the_end_is_a_slot_too_and_who_cuts_before_it_is_told() {
    let schedule = ["--schedule", "0 * * * *", "--from", "2026-03-08T00:00:00Z"];
    let until = ["--until", "2026-03-08T03:00:00Z"];
    let whole = [&schedule[..], &until].concat();
    let finished = next(&whole).await;
    assert_eq!(
        (finished.stdout.lines().count(), finished.stderr.as_str()),
        (3, "")
    );
    let finished = next(&[&whole[..], &["-n", "2"]].concat()).await;
    assert_eq!(finished.stdout.lines().count(), 2);
    assert!(
        finished.stderr.contains("there are more"),
        "{}",
        finished.stderr
    );
    let nothing = [
        &schedule[..],
        &["--until", "2026-03-08T00:30:00Z", "--json"],
    ]
    .concat();
    assert_eq!(printed(&nothing).await, "[]\n");
}

#[tokio::test]
async fn all_jobs_are_told_in_order_of_time_and_those_without_slots_at_the_end() {
    let window = ["--from", "2027-03-28", "--until", "2027-03-28T02:00:00Z"];
    let text = of_jobs(&window).await;
    let names: Vec<(&str, &str)> = text
        .lines()
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            assert_eq!(cells.len(), 5, "{line}");
            (cells[0], cells[2])
        })
        .collect();
    assert_eq!(
        names,
        [
            ("clean", "2027-03-28T00:00:00Z"),
            ("backup", "2027-03-28T01:00:00Z"),
            ("clean", "2027-03-28T01:00:00Z"),
            ("clean", "2027-03-28T02:00:00Z"),
            ("gateway", ""),
            ("backup_check", ""),
        ]
    );
    assert!(text.contains("02:30 does not exist that night"), "{text}");
    assert!(
        text.contains("\tcounted from 2027-03-28T00:00:00Z\n"),
        "{text}"
    );
    assert!(text.contains("gateway\t\t\t\tkept running"), "{text}");
    assert!(
        text.contains("it runs when backup has succeeded anew"),
        "{text}"
    );
}

#[tokio::test]
async fn a_job_is_an_array_of_objects_that_leave_no_key_out() {
    let window = ["--from", "2027-03-28", "-n", "1", "--json"];
    let job = async |name| -> Value {
        let text = of_jobs(&[&[name], &window[..]].concat()).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    assert_eq!(
        job("backup").await,
        json!([{
            "name": "backup",
            "schedule": "30 2 * * * (Europe/Berlin)",
            "timezone": "Europe/Berlin",
            "slot": "2027-03-28T01:00:00Z",
            "local": "2027-03-28T03:00:00+02:00",
            "start": "2027-03-28T01:00:00Z",
            "remark": "02:30 does not exist that night (clocks go from 02:00 to 03:00): runs at 03:00",
            "counted_from": null,
            "note": null,
        }])
    );
    let clean = job("clean").await;
    assert_eq!(clean[0]["counted_from"], "2027-03-28T00:00:00Z");
    let gateway = job("gateway").await;
    assert_eq!(gateway[0].as_object().map(serde_json::Map::len), Some(9));
    assert_eq!(gateway[0]["slot"], Value::Null);
    assert!(
        gateway[0]["note"]
            .as_str()
            .is_some_and(|note| note.starts_with("kept running"))
    );
}

#[tokio::test]
async fn a_slot_starts_later_by_the_offset_of_its_row() {
    let note = of_jobs(&["rotate", "--from", "2027-03-28", "-n", "1"]).await;
    assert!(
        note.contains("\teach host starts at another moment of the 10m"),
        "{note}"
    );
    let start = async |name| -> Value {
        let window = [name, "--from", "2027-03-28", "-n", "1", "--json"];
        let found: Value = serde_json::from_str(&of_jobs(&window).await).expect("JSON");
        assert_eq!(found[0]["name"], name);
        found[0]["start"].clone()
    };
    // The first eight bytes of the SHA-256 of the name, modulo ten minutes.
    assert_eq!(start("report").await, "2027-03-28T06:01:37.564Z");
    assert_eq!(start("rotate").await, Value::Null, "each host has another");
    assert_eq!(start("rotate@web1").await, "2027-03-28T04:04:24.26Z");
    assert_ne!(start("rotate@web2").await, start("rotate@web1").await);
}

#[tokio::test]
async fn the_shipped_examples_have_slots() {
    let file = Path::new("examples/complete/crontabber.toml");
    let file = fs::canonicalize(file).expect("the examples are there");
    let file = file.to_str().expect("paths of tests are text");
    let text = printed(&["--config", file, "-n", "1000", "--until", "1d"]).await;
    assert!(text.lines().count() > 100, "{text}");
}
