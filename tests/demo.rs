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

use common::{Crontabber, Finished, Private, until};
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
    ] {
        assert!(figure(&finished, seen) > 0, "{seen}");
    }
    assert_eq!(figure(&finished, "hosts that ran jobs"), 2);
    assert!(finished.stdout.contains("kill -9 "), "{}", finished.stdout);
    assert!(
        !finished.stdout.contains('\x1b'),
        "colours, although it is no terminal"
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
