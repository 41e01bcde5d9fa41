//! `config check` and `config show`.

use clap::Subcommand;

use crate::{
    config::{self, Surroundings},
    exit::Exit,
};

use super::{Global, fail::Failure, now, open, print};

/// Checks or shows the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Tell every mistake and every warning, with its place; works without a database
    Check {
        /// As an array of objects
        #[arg(long)]
        json: bool,
        /// Do not try to read its secrets: systemd shows them to the daemon, and not to its `ExecReload=`
        #[arg(long)]
        no_secrets: bool,
    },
    /// Print the configuration as it is meant: every key, its value, and where that comes from
    Show {
        /// Only this job
        job: Option<String>,
        /// As an object
        #[arg(long)]
        json: bool,
    },
}

impl Config {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        match self {
            Self::Check { json, no_secrets } => check(global, json, !no_secrets),
            Self::Show { job, json } => show(global, job.as_deref(), json),
        }
    }
}

/// Everything there is to say about the configuration, and whether it can be used; whether its secrets can be read too,
/// if they are for this process.
pub(super) fn examine(global: &Global, with_secrets: bool) -> (Vec<config::Report>, Exit) {
    let config = match config::load(global.config.as_deref()) {
        Err(report) => return (vec![report], Exit::Failed),
        Ok(config) => config,
    };
    let secrets = with_secrets.then(|| config.check_secrets(&Surroundings::of_this_process()));
    let mut reports = Vec::from_iter(secrets);
    reports.extend(config.require_database().err());
    let exit = if reports.iter().any(|report| report.errors() > 0) {
        Exit::Failed
    } else {
        Exit::Ok
    };
    let clocks = now().map(|now| config.check_clocks(now));
    reports.push(config.warnings.with(clocks.unwrap_or_default()));
    (reports, exit)
}

fn check(global: &Global, json: bool, with_secrets: bool) -> Result<Exit, Failure> {
    let (reports, exit) = examine(global, with_secrets);
    if json {
        let all: Vec<_> = reports
            .iter()
            .flat_map(|report| report.to_json().as_array().cloned().unwrap_or_default())
            .collect();
        print(&format!("{:#}\n", serde_json::Value::from(all)))?;
        return Ok(exit);
    }
    let mut said = false;
    for report in reports.iter().filter(|report| !report.is_empty()) {
        print(&report.to_string())?;
        said = true;
    }
    if !said {
        let summary = reports
            .last()
            .map(config::Report::summary)
            .unwrap_or_default();
        print(&format!("{summary}\n"))?;
    }
    Ok(exit)
}

fn show(global: &Global, job: Option<&str>, json: bool) -> Result<Exit, Failure> {
    let config = open::configuration(global)?;
    let name = match job {
        Some(job) => Some(&open::job(&config, job)?.name),
        None => None,
    };
    print(&if json {
        format!("{:#}\n", config.show_json(name))
    } else {
        config.show(name)
    })?;
    Ok(Exit::Ok)
}
