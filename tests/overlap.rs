//! A daemon with a job that takes longer than its period: what becomes of the slot that falls due meanwhile.

mod common;

use std::time::Duration;

use common::{Site, tables, until};
use nix::sys::signal::Signal;

/// Whether the second run was for the slot that fell due during the first, and how many slots were missed.
async fn two_runs(overlap: &str) -> (bool, i64) {
    let database = tables().await;
    let site = Site::with(&database, |site| {
        let keys = format!("every = \"4s\"\nstart = \"now\"\noverlap = \"{overlap}\"");
        let ledger = site.file("ledger").display().to_string();
        let first_is_long = format!("[ $(wc -l < {ledger}) -gt 1 ] || sleep 5");
        // Nobody would come by for it before the end of the test.
        let daemon = "[daemon]\npoll = \"1h\"\n\n";
        format!("{daemon}{}", site.job("slow", &keys, &first_is_long))
    });
    let daemon = site.on("alpha", &["daemon"]).spawn();
    until(
        Duration::from_mins(1),
        "it has been started twice",
        async || site.ledger().starts().len() >= 2,
    )
    .await;
    daemon.signal(Signal::SIGTERM);
    let daemon = daemon.finished().await;
    assert_eq!(daemon.code, Some(0), "{}", daemon.stderr);
    let queued =
        "SELECT second.slot <= first.finished_at FROM crontabber_log first, crontabber_log second
                   WHERE first.attempt > 0 AND second.attempt > 0 AND first.slot < second.slot
                   ORDER BY first.slot, second.slot LIMIT 1";
    let missed = "SELECT coalesce(sum(slots), 0)::int8 FROM crontabber_log WHERE reason = 'missed'";
    (
        database.query_one(queued).await,
        database.query_one(missed).await,
    )
}

#[tokio::test]
async fn where_slots_queue_the_one_that_came_during_a_run_is_run_when_that_has_ended() {
    assert_eq!(two_runs("queue_one").await, (true, 0));
}

#[tokio::test]
async fn where_they_do_not_it_is_missed_and_the_next_run_is_for_the_next_one() {
    assert_eq!(two_runs("skip").await, (false, 1));
}
