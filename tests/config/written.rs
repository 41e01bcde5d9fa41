//! A directory of files that a test writes.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crontabber::config::{Config, Report, Surroundings, load_in};
use tempfile::TempDir;

pub(crate) const DATABASE: &str = "[database]\nurl = \"postgres:///crontabber\"\n";
pub(crate) const HELLO: &str = "[jobs.hello]\nevery = \"5m\"\ncommand = [\"echo\", \"hello\"]\n";

/// Files as an operator could have written them; gone when dropped.
pub(crate) struct Written(TempDir);

impl Written {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let written = Self(tempfile::tempdir().expect("there is a place for temporary files"));
        for (name, text) in files {
            written.write(name, text.as_bytes());
        }
        written
    }

    /// A main file with a database and this text.
    pub(crate) fn main(text: &str) -> Self {
        Self::new(&[("crontabber.toml", &format!("{DATABASE}\n{text}"))])
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        let directory = path.parent().expect("it is inside of the directory");
        fs::create_dir_all(directory).expect("the directory is ours");
        fs::write(path, bytes).expect("the directory is ours");
    }

    pub(crate) fn chmod(&self, name: &str, mode: u32) {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(self.path(name), mode).expect("it is ours");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn load(&self) -> Result<Config, Report> {
        load_in(Some(&self.path("crontabber.toml")), &Surroundings::none())
    }

    pub(crate) fn sound(&self) -> Config {
        self.load().unwrap_or_else(|report| panic!("{report}"))
    }

    /// The report, with the directory left out of it.
    pub(crate) fn refused(&self) -> String {
        let report = self.load().expect_err("it is wrong");
        self.without_directory(&report)
    }

    pub(crate) fn without_directory(&self, report: &impl ToString) -> String {
        let directory: &Path = self.0.path();
        report
            .to_string()
            .replace(&format!("{}/", directory.display()), "")
            .replace(&directory.display().to_string(), ".")
    }
}
