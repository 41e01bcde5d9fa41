//! Real daemons: what they start again, take over, and hand on.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::common::{Beats, Database, Running, Site, left_over, tables, until, uptime};

const SOON: Duration = Duration::from_mins(1);

const LEASE: Duration = Duration::from_secs(4);

/// A service and the hosts that keep it running.
struct Fleet {
    database: Database,
    site: Site,
    beats: Beats,
}

impl Fleet {
    /// One that does this: `$B` shows for a minute that it lives, `$L` has a line for each start.
    async fn keeping(keys: &str, shell: &str) -> Self {
        let database = tables().await;
        let site = Site::new();
        let beats = Beats::in_directory(&site.file(""));
        let ledger = site.file("ledger").display().to_string();
        let shell = shell
            .replace("$B", &beats.shell("3000"))
            .replace("$L", &ledger);
        let job = site.job("relay", &format!("keep_running = true\n{keys}"), &shell);
        let daemon = "[daemon]\nlease = \"4s\"\npoll = \"500ms\"\n[defaults]\nlease = \"4s\"\n\n";
        site.configure(database.url(), &format!("{daemon}{job}"));
        Self {
            database,
            site,
            beats,
        }
    }

    fn daemon(&self, host: &str) -> Running {
        self.site.on(host, &["daemon"]).spawn()
    }

    async fn starts(&self, number: usize) {
        let sentence = format!("it has been started {number} times");
        until(SOON, &sentence, async || {
            self.site.ledger().starts().len() >= number
        })
        .await;
    }

    /// So many instances have shown that they live.
    async fn lives(&self, number: usize) {
        until(SOON, "an instance shows that it lives", async || {
            self.beats.lives().len() >= number
        })
        .await;
    }

    async fn errors(&self) -> i32 {
        self.database
            .query_one("SELECT error_count FROM crontabber")
            .await
    }

    /// Outcome and host of each instance.
    async fn log(&self) -> Vec<String> {
        let rows = self
            .database
            .rows("SELECT outcome, host FROM crontabber_log ORDER BY id")
            .await;
        rows.iter().map(|row| row.join(" ")).collect()
    }
}

async fn stopped(daemon: Running) {
    daemon.signal(Signal::SIGTERM);
    let daemon = daemon.finished().await;
    assert_eq!(daemon.code, Some(0), "{}", daemon.stderr);
}

#[tokio::test]
async fn a_daemon_starts_it_again_and_later_each_time_as_long_as_it_fails() {
    let retry = "retry = { first = \"200ms\", max = \"10s\", jitter = 0 }";
    let fleet = Fleet::keeping(retry, "exit 1").await;
    let alpha = fleet.daemon("alpha");
    fleet.starts(5).await;
    stopped(alpha).await;
    let pauses = "SELECT bool_and(pause >= make_interval(secs => 0.2 * 2 ^ (number - 1)))
                    FROM (SELECT started_at - lag(finished_at) OVER (ORDER BY id) AS pause,
                                 row_number() OVER (ORDER BY id) - 1 AS number FROM crontabber_log) AS starts
                   WHERE number > 0";
    assert!(fleet.database.query_one::<bool>(pauses).await);
    assert!(fleet.errors().await >= 4);
}

#[tokio::test]
async fn one_that_stays_up_at_last_is_healthy_and_its_errors_are_forgotten() {
    let retry = "retry = { first = \"100ms\", max = \"1s\", jitter = 0 }";
    let shell = "[ $(wc -l < $L) -gt 3 ] || exit 1\nexec sleep 60";
    let fleet = Fleet::keeping(retry, shell).await;
    let alpha = fleet.daemon("alpha");
    fleet.starts(4).await;
    let healthy = "SELECT error_count = 0 AND last_error::text = '{}' AND ongoing IS NOT NULL FROM crontabber";
    until(SOON, "its errors are forgotten while it runs", async || {
        fleet.database.query_one(healthy).await
    })
    .await;
    stopped(alpha).await;
    let outcomes = [["failure alpha"; 3].as_slice(), &["lost alpha"]].concat();
    assert_eq!(fleet.log().await, outcomes);
    assert_eq!(fleet.errors().await, 0);
}

#[tokio::test]
async fn another_daemon_has_it_within_two_leases_when_its_host_is_killed() {
    let fleet = Fleet::keeping("", "$B").await;
    let alpha = fleet.daemon("alpha");
    fleet.lives(1).await;
    let beta = fleet.daemon("beta");
    until(SOON, "beta stays, too", async || {
        let hosts = "SELECT count(*) FROM crontabber_host WHERE instance IS NOT NULL";
        fleet.database.query_one::<i64>(hosts).await == 2
    })
    .await;
    alpha.signal(Signal::SIGKILL);
    let killed = uptime();
    fleet.lives(2).await;
    let starts = fleet.site.ledger().starts();
    let [first, second] = [0, 1].map(|start| fleet.beats.lives()[&starts[start].run_id]);
    let moved = second.first.saturating_sub(killed);
    println!("taken over after {moved:?}, with a lease of {LEASE:?}");
    assert!(moved < 2 * LEASE, "{moved:?}");
    assert!(first.last < second.first, "{first:?} {second:?}");
    assert_eq!(fleet.log().await, ["lost alpha", "running beta"]);
    let left = left_over(&format!("CRONTABBER_RUN_ID={}", starts[0].run_id));
    assert!(left.is_empty(), "{left:?}");
    stopped(beta).await;
}

#[tokio::test]
async fn a_daemon_that_is_told_to_stop_hands_it_on_at_once_and_that_is_no_error() {
    let fleet = Fleet::keeping("", "$B").await;
    let alpha = fleet.daemon("alpha");
    fleet.lives(1).await;
    let beta = fleet.daemon("beta");
    // Its run would last for a minute, and its drain for two.
    stopped(alpha).await;
    fleet.lives(2).await;
    assert_eq!(fleet.log().await, ["lost alpha", "running beta"]);
    assert_eq!(fleet.errors().await, 0);
    stopped(beta).await;
}
