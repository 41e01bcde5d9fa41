//! crontabber's own command line, without a subcommand: `crontabber --admin.conf=F`, `-j X`, `--nagios` and its like.
//!
//! Old crontab lines and old Nagios commands keep working. Whether a line is one of these is decided by its first
//! argument, before clap sees it: none of these flags means anything to the new commands, `-v` and `--version`
//! excepted. Behind a flag stands the function that the new command calls; only the texts and the exit codes are
//! crontabber's. `docs/crontabber-flags.md` has the table.

mod argv;
mod conf;
mod gone;
mod look;
mod work;

use std::{
    ffi::OsString,
    io::{IsTerminal, stderr},
    path::PathBuf,
};

use clap::Parser;

use crate::{
    exit::Exit,
    log::{self, Manner},
};

use super::{Cli, Global, fail::Failure, print, usage};

use argv::{Asked, Line};

/// Whether a command line, without the program's name, is one of crontabber's.
pub(super) fn is_meant(arguments: &[OsString]) -> bool {
    argv::is_crontabbers(arguments)
}

/// Does what such a line asks for.
pub(super) fn answer(arguments: &[OsString]) -> Exit {
    let line = Line::read(arguments);
    if line.wants_help {
        return super::answer(&["crontabber", "--help"].map(OsString::from));
    }
    let is_for_nagios = line.is_for_nagios();
    let outcome = line.order().and_then(|order| {
        let toml = order.conf.as_deref().map(conf::toml_of).transpose()?;
        let global = match global(toml) {
            Ok(global) => global,
            Err(mistake) => return Ok(usage(&mistake)),
        };
        log::start(global.log_format, global.verbose, manner(&order.asked));
        crate::faults::point("start");
        obey(order.asked, &global)
    });
    outcome.unwrap_or_else(|failure| {
        if is_for_nagios {
            look::not_known(&failure)
        } else {
            failure.tell()
        }
    })
}

fn obey(asked: Asked, global: &Global) -> Result<Exit, Failure> {
    match asked {
        Asked::ListJobs => look::list_jobs(global),
        Asked::Nagios => look::nagios(global),
        Asked::Version => {
            print(concat!(env!("CARGO_PKG_VERSION"), "\n"))?;
            Ok(Exit::Ok)
        }
        Asked::ResetJob(job) => work::reset(global, &job),
        Asked::AuditGhosts => look::audit_ghosts(global),
        Asked::Configtest => look::configtest(global),
        Asked::Job { job, force } => work::one(global, &job, force),
        Asked::All { force } => work::all(global, force),
    }
}

/// What every command understands, from the environment as clap reads it, with this configuration.
fn global(config: Option<PathBuf>) -> Result<Global, clap::Error> {
    let mut words = vec![OsString::from("crontabber"), OsString::from("tick")];
    if let Some(config) = config {
        let mut option = OsString::from("--config=");
        option.push(config);
        words.push(option);
    }
    Cli::try_parse_from(words).map(|cli| cli.global)
}

/// What runs jobs tells its history to people who look at it, and cron only what went wrong.
fn manner(asked: &Asked) -> Manner {
    match asked {
        Asked::All { .. } | Asked::Job { .. } if stderr().is_terminal() => Manner::Talks,
        _ => Manner::Quiet,
    }
}
