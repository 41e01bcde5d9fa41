//! How a daemon begins, reads its configuration again, and ends.

use std::{fs, time::Duration};

use nix::sys::signal::Signal;

use crate::{
    common::{NotifySocket, Postgres, Private, Running, Site, legacy, until},
    world::{
        ASLEEP, SOON, daemon, hears, holds, log, nothing_is_left, ready, says, started, stays,
    },
};

const ONCE: &str = "every = \"1h\"\nstart = \"now\"";

#[tokio::test]
async fn told_to_stop_it_lets_what_runs_end_and_starts_nothing_more() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        [
            ASLEEP.to_owned(),
            site.job("long", ONCE, "sleep 2"),
            site.job("after", "depends_on = [\"long\"]", "true"),
        ]
        .concat()
    });
    let alpha = stays(&site, "alpha").await;
    started(&site, 1).await;
    alpha.signal(Signal::SIGTERM);
    let alpha = alpha.finished().await;
    assert_eq!(alpha.code, Some(0), "{}", alpha.stderr);
    assert_eq!(log(&database).await, ["long 1 1 success alpha"]);
    let gone: bool = database
        .query_one("SELECT instance IS NULL AND status = 'stopped' FROM crontabber_host")
        .await;
    assert!(gone, "it has not said goodbye");
}

#[tokio::test]
async fn what_does_not_end_within_the_drain_is_killed_and_is_another_hosts_at_once() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        let daemon = "[daemon]\npoll = \"1h\"\ndrain = \"500ms\"\n\n".to_owned();
        daemon + &site.job("long", ONCE, "[ $CRONTABBER_ATTEMPT = 2 ] || sleep 600")
    });
    let alpha = stays(&site, "alpha").await;
    started(&site, 1).await;
    alpha.signal(Signal::SIGINT);
    let alpha = alpha.finished().await;
    assert_eq!(alpha.code, Some(0), "{}", alpha.stderr);
    nothing_is_left(&site);
    let _beta = stays(&site, "beta").await;
    holds(
        &database,
        "beta has run it",
        "SELECT success_slot IS NOT NULL FROM crontabber",
    )
    .await;
    assert_eq!(
        log(&database).await,
        ["long 1 1 lost alpha", "long 1 2 success beta"]
    );
}

#[tokio::test]
async fn a_host_that_is_drained_no_longer_works_as_before() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        [
            "[daemon]\npoll = \"1h\"\ndrain = \"300ms\"\n\n".to_owned(),
            site.job("often", "every = \"1s\"", "sleep 0.2"),
            site.job("long", ONCE, "[ $CRONTABBER_ATTEMPT = 1 ] && sleep 600"),
            site.job("kept", "keep_running = true", "sleep 600"),
        ]
        .concat()
    });
    let alpha = stays(&site, "alpha").await;
    started(&site, 3).await;
    let drained = site.on("desk", &["drain", "alpha"]).run().await;
    assert_eq!(drained.code, Some(0), "{}", drained.stderr);
    hears(&alpha, "has had its time").await;
    let nothing = "SELECT count(*) = 0 FROM crontabber_log WHERE outcome = 'running'";
    holds(&database, "nothing runs", nothing).await;
    let since: String = database.query_one("SELECT clock_timestamp()::text").await;
    let undone = site.on("desk", &["drain", "alpha", "--undo"]).run().await;
    assert_eq!(undone.code, Some(0), "{}", undone.stderr);
    let again = format!(
        "SELECT count(DISTINCT app_name) = 2 FROM crontabber_log
          WHERE started_at > '{since}' AND (app_name, outcome) IN (('often', 'success'), ('kept', 'running'))"
    );
    holds(&database, "what was stopped runs again", &again).await;
    let lost = format!(
        "SELECT count(*) FROM crontabber_log WHERE started_at > '{since}' AND outcome = 'lost'"
    );
    assert_eq!(
        database.query_one::<i64>(&lost).await,
        0,
        "{}",
        alpha.stderr()
    );
}

#[tokio::test]
async fn a_second_signal_kills_at_once() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let database = Postgres::database().await;
        let site = Site::with(&database, |site| {
            ASLEEP.to_owned() + &site.job("long", ONCE, "sleep 600")
        });
        let alpha = stays(&site, "alpha").await;
        started(&site, 1).await;
        alpha.signal(signal);
        hears(&alpha, "waiting for what is running").await;
        alpha.signal(signal);
        let alpha = alpha.finished().await;
        assert_eq!(alpha.code, Some(code), "{}", alpha.stderr);
        nothing_is_left(&site);
        assert_eq!(log(&database).await, ["long 1 1 lost alpha"]);
    }
}

#[tokio::test]
async fn told_to_it_reads_its_configuration_again_and_what_runs_goes_on() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        ASLEEP.to_owned() + &site.job("long", ONCE, "sleep 2")
    });
    let alpha = stays(&site, "alpha").await;
    started(&site, 1).await;
    let both = [
        ASLEEP.to_owned(),
        site.job("long", ONCE, "sleep 2"),
        site.job("new", ONCE, "true"),
    ]
    .concat();
    site.configure(database.url(), &both);
    alpha.signal(Signal::SIGHUP);
    holds(
        &database,
        "both have run",
        "SELECT count(*) = 2 FROM crontabber_log WHERE outcome = 'success'",
    )
    .await;
    assert_eq!(
        log(&database).await,
        ["long 1 1 success alpha", "new 1 1 success alpha"]
    );
}

#[tokio::test]
async fn a_configuration_with_mistakes_is_not_taken_and_everybody_is_told() {
    let database = Postgres::database().await;
    let often = |site: &Site| ASLEEP.to_owned() + &site.job("often", "every = \"1s\"", "true");
    let site = Site::with(&database, often);
    let socket = NotifySocket::new();
    let alpha = daemon(&site, "alpha").env("NOTIFY_SOCKET", socket.path());
    let alpha = ready(alpha.spawn()).await;
    site.configure(
        database.url(),
        "[jobs.often]\nevrey = \"1s\"\ncommand = [\"true\"]\n",
    );
    alpha.signal(Signal::SIGHUP);
    hears(&alpha, "the configuration is kept as it was").await;
    assert!(says(&alpha, "evrey"), "{}", alpha.stderr());
    let told = "SELECT config_error LIKE '%evrey%' FROM crontabber_host WHERE config_error IS NOT NULL UNION ALL SELECT false LIMIT 1";
    holds(&database, "the other hosts can see it", told).await;
    until(SOON, "the service manager can see it", async || {
        socket
            .status()
            .is_some_and(|status| status.contains("has mistakes"))
    })
    .await;
    // It goes on with what it had.
    let before = site.ledger().starts().len();
    started(&site, before + 2).await;
    site.configure(database.url(), &often(&site));
    alpha.signal(Signal::SIGHUP);
    holds(
        &database,
        "all is well again",
        "SELECT config_error IS NULL FROM crontabber_host",
    )
    .await;
    let status = socket.status().expect("it has said something");
    assert!(!status.contains("has mistakes"), "{status}");
}

#[tokio::test]
async fn a_thousand_signals_are_a_few_reloads_and_one_stop() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        ASLEEP.to_owned() + &site.job("often", "every = \"1s\"", "true")
    });
    let alpha = stays(&site, "alpha").await;
    for number in 0..1000 {
        let signal = [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGCHLD][number % 3];
        alpha.signal(signal);
    }
    let before = site.ledger().starts().len();
    started(&site, before + 2).await;
    alpha.signal(Signal::SIGTERM);
    let alpha = alpha.finished().await;
    assert_eq!(alpha.code, Some(0), "{}", alpha.stderr);
    let reloads = alpha
        .stderr
        .matches("reading the configuration again")
        .count();
    assert!((1..=334).contains(&reloads), "{reloads}");
}

#[tokio::test]
async fn asked_what_it_is_doing_it_tells_its_log() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        [
            ASLEEP.to_owned(),
            site.job("long", ONCE, "sleep 600"),
            site.job("later", "every = \"1h\"", "true"),
        ]
        .concat()
    });
    let alpha = stays(&site, "alpha").await;
    started(&site, 1).await;
    until(SOON, "it says what runs", async || {
        alpha.signal(Signal::SIGUSR1);
        says(&alpha, "1 running: long")
    })
    .await;
    for text in ["since the start", "next later at", "job=long", "job=later"] {
        hears(&alpha, text).await;
    }
}

#[tokio::test]
async fn the_service_manager_hears_all_of_it() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        ASLEEP.to_owned() + &site.job("long", ONCE, "sleep 2")
    });
    let socket = NotifySocket::new();
    let alpha = daemon(&site, "alpha")
        .env("NOTIFY_SOCKET", socket.path())
        .env("WATCHDOG_USEC", "400000");
    let alpha = ready(alpha.spawn()).await;
    socket.until(SOON, "READY=1").await;
    until(SOON, "it says what runs", async || {
        socket
            .status()
            .is_some_and(|status| status.starts_with("1 running: long"))
    })
    .await;
    let fed = socket.count("WATCHDOG=1");
    until(SOON, "the loop feeds the watchdog", async || {
        socket.count("WATCHDOG=1") > fed + 2
    })
    .await;
    alpha.signal(Signal::SIGHUP);
    socket.until(SOON, "RELOADING=1").await;
    until(SOON, "it is ready again", async || {
        socket.count("READY=1") == 2
    })
    .await;
    alpha.signal(Signal::SIGTERM);
    socket.until(SOON, "STOPPING=1").await;
    let alpha = alpha.finished().await;
    assert_eq!(alpha.code, Some(0), "{}", alpha.stderr);
    let extends = |heard: &crate::common::Heard| heard.value("EXTEND_TIMEOUT_USEC").is_some();
    assert!(socket.heard().iter().any(extends));
}

#[tokio::test]
async fn a_frozen_loop_feeds_no_watchdog() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        ASLEEP.to_owned() + &site.job("later", "every = \"1h\"", "true")
    });
    let socket = NotifySocket::new();
    let alpha = daemon(&site, "alpha")
        .env("NOTIFY_SOCKET", socket.path())
        .env("WATCHDOG_USEC", "100000");
    let alpha = ready(alpha.spawn()).await;
    alpha.signal(Signal::SIGSTOP);
    until(SOON, "it is frozen", async || alpha.is_stopped()).await;
    let fed = socket.count("WATCHDOG=1");
    // The one place where time has to pass: nothing happens is what is to be seen.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(socket.count("WATCHDOG=1"), fed);
}

#[tokio::test]
async fn a_database_that_is_away_at_the_start_is_waited_for() {
    let private = Private::new();
    let database = private.database().await;
    let site = Site::with(&database, |site| {
        ASLEEP.to_owned() + &site.job("report", ONCE, "true")
    });
    private.stop();
    let socket = NotifySocket::new();
    let alpha = daemon(&site, "alpha")
        .env("NOTIFY_SOCKET", socket.path())
        .spawn();
    hears(&alpha, "cannot look at the table").await;
    assert_eq!(socket.count("READY=1"), 0);
    assert!(!says(&alpha, " ready "));
    private.start();
    let _alpha: Running = ready(alpha).await;
    started(&site, 1).await;
    socket.until(SOON, "READY=1").await;
}

#[tokio::test]
async fn tables_that_do_not_fit_end_it_with_78_and_what_to_do() {
    let database = legacy::database().await;
    let site = Site::with(&database, |site| site.job("report", ONCE, "true"));
    let alpha = daemon(&site, "alpha").run().await;
    assert_eq!(alpha.code, Some(78), "{}", alpha.stderr);
    assert!(
        alpha.stderr.contains("crontabber migrate"),
        "{}",
        alpha.stderr
    );
    fs::write(site.file("crontabber.toml"), "[jobs.report]\n").expect("it is ours");
    let alpha = daemon(&site, "alpha").run().await;
    assert_eq!(alpha.code, Some(78), "{}", alpha.stderr);
}
