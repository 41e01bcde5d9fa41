//! The harness keeps its own promises.

#![cfg(feature = "embedded")]

mod common;

use std::{process::Command, time::Duration};

use common::{Crontabber, Ledger, Postgres, Private, left_over, until};

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn two_databases_know_nothing_of_each_other() {
    let (one, two) = (Postgres::database().await, Postgres::database().await);
    one.execute("CREATE TABLE t (n int)").await;
    let known = "SELECT to_regclass('t') IS NOT NULL";
    assert!(one.query_one::<bool>(known).await);
    assert!(!two.query_one::<bool>(known).await);
}

#[tokio::test]
async fn a_database_is_gone_after_its_test() {
    let (watcher, database) = (Postgres::database().await, Postgres::database().await);
    let name = database.name().to_owned();
    let there = format!("SELECT count(*) = 1 FROM pg_database WHERE datname = '{name}'");
    // In use: somebody else's connection must not keep it.
    let _in_use = database.connect().await;
    assert!(watcher.query_one::<bool>(&there).await);
    drop(database);
    until(SOON, "the database is gone", async || {
        !watcher.query_one::<bool>(&there).await
    })
    .await;
}

#[tokio::test]
async fn rows_are_text_in_a_zone_that_nobody_expects() {
    let database = Postgres::database().await;
    let sql = "SELECT timestamptz '2026-01-01 00:00Z', NULL, 7 UNION ALL SELECT NULL, 'x', 8";
    assert_eq!(
        database.rows(sql).await,
        [
            ["2025-12-31 20:30:00-03:30", "NULL", "7"],
            ["NULL", "x", "8"]
        ]
    );
}

#[tokio::test]
async fn a_template_is_filled_once_and_copied_often() {
    let postgres = Postgres::shared().await;
    let fill = async |client: &mut tokio_postgres::Client| {
        let sql = "CREATE TABLE t AS SELECT gen_random_uuid() AS id";
        client
            .batch_execute(sql)
            .await
            .expect("the template is empty");
    };
    let (one, two) = tokio::join!(
        postgres.template("harness_1", fill),
        postgres.template("harness_1", fill)
    );
    let (one, two) = (postgres.from(&one).await, postgres.from(&two).await);
    let id = "SELECT id FROM t";
    assert_eq!(
        one.query_one::<uuid::Uuid>(id).await,
        two.query_one::<uuid::Uuid>(id).await
    );
}

#[tokio::test]
async fn a_private_server_can_be_frozen_killed_and_restarted() {
    let private = Private::new();
    let database = private.database().await;
    database.execute("CREATE TABLE t AS SELECT 7 AS n").await;

    let client = database.connect().await;
    private.freeze();
    let query = client.query_one("SELECT n FROM t", &[]);
    tokio::pin!(query);
    // A frozen server sends nothing: there is no event to wait for.
    let answer = tokio::time::timeout(Duration::from_millis(200), &mut query).await;
    assert!(answer.is_err(), "a frozen server answered");
    private.thaw();
    assert_eq!(query.await.expect("it goes on").get::<_, i32>(0), 7);

    for hurt in [Private::stop, Private::immediate, Private::kill] {
        let client = database.connect().await;
        hurt(&private);
        until(SOON, "the client has noticed", async || client.is_closed()).await;
        private.start();
        assert_eq!(database.query_one::<i32>("SELECT n FROM t").await, 7);
    }
}

#[tokio::test]
async fn a_private_server_leaves_nothing() {
    let private = Private::new();
    let (directory, processes) = (private.directory().to_owned(), private.processes());
    assert!(processes.len() > 1);
    drop(private);
    assert!(!directory.exists());
    for pid in processes {
        assert!(
            std::fs::read_link(format!("/proc/{pid}/cwd")).is_err(),
            "{pid} lives"
        );
    }
}

#[tokio::test]
async fn the_program_is_run_with_the_environment_it_is_given() {
    let finished = Crontabber::new(["-c", "env | sort; echo to the log >&2; exit 3"])
        .program("/bin/sh")
        .env("MARK", "a b")
        .run()
        .await;
    assert_eq!(finished.code, Some(3));
    assert_eq!(finished.signal, None);
    assert_eq!(
        finished.stdout,
        "MARK=a b\nPATH=/usr/local/bin:/usr/bin:/bin\nPWD=/\n"
    );
    assert_eq!(finished.stderr, "to the log\n");
}

#[tokio::test]
async fn output_can_be_read_while_the_program_runs_and_it_dies_with_its_value() {
    let marker = format!("HARNESS_MARK={}", uuid::Uuid::new_v4());
    let (name, value) = marker.split_once('=').expect("it has one");
    let running = Crontabber::new(["-c", "echo one; exec sleep 600"])
        .program("/bin/sh")
        .env(name, value)
        .spawn();
    until(SOON, "the first line is there", async || {
        running.stdout() == "one\n"
    })
    .await;
    assert_eq!(left_over(&marker), [running.pid()]);
    drop(running);
    assert!(left_over(&marker).is_empty());
}

#[tokio::test]
async fn lines_of_runs_that_start_at_once_do_not_mix() {
    let directory = tempfile::tempdir().expect("/tmp takes directories");
    let ledger = Ledger::in_directory(directory.path());
    let start = |attempt: u32| {
        Command::new("/bin/sh")
            .args(["-c", &ledger.line()])
            .env("CRONTABBER_JOB", "a")
            .env("CRONTABBER_SLOT", "2026-01-01T00:00:00Z")
            .env("CRONTABBER_ATTEMPT", attempt.to_string())
            .env("CRONTABBER_RUN_ID", uuid::Uuid::new_v4().to_string())
            .spawn()
            .expect("there is a shell")
    };
    let shells: Vec<_> = (1..=20).map(start).collect();
    for mut shell in shells {
        assert!(shell.wait().expect("it is our child").success());
    }
    let mut attempts: Vec<_> = ledger.starts().iter().map(|start| start.attempt).collect();
    attempts.sort_unstable();
    assert!(attempts.into_iter().eq(1..=20));
}

#[tokio::test]
#[should_panic(expected = "still not so after 20ms: pigs fly")]
async fn what_never_becomes_true_fails_with_its_sentence() {
    until(Duration::from_millis(20), "pigs fly", async || false).await;
}
