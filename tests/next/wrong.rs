//! What was typed wrong, and what to type instead.

use std::fs;

use super::{common::Crontabber, program::JOBS};

/// What is said on stderr, with the exit code of a wrong command line.
async fn refused(arguments: &[&str]) -> String {
    let finished = Crontabber::new([&["next"], arguments].concat()).run().await;
    assert_eq!(
        finished.code,
        Some(64),
        "{arguments:?}: {}",
        finished.stderr
    );
    assert_eq!(finished.stdout, "", "{arguments:?}");
    finished.stderr
}

#[tokio::test]
async fn a_mistake_in_a_schedule_is_pointed_at() {
    let expected = "\
error[bad-schedule]: hour 61 is out of range
 --> --schedule:1:3
  |
1 | 0 61 * * *
  |   ^^ hours are 0-23
";
    assert_eq!(
        refused(&["--schedule", "0 61 * * *", "--json"]).await,
        expected
    );
}

#[tokio::test]
async fn a_zone_is_told_the_nearest() {
    let said = refused(&["--schedule", "@daily", "--timezone", "Europe/Berln"]).await;
    let expected = "error: time zone `Europe/Berln` is unknown; did you mean `Europe/Berlin`?\n";
    assert_eq!(said, expected);
    let said = refused(&["--schedule", "@daily", "--timezone", "\u{1b}[2J"]).await;
    assert!(!said.contains('\u{1b}'), "{said}");
}

#[tokio::test]
async fn an_instant_is_told_how_it_is_written() {
    for option in ["--from", "--until"] {
        let said = refused(&["--schedule", "@daily", option, "tomorrow"]).await;
        assert!(said.contains("`tomorrow` is no instant: write"), "{said}");
    }
    let backwards = ["--from", "2027-01-02", "--until", "2027-01-01"];
    let said = refused(&[&["--schedule", "@daily"], &backwards[..]].concat()).await;
    assert!(said.contains("before 2027-01-02T00:00:00Z"), "{said}");
}

#[tokio::test]
async fn what_does_not_go_together_is_refused() {
    for (arguments, expected) in [
        (
            &["report", "--schedule", "@daily"][..],
            "cannot be used with",
        ),
        (&["report", "--every", "1h"], "cannot be used with"),
        (
            &["--every", "1h", "--schedule", "@daily"],
            "cannot be used with",
        ),
        (
            &["--schedule", "@daily", "--at", "03:45"],
            "cannot be used with",
        ),
        (&["--at", "03:45"], "--every <PERIOD>"),
        (&["--timezone", "UTC"], "--schedule <EXPR>"),
        (&["--every", "1h", "--at", "03:45"], "not whole days"),
        (&["--schedule", "@daily", "-n", "0"], "1..=10000"),
        (&["--schedule", "@daily", "-n", "10001"], "1..=10000"),
    ] {
        let said = refused(arguments).await;
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn a_job_is_told_the_nearest() {
    let directory = tempfile::tempdir().expect("/tmp takes directories");
    let file = directory.path().join("crontabber.toml");
    fs::write(&file, JOBS).expect("the directory is ours");
    let file = file.to_str().expect("paths of tests are text");
    let said = refused(&["--config", file, "bakcup"]).await;
    assert!(said.contains("did you mean `backup`?"), "{said}");
    let said = refused(&["--config", file, "backup@web1"]).await;
    assert!(said.contains("no job named `backup@web1`"), "{said}");
}

#[tokio::test]
async fn without_a_schedule_there_must_be_a_configuration() {
    let finished = Crontabber::new(["next"]).run().await;
    assert_eq!(finished.code, Some(78), "{}", finished.stderr);
}

#[tokio::test]
async fn config_check_warns_of_the_night_that_has_no_such_time() {
    let directory = tempfile::tempdir().expect("/tmp takes directories");
    let file = directory.path().join("crontabber.toml");
    let text = format!("[database]\nurl = 'postgres://db/crontabber'\n{JOBS}");
    fs::write(&file, text).expect("the directory is ours");
    let file = file.to_str().expect("paths of tests are text");
    let check = ["config", "check", "--config", file];
    let finished = Crontabber::new(check).run().await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let warned = "warning[clock-change]: 02:30 does not exist on ";
    assert!(finished.stdout.starts_with(warned), "{}", finished.stdout);
    assert!(
        finished
            .stdout
            .ends_with("\n1 warning in 1 file, 6 jobs checked\n"),
        "{}",
        finished.stdout
    );
    let finished = Crontabber::new([&check[..], &["--json"]].concat())
        .run()
        .await;
    let all: serde_json::Value = serde_json::from_str(&finished.stdout).expect("JSON");
    assert_eq!(all[0]["code"], "clock-change");
    assert_eq!(all[0]["line"], 5);
}
