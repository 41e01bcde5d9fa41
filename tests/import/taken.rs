//! One foreign file, taken over.

use std::{fs, path::PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::common::{Crontabber, Finished};

/// A directory with a foreign file, and what the import made of it.
pub(crate) struct Taken {
    directory: TempDir,
    /// The TOML.
    pub(crate) toml: String,
    /// The remarks.
    pub(crate) said: String,
    /// The exit code.
    pub(crate) code: Option<i32>,
}

impl Taken {
    /// `import crontab` of this text, in UTC, with the runs after this instant.
    pub(crate) async fn crontab(text: &str, after: &str) -> Self {
        Self::crontab_with(text, &["--timezone", "UTC", "--after", after]).await
    }

    pub(crate) async fn crontab_with(text: &str, options: &[&str]) -> Self {
        Self::of("crontab", "crontab", text, options).await
    }

    /// `import crontabber` of this text.
    pub(crate) async fn ini(text: &str) -> Self {
        Self::ini_with(text, &["--after", "2026-01-01T00:00:00Z"]).await
    }

    pub(crate) async fn ini_with(text: &str, options: &[&str]) -> Self {
        Self::of("crontabber", "crontabber.ini", text, options).await
    }

    async fn of(kind: &str, name: &str, text: &str, options: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("/tmp takes directories");
        fs::write(directory.path().join(name), text).expect("the directory is writable");
        let arguments = [
            &["import", kind, name, "--output", "crontabber.toml"],
            options,
        ]
        .concat();
        let finished = run(&directory, &arguments).await;
        let toml = fs::read_to_string(directory.path().join("crontabber.toml"));
        Self {
            toml: toml.unwrap_or_else(|_| panic!("nothing was written: {}", finished.stderr)),
            said: finished.stderr,
            code: finished.code,
            directory,
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The program in that directory.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Finished {
        run(&self.directory, arguments).await
    }

    /// Everything that is meant by the TOML, which `config check` accepts.
    pub(crate) async fn shown(&self) -> Value {
        let check = self.run(&["config", "check"]).await;
        assert_eq!(check.code, Some(0), "{}\n{}", check.stdout, self.toml);
        let show = self.run(&["config", "show", "--json"]).await;
        assert_eq!(show.code, Some(0), "{}", show.stderr);
        serde_json::from_str(&show.stdout).expect("it is JSON")
    }

    /// What a key of a job is; null: nothing.
    pub(crate) async fn key(&self, job: &str, key: &str) -> Value {
        let shown = self.shown().await;
        let section = [format!("jobs.{job}"), format!("jobs.\"{job}\"")]
            .into_iter()
            .find_map(|section| shown.get(section).cloned());
        let section = section.unwrap_or_else(|| panic!("no job {job}: {shown:#}"));
        section[key]["value"].clone()
    }

    /// The names of the jobs, sorted.
    pub(crate) async fn jobs(&self) -> Vec<String> {
        let shown = self.shown().await;
        let sections = shown.as_object().expect("an object").keys();
        let jobs = sections.filter_map(|section| section.strip_prefix("jobs."));
        let mut jobs: Vec<_> = jobs.map(|job| job.trim_matches('"').to_owned()).collect();
        jobs.sort();
        jobs
    }

    /// The next runs of the first job, in UTC.
    pub(crate) fn next_runs(&self) -> Vec<&str> {
        let mut runs = Vec::new();
        for line in self
            .toml
            .lines()
            .skip_while(|line| !line.starts_with("# next run"))
        {
            let Some(run) = line.strip_prefix("# next run ") else {
                break;
            };
            runs.push(run.rsplit(' ').next().expect("an instant"));
        }
        runs
    }

    pub(crate) fn says(&self, text: &str) {
        assert!(
            self.said.contains(text),
            "{text:?} is not in:\n{}",
            self.said
        );
    }

    pub(crate) fn does_not_say(&self, text: &str) {
        let both = format!("{}{}", self.said, self.toml);
        assert!(!both.contains(text), "{text:?} is in:\n{both}");
    }
}

async fn run(directory: &TempDir, arguments: &[&str]) -> Finished {
    let command = Crontabber::new(arguments).env("HOME", "/home/alice");
    command.current_dir(directory.path()).run().await
}
