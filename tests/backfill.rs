//! Slots of the past that have not succeeded: each runs once, oldest first, behind the schedule.

mod common;

use std::{collections::BTreeSet, time::Duration};

use common::{Crontabber, Database, Finished, Site, tables, until};
use nix::sys::signal::Signal;

const SOON: Duration = Duration::from_secs(30);

/// Whole days of a past month, in the zone of the job.
const RANGE: [&str; 4] = ["--from", "2031-05-01", "--to", "2031-05-05"];

/// A daily job whose live slot is in 2031, on 6 May.
async fn site(keys: &str, shell: &str) -> (Site, Database) {
    let database = tables().await;
    let site = Site::with(&database, |site| {
        let keys = format!("every = \"1d\"\nat = \"00:00\"\n{keys}");
        site.job("job", &keys, shell)
    });
    let met = site.on("alpha", &["tick"]).run().await;
    assert_eq!(met.code, Some(0), "{}", met.stderr);
    let live = "UPDATE crontabber SET revision = revision + 1, slot = '2031-05-06 00:00+00', next_run = '2031-05-06 00:00+00'";
    database.execute(live).await;
    (site, database)
}

fn backfill(site: &Site, host: &str, more: &[&str]) -> Crontabber {
    let arguments = ["backfill", "job"].iter().chain(&RANGE).chain(more);
    site.on(host, &arguments.copied().collect::<Vec<_>>())
}

async fn run(site: &Site) -> Finished {
    backfill(site, "alpha", &[]).run().await
}

/// The days of May for which a run was started, in that order.
fn days(site: &Site) -> Vec<i8> {
    let starts = site.ledger().starts();
    let day = |slot: jiff::Timestamp| slot.to_zoned(jiff::tz::TimeZone::UTC).day();
    starts.iter().map(|start| day(start.slot)).collect()
}

#[tokio::test]
async fn each_slot_of_the_range_runs_once_oldest_first_and_moves_nothing_of_the_schedule() {
    let (site, database) = site("", "").await;
    let schedule = "SELECT slot::text || next_run::text || error_count || (last_success IS NULL) FROM crontabber";
    let before: String = database.query_one(schedule).await;
    let finished = run(&site).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(finished.stdout, "job: 5 slots: 5 succeeded\n");
    assert_eq!(days(&site), [1, 2, 3, 4, 5]);
    let after: String = database.query_one(schedule).await;
    assert_eq!(after, before);
    let success: String = database
        .query_one("SELECT (success_slot AT TIME ZONE 'UTC')::date::text FROM crontabber")
        .await;
    assert_eq!(success, "2031-05-05");
    let log = "SELECT DISTINCT trigger || ' ' || outcome FROM crontabber_log";
    assert_eq!(database.query_one::<String>(log).await, "backfill success");
}

#[tokio::test]
async fn what_has_succeeded_is_left_out_and_a_dry_run_says_what_is_left() {
    let (site, _database) = site("", "case $CRONTABBER_SLOT in *-03T*) exit 1 ;; esac").await;
    let finished = run(&site).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert_eq!(finished.stdout, "job: 5 slots: 4 succeeded, 1 failed\n");
    assert!(
        finished
            .stderr
            .contains("2031-05-03T00:00:00Z failure: exit 1"),
        "{}",
        finished.stderr
    );
    let dry = backfill(&site, "alpha", &["--dry-run"]).run().await;
    assert_eq!(dry.code, Some(0), "{dry:?}");
    assert_eq!(
        dry.stdout,
        "would run 1 slot of job, oldest first (4 of the range have succeeded):\n2031-05-03T00:00:00Z\n"
    );
    assert_eq!(days(&site).len(), 5);
    run(&site).await;
    assert_eq!(days(&site), [1, 2, 3, 4, 5, 3]);
}

#[tokio::test]
async fn two_people_who_do_the_same_range_do_each_slot_once() {
    let (site, _database) = site("", "sleep 0.1").await;
    let hosts = ["alpha", "beta"].map(|host| backfill(&site, host, &[]).spawn());
    let mut ran = 0;
    for host in hosts {
        let finished = host.finished().await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        ran += i32::from(!finished.stdout.contains(" 0 succeeded"));
    }
    assert_eq!(days(&site), [1, 2, 3, 4, 5]);
    assert!(ran > 0);
}

#[tokio::test]
async fn the_live_slot_goes_first_when_it_falls_due_and_is_kept_waiting_by_one_run_at_most() {
    let gate = "[ $(wc -l < $LEDGER) -ne 2 ] || while [ ! -e $LEDGER.open ]; do sleep 0.05; done";
    let database = tables().await;
    let site = Site::with(&database, |site| {
        let ledger = site.file("ledger").display().to_string();
        let keys = format!("every = \"1d\"\nat = \"00:00\"\nenv = {{ LEDGER = \"{ledger}\" }}");
        site.job("job", &keys, gate)
    });
    let met = site.on("alpha", &["tick"]).run().await;
    assert_eq!(met.code, Some(0), "{}", met.stderr);
    database
        .execute("UPDATE crontabber SET revision = revision + 1, slot = '2031-05-06 00:00+00', next_run = '2031-05-06 00:00+00'")
        .await;
    let running = backfill(&site, "alpha", &[]).spawn();
    until(SOON, "the second slot is running", async || {
        days(&site) == [1, 2]
    })
    .await;
    // The schedule's own slot comes; its host polls once an hour, and has to be told.
    let daemon = site.on("beta", &["daemon"]).spawn();
    database
        .execute("UPDATE crontabber SET revision = revision + 1, slot = clock_timestamp() - interval '1 minute', next_run = clock_timestamp() - interval '1 minute'")
        .await;
    std::fs::write(site.file("ledger.open"), "").expect("the directory is writable");
    let live =
        "SELECT count(*) FROM crontabber_log WHERE trigger = 'schedule' AND outcome = 'success'";
    until(SOON, "the live slot has run", async || {
        database.query_one::<i64>(live).await == 1
    })
    .await;
    running.finished().await;
    daemon.signal(Signal::SIGTERM);
    daemon.finished().await;
    let order = "SELECT string_agg(trigger, ' ' ORDER BY started_at) FROM crontabber_log WHERE run_id IS NOT NULL";
    let order: String = database.query_one(order).await;
    assert!(order.starts_with("backfill backfill schedule"), "{order}");
}

#[tokio::test]
async fn a_first_signal_stops_it_after_the_current_slot_and_the_same_command_goes_on_from_there() {
    let (site, _database) = site("", "sleep 0.3").await;
    let running = backfill(&site, "alpha", &[]).spawn();
    until(SOON, "the second slot is running", async || {
        days(&site).len() == 2
    })
    .await;
    running.signal(Signal::SIGINT);
    let finished = running.finished().await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert_eq!(finished.stdout, "job: 5 slots: 2 succeeded, 3 left\n");
    let finished = run(&site).await;
    assert_eq!(finished.stdout, "job: 3 slots: 3 succeeded\n");
    assert_eq!(days(&site), [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_slot_whose_host_was_killed_runs_again_by_the_same_command() {
    let (site, database) = site("lease = \"3s\"", "[ -e $0.never ] || sleep 0.2").await;
    let running = backfill(&site, "alpha", &[]).spawn();
    until(SOON, "the second slot is running", async || {
        days(&site).len() == 2
    })
    .await;
    running.signal(Signal::SIGKILL);
    running.finished().await;
    let finished = run(&site).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let once: BTreeSet<i8> = days(&site).into_iter().collect();
    assert_eq!(once.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let rest: i64 = database
        .query_one("SELECT count(*) FROM crontabber_log WHERE outcome = 'running'")
        .await;
    assert_eq!(rest, 0);
    let errors: i32 = database
        .query_one("SELECT error_count FROM crontabber")
        .await;
    assert_eq!(
        errors, 0,
        "what was lost of a backfill is no error of the schedule"
    );
}

#[tokio::test]
async fn a_paused_job_is_not_backfilled_and_a_range_that_makes_no_sense_is_refused() {
    let (site, _database) = site("", "").await;
    site.on("alpha", &["pause", "job"]).run().await;
    let paused = run(&site).await;
    assert_eq!(paused.code, Some(4), "{paused:?}");
    assert!(paused.stderr.contains("is paused"), "{}", paused.stderr);
    for (arguments, said) in [
        (
            ["--from", "2031-05-05", "--to", "2031-05-01"],
            "before it begins",
        ),
        (
            ["--from", "yesterday", "--to", "2031-05-01"],
            "`yesterday` is no day and no instant",
        ),
    ] {
        let arguments = ["backfill", "job"].iter().chain(&arguments);
        let refused = site.on("alpha", &arguments.copied().collect::<Vec<_>>());
        let refused = refused.run().await;
        assert_eq!(refused.code, Some(64), "{refused:?}");
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
    }
    assert_eq!(days(&site), [0_i8; 0]);
}
