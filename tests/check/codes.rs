//! What may be typed, and what each exit code says.

use std::{fs, net::TcpListener};

use serde_json::Value;

use crate::{
    asked::{Asked, JOBS, answered},
    common::{Postgres, Private, Site, legacy},
};

#[tokio::test]
async fn errors_in_a_row_are_measured_by_the_command_line_too() {
    let asked = Asked::new(JOBS).await;
    asked
        .set(
            "mail",
            "error_count = 2, last_error = '{\"value\": \"exit 1\"}'",
        )
        .await;
    asked.answer(2, &[]).await;
    asked.answer(1, &["-w", "1", "-c", "3"]).await;
    asked
        .answer(0, &["--warning", "3", "--critical", "4"])
        .await;
    let finished = asked.check(&["-w", "3"]).await;
    let answer = answered(&finished, 3);
    assert!(answer.text.contains("give both, `-w 1 -c 3`"), "{answer:?}");
}

#[tokio::test]
async fn jobs_are_chosen_by_pattern_and_tag() {
    let asked = Asked::new(JOBS).await;
    asked
        .set(
            "mail",
            "error_count = 1, last_error = '{\"value\": \"exit 1\"}'",
        )
        .await;
    assert_eq!(
        asked
            .answer(0, &["--job", "fe*", "--job", "index"])
            .await
            .text,
        "2 jobs"
    );
    assert_eq!(asked.answer(0, &["--tag", "web"]).await.text, "1 job");
    asked.answer(2, &["--job", "m*l"]).await;
    asked.answer(2, &["--job", "mail"]).await;
    for (arguments, says) in [
        (
            ["--job", "mial"],
            "no job named `mial`; did you mean `mail`?",
        ),
        (
            ["--job", "x*"],
            "no job named `x*`; `crontabber list` shows those there are",
        ),
        (["--tag", "wed"], "no tag named `wed`; did you mean `web`?"),
        (
            ["--tag", "moon"],
            "no tag named `moon`; `crontabber config show` shows those there are",
        ),
    ] {
        assert_eq!(asked.answer(3, &arguments).await.text, says);
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_critical() {
    let asked = Asked::new(JOBS).await;
    let url = asked.database.url().to_owned();
    asked
        .site
        .configure("postgresql:///nobody?host=/nowhere&connect_timeout=2", JOBS);
    let answer = asked.answer(2, &[]).await;
    assert!(
        answer.text.contains("is PostgreSQL running there?"),
        "{answer:?}"
    );
    assert!(answer.figures.is_empty());
    let finished = asked.check(&["--json"]).await;
    assert_eq!(finished.code, Some(2));
    let answer: Value = serde_json::from_str(&finished.stdout).expect("an object");
    assert_eq!(answer["status"], "critical");

    // A database without tables: nothing that is configured here can run on it.
    asked.site.configure(&url, JOBS);
    asked
        .database
        .execute("DROP TABLE crontabber CASCADE")
        .await;
    asked.answer(2, &[]).await;
    let empty = Postgres::database().await;
    asked.site.configure(empty.url(), JOBS);
    let answer = asked.answer(2, &[]).await;
    assert!(
        answer.text.contains("`crontabber migrate` makes them"),
        "{answer:?}"
    );
    let python = legacy::database().await;
    asked.site.configure(python.url(), JOBS);
    let answer = asked.answer(2, &[]).await;
    assert!(
        answer.text.contains("run `crontabber migrate` once"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_database_that_does_not_answer_in_time_is_critical() {
    let asked = Asked::new(JOBS).await;
    let locker = asked.database.connect().await;
    locker
        .batch_execute("BEGIN; LOCK TABLE crontabber IN ACCESS EXCLUSIVE MODE")
        .await
        .expect("nobody else holds it for long");
    let answer = asked.answer(2, &["--timeout", "1"]).await;
    assert_eq!(answer.text, "no answer from the database within 1s");
    drop(locker);

    let deaf = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = deaf.local_addr().expect("bound").port();
    asked
        .site
        .configure(&format!("postgresql://127.0.0.1:{port}/x"), JOBS);
    let answer = asked.answer(2, &["-t", "1s"]).await;
    assert_eq!(answer.text, "no answer from the database within 1s");
}

#[tokio::test]
async fn a_wrong_command_line_is_unknown_and_so_is_help() {
    let asked = Asked::new(JOBS).await;
    let answer = asked.answer(3, &["--nope"]).await;
    assert_eq!(
        answer.text,
        "unexpected argument '--nope' found; `crontabber help check` explains it"
    );
    let answer = asked.answer(3, &["--critcal", "3"]).await;
    assert!(
        answer
            .text
            .contains("tip: a similar argument exists: '--critical'"),
        "{answer:?}"
    );
    for wrong in [
        &["-w", "0"][..],
        &["-w", "many"],
        &["--timeout", "0"],
        &["--timeout", "a|b\n\nx | y=1"],
        &["extra\nCRONTABBER OK: fine"],
    ] {
        asked.answer(3, wrong).await;
    }
    let behind_options = ["--log-format", "line", "-v", "check", "--nope"];
    let finished = asked.site.on("monitor", &behind_options).run().await;
    answered(&finished, 3);
    for help in ["--help", "-h", "--version"] {
        let finished = asked.check(&[help]).await;
        assert_eq!(finished.code, Some(3), "{help}: {finished:?}");
        assert_eq!(finished.stderr, "");
    }
    let help = asked.check(&["--help"]).await.stdout;
    assert!(
        help.contains("crontabber check --job 'feed_*' --tag eu"),
        "{help}"
    );
    // Other commands keep their codes, and a job of that name is no command.
    for (arguments, code) in [
        (&["help", "check"][..], 0),
        (&["list", "--help"], 0),
        (&["list", "--nope"], 64),
        (&["why", "check"], 64),
    ] {
        let finished = asked.site.on("monitor", arguments).run().await;
        assert_eq!(finished.code, Some(code), "{arguments:?}: {finished:?}");
    }
}

#[tokio::test]
async fn a_configuration_that_does_not_fit_is_unknown() {
    let asked = Asked::new(JOBS).await;
    let wrong =
        JOBS.replace("every = '1d'", "evrey = '1d'") + "[jobs.other]\nevery = 1\nshell = 'true'\n";
    asked.site.configure(asked.database.url(), &wrong);
    let answer = asked.answer(3, &[]).await;
    assert!(
        answer.text.contains("unknown key `evrey` in job `mail`"),
        "{answer:?}"
    );
    assert!(answer.text.contains("crontabber.toml:"), "{answer:?}");
    fs::remove_file(asked.site.file("crontabber.toml")).expect("it is ours");
    asked.answer(3, &[]).await;
    fs::write(
        asked.site.file("crontabber.toml"),
        "[jobs.it]\nevery = '1h'\nshell = 'true'\n",
    )
    .expect("the directory is ours");
    let answer = asked.answer(3, &[]).await;
    assert!(
        answer.text.contains("nothing says where the database is"),
        "{answer:?}"
    );
    let text = format!(
        "[database]\nurl = {{ file = '{}' }}\n{JOBS}",
        asked.site.file("no_such_secret").display()
    );
    fs::write(asked.site.file("crontabber.toml"), text).expect("the directory is ours");
    asked.answer(3, &[]).await;
}

#[tokio::test]
async fn a_role_that_may_not_look_is_unknown() {
    let private = Private::new();
    let database = private.database().await;
    let site = Site::with(&database, |_| JOBS.to_owned());
    assert_eq!(site.on("web1", &["tick"]).run().await.code, Some(0));
    database.execute("CREATE ROLE stranger LOGIN").await;
    site.configure(
        &database.url().replace("user=crontabber", "user=stranger"),
        JOBS,
    );
    let finished = site.on("monitor", &["check"]).run().await;
    let answer = answered(&finished, 3);
    assert!(answer.text.contains("42501"), "{answer:?}");
    // Looking is all it needs.
    database
        .execute("GRANT SELECT ON crontabber, crontabber_host, crontabber_schema TO stranger")
        .await;
    answered(&site.on("monitor", &["check"]).run().await, 0);
}
