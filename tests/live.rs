//! Changes by hand on daemons that look once an hour: whatever they do about one, they do because they were told.

mod common;

use std::time::Duration;

use common::{Database, Finished, Postgres, Running, Site, until};
use nix::sys::signal::Signal;

/// Far below the hour of a poll and the minutes of a heartbeat.
const SOON: Duration = Duration::from_secs(30);

/// A daemon named `alpha`, and what it runs.
struct Live {
    database: Database,
    site: Site,
    daemon: Running,
}

impl Live {
    /// With an hourly job `it` that does this, not due yet.
    async fn new(keys: &str, shell: &str) -> Self {
        let database = Postgres::database().await;
        let site = Site::with(&database, |site| {
            format!(
                "[daemon]\npoll = \"1h\"\nlease = \"30m\"\n{keys}\n\n[defaults]\nlease = \"30m\"\n\n"
            ) + &site.job("it", "every = \"1h\"", shell)
        });
        let daemon = site.on("alpha", &["daemon"]);
        let daemon = daemon.env("STATE_DIRECTORY", site.file("state")).spawn();
        let live = Self {
            database,
            site,
            daemon,
        };
        // It listens before it looks, so who has seen its rows is heard.
        until(
            SOON,
            "the daemon has made its row and listens",
            async || live.daemon.stderr().contains("ready") && live.listens().await,
        )
        .await;
        live
    }

    async fn listens(&self) -> bool {
        let sql = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND query ILIKE '%LISTEN%' AND pid <> pg_backend_pid()";
        self.database.query_one::<i64>(sql).await > 0
    }

    /// What somebody types elsewhere.
    async fn typed(&self, arguments: &[&str]) -> Finished {
        let finished = self.site.on("laptop", arguments).run().await;
        assert_eq!(finished.code, Some(0), "{arguments:?}: {finished:?}");
        finished
    }

    async fn runs(&self) -> Vec<String> {
        let sql = "SELECT trigger, outcome FROM crontabber_log WHERE attempt > 0 ORDER BY id";
        let rows = self.database.rows(sql).await;
        rows.iter().map(|row| row.join(" ")).collect()
    }

    async fn runs_are(&self, expected: &[&str]) {
        until(SOON, "the daemon has heard of it", async || {
            self.runs().await == expected
        })
        .await;
    }

    /// How long after the newest change by hand of this kind the newest run had this stamp, by the database's clock.
    async fn tell_how_soon(&self, what: &str, stamp: &str) {
        let sql = format!(
            "SELECT extract(epoch FROM (SELECT max({stamp}) FROM crontabber_log WHERE attempt > 0)
                                       - (SELECT max(at) FROM crontabber_audit WHERE what = '{what}'))::float8"
        );
        let seconds: f64 = self.database.query_one(&sql).await;
        println!("{what}: {seconds:.3} s");
    }

    async fn stops(self) {
        self.daemon.signal(Signal::SIGTERM);
        let finished = self.daemon.finished().await;
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    }
}

#[tokio::test]
async fn a_run_that_is_asked_for_starts_because_the_daemon_is_told() {
    let live = Live::new("", "echo well").await;
    let followed = live.typed(&["trigger", "it", "--follow"]).await;
    assert_eq!(followed.stdout, "well\n");
    assert!(followed.stderr.contains("claimed by alpha"), "{followed:?}");
    assert_eq!(live.runs().await, ["manual success"]);
    live.tell_how_soon("trigger", "started_at").await;

    // The same request by somebody who tells nobody lies there.
    let asks =
        "UPDATE crontabber SET trigger_id = gen_random_uuid(), triggered_at = clock_timestamp()";
    live.database.execute(asks).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(live.runs().await.len(), 1, "nobody has told the daemon");
    live.database.execute("NOTIFY crontabber").await;
    live.runs_are(&["manual success", "manual success"]).await;
    live.stops().await;
}

#[tokio::test]
async fn a_pause_and_its_end_are_heard() {
    let live = Live::new("", "").await;
    live.typed(&["pause", "it"]).await;
    until(SOON, "it says that the job is paused", async || {
        live.daemon.signal(Signal::SIGUSR1);
        live.daemon.stderr().contains("paused")
    })
    .await;
    // Due, as after an hour; the daemon knows no earlier slot.
    live.database
        .execute("UPDATE crontabber SET slot = now(), revision = revision + 1")
        .await;
    live.typed(&["trigger", "it"]).await;
    live.runs_are(&["manual success"]).await;
    assert_eq!(
        live.site.ledger().starts().len(),
        1,
        "its slot waits for the end of the pause"
    );
    live.typed(&["resume", "it"]).await;
    live.runs_are(&["manual success", "schedule success"]).await;
    live.tell_how_soon("resume", "started_at").await;
    live.stops().await;
}

#[tokio::test]
async fn a_cancelled_run_ends_long_before_the_next_heartbeat() {
    let live = Live::new("", "sleep 600").await;
    live.typed(&["trigger", "it"]).await;
    live.runs_are(&["manual running"]).await;
    let cancelled = live.typed(&["cancel", "it"]).await;
    assert!(
        cancelled.stdout.starts_with("cancelled: run "),
        "{cancelled:?}"
    );
    assert_eq!(live.runs().await, ["manual cancelled"]);
    live.tell_how_soon("cancel", "finished_at").await;
    live.stops().await;
}

#[tokio::test]
async fn a_drained_daemon_stays_takes_nothing_and_works_again_when_it_is_told() {
    let live = Live::new("", "").await;
    live.typed(&["drain", "alpha", "--reason", "new disk"])
        .await;
    until(SOON, "it has heard of it", async || {
        live.daemon.stderr().contains("drained: what runs may end")
    })
    .await;
    let asked = live.typed(&["trigger", "it"]).await;
    assert!(asked.stdout.contains("no live host"), "{asked:?}");
    // A second host takes it.
    let pass = live.site.on("beta", &["tick"]).run().await;
    assert_eq!(pass.code, Some(0), "{pass:?}");
    assert_eq!(live.runs().await, ["manual success"]);
    let on_beta = "SELECT host FROM crontabber_log WHERE attempt > 0";
    assert_eq!(live.database.query_one::<String>(on_beta).await, "beta");

    live.database
        .execute("DELETE FROM crontabber_host WHERE host = 'beta'")
        .await;
    live.typed(&["trigger", "it"]).await;
    live.typed(&["drain", "alpha", "--undo"]).await;
    live.runs_are(&["manual success", "manual success"]).await;
    live.tell_how_soon("undrain", "started_at").await;
    live.stops().await;
}

#[tokio::test]
async fn what_has_not_ended_when_a_drain_is_over_is_killed_and_runs_elsewhere() {
    let live = Live::new("drain = \"1s\"", "sleep 600").await;
    live.database
        .execute("UPDATE crontabber SET slot = now(), next_run = now(), revision = revision + 1; NOTIFY crontabber")
        .await;
    live.runs_are(&["schedule running"]).await;
    live.typed(&["drain", "alpha"]).await;
    live.runs_are(&["schedule lost"]).await;
    let log = live.daemon.stderr();
    assert!(log.contains("has had its time: killing it"), "{log}");
    // It does not take it back itself, though it is due again.
    until(SOON, "it is due again", async || {
        let is_due = "SELECT next_run <= clock_timestamp() FROM crontabber";
        live.database.query_one::<bool>(is_due).await
    })
    .await;
    let is_free = "SELECT run_id IS NULL FROM crontabber";
    assert!(live.database.query_one::<bool>(is_free).await);
    live.stops().await;
}
