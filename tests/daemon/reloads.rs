//! Reading the configuration again, again and again, while jobs run each second.

use nix::sys::signal::Signal;

use crate::{
    common::{Postgres, Running, Site, until},
    world::{SOON, holds, nothing_ran_twice, started, stays},
};

const JOBS: usize = 4;

const KEPT: &str = "the configuration is kept as it was";
const READ: &str = "the configuration is read";

/// Whether every slot of each job, from its first to its last, was run or has its verdict: on a busy machine two may
/// become one.
const COVERED: &str = "SELECT bool_and(slots = covered) FROM (
    SELECT extract(epoch FROM max(coalesce(slot_until, slot)) - min(slot)) + 1 AS slots,
           sum(CASE WHEN outcome = 'skipped' THEN slots WHEN attempt = 1 THEN 1 ELSE 0 END) AS covered
      FROM crontabber_log WHERE slot IS NOT NULL GROUP BY app_name) AS job";

fn jobs(site: &Site) -> String {
    (0..JOBS)
        .map(|number| site.job(&format!("often-{number}"), "every = \"1s\"", "true"))
        .collect()
}

/// Reads what it finds, and says so in these words.
async fn reloads(daemon: &Running, words: &str) {
    let said = || daemon.stderr().matches(words).count();
    let before = said();
    daemon.signal(Signal::SIGHUP);
    until(SOON, words, async || said() > before).await;
}

#[tokio::test]
async fn good_and_broken_files_in_turn_cost_no_slot_and_double_none() {
    let database = Postgres::database().await;
    let site = Site::with(&database, jobs);
    let alpha = stays(&site, "alpha").await;
    for _ in 0..10 {
        let runs = site.ledger().starts().len();
        site.configure(database.url(), "[jobs.often-0]\nevrey = \"1s\"\n");
        reloads(&alpha, KEPT).await;
        site.configure(database.url(), &jobs(&site));
        reloads(&alpha, READ).await;
        // Under load: something has run in each round.
        started(&site, runs + 1).await;
    }
    alpha.signal(Signal::SIGTERM);
    assert_eq!(alpha.finished().await.code, Some(0));
    nothing_ran_twice(&site);
    holds(&database, "every slot has its verdict", COVERED).await;
    let failed: i64 = database
        .query_one("SELECT count(*) FROM crontabber_log WHERE outcome NOT IN ('success', 'skipped') OR reason = 'missed'")
        .await;
    assert_eq!(failed, 0);
    // A slot that was missed would be seen.
    database
        .execute("DELETE FROM crontabber_log WHERE id = (SELECT id FROM crontabber_log WHERE app_name = 'often-0' AND outcome = 'success' ORDER BY slot OFFSET 1 LIMIT 1)")
        .await;
    assert!(!database.query_one::<bool>(COVERED).await);
}
