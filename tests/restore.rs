//! What an old dump does to the jobs, as docs/operations.md has it.

mod common;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use common::{
    Database, Postgres, Site,
    host::{Host, job, log, minutes, noon},
};

/// A program of PostgreSQL's, on the PATH or beside the newest server.
fn program(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut servers: Vec<PathBuf> = ["/usr/lib/postgresql", "/usr"]
        .iter()
        .filter_map(|top| fs::read_dir(top).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    servers.sort();
    let found = servers
        .into_iter()
        .rev()
        .chain(env::split_paths(&path))
        .map(|directory| directory.join(name))
        .find(|program| program.exists());
    found.unwrap_or_else(|| panic!("PostgreSQL comes with {name}"))
}

/// Runs one of them on a database.
fn run(name: &str, arguments: &[&str], file: &Path, database: &Database) {
    let url = format!("--dbname={}", database.url());
    let mut command = Command::new(program(name));
    let done = match name {
        "pg_dump" => command.args(arguments).arg("--file").arg(file).arg(url),
        _ => command.args(arguments).arg(url).arg(file),
    };
    let done = done.output().expect("it was found");
    assert!(
        done.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// The words of a command of the document's section on dumps.
fn documented(program: &str) -> String {
    let document = fs::read_to_string("docs/operations.md").expect("it is there");
    let section = document.split("## Backup and restore").nth(1);
    let section = section.expect("a section");
    let line = section.lines().find_map(|line| {
        let from = line.find(program)?;
        Some(line[from + program.len()..].to_owned())
    });
    line.unwrap_or_else(|| panic!("the document has no {program}"))
}

fn options(program: &str) -> Vec<String> {
    let words = documented(program);
    let options = words.split([' ', '`']).filter(|word| {
        word.starts_with("--") && !word.starts_with("--file") && !word.starts_with("--dbname")
    });
    options.map(str::to_owned).collect()
}

/// The latest fence there is.
async fn fence(database: &Database) -> i64 {
    database
        .query_one("SELECT max(fence) FROM crontabber")
        .await
}

#[tokio::test]
async fn an_old_dump_runs_the_latest_slot_of_each_job_again_and_once() {
    let database = Postgres::database().await;
    let host = Host::new("a", &database, &[job("fetch", "true"), job("mail", "true")]);
    let directory = tempfile::tempdir().expect("/tmp takes directories");
    let dump = directory.path().join("crontabber.dump");

    host.at(noon()).tick().await;
    let to_dump = options("pg_dump ");
    let to_dump: Vec<&str> = to_dump.iter().map(String::as_str).collect();
    run("pg_dump", &to_dump, &dump, &database);
    for hour in 1..=3 {
        host.at(noon() + minutes(60 * hour)).tick().await;
    }
    let before = fence(&database).await;
    assert_eq!(log(&database).await.len(), 8);

    let to_restore = options("pg_restore ");
    let to_restore: Vec<&str> = to_restore.iter().map(String::as_str).collect();
    run("pg_restore", &to_restore, &dump, &database);
    let after_it = host.at(noon() + minutes(190)).tick().await;
    assert_eq!((after_it.well, after_it.failed), (2, 0));
    let mut told = log(&database).await;
    told.sort();
    assert_eq!(
        told,
        [
            "fetch 0 1 success",
            "fetch 180 1 success",
            "fetch 60 0 skipped coalesced x2",
            "mail 0 1 success",
            "mail 180 1 success",
            "mail 60 0 skipped coalesced x2",
        ]
    );
    // A fence that a run from before the restore may have, too.
    assert!(fence(&database).await <= before);
    // Nothing more: the next slot is the next one.
    assert_eq!(host.at(noon() + minutes(200)).tick().await.well, 0);

    run("pg_restore", &to_restore, &dump, &database);
    let forward = documented("psql crontabber -c ");
    let forward = forward.split('"').nth(1).expect("a statement in quotes");
    database.execute(forward).await;
    host.at(noon() + minutes(190)).tick().await;
    assert!(fence(&database).await > before);
}

#[tokio::test]
async fn what_was_running_in_the_dump_is_lost_and_runs_again() {
    let database = Postgres::database().await;
    let host = Host::new("a", &database, &[job("fetch", "true")]);
    common::host::dies_running(&host.at(noon())).await;
    // As a dump would bring it back, a day later.
    let back = host.at(noon() + minutes(24 * 60)).tick().await;
    assert_eq!(back.well, 1);
    let told = log(&database).await;
    assert_eq!(told[0], "fetch 0 1 lost", "{told:?}");
}

/// What a dump of five hours ago would bring back.
const FIVE_HOURS_AGO: &str = "\
UPDATE crontabber SET slot = slot - interval '5 hours', next_run = next_run - interval '5 hours',
       success_slot = success_slot - interval '5 hours', revision = revision + 1";

#[tokio::test]
async fn what_is_marked_as_succeeded_does_not_run_again() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        site.job("fetch", "every = \"1h\"\nstart = \"now\"", "true")
    });
    let tick = async || site.on("a", &["tick"]).run().await;
    assert_eq!(tick().await.code, Some(0));
    let runs = || site.ledger().starts().len();
    assert_eq!(runs(), 1);

    database.execute(FIVE_HOURS_AGO).await;
    let asked = site.on("a", &["tick", "--dry-run"]).run().await;
    assert!(
        asked.stdout.starts_with("would run: fetch"),
        "{}",
        asked.stdout
    );
    // As the document has it, up to its reason.
    let words = documented("crontabber mark ");
    let words = words
        .split(" --reason")
        .next()
        .expect("there is a beginning");
    let mark: Vec<&str> = ["mark"].into_iter().chain(words.split(' ')).collect();
    let marked = site.on("a", &mark).run().await;
    assert_eq!(marked.code, Some(0), "{}", marked.stderr);
    assert_eq!(tick().await.code, Some(0));
    assert_eq!(runs(), 1);

    database.execute(FIVE_HOURS_AGO).await;
    assert_eq!(tick().await.code, Some(0));
    assert_eq!(runs(), 2);
}
