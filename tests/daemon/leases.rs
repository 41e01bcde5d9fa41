//! Daemons that are killed or frozen in the middle of a run: its tree is dead before its lease ends, and the next attempt
//! begins after it has died.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::{
    common::{Beats, Database, Life, Postgres, Running, Site, until, uptime},
    world::{SOON, hears, log, nothing_is_left, stays},
};

/// One job that beats for a minute in its first attempt, and shortly in each later one.
struct Scene {
    database: Database,
    site: Site,
    beats: Beats,
}

impl Scene {
    async fn new(lease: &str) -> Self {
        let database = Postgres::database().await;
        let site = Site::new();
        let beats = Beats::in_directory(&site.file(""));
        let shell = format!(
            "[ $CRONTABBER_ATTEMPT = 1 ] && n=3000 || n=10\n{}",
            beats.shell("$n")
        );
        let job = site.job("pulse", "every = \"1h\"\nstart = \"now\"", &shell);
        site.configure(
            database.url(),
            &format!("[daemon]\nlease = \"{lease}\"\ngrace = \"250ms\"\npoll = \"1h\"\n\n{job}"),
        );
        Self {
            database,
            site,
            beats,
        }
    }

    /// A daemon of this name that runs the job.
    async fn running(&self, host: &str) -> Running {
        let daemon = stays(&self.site, host).await;
        until(SOON, "the run shows that it lives", async || {
            !self.beats.lives().is_empty()
        })
        .await;
        daemon
    }

    /// When the lease of the live run ends, on the clock of the beats.
    async fn lease_end(&self) -> Duration {
        let before = uptime().as_secs_f64();
        let sql =
            "SELECT extract(epoch FROM lease_until - clock_timestamp())::float8 FROM crontabber";
        let left: f64 = self.database.query_one(sql).await;
        Duration::from_secs_f64(before + left)
    }

    /// Waits for the second attempt's success; the lives of both.
    async fn both(&self) -> (Life, Life) {
        let sql = "SELECT success_slot IS NOT NULL AND ongoing IS NULL FROM crontabber";
        until(SOON, "the second attempt has succeeded", async || {
            self.database.query_one(sql).await
        })
        .await;
        nothing_is_left(&self.site);
        let lives = self.beats.lives();
        let starts = self.site.ledger().starts();
        assert_eq!(starts.len(), 2, "{starts:?}");
        let life = |at: usize| lives[&starts[at].run_id];
        assert!(
            life(0).last < life(1).first,
            "the runs overlapped: {lives:?}"
        );
        (life(0), life(1))
    }
}

#[tokio::test]
async fn when_a_daemon_is_killed_its_tree_is_dead_and_another_host_takes_over_after_the_lease() {
    let scene = Scene::new("3s").await;
    let alpha = scene.running("alpha").await;
    let lease_end = scene.lease_end().await;
    let beta = stays(&scene.site, "beta").await;
    alpha.signal(Signal::SIGKILL);
    let (first, second) = scene.both().await;
    assert!(
        first.last < lease_end,
        "{first:?} lived on after {lease_end:?}"
    );
    assert!(
        second.first > lease_end,
        "{second:?} began before {lease_end:?}"
    );
    assert_eq!(
        log(&scene.database).await,
        ["pulse 1 1 lost alpha", "pulse 1 2 success beta"]
    );
    hears(&beta, "alpha stopped renewing its lease").await;
}

#[tokio::test]
async fn a_daemon_that_is_started_again_on_the_same_boot_need_not_wait_for_the_lease() {
    let scene = Scene::new("10m").await;
    let alpha = scene.running("alpha").await;
    let lease_end = scene.lease_end().await;
    alpha.signal(Signal::SIGKILL);
    let alpha = stays(&scene.site, "alpha").await;
    let (_, second) = scene.both().await;
    assert!(second.first < lease_end);
    hears(&alpha, "the process on alpha that ran it has ended").await;
    assert_eq!(
        log(&scene.database).await,
        ["pulse 1 1 lost alpha", "pulse 1 2 success alpha"]
    );
}

#[tokio::test]
async fn a_run_of_a_living_process_of_the_same_name_is_left_alone() {
    let scene = Scene::new("10m").await;
    let first = scene.running("alpha").await;
    let twin = stays(&scene.site, "alpha").await;
    hears(&twin, "another daemon goes by this name").await;
    // It has looked, and would have taken the run over by now.
    let sql = "SELECT count(*) = 1 FROM crontabber_log";
    assert!(scene.database.query_one::<bool>(sql).await);
    assert_eq!(scene.site.ledger().starts().len(), 1);
    drop((first, twin));
}

#[tokio::test]
async fn a_daemon_that_is_frozen_loses_its_run_before_its_lease_and_hears_of_it_when_it_wakes() {
    let scene = Scene::new("3s").await;
    let alpha = scene.running("alpha").await;
    let beta = stays(&scene.site, "beta").await;
    alpha.signal(Signal::SIGSTOP);
    until(SOON, "it is frozen", async || alpha.is_stopped()).await;
    let lease_end = scene.lease_end().await;
    let (first, second) = scene.both().await;
    assert!(
        first.last < lease_end,
        "{first:?} lived on after {lease_end:?}"
    );
    assert!(
        second.first > lease_end,
        "{second:?} began before {lease_end:?}"
    );
    alpha.signal(Signal::SIGCONT);
    hears(&alpha, "fenced").await;
    assert_eq!(
        log(&scene.database).await,
        ["pulse 1 1 lost alpha", "pulse 1 2 success beta"]
    );
    // And it is a host like any other again.
    alpha.signal(Signal::SIGTERM);
    assert_eq!(alpha.finished().await.code, Some(0));
    drop(beta);
}

#[tokio::test]
async fn a_hundred_crashes_in_a_row_start_the_slot_once_and_leave_nothing() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        let daemon = "[daemon]\nlease = \"10m\"\npoll = \"1h\"\n\n".to_owned();
        daemon + &site.job("report", "every = \"1h\"\nstart = \"now\"", "sleep 600")
    });
    let first = stays(&site, "alpha").await;
    until(SOON, "the run has started", async || {
        !site.ledger().starts().is_empty()
    })
    .await;
    first.signal(Signal::SIGKILL);
    for number in 0..100_u64 {
        // At any moment of a start, each a little later.
        let crashing = crate::world::daemon(&site, "alpha").spawn();
        tokio::time::sleep(Duration::from_millis(number % 20)).await;
        crashing.signal(Signal::SIGKILL);
    }
    let alpha = stays(&site, "alpha").await;
    until(SOON, "a run goes on", async || {
        let sql = "SELECT count(*) = 1 FROM crontabber_log WHERE outcome = 'running'";
        database.query_one(sql).await
    })
    .await;
    crate::world::nothing_ran_twice(&site);
    alpha.signal(Signal::SIGTERM);
    hears(&alpha, "waiting for what is running").await;
    alpha.signal(Signal::SIGTERM);
    let _ = alpha.finished().await;
    nothing_is_left(&site);
    let attempts: bool = database
        .query_one("SELECT count(*) = max(attempt) FROM crontabber_log WHERE run_id IS NOT NULL")
        .await;
    assert!(attempts, "an attempt is missing");
}
