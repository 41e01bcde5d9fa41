//! What wakes a daemon: a slot, a finished parent, a word from somebody, and the poll for the rest.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::{
    common::{Postgres, Site, locked::lock, until},
    world::{ASLEEP, SOON, hears, holds, log, nothing_ran_twice, started, stays},
};

#[tokio::test]
async fn slots_are_run_when_they_fall_due_without_any_poll() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        ASLEEP.to_owned() + &site.job("often", "every = \"1s\"", "true")
    });
    let _daemon = stays(&site, "alpha").await;
    started(&site, 4).await;
    nothing_ran_twice(&site);
}

#[tokio::test]
async fn a_child_starts_when_the_last_of_its_parents_is_done() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        let once = "every = \"1h\"\nstart = \"now\"";
        [
            ASLEEP.to_owned(),
            site.job("left", once, "true"),
            site.job("right", once, "sleep 0.5"),
            site.job("child", "depends_on = [\"left\", \"right\"]", "true"),
            site.job("grandchild", "depends_on = [\"child\"]", "true"),
        ]
        .concat()
    });
    let _daemon = stays(&site, "alpha").await;
    started(&site, 4).await;
    let order: Vec<String> = site
        .ledger()
        .starts()
        .into_iter()
        .map(|run| run.job)
        .collect();
    assert_eq!(order[2..], ["child", "grandchild"], "{order:?}");
}

#[tokio::test]
async fn a_word_from_somebody_wakes_it_and_without_one_the_poll_does() {
    for (poll, word) in [
        ("1h", "SELECT pg_notify('crontabber', 'moved report')"),
        ("1s", "SELECT 1"),
    ] {
        let database = Postgres::database().await;
        let site = Site::with(&database, |site| {
            let daemon = format!("[daemon]\npoll = \"{poll}\"\n\n");
            daemon + &site.job("report", "every = \"10h\"", "true")
        });
        let _daemon = stays(&site, "alpha").await;
        let listens = "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN crontabber'";
        holds(&database, "it listens", listens).await;
        // Behind its back, as a Python host would.
        database
            .execute("UPDATE crontabber SET next_run = now(), slot = NULL, revision = revision + 1")
            .await;
        database.rows(word).await;
        started(&site, 1).await;
    }
}

#[tokio::test]
async fn as_many_run_at_once_as_there_is_room_for_and_no_more() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        let daemon = "[daemon]\npoll = \"1h\"\nmax_parallel = 2\n\n".to_owned();
        let jobs = (0..6).map(|number| {
            site.job(
                &format!("j{number}"),
                "every = \"1h\"\nstart = \"now\"",
                "sleep 0.3",
            )
        });
        daemon + &jobs.collect::<String>()
    });
    let _daemon = stays(&site, "alpha").await;
    holds(
        &database,
        "all have run",
        "SELECT count(*) = 6 FROM crontabber_log WHERE outcome = 'success'",
    )
    .await;
    let most: i64 = database
        .query_one(
            "SELECT max(beside) FROM (SELECT count(*) AS beside FROM crontabber_log a JOIN crontabber_log b
               ON b.started_at <= a.started_at AND a.started_at < b.finished_at GROUP BY a.run_id) AS runs",
        )
        .await;
    assert_eq!(most, 2);
    let _ = SOON;
    assert_eq!(log(&database).await.len(), 6);
}

#[tokio::test]
async fn a_row_that_somebody_holds_is_asked_for_again_about_once_a_second_until_it_is_free() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        ASLEEP.to_owned() + &site.job("report", "every = \"10h\"", "true")
    });
    let daemon = stays(&site, "alpha").await;
    let held = lock(&database, "report").await;
    held.batch_execute(
        "UPDATE crontabber SET next_run = now(), slot = NULL, revision = revision + 1",
    )
    .await
    .expect("it is ours");
    // Everybody may know that it is due, and nobody can have it.
    held.batch_execute("COMMIT; BEGIN; SELECT FROM crontabber FOR UPDATE")
        .await
        .expect("it is free");
    let told = database.connect().await;
    told.batch_execute("SELECT pg_notify('crontabber', 'moved report')")
        .await
        .expect("everybody may");
    let since = Instant::now();
    hears(&daemon, "contended").await;
    let tries = || daemon.stderr().matches("contended").count();
    until(SOON, "it asks again", async || tries() >= 3).await;
    // At the speed of the answers it would be hundreds of times by then.
    assert!(
        since.elapsed() > Duration::from_secs(1),
        "{} times in {:?}: {}",
        tries(),
        since.elapsed(),
        daemon.stderr()
    );
    held.batch_execute("COMMIT")
        .await
        .expect("it is still open");
    started(&site, 1).await;
    nothing_ran_twice(&site);
}

#[tokio::test]
async fn a_child_that_only_another_host_may_run_starts_there_when_its_parent_is_done_here() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        [
            ASLEEP.to_owned(),
            site.job("parent", "every = \"10h\"\nhosts = [\"alpha\"]", "true"),
            site.job(
                "child",
                "depends_on = [\"parent\"]\nhosts = [\"beta\"]",
                "true",
            ),
        ]
        .concat()
    });
    let (_alpha, _beta) = (stays(&site, "alpha").await, stays(&site, "beta").await);
    let listen = "SELECT count(*) = 2 FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN crontabber'";
    holds(&database, "both listen", listen).await;
    let trigger = site.on("alpha", &["trigger", "parent"]).run().await;
    assert_eq!(trigger.code, Some(0), "{trigger:?}");
    started(&site, 2).await;
    holds(
        &database,
        "both are recorded",
        "SELECT count(*) = 2 FROM crontabber_log WHERE outcome = 'success'",
    )
    .await;
    assert_eq!(
        log(&database).await,
        ["child 1 1 success beta", "parent 1 1 success alpha"]
    );
}

#[tokio::test]
async fn what_a_host_keeps_running_is_taken_over_at_once_when_that_stops_or_is_drained() {
    let kept = "keep_running = true";
    for leaves in ["stops", "is drained"] {
        let database = Postgres::database().await;
        let site = Site::with(&database, |site| {
            ASLEEP.to_owned()
                + &site.job("relay", kept, "exec sleep 600")
                + &site.job(
                    "long",
                    "every = \"10h\"\nstart = \"now\"\nhosts = [\"alpha\"]",
                    "sleep 3",
                )
        });
        let alpha = stays(&site, "alpha").await;
        started(&site, 2).await;
        let beta = stays(&site, "beta").await;
        let listen = "SELECT count(*) = 2 FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN crontabber'";
        holds(&database, "both listen", listen).await;
        if leaves == "stops" {
            alpha.signal(Signal::SIGTERM);
        } else {
            let drain = site.on("beta", &["drain", "alpha"]).run().await;
            assert_eq!(drain.code, Some(0), "{drain:?}");
        }
        // While alpha still waits for what ends by itself.
        let there = "SELECT count(*) = 2 FROM crontabber_log WHERE app_name = 'relay'";
        holds(&database, "beta has it", there).await;
        let long = "SELECT outcome = 'running' FROM crontabber_log WHERE app_name = 'long'";
        assert!(
            database.query_one::<bool>(long).await,
            "{leaves}: it took too long"
        );
        hears(&beta, "job=relay").await;
    }
}
