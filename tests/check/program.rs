//! Each kind of problem, through the real program and real databases.

use std::fs;

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use serde_json::Value;

use crate::{
    asked::{Asked, JOBS},
    common::{Postgres, Site},
    printed::any_text,
};

#[tokio::test]
async fn well_is_0_and_names_no_job() {
    let asked = Asked::new(JOBS).await;
    let answer = asked.answer(0, &[]).await;
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
    let asked = Asked { database, site };
    assert_eq!(asked.site.on("web1", &["tick"]).run().await.code, Some(1));
    let answer = asked.answer(2, &[]).await;
    assert_eq!(answer.text, "1 of 1 job: noisy (1 error)");
    assert_eq!(answer.figures["failing"], "1");
    assert!(
        answer.lines[0].starts_with("CRITICAL noisy: failed "),
        "{answer:?}"
    );
    assert!(answer.lines[0].contains("exit 3"), "{answer:?}");
}

#[tokio::test]
async fn overdue_and_never_run_are_seen() {
    let asked = Asked::new(JOBS).await;
    asked
        .set(
            "feeds",
            "next_run = now() - interval '30 minutes', slot = now() - interval '30 minutes'",
        )
        .await;
    assert!(
        asked
            .first(1)
            .await
            .starts_with("WARNING  feeds: overdue since 2")
    );
    asked
        .set(
            "feeds",
            "next_run = now() + interval '1 minute', slot = now() + interval '1 minute'",
        )
        .await;
    asked
        .set(
            "mail",
            "next_run = now() - interval '2 hours', slot = now() - interval '2 hours'",
        )
        .await;
    assert!(
        asked
            .first(2)
            .await
            .starts_with("CRITICAL mail: never run, due since 2")
    );
}

#[tokio::test]
async fn a_run_that_goes_on_for_too_long_is_seen_of_ours_and_of_python() {
    let asked = Asked::new(JOBS).await;
    let ours = "run_id = gen_random_uuid(), run_slot = now(), run_trigger = 'schedule', attempt = 1, host = 'web1',
                lease_until = now() + interval '1 minute', ongoing = now() - interval '1 hour'";
    asked.set("mail", ours).await;
    assert_eq!(
        asked.first(2).await,
        "CRITICAL mail: running on web1 for 1h, and its timeout is 10m"
    );
    asked
        .set("mail", "lease_until = now() - interval '3 minutes'")
        .await;
    let stuck = asked.first(2).await;
    assert!(
        stuck.starts_with("CRITICAL mail: its run on web1 lost its lease 3m"),
        "{stuck}"
    );
    asked
        .set(
            "mail",
            "run_id = NULL, run_slot = NULL, run_trigger = NULL, attempt = NULL, host = NULL, lease_until = NULL,
             ongoing = now() - interval '7 hours'",
        )
        .await;
    let python = asked.first(1).await;
    assert!(
        python.starts_with("WARNING  mail: run by a Python host for 7h"),
        "{python}"
    );
}

#[tokio::test]
async fn held_and_paused_are_told_apart() {
    let asked = Asked::new(JOBS).await;
    asked
        .set("mail", "paused_until = '9999-01-01 00:00+00', paused_by = 'anna', pause_reason = 'new | disks'")
        .await;
    let answer = asked.answer(0, &[]).await;
    assert_eq!(answer.text, "3 jobs, 1 paused");
    assert_eq!(answer.figures["paused"], "1");
    asked.set("mail", "paused_by = 'on_lost'").await;
    assert_eq!(
        asked.first(2).await,
        "CRITICAL mail: held for a person: new ¦ disks"
    );
}

#[tokio::test]
async fn a_block_names_the_parent() {
    let asked = Asked::new(JOBS).await;
    let ago = "now() - interval '2 hours'";
    asked
        .set(
            "feeds",
            "error_count = 2, last_error = '{\"value\": \"exit 1: 503\"}', success_slot = now() - interval '3 hours',
             next_run = now() + interval '5 minutes', slot = now() - interval '2 hours'",
        )
        .await;
    asked
        .set("index", &format!("next_run = {ago}, slot = {ago}"))
        .await;
    let answer = asked.answer(2, &[]).await;
    assert_eq!(
        answer.lines[1],
        "WARNING  index: blocked for 2h: feeds is failing: exit 1: 503"
    );
    assert_eq!(answer.figures["blocked"], "1");
}

#[tokio::test]
async fn rows_of_no_job_are_a_warning() {
    let asked = Asked::new(JOBS).await;
    asked
        .database
        .execute("INSERT INTO crontabber (app_name, next_run) VALUES ('old|job', now() - interval '1 year')")
        .await;
    let answer = asked.answer(1, &[]).await;
    assert_eq!(answer.text, "1 ghost");
    assert_eq!(
        answer.lines,
        ["WARNING  old¦job: a row that no job of this configuration has"]
    );
    assert_eq!(answer.figures["ghosts"], "1");
    asked.answer(1, &["--job", "old|job"]).await;
    asked.answer(0, &["--tag", "web"]).await;
}

#[tokio::test]
async fn that_no_host_passes_is_critical_and_a_clock_that_is_off_a_warning() {
    let asked = Asked::new(JOBS).await;
    let host = async |what: &str| {
        asked
            .database
            .execute(&format!("UPDATE crontabber_host SET {what}"))
            .await;
    };
    host("clock_skew = interval '-90 seconds'").await;
    let answer = asked.answer(1, &[]).await;
    assert_eq!(answer.text, "clock of web1 off by 1m 30s");
    host("seen_at = now() - interval '1 hour'").await;
    assert_eq!(asked.answer(2, &[]).await.text, "no pass for 1h");
    // One job's service is not the fleet's.
    asked.answer(0, &["--job", "mail"]).await;
    asked.database.execute("DELETE FROM crontabber_host").await;
    let answer = asked.answer(2, &[]).await;
    assert_eq!(answer.text, "no host has ever passed");
    assert_eq!(answer.figures["last_pass_age"], "U");
}

#[tokio::test]
async fn a_due_job_without_a_live_host_is_critical_until_one_passes() {
    let jobs = "[jobs.archive]\nevery = '1h'\nstart = 'now'\nhosts = ['db*']\nshell = 'true'\n";
    let asked = Asked::new(jobs).await;
    let answer = asked.answer(2, &[]).await;
    assert_eq!(answer.text, "1 of 1 job: archive (no live host)");
    assert!(
        answer.lines[0]
            .ends_with("no live host for hosts = [\"db*\"]: none that matches has ever passed"),
        "{answer:?}"
    );
    let pass = asked.site.on("db1", &["tick"]).run().await;
    assert_eq!(pass.code, Some(0), "{pass:?}");
    asked.answer(0, &[]).await;
}

#[tokio::test]
async fn hosts_that_mean_different_things_by_a_job_are_a_warning() {
    let asked = Asked::new(JOBS).await;
    let deployed = JOBS.replace("timeout = '10m'", "timeout = '20m'");
    asked.site.configure(asked.database.url(), &deployed);
    let pass = asked.site.on("web2", &["tick"]).run().await;
    assert_eq!(pass.code, Some(0), "{pass:?}");
    let answer = asked.answer(1, &[]).await;
    assert_eq!(answer.text, "1 of 3 jobs: mail (hosts disagree)");
    assert!(answer.lines[0].contains("web1 means ") && answer.lines[0].contains("web2 means "));
    asked.answer(0, &["--job", "feeds"]).await;
    let pass = asked.site.on("web1", &["tick"]).run().await;
    assert_eq!(pass.code, Some(0), "{pass:?}");
    asked.answer(0, &[]).await;
}

#[tokio::test]
async fn the_section_says_from_where_on() {
    let asked = Asked::new(&format!(
        "[check]\nerrors = {{ warning = 'never', critical = 3 }}\nghost = 'critical'\n{JOBS}"
    ))
    .await;
    asked
        .set(
            "mail",
            "error_count = 2, last_error = '{\"value\": \"exit 1\"}'",
        )
        .await;
    asked.answer(0, &[]).await;
    asked
        .database
        .execute("INSERT INTO crontabber (app_name, next_run) VALUES ('old', now())")
        .await;
    asked.answer(2, &[]).await;
}

#[tokio::test]
async fn programs_read_an_object_with_the_same_code() {
    let asked = Asked::new(JOBS).await;
    asked
        .set(
            "mail",
            "error_count = 2, last_error = '{\"value\": \"a | b\\u001b\"}'",
        )
        .await;
    let finished = asked.check(&["--json"]).await;
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

    let finished = asked.check(&["--json", "--job", "nobody"]).await;
    assert_eq!(finished.code, Some(3));
    let answer: Value = serde_json::from_str(&finished.stdout).expect("an object");
    assert_eq!(answer["status"], "unknown");
    assert!(answer["figures"].is_null() && answer["now"].is_null());
    assert_eq!(answer["problems"], serde_json::json!([]));
}

#[tokio::test]
async fn checking_writes_nothing() {
    let asked = Asked::new(JOBS).await;
    let rows = async || {
        let mut all = Vec::new();
        for table in [
            "crontabber",
            "crontabber_log",
            "crontabber_host",
            "crontabber_audit",
        ] {
            let sql = format!("SELECT xmin, t.* FROM {table} t ORDER BY 2");
            all.extend(asked.database.rows(&sql).await);
        }
        all
    };
    let before = rows().await;
    asked.answer(0, &[]).await;
    assert_eq!(rows().await, before);
}

#[tokio::test]
async fn whatever_text_the_database_holds_the_answer_parses() {
    let asked = Asked::new(JOBS).await;
    let mut runner = TestRunner::deterministic();
    let mut text = || {
        let tree = any_text().new_tree(&mut runner).expect("a text");
        // PostgreSQL keeps any character but this one.
        tree.current().replace('\0', "\u{1}")
    };
    let client = asked.database.connect().await;
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
        let answer = asked.answer(2, &[]).await;
        assert_eq!(answer.figures.len(), 13);
        assert!(answer.text.starts_with("2 of 3 jobs: "), "{answer:?}");
    }
}
