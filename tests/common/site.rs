//! One configuration and what it leads to: the program on any number of hosts, a ledger of what ran.

use std::{fs, path::PathBuf};

use tempfile::TempDir;

use super::{Crontabber, Database, Ledger};

/// A directory with a configuration and a ledger, for one database.
#[derive(Debug)]
pub struct Site {
    directory: TempDir,
    ledger: Ledger,
}

impl Site {
    /// A place where nothing is configured yet.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("/tmp takes directories");
        let ledger = Ledger::in_directory(directory.path());
        Self { directory, ledger }
    }

    /// A site whose hosts share this database and these sections: `[daemon]`, `[defaults]`, `[jobs.NAME]`.
    pub fn with(database: &Database, sections: impl FnOnce(&Self) -> String) -> Self {
        let site = Self::new();
        site.configure(database.url(), &sections(&site));
        site
    }

    /// Writes the configuration: the database's URL, and the sections below it.
    pub fn configure(&self, url: &str, sections: &str) {
        let text = format!("[database]\nurl = \"{url}\"\n\n{sections}");
        fs::write(self.file("crontabber.toml"), text).expect("the directory is writable");
    }

    /// The program on a host of this name.
    pub fn on(&self, host: &str, arguments: &[&str]) -> Crontabber {
        Crontabber::new(arguments)
            .env("CRONTABBER_CONFIG", self.file("crontabber.toml"))
            .env("CRONTABBER_HOST", host)
            .env("STATE_DIRECTORY", self.file("").join("state").join(host))
    }

    /// A file of this site.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What ran.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The table of a job that enters itself into the ledger, and then does this.
    pub fn job(&self, name: &str, keys: &str, shell: &str) -> String {
        format!(
            "[jobs.{name}]\n{keys}\nshell = '''\n{}{shell}\n'''\n\n",
            self.ledger.line()
        )
    }
}
