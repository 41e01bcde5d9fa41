//! A host with the real program, and what it prints.

use std::{fs, path::PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::common::{Crontabber, Database, Finished, Postgres};

/// Jobs of which one pass makes a success, a child's success, a failure, a block and one that is not for this host.
pub(crate) const JOBS: &str = "
[jobs.fetch]
every = '10m'
start = 'now'
description = 'Fetches'
shell = 'echo one; echo two; echo three >&2'

[jobs.index]
depends_on = ['fetch']
shell = 'echo indexed'

[jobs.mail]
every = '1h'
start = 'now'
shell = 'echo 421 busy; exit 3'

[jobs.report]
every = '1h'
start = 'now'
depends_on = ['mail']
shell = 'true'

[jobs.archive]
every = '1h'
start = 'now'
hosts = ['db*']
shell = 'true'
";

/// A host with a configuration and a database.
pub(crate) struct Host {
    pub(crate) database: Database,
    directory: TempDir,
}

impl Host {
    /// With no tables.
    pub(crate) async fn without_tables(jobs: &str) -> Self {
        let database = Postgres::database().await;
        let directory = tempfile::tempdir().expect("/tmp takes directories");
        let text = format!("[database]\nurl = \"{}\"\n{jobs}", database.url());
        fs::write(directory.path().join("crontabber.toml"), text).expect("the directory is ours");
        Self {
            database,
            directory,
        }
    }

    /// With tables.
    pub(crate) async fn new(jobs: &str) -> Self {
        let host = Self::without_tables(jobs).await;
        assert_eq!(host.run(&["migrate"]).await.code, Some(0));
        host
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("crontabber.toml")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Crontabber {
        Crontabber::new(arguments)
            .env("CRONTABBER_CONFIG", self.file())
            .env("CRONTABBER_HOST", "web1")
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Finished {
        self.command(arguments).run().await
    }

    /// Through a shell; `$X` is the program.
    pub(crate) async fn shell(&self, line: &str) -> Finished {
        let program = env!("CARGO_BIN_EXE_crontabber");
        self.command(&["-c", line])
            .program("/bin/bash")
            .env("X", program)
            .run()
            .await
    }

    /// What it prints, when all is well.
    pub(crate) async fn read(&self, arguments: &[&str]) -> String {
        let finished = self.run(arguments).await;
        assert_eq!(finished.code, Some(0), "{arguments:?}: {}", finished.stderr);
        finished.stdout
    }

    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let text = self.read(&[arguments, &["--json"]].concat()).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The cells of `list` in a pipe, of one column.
    pub(crate) async fn column(&self, arguments: &[&str], column: usize) -> Vec<String> {
        let text = self.read(arguments).await;
        text.lines()
            .map(|line| line.split('\t').nth(column).expect("a cell").to_owned())
            .collect()
    }

    /// Everything in all tables.
    pub(crate) async fn contents(&self) -> Vec<Vec<String>> {
        let mut all = Vec::new();
        for table in [
            "crontabber",
            "crontabber_log",
            "crontabber_host",
            "crontabber_audit",
            "crontabber_schema",
        ] {
            all.extend(
                self.database
                    .rows(&format!("SELECT xmin, t.* FROM {table} t ORDER BY 2"))
                    .await,
            );
        }
        all
    }
}
