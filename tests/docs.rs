//! What the documents say is so: files they name exist, tables agree with the code, examples load.

use std::{collections::BTreeSet, fs, path::Path};

use crontabber::{
    config::{self, Surroundings},
    exit::Exit,
};

const DOCUMENTS: [&str; 19] = [
    "README.md",
    "DESIGN.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/operations.md",
    "systemd/README.md",
    "docs/from-crontabber.md",
    "docs/from-cron.md",
    "docs/actions.md",
    "docs/control.md",
    "docs/daemon.md",
    "docs/keep-running.md",
    "docs/crontabber-flags.md",
    "docs/missed-slots.md",
    "docs/monitoring.md",
    "docs/simulate.md",
    "docs/sql-jobs.md",
    "docs/feeds-corpus.md",
    "docs/feeds.md",
];

fn text(document: &str) -> String {
    fs::read_to_string(document).unwrap_or_else(|error| panic!("{document}: {error}"))
}

#[test]
fn every_file_that_a_document_names_exists() {
    for document in DOCUMENTS {
        for word in text(document).split(|c: char| c.is_whitespace() || "`()[],;:".contains(c)) {
            let path = word.trim_end_matches('.');
            let folders = [
                "src/",
                "sql/",
                "tests/",
                "docs/",
                "examples/",
                "jobs/",
                "systemd/",
                "scripts/",
            ];
            if folders.iter().any(|folder| path.starts_with(folder)) {
                assert!(
                    Path::new(path).exists(),
                    "{document} names {path}, which does not exist"
                );
            }
        }
    }
}

#[test]
fn the_table_of_exit_codes_is_the_one_of_the_code() {
    let readme = text("README.md");
    let table = readme.split("### Exit codes").nth(1).expect("a section");
    let rows = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let documented: BTreeSet<u8> = rows
        .flat_map(|cell| cell.split(", "))
        .filter_map(|code| code.parse().ok())
        .collect();
    assert_eq!(
        documented,
        Exit::ALL.iter().map(|exit| exit.code()).collect()
    );
}

#[test]
fn the_job_of_the_first_screen_is_a_job() {
    let readme = text("README.md");
    let job = readme
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("crontabber.toml");
    let toml = format!("[database]\nembedded = true\n{}", job.expect("a job"));
    fs::write(&file, toml).expect("it can be written");
    let config = config::load_in(Some(&file), &Surroundings::none());
    let config = config.unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(config.graph.jobs().len(), 1);
}

#[test]
fn the_keys_of_the_readme_are_keys_and_their_defaults_are_the_defaults() {
    let readme = text("README.md");
    let table = readme
        .split("## What a job can say")
        .nth(1)
        .expect("a section");
    let known: BTreeSet<String> = config::reference().into_iter().map(|key| key.key).collect();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    for row in rows {
        let keys = row.split('|').nth(1).expect("a cell");
        for key in keys.split(',').map(|key| key.trim().trim_matches('`')) {
            assert!(
                known.iter().any(|known| known.ends_with(key)),
                "`{key}` is no key of a job"
            );
        }
    }
}
