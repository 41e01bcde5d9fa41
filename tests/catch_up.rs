//! What becomes of the slots that nobody was there for: each gets one verdict, by the job's own policy.

mod common;

use std::time::Duration;

use common::{Database, Finished, Site, tables, until};
use nix::sys::signal::Signal;

const SOON: Duration = Duration::from_secs(30);

/// A job with these keys, whose hosts were all away from this long ago on.
async fn after_an_outage(keys: &str, shell: &str, since: &str) -> (Site, Database) {
    let database = tables().await;
    // No run counts as lost before the server has been up for a lease.
    let site = Site::with(&database, |site| {
        let job = site.job("job", keys, shell);
        format!("[daemon]\nlease = \"3s\"\n\n{job}")
    });
    let met = site.on("alpha", &["tick"]).run().await;
    assert_eq!(met.code, Some(0), "{}", met.stderr);
    away(&database, "job", since).await;
    (site, database)
}

/// The pending slot of a job is so long ago, on the full hour.
async fn away(database: &Database, job: &str, since: &str) {
    let sql = format!(
        "UPDATE crontabber SET revision = revision + 1,
                slot = date_trunc('hour', clock_timestamp()) - interval '{since}',
                next_run = date_trunc('hour', clock_timestamp()) - interval '{since}'
          WHERE app_name = '{job}'"
    );
    database.execute(&sql).await;
}

async fn tick(site: &Site) -> Finished {
    let pass = site.on("alpha", &["tick"]).run().await;
    assert!(matches!(pass.code, Some(0 | 1)), "{pass:?}");
    pass
}

/// The verdicts of a job, oldest slot first: hours before this one, how many slots, the outcome, the reason.
async fn verdicts(database: &Database, job: &str) -> Vec<String> {
    let sql = format!(
        "SELECT concat_ws(' ', extract(epoch FROM date_trunc('hour', clock_timestamp()) - slot)::int8 / 3600,
                          coalesce(slots, 1), outcome, reason)
           FROM crontabber_log WHERE app_name = '{job}' ORDER BY slot, attempt"
    );
    let rows = database.rows(&sql).await;
    rows.into_iter().map(|mut row| row.remove(0)).collect()
}

/// Plain periods count from the pending slot, which lies on the full hour: no test runs into another hour's slot.
const HOURLY: &str = "every = \"1h\"";

#[tokio::test]
async fn a_job_that_catches_up_on_all_runs_each_missed_slot_oldest_first_in_one_pass() {
    let (site, database) =
        after_an_outage(&format!("{HOURLY}\ncatch_up = \"all\""), "", "3 hours").await;
    tick(&site).await;
    let slots = site.ledger().starts();
    assert_eq!(slots.len(), 4);
    assert!(slots.is_sorted_by(|one, next| one.slot < next.slot));
    let each = ["3 1 success", "2 1 success", "1 1 success", "0 1 success"];
    assert_eq!(verdicts(&database, "job").await, each);
}

#[tokio::test]
async fn no_more_than_the_limit_are_caught_up_on_and_the_older_ones_are_missed() {
    let keys = format!("{HOURLY}\ncatch_up = \"all\"\ncatch_up_limit = 2");
    let (site, database) = after_an_outage(&keys, "", "5 hours").await;
    tick(&site).await;
    let rows = ["5 4 skipped missed", "1 1 success", "0 1 success"];
    assert_eq!(verdicts(&database, "job").await, rows);
}

#[tokio::test]
async fn a_slot_that_fails_is_tried_again_before_those_behind_it() {
    let keys = format!("{HOURLY}\ncatch_up = \"all\"");
    let (site, database) = after_an_outage(&keys, "exit 1", "2 hours").await;
    tick(&site).await;
    assert_eq!(verdicts(&database, "job").await, ["2 1 failure exit 1"]);
    let pending: String = database
        .query_one("SELECT (date_trunc('hour', clock_timestamp()) - slot)::text FROM crontabber")
        .await;
    assert_eq!(pending, "02:00:00");
}

#[tokio::test]
async fn a_job_that_catches_up_on_the_latest_runs_that_for_all_of_them() {
    let (site, database) = after_an_outage(HOURLY, "", "3 hours").await;
    tick(&site).await;
    let rows = ["3 3 skipped coalesced", "0 1 success"];
    assert_eq!(verdicts(&database, "job").await, rows);
}

/// A daily job whose slot was three hours ago.
async fn daily(keys: &str) -> (Site, Database) {
    after_an_outage(&format!("every = \"1d\"\n{keys}"), "", "3 hours").await
}

#[tokio::test]
async fn a_job_that_catches_up_on_nothing_waits_for_its_next_slot() {
    let (site, database) = daily("catch_up = \"none\"").await;
    let dry = site.on("alpha", &["tick", "--dry-run"]).run().await;
    let said = "would run: nothing\nwould skip slots of job: its slot ";
    assert!(dry.stdout.starts_with(said), "{}", dry.stdout);
    tick(&site).await;
    assert_eq!(verdicts(&database, "job").await, ["3 1 skipped missed"]);
    tick(&site).await;
    assert_eq!(site.ledger().starts().len(), 0);
    let next: String = database
        .query_one(
            "SELECT (next_run - date_trunc('hour', clock_timestamp()))::text FROM crontabber",
        )
        .await;
    assert_eq!(next, "21:00:00");
}

#[tokio::test]
async fn a_slot_that_cannot_start_before_its_deadline_is_late_and_not_run() {
    let (site, database) = daily("start_deadline = \"2h\"").await;
    tick(&site).await;
    assert_eq!(verdicts(&database, "job").await, ["3 1 skipped late"]);
    assert_eq!(site.ledger().starts().len(), 0);
}

#[tokio::test]
async fn a_slot_that_can_is_run() {
    let (site, database) = daily("start_deadline = \"5h\"").await;
    tick(&site).await;
    assert_eq!(verdicts(&database, "job").await, ["3 1 success"]);
    assert_eq!(site.ledger().starts().len(), 1);
}

#[tokio::test]
async fn slots_that_fell_due_in_a_pause_were_paused_whether_it_ended_by_itself_or_by_hand() {
    for by_hand in [false, true] {
        let (site, database) = after_an_outage(HOURLY, "", "3 hours").await;
        let end = if by_hand {
            "timestamptz 'infinity'"
        } else {
            "clock_timestamp()"
        };
        let pause = format!(
            "UPDATE crontabber SET revision = revision + 1, paused_until = least({end}, '9999-01-01 00:00+00'),
                    next_run = least({end}, '9999-01-01 00:00+00')"
        );
        database.execute(&pause).await;
        if by_hand {
            let resumed = site.on("alpha", &["resume", "job"]).run().await;
            assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
        }
        tick(&site).await;
        let rows = ["3 3 skipped paused", "0 1 success"];
        assert_eq!(verdicts(&database, "job").await, rows, "by hand: {by_hand}");
    }
}

/// A parent and its child, both hourly; the child's pending slot is so many hours ago, the parent's this one.
async fn family(parent: &str, child: &str) -> (Site, Database) {
    let database = tables().await;
    let site = Site::with(&database, |site| {
        let waits = format!("{HOURLY}\ndepends_on = [{child}]");
        site.job("parent", HOURLY, parent) + &site.job("child", &waits, "")
    });
    let met = site.on("alpha", &["tick"]).run().await;
    assert_eq!(met.code, Some(0), "{}", met.stderr);
    away(&database, "child", "2 hours").await;
    away(&database, "parent", "0").await;
    (site, database)
}

#[tokio::test]
async fn a_child_passed_by_its_own_next_slot_was_blocked_by_the_parent_that_stood_still() {
    let (site, database) = family("exit 1", "'parent'").await;
    tick(&site).await;
    tick(&site).await;
    let rows = ["2 2 skipped blocked by parent"];
    assert_eq!(verdicts(&database, "child").await, rows);
    let since: String = database
        .query_one("SELECT (date_trunc('hour', clock_timestamp()) - blocked_since)::text FROM crontabber WHERE app_name = 'child'")
        .await;
    // Monitoring counts from the first slot that was left behind.
    assert_eq!(since, "02:00:00");
    let check = site.on("alpha", &["check", "--verbose"]).run().await;
    assert!(check.stdout.contains("child"), "{}", check.stdout);
}

#[tokio::test]
async fn a_parent_that_is_about_to_run_leaves_nothing_of_its_child_blocked() {
    let (site, database) = family("", "'parent'").await;
    tick(&site).await;
    let rows = ["2 2 skipped coalesced", "0 1 success"];
    assert_eq!(verdicts(&database, "child").await, rows);
}

#[tokio::test]
async fn a_child_that_needs_no_more_than_an_end_runs_after_a_failure() {
    let (site, database) = family("exit 1", "{ job = 'parent', on = 'finish' }").await;
    tick(&site).await;
    let rows = ["2 2 skipped coalesced", "0 1 success"];
    assert_eq!(verdicts(&database, "child").await, rows);
    let why = site.on("alpha", &["why", "child"]).run().await.stdout;
    assert!(why.contains("its last slot to end: "), "{why}");
    assert!(!why.contains("its last slot to end: never"), "{why}");
}

#[tokio::test]
async fn an_older_success_of_a_parent_is_enough_within_the_time_that_the_child_says() {
    for (within, runs) in [("3h", 1), ("1h", 0)] {
        let (site, database) = family(
            "exit 1",
            &format!("{{ job = 'parent', within = '{within}' }}"),
        )
        .await;
        away(&database, "child", "0").await;
        database
            .execute("UPDATE crontabber SET revision = revision + 1, success_slot = date_trunc('hour', clock_timestamp()) - interval '2 hours' WHERE app_name = 'parent'")
            .await;
        tick(&site).await;
        let child = |site: &Site| {
            let starts = site.ledger().starts();
            starts.iter().filter(|start| start.job == "child").count()
        };
        assert_eq!(child(&site), runs, "within {within}");
    }
}

#[tokio::test]
async fn a_run_that_was_lost_is_tried_again_however_long_ago_its_slot_was() {
    let (site, database) = daily("catch_up = \"none\"").await;
    // Its host died while it ran, hours after the slot, and the lease is over.
    database
        .execute(
            "UPDATE crontabber SET revision = revision + 1, ongoing = clock_timestamp() - interval '1 hour',
                    run_id = gen_random_uuid(), run_slot = slot, run_trigger = 'schedule', attempt = 1, host = 'gone',
                    lease_until = clock_timestamp() - interval '50 minutes', on_lost = 'retry',
                    lost_backoff = interval '5 minutes', fence = 7;
             INSERT INTO crontabber_log (app_name, run_id, slot, attempt, fence, host, trigger, outcome, started_at)
             SELECT app_name, run_id, run_slot, 1, fence, host, run_trigger, 'running', ongoing FROM crontabber",
        )
        .await;
    until(SOON, "the lost run is tried again", async || {
        tick(&site).await;
        let verdicts = verdicts(&database, "job").await;
        verdicts == ["3 1 lost gone stopped renewing its lease", "3 1 success"]
    })
    .await;
}

#[tokio::test]
async fn what_a_dead_first_run_of_pythons_has_left_without_an_instant_is_skipped_too() {
    let (site, database) = daily("catch_up = \"none\"").await;
    database
        .execute(
            "UPDATE crontabber SET revision = revision + 1, slot = NULL, next_run = NULL,
                    ongoing = clock_timestamp() - interval '13 hours'",
        )
        .await;
    tick(&site).await;
    let skipped: i64 = database
        .query_one(
            "SELECT count(*) FROM crontabber_log WHERE outcome = 'skipped' AND reason = 'missed'",
        )
        .await;
    assert_eq!((skipped, site.ledger().starts().len()), (1, 0));
}

#[tokio::test]
async fn hosts_that_leave_the_same_slots_behind_write_that_down_once() {
    let (site, database) = daily("catch_up = \"none\"").await;
    let hosts = ["alpha", "beta", "gamma", "delta"];
    let passes: Vec<_> = hosts
        .iter()
        .map(|host| site.on(host, &["tick"]).spawn())
        .collect();
    for pass in passes {
        let pass = pass.finished().await;
        assert_eq!(pass.code, Some(0), "{}", pass.stderr);
    }
    assert_eq!(verdicts(&database, "job").await, ["3 1 skipped missed"]);
}

#[tokio::test]
async fn a_daemon_leaves_slots_behind_by_itself_and_keeps_to_the_next_one() {
    let (site, database) = daily("catch_up = \"none\"").await;
    let daemon = site.on("alpha", &["daemon"]).spawn();
    until(SOON, "the slot has its verdict", async || {
        verdicts(&database, "job").await == ["3 1 skipped missed"]
    })
    .await;
    daemon.signal(Signal::SIGTERM);
    let daemon = daemon.finished().await;
    assert_eq!(daemon.code, Some(0), "{}", daemon.stderr);
    assert_eq!(site.ledger().starts().len(), 0);
}
