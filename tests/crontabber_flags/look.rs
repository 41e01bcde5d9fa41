//! Lines that look: their words are searched for.

use std::fs;

use super::{
    common::Crontabber,
    old::{Old, assert_ended, assert_silent},
};

const JOBS: &str = r#"
[jobs.zebra]
every = "1h"
command = ["/usr/bin/python", "zebra.py", "--fast"]

[jobs.adopted]
every = "1d"
at = "03:45"
depends_on = ["zebra"]
shell = """

  echo one
  echo two
"""

[jobs.catches_up]
schedule = "*/10 8-18 * * MON-FRI"
timezone = "Europe/Paris"
catch_up = "all"
shell = "true"

[jobs.fresh]
every = "30m"
shell = "true"
"#;

/// Rows as Python leaves them, and one that nobody has.
const ROWS: &str = r#"
    INSERT INTO crontabber (app_name, next_run, first_run, last_run, last_success, error_count, depends_on, last_error, ongoing) VALUES
        ('zebra', now() + interval '2 hours 30 minutes 30 seconds', now() - interval '9 days', now() - interval '3 hours 1 minute 30 seconds',
            now() - interval '17 days 1 minute', 0, '{}', '{}', NULL),
        ('adopted', now() - interval '1 hour 20 seconds', now() - interval '9 days', now() - interval '2 days 5 minutes', NULL, 2, '{zebra}',
            '{"type": "<type ''exceptions.KeyError''>", "value": "''no | such''\n\u001b[2Jline", "traceback": "  File \"x.py\", line 1, in run\n    raise\n"}', NULL),
        ('catches_up', '9999-01-01', NULL, NULL, NULL, 0, '{}', '{}', NULL);
    UPDATE crontabber SET revision = revision + 1, ongoing = now() - interval '5 hours 30 seconds' WHERE app_name = 'catches_up';
"#;

/// A table with these rows, in Newfoundland.
async fn old() -> Old {
    let old = Old::with(|_| JOBS.to_owned()).await;
    old.database.execute(ROWS).await;
    old
}

#[tokio::test]
async fn every_job_is_listed_in_the_old_words_and_in_the_order_in_which_they_are_written() {
    let old = old().await;
    let wall = async |column: &str, job: &str| -> String {
        let sql = format!(
            "SELECT to_char({column}, 'YYYY-MM-DD HH24:MI:SS') FROM crontabber WHERE app_name = '{job}'"
        );
        old.database.query_one(&sql).await
    };
    let expected = format!(
        r#"=== JOB ========================================================================
Class:          /usr/bin/python zebra.py --fast
App name:       zebra
Frequency:      1h
Last run:       {}  (3 hours, 1 minute ago)
Last success:   {}  (2 weeks, 3 days ago)
Next run:       {}  (in 2 hours, 30 minutes)

=== JOB ========================================================================
Class:          echo one
App name:       adopted
Frequency:      1d @ 03:45
Last run:       {}  (2 days ago)
Last success:   no previous successful run
Next run:       {}  (was 1 hour ago)
Error!!         (2 times)
Traceback (most recent call last):
  File "x.py", line 1, in run
    raise
<type 'exceptions.KeyError'>: 'no | such'
\u{{1b}}[2Jline

=== JOB ========================================================================
Class:          true
App name:       catches_up
Frequency:      */10 8-18 * * MON-FRI (Europe/Paris)
Ongoing now!    Started 5 hours ago
Last run:       none
Last success:   no previous successful run
Next run:       none

=== JOB ========================================================================
Class:          true
App name:       fresh
Frequency:      30m
*NO PREVIOUS RUN INFO*
"#,
        wall("last_run", "zebra").await,
        wall("last_success", "zebra").await,
        wall("next_run", "zebra").await,
        wall("last_run", "adopted").await,
        wall("next_run", "adopted").await,
    );
    for line in [&["--list-jobs"][..], &["-l"], &["-lf", "--nagios"]] {
        let listed = old.run(line).await;
        assert_silent(&listed, 0);
        assert_eq!(listed.stdout, expected);
    }
}

#[tokio::test]
async fn nagios_is_told_of_errors_in_one_line_and_a_code() {
    let old = old().await;
    let told = async |job: &str, count: i32| {
        old.database
            .execute(&format!("UPDATE crontabber SET revision = revision + 1, error_count = {count} WHERE app_name = '{job}'"))
            .await;
        let told = old.run(&["--nagios"]).await;
        assert_eq!(told.stderr, "");
        (told.code, told.stdout)
    };
    let nominal = "OK - All systems nominal\n".to_owned();
    assert_eq!(told("adopted", 0).await, (Some(0), nominal));
    // Only a job that catches up on every slot has one error free.
    let warning = "WARNING - catches_up (shell) /  / \n".to_owned();
    assert_eq!(told("catches_up", 1).await, (Some(1), warning));
    let (code, line) = told("catches_up", 2).await;
    assert_eq!((code, &line[..24]), (Some(2), "CRITICAL - catches_up (s"));
    let (code, line) = told("adopted", 1).await;
    assert_eq!(code, Some(2));
    assert_eq!(
        line,
        "CRITICAL - adopted (shell) / <type 'exceptions.KeyError'> / 'no / such' \\u{1b}[2Jline; catches_up (shell) /  / \n"
    );
}

#[tokio::test]
async fn nagios_gets_one_short_line_without_figures_whatever_the_errors_hold() {
    let jobs: Vec<String> = (0..40)
        .map(|n| format!("[jobs.j{n}]\nevery = \"1h\"\nshell = \"true\"\n"))
        .collect();
    let old = Old::with(|_| jobs.concat()).await;
    old.database
        .execute(
            "INSERT INTO crontabber (app_name, next_run, error_count, last_error)
             SELECT 'j' || n, now(), 1, json_build_object('type', E'a|b\\r\\n|', 'value', repeat(E'|\\x01é\\n', 400), 'traceback', '')
               FROM generate_series(0, 39) AS n",
        )
        .await;
    let told = old.run(&["-n"]).await;
    assert_silent(&told, 2);
    assert!(told.stdout.ends_with(" more\n"), "{}", told.stdout);
    assert_eq!(told.stdout.lines().count(), 1);
    assert!(told.stdout.len() < 4096, "{}", told.stdout.len());
    let odd = told
        .stdout
        .trim_end()
        .chars()
        .find(|&c| c == '|' || c.is_control());
    assert_eq!(odd, None, "{}", told.stdout);
}

#[tokio::test]
async fn nagios_hears_of_what_cannot_be_looked_at() {
    let old = Old::jobs(&[("it", "true")]).await;
    let told = async |line: &[&str]| {
        let told = old.run(line).await;
        assert_eq!(told.stderr, "", "{told:?}");
        assert_eq!(told.stdout.lines().count(), 1, "{told:?}");
        (told.code, told.stdout)
    };
    let (code, line) = told(&["--nagios", "--crontabber.host=db|x"]).await;
    assert_eq!(code, Some(3));
    assert!(
        line.starts_with("UNKNOWN - `--crontabber.host` is gone"),
        "{line}"
    );

    let job = old.site.job("it", "every = \"1h\"", "true");
    let nowhere = "postgresql:///nobody?host=/nowhere&connect_timeout=2";
    old.site.configure(nowhere, &job);
    let (code, line) = told(&["--nagios"]).await;
    assert_eq!(code, Some(2), "{line}");
    assert!(
        line.starts_with("CRITICAL - ") && line.contains("nowhere"),
        "{line}"
    );

    fs::write(
        old.site.file("crontabber.toml"),
        "[jobs.it]\nevrey = 1\nshell = \"true\"\n",
    )
    .unwrap();
    let (code, line) = told(&["--nagios"]).await;
    assert_eq!(code, Some(3));
    assert!(
        line.starts_with("UNKNOWN - the configuration: unknown key `evrey`"),
        "{line}"
    );

    fs::remove_file(old.site.file("crontabber.toml")).unwrap();
    let (code, line) = told(&["--nagios"]).await;
    assert_eq!(code, Some(3));
    assert!(
        line.starts_with("UNKNOWN - ") && line.contains("is not read any more"),
        "{line}"
    );
}

#[tokio::test]
async fn rows_that_no_job_has_are_named_below_one_headline_and_are_no_error() {
    let old = Old::jobs(&[("it", "true")]).await;
    assert_silent(&old.run(&[]).await, 0);
    let none = old.run(&["--audit-ghosts"]).await;
    assert_silent(&none, 0);
    assert_eq!(none.stdout, "");
    old.database
        .execute(r"INSERT INTO crontabber (app_name, next_run) VALUES ('gone', now()), (E'and\ngone', now())")
        .await;
    let ghosts = old.run(&["--audit-ghosts"]).await;
    assert_silent(&ghosts, 0);
    assert_eq!(
        ghosts.stdout,
        "Found the following in the state database but not available as a configured job:\n\tand\\ngone\n\tgone\n"
    );
}

#[tokio::test]
async fn looking_writes_nothing_and_a_database_without_tables_is_told() {
    let old = Old::jobs(&[("it", "true")]).await;
    for line in [
        "--list-jobs",
        "--nagios",
        "--audit-ghosts",
        "--configtest",
        "--version",
    ] {
        assert_silent(&old.run(&[line]).await, 0);
    }
    let written = "SELECT (SELECT count(*) FROM crontabber) + (SELECT count(*) FROM crontabber_log) + (SELECT count(*) FROM crontabber_host)";
    assert_eq!(old.database.query_one::<i64>(written).await, 0);
    old.database
        .execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        .await;
    assert_ended(&old.run(&["-l"]).await, 78, "crontabber migrate");
}

#[tokio::test]
async fn an_answer_that_cannot_be_written_is_74() {
    let old = old().await;
    for line in ["--list-jobs", "--nagios", "--version"] {
        let full: Crontabber = old
            .on("alpha", &[line])
            .behind_shell("exec \"$@\" > /dev/full");
        let code = if line == "--nagios" { 3 } else { 74 };
        assert_eq!(full.run().await.code, Some(code), "{line}");
    }
}
