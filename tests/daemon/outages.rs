//! A database that is away: runs go on until their deadline, outcomes are kept, and nothing is recorded twice or lost.

use std::fs;

use nix::sys::signal::Signal;

use crate::{
    common::{Beats, Private, Site, until, uptime},
    world::{SOON, daemon, hears, holds, log, more_than, nothing_is_left, ready, started, stays},
};

const ONCE: &str = "every = \"1h\"\nstart = \"now\"";

#[tokio::test]
async fn a_restart_of_the_database_costs_no_run() {
    let private = Private::new();
    let database = private.database().await;
    let site = Site::with(&database, |site| {
        let daemon = "[daemon]\nlease = \"60s\"\npoll = \"1s\"\n\n".to_owned();
        let often = site.job("often", "every = \"1s\"", "true");
        daemon + &site.job("long", ONCE, "sleep 3") + &often
    });
    // All it has to say, in case it does not go on.
    let alpha = daemon(&site, "alpha").env("RUST_LOG", "crontabber=debug");
    let alpha = ready(alpha.spawn()).await;
    started(&site, 1).await;
    for _ in 0..2 {
        private.immediate();
        hears(&alpha, "cannot").await;
        private.start();
        let before = site.ledger().starts().len();
        more_than(&site, before, &alpha).await;
    }
    holds(
        &database,
        "the long one is recorded",
        "SELECT success_slot IS NOT NULL FROM crontabber WHERE app_name = 'long'",
    )
    .await;
    let lost: i64 = database
        .query_one("SELECT count(*) FROM crontabber_log WHERE outcome NOT IN ('success', 'skipped', 'running')")
        .await;
    assert_eq!(lost, 0, "{:?}", log(&database).await);
    crate::world::nothing_ran_twice(&site);
}

#[tokio::test]
async fn a_run_that_cannot_be_proven_any_more_is_dead_before_its_lease_ends() {
    let private = Private::new();
    let database = private.database().await;
    let site = Site::new();
    let beats = Beats::in_directory(&site.file(""));
    let shell = format!(
        "[ $CRONTABBER_ATTEMPT = 1 ] && n=3000 || n=10\n{}",
        beats.shell("$n")
    );
    let daemon = "[daemon]\nlease = \"3s\"\npoll = \"1s\"\n\n".to_owned();
    site.configure(database.url(), &(daemon + &site.job("pulse", ONCE, &shell)));
    let _alpha = stays(&site, "alpha").await;
    until(SOON, "the run shows that it lives", async || {
        !beats.lives().is_empty()
    })
    .await;
    private.freeze();
    let latest = uptime() + std::time::Duration::from_secs(3);
    until(SOON, "its lease is over", async || uptime() > latest).await;
    nothing_is_left(&site);
    let life = *beats.lives().values().next().expect("it has lived");
    assert!(
        life.last < latest,
        "{life:?}, and its lease ended by {latest:?}"
    );
    private.thaw();
    holds(
        &database,
        "the next attempt has succeeded",
        "SELECT success_slot IS NOT NULL FROM crontabber",
    )
    .await;
    assert_eq!(
        log(&database).await,
        ["pulse 1 1 lost alpha", "pulse 1 2 success alpha"]
    );
}

/// A run ends while the database is away, and its daemon is killed before the database is back.
async fn ended_in_the_dark(keep: bool) -> Vec<String> {
    let private = Private::new();
    let database = private.database().await;
    let site = Site::new();
    let gate = site.file("gate");
    let wait = format!("while [ ! -e '{}' ]; do sleep 0.05; done", gate.display());
    let daemon = "[daemon]\nlease = \"60s\"\npoll = \"1s\"\n\n".to_owned();
    site.configure(database.url(), &(daemon + &site.job("report", ONCE, &wait)));
    let alpha = stays(&site, "alpha").await;
    started(&site, 1).await;
    private.immediate();
    fs::write(&gate, "").expect("the directory is ours");
    hears(&alpha, "cannot record the run").await;
    let kept = site.file("state/alpha/outcomes");
    until(SOON, "the outcome is kept", async || {
        let directories = fs::read_dir(&kept).into_iter().flatten().flatten();
        let mut files =
            directories.flat_map(|of| fs::read_dir(of.path()).into_iter().flatten().flatten());
        files.any(|file| file.path().extension().is_some_and(|of| of == "json"))
    })
    .await;
    alpha.signal(Signal::SIGKILL);
    let _ = alpha.finished().await;
    if !keep {
        fs::remove_dir_all(&kept).expect("it is ours");
    }
    private.start();
    let _alpha = stays(&site, "alpha").await;
    holds(
        &database,
        "the slot has succeeded",
        "SELECT success_slot IS NOT NULL AND ongoing IS NULL FROM crontabber",
    )
    .await;
    let left = fs::read_dir(&kept).into_iter().flatten().flatten();
    let left: usize = left
        .map(|of| fs::read_dir(of.path()).into_iter().flatten().count())
        .sum();
    assert_eq!(left, 0, "an outcome is still kept");
    log(&database).await
}

#[tokio::test]
async fn an_outcome_outlives_the_process_that_could_not_record_it() {
    assert_eq!(ended_in_the_dark(true).await, ["report 1 1 success alpha"]);
}

#[tokio::test]
async fn and_without_its_file_the_slot_would_run_again() {
    assert_eq!(
        ended_in_the_dark(false).await,
        ["report 1 1 lost alpha", "report 1 2 success alpha"]
    );
}
