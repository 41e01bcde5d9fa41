//! The real program against real databases: each kind of problem, each exit code.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt};

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use serde_json::Value;

use crate::{
    common::{Database, Finished, Postgres, Private, Site, legacy},
    grammar::{Read, read},
    printed::any_text,
};

const JOBS: &str = "
[jobs.feeds]
every = '1h'
start = 'now'
tags = ['web']
shell = 'true'

[jobs.index]
every = '1h'
depends_on = ['feeds']
shell = 'true'

[jobs.mail]
every = '1d'
timeout = '10m'
shell = 'true'
";

/// Jobs that one pass has met.
struct World {
    database: Database,
    site: Site,
}

impl World {
    async fn new(sections: &str) -> Self {
        let database = Postgres::database().await;
        let site = Site::with(&database, |_| sections.to_owned());
        let pass = site.on("web1", &["tick"]).run().await;
        assert!(matches!(pass.code, Some(0 | 1)), "{pass:?}");
        Self { database, site }
    }

    /// What an operator, or the world, does to a row.
    async fn set(&self, job: &str, what: &str) {
        let sql = format!(
            "UPDATE crontabber SET revision = revision + 1, {what} WHERE app_name = '{job}'"
        );
        self.database.execute(&sql).await;
    }

    async fn check(&self, arguments: &[&str]) -> Finished {
        let arguments = [&["check"], arguments].concat();
        self.site.on("monitor", &arguments).run().await
    }

    /// The answer, which has this exit code and nothing on standard error.
    async fn answer(&self, code: i32, arguments: &[&str]) -> Read {
        let finished = self.check(arguments).await;
        answered(&finished, code)
    }

    /// The first line of the long output, of a check with this exit code.
    async fn first(&self, code: i32) -> String {
        let answer = self.answer(code, &[]).await;
        let first = answer.lines.into_iter().next();
        first.expect("a problem has a line")
    }
}

fn answered(finished: &Finished, code: i32) -> Read {
    assert_eq!(finished.code, Some(code), "{finished:?}");
    assert_eq!(finished.stderr, "", "{finished:?}");
    let answer =
        read(&finished.stdout).unwrap_or_else(|wrong| panic!("{wrong}: {}", finished.stdout));
    let words = ["OK", "WARNING", "CRITICAL", "UNKNOWN"];
    let status = words.iter().position(|word| *word == answer.status);
    assert_eq!(
        status,
        usize::try_from(code).ok(),
        "the word and the code are one: {finished:?}"
    );
    answer
}

#[tokio::test]
async fn well_is_0_and_names_no_job() {
    let world = World::new(JOBS).await;
    let answer = world.answer(0, &[]).await;
    assert_eq!(answer.text, "3 jobs");
    assert_eq!(answer.figures["jobs"], "3");
    let age = answer.figures["last_pass_age"].strip_suffix('s');
    assert!(age.is_some_and(|age| age.parse::<u64>().is_ok_and(|age| age < 300)));
    assert_eq!(answer.lines, [""; 0]);
}

#[tokio::test]
async fn a_failed_job_is_critical_and_what_it_printed_is_made_plain() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        let bytes: Vec<u8> = (0..=255).collect();
        fs::write(site.file("bytes"), bytes).expect("the directory is ours");
        let cat = format!(
            "cat '{}' >&2; echo 'x | y=1' >&2; exit 3",
            site.file("bytes").display()
        );
        site.job("noisy", "every = '1h'\nstart = 'now'", &cat)
    });
    let world = World { database, site };
    assert_eq!(world.site.on("web1", &["tick"]).run().await.code, Some(1));
    let answer = world.answer(2, &[]).await;
    assert_eq!(answer.text, "1 of 1 job: noisy (1 error)");
    assert_eq!(answer.figures["failing"], "1");
    assert!(
        answer.lines[0].starts_with("CRITICAL noisy: failed "),
        "{answer:?}"
    );
    assert!(answer.lines[0].contains("exit 3"), "{answer:?}");
}

#[tokio::test]
async fn errors_in_a_row_are_measured_by_the_command_line_too() {
    let world = World::new(JOBS).await;
    world
        .set(
            "mail",
            "error_count = 2, last_error = '{\"value\": \"exit 1\"}'",
        )
        .await;
    world.answer(2, &[]).await;
    world.answer(1, &["-w", "1", "-c", "3"]).await;
    world
        .answer(0, &["--warning", "3", "--critical", "4"])
        .await;
    let finished = world.check(&["-w", "3"]).await;
    let answer = answered(&finished, 3);
    assert!(answer.text.contains("give both, `-w 1 -c 3`"), "{answer:?}");
}

#[tokio::test]
async fn overdue_and_never_run_are_seen() {
    let world = World::new(JOBS).await;
    world
        .set(
            "feeds",
            "next_run = now() - interval '30 minutes', slot = now() - interval '30 minutes'",
        )
        .await;
    assert!(
        world
            .first(1)
            .await
            .starts_with("WARNING  feeds: overdue since 2")
    );
    world
        .set(
            "feeds",
            "next_run = now() + interval '1 minute', slot = now() + interval '1 minute'",
        )
        .await;
    world
        .set(
            "mail",
            "next_run = now() - interval '2 hours', slot = now() - interval '2 hours'",
        )
        .await;
    assert!(
        world
            .first(2)
            .await
            .starts_with("CRITICAL mail: never run, due since 2")
    );
}

#[tokio::test]
async fn a_run_that_goes_on_for_too_long_is_seen_of_ours_and_of_python() {
    let world = World::new(JOBS).await;
    let ours = "run_id = gen_random_uuid(), run_slot = now(), run_trigger = 'schedule', attempt = 1, host = 'web1',
                lease_until = now() + interval '1 minute', ongoing = now() - interval '1 hour'";
    world.set("mail", ours).await;
    assert_eq!(
        world.first(2).await,
        "CRITICAL mail: running on web1 for 1h, and its timeout is 10m"
    );
    world
        .set("mail", "lease_until = now() - interval '3 minutes'")
        .await;
    let stuck = world.first(2).await;
    assert!(
        stuck.starts_with("CRITICAL mail: its run on web1 lost its lease 3m"),
        "{stuck}"
    );
    world
        .set(
            "mail",
            "run_id = NULL, run_slot = NULL, run_trigger = NULL, attempt = NULL, host = NULL, lease_until = NULL,
             ongoing = now() - interval '7 hours'",
        )
        .await;
    let python = world.first(1).await;
    assert!(
        python.starts_with("WARNING  mail: run by a Python host for 7h"),
        "{python}"
    );
}

#[tokio::test]
async fn held_and_paused_are_told_apart() {
    let world = World::new(JOBS).await;
    world
        .set("mail", "paused_until = '9999-01-01 00:00+00', paused_by = 'anna', pause_reason = 'new | disks'")
        .await;
    let answer = world.answer(0, &[]).await;
    assert_eq!(answer.text, "3 jobs, 1 paused");
    assert_eq!(answer.figures["paused"], "1");
    world.set("mail", "paused_by = 'on_lost'").await;
    assert_eq!(
        world.first(2).await,
        "CRITICAL mail: held for a person: new ¦ disks"
    );
}

#[tokio::test]
async fn a_block_names_the_parent() {
    let world = World::new(JOBS).await;
    let ago = "now() - interval '2 hours'";
    world
        .set(
            "feeds",
            "error_count = 2, last_error = '{\"value\": \"exit 1: 503\"}', success_slot = now() - interval '3 hours',
             next_run = now() + interval '5 minutes', slot = now() - interval '2 hours'",
        )
        .await;
    world
        .set("index", &format!("next_run = {ago}, slot = {ago}"))
        .await;
    let answer = world.answer(2, &[]).await;
    assert_eq!(
        answer.lines[1],
        "WARNING  index: blocked for 2h: feeds is failing: exit 1: 503"
    );
    assert_eq!(answer.figures["blocked"], "1");
}

#[tokio::test]
async fn rows_of_no_job_are_a_warning() {
    let world = World::new(JOBS).await;
    world
        .database
        .execute("INSERT INTO crontabber (app_name, next_run) VALUES ('old|job', now() - interval '1 year')")
        .await;
    let answer = world.answer(1, &[]).await;
    assert_eq!(answer.text, "1 ghost");
    assert_eq!(
        answer.lines,
        ["WARNING  old¦job: a row that no job of this configuration has"]
    );
    assert_eq!(answer.figures["ghosts"], "1");
    world.answer(1, &["--job", "old|job"]).await;
    world.answer(0, &["--tag", "web"]).await;
}

#[tokio::test]
async fn that_no_host_passes_is_critical_and_a_clock_that_is_off_a_warning() {
    let world = World::new(JOBS).await;
    let host = async |what: &str| {
        world
            .database
            .execute(&format!("UPDATE crontabber_host SET {what}"))
            .await
    };
    host("clock_skew = interval '-90 seconds'").await;
    let answer = world.answer(1, &[]).await;
    assert_eq!(answer.text, "clock of web1 off by 1m 30s");
    host("seen_at = now() - interval '1 hour'").await;
    assert_eq!(world.answer(2, &[]).await.text, "no pass for 1h");
    // One job's service is not the fleet's.
    world.answer(0, &["--job", "mail"]).await;
    world.database.execute("DELETE FROM crontabber_host").await;
    let answer = world.answer(2, &[]).await;
    assert_eq!(answer.text, "no host has ever passed");
    assert_eq!(answer.figures["last_pass_age"], "U");
}

#[tokio::test]
async fn a_due_job_without_a_live_host_is_critical_until_one_passes() {
    let jobs = "[jobs.archive]\nevery = '1h'\nstart = 'now'\nhosts = ['db*']\nshell = 'true'\n";
    let world = World::new(jobs).await;
    let answer = world.answer(2, &[]).await;
    assert_eq!(answer.text, "1 of 1 job: archive (no live host)");
    assert!(
        answer.lines[0]
            .ends_with("no live host for hosts = [\"db*\"]: none that matches has ever passed"),
        "{answer:?}"
    );
    let pass = world.site.on("db1", &["tick"]).run().await;
    assert_eq!(pass.code, Some(0), "{pass:?}");
    world.answer(0, &[]).await;
}

#[tokio::test]
async fn hosts_that_mean_different_things_by_a_job_are_a_warning() {
    let world = World::new(JOBS).await;
    let deployed = JOBS.replace("timeout = '10m'", "timeout = '20m'");
    world.site.configure(world.database.url(), &deployed);
    let pass = world.site.on("web2", &["tick"]).run().await;
    assert_eq!(pass.code, Some(0), "{pass:?}");
    let answer = world.answer(1, &[]).await;
    assert_eq!(answer.text, "1 of 3 jobs: mail (hosts disagree)");
    assert!(answer.lines[0].contains("web1 means ") && answer.lines[0].contains("web2 means "));
    world.answer(0, &["--job", "feeds"]).await;
    let pass = world.site.on("web1", &["tick"]).run().await;
    assert_eq!(pass.code, Some(0), "{pass:?}");
    world.answer(0, &[]).await;
}

#[tokio::test]
async fn the_section_says_from_where_on() {
    let world = World::new(&format!(
        "[check]\nerrors = {{ warning = 'never', critical = 3 }}\nghost = 'critical'\n{JOBS}"
    ))
    .await;
    world
        .set(
            "mail",
            "error_count = 2, last_error = '{\"value\": \"exit 1\"}'",
        )
        .await;
    world.answer(0, &[]).await;
    world
        .database
        .execute("INSERT INTO crontabber (app_name, next_run) VALUES ('old', now())")
        .await;
    world.answer(2, &[]).await;
}

#[tokio::test]
async fn jobs_are_chosen_by_pattern_and_tag() {
    let world = World::new(JOBS).await;
    world
        .set(
            "mail",
            "error_count = 1, last_error = '{\"value\": \"exit 1\"}'",
        )
        .await;
    assert_eq!(
        world
            .answer(0, &["--job", "fe*", "--job", "index"])
            .await
            .text,
        "2 jobs"
    );
    assert_eq!(world.answer(0, &["--tag", "web"]).await.text, "1 job");
    world.answer(2, &["--job", "m*l"]).await;
    world.answer(2, &["--job", "mail"]).await;
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
        assert_eq!(world.answer(3, &arguments).await.text, says);
    }
}

#[tokio::test]
async fn programs_read_an_object_with_the_same_code() {
    let world = World::new(JOBS).await;
    world
        .set(
            "mail",
            "error_count = 2, last_error = '{\"value\": \"a | b\\u001b\"}'",
        )
        .await;
    let finished = world.check(&["--json"]).await;
    assert_eq!(finished.code, Some(2), "{finished:?}");
    let answer: Value = serde_json::from_str(&finished.stdout).expect("an object");
    assert_eq!(answer["status"], "critical");
    assert_eq!(answer["exit_code"], 2);
    assert_eq!(answer["summary"], "1 of 3 jobs: mail (2 errors)");
    assert!(answer["now"].is_string());
    let problem = &answer["problems"][0];
    assert_eq!(
        (
            &problem["severity"],
            &problem["kind"],
            &problem["name"],
            &problem["host"]
        ),
        (
            &"critical".into(),
            &"failing".into(),
            &"mail".into(),
            &Value::Null
        )
    );
    assert_eq!(problem["brief"], "2 errors");
    assert!(
        problem["sentence"]
            .as_str()
            .is_some_and(|said| said.contains("a | b\u{1b}"))
    );
    assert_eq!(answer["figures"]["failing"], 1);
    assert!(
        answer["figures"]["oldest_success_age"]
            .as_u64()
            .is_some_and(|age| age < 300)
    );

    let finished = world.check(&["--json", "--job", "nobody"]).await;
    assert_eq!(finished.code, Some(3));
    let answer: Value = serde_json::from_str(&finished.stdout).expect("an object");
    assert_eq!(answer["status"], "unknown");
    assert!(answer["figures"].is_null() && answer["now"].is_null());
    assert_eq!(answer["problems"], serde_json::json!([]));
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_critical() {
    let world = World::new(JOBS).await;
    let url = world.database.url().to_owned();
    world
        .site
        .configure("postgresql:///nobody?host=/nowhere&connect_timeout=2", JOBS);
    let answer = world.answer(2, &[]).await;
    assert!(
        answer.text.contains("is PostgreSQL running there?"),
        "{answer:?}"
    );
    assert!(answer.figures.is_empty());
    let finished = world.check(&["--json"]).await;
    assert_eq!(finished.code, Some(2));
    let answer: Value = serde_json::from_str(&finished.stdout).expect("an object");
    assert_eq!(answer["status"], "critical");

    // A database without tables: nothing that is configured here can run on it.
    world.site.configure(&url, JOBS);
    world
        .database
        .execute("DROP TABLE crontabber CASCADE")
        .await;
    world.answer(2, &[]).await;
    let empty = Postgres::database().await;
    world.site.configure(empty.url(), JOBS);
    let answer = world.answer(2, &[]).await;
    assert!(
        answer.text.contains("`crontabber migrate` makes them"),
        "{answer:?}"
    );
    let python = legacy::database().await;
    world.site.configure(python.url(), JOBS);
    let answer = world.answer(2, &[]).await;
    assert!(
        answer.text.contains("run `crontabber migrate` once"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_database_that_does_not_answer_in_time_is_critical() {
    let world = World::new(JOBS).await;
    let locker = world.database.connect().await;
    locker
        .batch_execute("BEGIN; LOCK TABLE crontabber IN ACCESS EXCLUSIVE MODE")
        .await
        .expect("nobody else holds it for long");
    let answer = world.answer(2, &["--timeout", "1"]).await;
    assert_eq!(answer.text, "no answer from the database within 1s");
    drop(locker);

    let deaf = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = deaf.local_addr().expect("bound").port();
    world
        .site
        .configure(&format!("postgresql://127.0.0.1:{port}/x"), JOBS);
    let answer = world.answer(2, &["-t", "1s"]).await;
    assert_eq!(answer.text, "no answer from the database within 1s");
}

#[tokio::test]
async fn a_wrong_command_line_is_unknown_and_so_is_help() {
    let world = World::new(JOBS).await;
    let answer = world.answer(3, &["--nope"]).await;
    assert_eq!(
        answer.text,
        "unexpected argument '--nope' found; `crontabber help check` explains it"
    );
    let answer = world.answer(3, &["--critcal", "3"]).await;
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
        world.answer(3, wrong).await;
    }
    let behind_options = ["--log-format", "line", "-v", "check", "--nope"];
    let finished = world.site.on("monitor", &behind_options).run().await;
    answered(&finished, 3);
    for help in ["--help", "-h", "--version"] {
        let finished = world.check(&[help]).await;
        assert_eq!(finished.code, Some(3), "{help}: {finished:?}");
        assert_eq!(finished.stderr, "");
    }
    let help = world.check(&["--help"]).await.stdout;
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
        let finished = world.site.on("monitor", arguments).run().await;
        assert_eq!(finished.code, Some(code), "{arguments:?}: {finished:?}");
    }
}

#[tokio::test]
async fn a_configuration_that_does_not_fit_is_unknown() {
    let world = World::new(JOBS).await;
    let wrong =
        JOBS.replace("every = '1d'", "evrey = '1d'") + "[jobs.other]\nevery = 1\nshell = 'true'\n";
    world.site.configure(world.database.url(), &wrong);
    let answer = world.answer(3, &[]).await;
    assert!(
        answer.text.contains("unknown key `evrey` in job `mail`"),
        "{answer:?}"
    );
    assert!(answer.text.contains("crontabber.toml:"), "{answer:?}");
    fs::remove_file(world.site.file("crontabber.toml")).expect("it is ours");
    world.answer(3, &[]).await;
    fs::write(
        world.site.file("crontabber.toml"),
        "[jobs.it]\nevery = '1h'\nshell = 'true'\n",
    )
    .expect("the directory is ours");
    let answer = world.answer(3, &[]).await;
    assert!(
        answer.text.contains("nothing says where the database is"),
        "{answer:?}"
    );
    let secret = world.site.file("secret");
    fs::write(&secret, "postgres:///x").expect("the directory is ours");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).expect("it is ours");
    let text = format!(
        "[database]\nurl = {{ file = '{}' }}\n{JOBS}",
        world.site.file("no_such_secret").display()
    );
    fs::write(world.site.file("crontabber.toml"), text).expect("the directory is ours");
    world.answer(3, &[]).await;
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

#[tokio::test]
async fn checking_writes_nothing() {
    let world = World::new(JOBS).await;
    let rows = async || {
        let mut all = Vec::new();
        for table in [
            "crontabber",
            "crontabber_log",
            "crontabber_host",
            "crontabber_audit",
        ] {
            let sql = format!("SELECT xmin, t.* FROM {table} t ORDER BY 2");
            all.extend(world.database.rows(&sql).await);
        }
        all
    };
    let before = rows().await;
    world.answer(0, &[]).await;
    assert_eq!(rows().await, before);
}

#[tokio::test]
async fn whatever_text_the_database_holds_the_answer_parses() {
    let world = World::new(JOBS).await;
    let mut runner = TestRunner::deterministic();
    let mut text = || {
        let tree = any_text().new_tree(&mut runner).expect("a text");
        // PostgreSQL keeps any character but this one.
        tree.current().replace('\0', "\u{1}")
    };
    let client = world.database.connect().await;
    for _ in 0..60 {
        let error = serde_json::json!({ "type": "x", "value": text(), "traceback": "" });
        let (ghost, reason) = (text(), text());
        client
            .execute(
                "UPDATE crontabber SET revision = revision + 1, error_count = 1, last_error = $1::text::json WHERE app_name = 'mail'",
                &[&error.to_string()],
            )
            .await
            .expect("it is JSON");
        client
            .execute(
                "UPDATE crontabber SET paused_until = '9999-01-01 00:00+00', paused_by = 'on_lost', pause_reason = $1
                  WHERE app_name = 'feeds'",
                &[&reason],
            )
            .await
            .expect("it is text");
        client
            .execute(
                "INSERT INTO crontabber (app_name, next_run) VALUES (substr($1, 1, 600), now()) ON CONFLICT DO NOTHING",
                &[&ghost],
            )
            .await
            .expect("it is text");
        let answer = world.answer(2, &[]).await;
        assert_eq!(answer.figures.len(), 13);
        assert!(answer.text.starts_with("2 of 3 jobs: "), "{answer:?}");
    }
}
