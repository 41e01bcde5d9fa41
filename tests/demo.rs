//! `make demo`, with the program under test: what it shows, what it leaves behind, and when it says no.

#![cfg(feature = "embedded")]

mod common;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use common::{Crontabber, Finished, Postgres, Private, until};
use crontabber::store::schema;
use nix::sys::signal::Signal;

/// The demo of this checkout, in a directory of the test's own.
fn demo(directory: &Path, seconds: &str) -> Crontabber {
    Crontabber::new([""; 0])
        .program(driver())
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .env("DEMO_DIRECTORY", directory)
        .env("DEMO_PROGRAM", env!("CARGO_BIN_EXE_crontabber"))
        .env("DEMO_SECONDS", seconds)
        .limit(Duration::from_secs(90))
}

/// The driver; built here, because `cargo test --test demo` alone builds no examples.
fn driver() -> PathBuf {
    static DRIVER: OnceLock<PathBuf> = OnceLock::new();
    DRIVER.get_or_init(build).clone()
}

fn build() -> PathBuf {
    let profile = Path::new(env!("CARGO_BIN_EXE_crontabber"))
        .parent()
        .expect("programs are in a directory");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--example", "demo", "--target-dir"]);
    cargo.arg(profile.parent().expect("profiles are in a directory"));
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    // Cargo tells a test about its package; a build script that asks for the same would be run anew, here and then again.
    let told = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(told)) {
        cargo.env_remove(name);
    }
    let built = cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo runs");
    assert!(built.success(), "the driver of the demo does not build");
    profile.join("examples/demo")
}

/// The number in front of a figure.
fn figure(finished: &Finished, name: &str) -> u64 {
    let line = finished.stdout.lines().find(|line| line.contains(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("no figure `{name}` in:\n{}", finished.stdout))
}

/// Whether the demo's server runs, by the file that it deletes at a good end.
fn is_served(directory: &Path) -> bool {
    directory.join("postgres/data/postmaster.pid").exists()
}

#[tokio::test]
async fn twenty_seconds_show_everything_and_nothing_runs_twice() {
    let home = Private::absent();
    let directory = home.directory().join("demo");
    let finished = demo(&directory, "20").run().await;
    assert_eq!(
        finished.code,
        Some(0),
        "{}\n{}",
        finished.stdout,
        finished.stderr
    );
    for never in [
        "started twice",
        "overlaps (",
        "children started before",
        "begun twice",
        "processes left over",
    ] {
        assert_eq!(figure(&finished, never), 0, "{never}");
    }
    for seen in [
        "retries of a failure",
        "repeated by the other host",
        "children started after",
        "races lost politely",
        "episodes of feeds that were kept",
        "feeds suspended",
    ] {
        assert!(figure(&finished, seen) > 0, "{seen}");
    }
    assert_eq!(figure(&finished, "hosts that ran jobs"), 2);
    assert!(finished.stdout.contains("kill -9 "), "{}", finished.stdout);
    assert!(
        !finished.stdout.contains('\x1b'),
        "colours, although it is no terminal"
    );
    let suspended = finished
        .stdout
        .lines()
        .find(|line| line.contains("/members"));
    assert!(
        suspended.is_some_and(|line| line.contains("suspended") && line.contains("403")),
        "{}",
        finished.stdout
    );
    assert!(
        finished
            .stdout
            .ends_with("all of it was seen, and nothing ran twice\n")
    );
    assert!(!is_served(&directory), "the server still runs");
}

#[tokio::test]
async fn a_demo_that_is_cut_short_says_what_was_not_seen() {
    let home = Private::absent();
    let finished = demo(&home.directory().join("demo"), "0").run().await;
    assert_eq!(finished.code, Some(1), "{}", finished.stdout);
    assert!(
        finished.stdout.contains("MISSING: retries of a failure: 0"),
        "{}",
        finished.stdout
    );
    assert!(!finished.stdout.contains("all of it was seen"));
}

#[tokio::test]
async fn ctrl_c_ends_it_in_good_order() {
    let home = Private::absent();
    let directory = home.directory().join("demo");
    let running = demo(&directory, "600").spawn();
    until(Duration::from_mins(1), "a run has succeeded", async || {
        running.stdout().contains("success")
    })
    .await;
    running.signal(Signal::SIGINT);
    let finished = running.finished().await;
    assert_eq!((finished.code, finished.signal), (Some(1), None));
    assert_eq!(figure(&finished, "processes left over"), 0);
    assert!(!is_served(&directory), "the server still runs");
}

#[tokio::test]
async fn a_directory_with_files_of_somebody_else_is_left_alone() {
    let home = tempfile::tempdir().expect("/tmp takes directories");
    fs::write(home.path().join("thesis.tex"), "years of work").expect("it is ours");
    let finished = demo(home.path(), "20").run().await;
    assert_eq!(finished.code, Some(1));
    assert!(
        finished
            .stderr
            .contains("holds files that are not the demo's"),
        "{}",
        finished.stderr
    );
    assert!(home.path().join("thesis.tex").exists());
}

#[tokio::test]
async fn two_demos_do_not_share_a_directory() {
    let home = Private::absent();
    let directory = home.directory().join("demo");
    let first = demo(&directory, "600").spawn();
    until(Duration::from_mins(1), "the first has begun", async || {
        first.stdout().contains("success")
    })
    .await;
    let second = demo(&directory, "20").run().await;
    assert_eq!(second.code, Some(1));
    assert!(
        second.stderr.contains("another demo is using"),
        "{}",
        second.stderr
    );
    first.signal(Signal::SIGTERM);
    assert_eq!(figure(&first.finished().await, "started twice"), 0);
}

#[tokio::test]
async fn a_number_of_seconds_that_is_none_is_refused() {
    let home = Private::absent();
    let finished = demo(&home.directory().join("demo"), "soon").run().await;
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.stderr.contains("DEMO_SECONDS is `soon`"),
        "{}",
        finished.stderr
    );
}

#[tokio::test]
async fn the_proof_sees_what_must_not_happen() {
    let database = Postgres::database().await;
    schema::migrate(
        &database.connect().await,
        crontabber::place::MAX_ONGOING_AGE,
    )
    .await
    .expect("it is empty");
    database
        .execute(include_str!("../examples/demo/tables.sql"))
        .await;
    database
        .execute(
            "INSERT INTO crontabber (app_name, next_run, depends_on) VALUES ('parent', now(), '{}'), ('child', now(), '{parent}');
             INSERT INTO crontabber_log (app_name, run_id, slot, attempt, host, outcome, started_at, finished_at)
             SELECT app, gen_random_uuid(), '2031-05-05 12:00Z', attempt, 'alpha', 'success', begun::timestamptz, ended::timestamptz
               FROM (VALUES ('parent', 1, '2031-05-05 12:00Z', '2031-05-05 12:10Z'),
                            ('parent', 2, '2031-05-05 12:05Z', '2031-05-05 12:15Z'),
                            ('child',  1, '2031-05-05 12:01Z', '2031-05-05 12:02Z')) AS run (app, attempt, begun, ended);
             INSERT INTO demo.loads VALUES ('load/x', '2031-05-05 12:00Z', 1)",
        )
        .await;
    let figures = database
        .rows(include_str!("../examples/demo/proof.sql"))
        .await;
    let (mut seen, mut unseen) = (Vec::new(), Vec::new());
    for figure in figures.iter().filter(|figure| figure[1] == "0") {
        if figure[2] == "1" {
            &mut seen
        } else {
            &mut unseen
        }
        .push(&figure[0]);
    }
    assert_eq!((seen.len(), unseen), (4, Vec::new()));
}
