//! Daemons of a site, and what can be seen of them from outside.

use std::time::Duration;

use crate::common::{Crontabber, Database, Running, Site, left_over, until};

/// How long anything may take that should happen at once, on a machine that is busy.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// Nothing but a word from somebody, or a slot, wakes such a daemon.
pub(crate) const ASLEEP: &str = "[daemon]\npoll = \"1h\"\n\n";

/// A daemon on a host of this name.
pub(crate) fn daemon(site: &Site, host: &str) -> Crontabber {
    site.on(host, &["daemon", "--log-format", "line"])
}

/// The same, running and ready.
pub(crate) async fn stays(site: &Site, host: &str) -> Running {
    ready(daemon(site, host).spawn()).await
}

/// Waits until it is ready.
pub(crate) async fn ready(mut daemon: Running) -> Running {
    until(SOON, "the daemon is ready", async || {
        assert!(!daemon.has_ended(), "it has ended: {}", daemon.stderr());
        says(&daemon, " ready ")
    })
    .await;
    daemon
}

/// Whether its log holds this.
pub(crate) fn says(daemon: &Running, text: &str) -> bool {
    daemon.stderr().contains(text)
}

/// Waits until its log holds this.
pub(crate) async fn hears(daemon: &Running, text: &str) {
    let since = std::time::Instant::now();
    while !says(daemon, text) {
        let log = daemon.stderr();
        assert!(since.elapsed() < SOON, "it does not say `{text}`: {log}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until so many runs have started.
pub(crate) async fn started(site: &Site, count: usize) {
    let what = format!("{count} runs have started");
    until(SOON, &what, async || site.ledger().starts().len() >= count).await;
}

/// Waits until more runs have started than so many; without that, the daemon's log tells why.
pub(crate) async fn more_than(site: &Site, before: usize, daemon: &Running) {
    let since = std::time::Instant::now();
    while site.ledger().starts().len() <= before {
        assert!(since.elapsed() < SOON, "no run starts; {}", daemon.stderr());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a question of the database is answered with yes.
pub(crate) async fn holds(database: &Database, what: &str, sql: &str) {
    until(SOON, what, async || database.query_one(sql).await).await;
}

/// Slot, attempt and outcome of every run of the log that has been, in order, the slots numbered from 1.
pub(crate) async fn log(database: &Database) -> Vec<String> {
    let rows = database
        .rows(
            "SELECT app_name, dense_rank() OVER (PARTITION BY app_name ORDER BY slot), coalesce(attempt, 0), outcome, host
               FROM crontabber_log WHERE run_id IS NOT NULL ORDER BY app_name, slot, attempt NULLS LAST",
        )
        .await;
    rows.iter().map(|row| row.join(" ")).collect()
}

/// Nothing of any run that has started is alive.
pub(crate) fn nothing_is_left(site: &Site) {
    for start in site.ledger().starts() {
        let left = left_over(&format!("CRONTABBER_RUN_ID={}", start.run_id));
        assert!(left.is_empty(), "{left:?} are left of {start:?}");
    }
}

/// No slot was started twice by the same attempt, told by the jobs themselves.
pub(crate) fn nothing_ran_twice(site: &Site) {
    let mut starts: Vec<_> = site
        .ledger()
        .starts()
        .into_iter()
        .map(|start| (start.job, start.slot, start.attempt))
        .collect();
    let all = starts.len();
    starts.sort();
    starts.dedup();
    assert_eq!(starts.len(), all, "{:?}", site.ledger().starts());
}
