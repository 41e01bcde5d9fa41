//! `doctor`: what a host stands on, and what is wrong with it.

mod here;

use clap::Args;

use crate::{
    config::{self, Config, Daemon, Surroundings},
    doctor::{
        self, Level,
        facts::{Configuration, Facts, Needs, Secrets, Silence},
    },
    exit::Exit,
    place::MAX_ONGOING_AGE,
    spec::Kind,
    store::checkup::{Checkup, checkup},
    view::{Medium, doctor as answer},
};

use super::{
    Global,
    fail::Failure,
    open::{self, block_on},
    print,
};

/// What this host stands on: configuration, database, rights, pooler, durability, clocks, hosts
///
/// Looks at everything that a host needs and says what is so and what to do about it. Changes nothing, and goes as far as
/// it can: with mistakes in the configuration the database is asked all the same, if `[database]` can be read.
/// What the jobs do is `crontabber check`.
#[derive(Debug, Args)]
#[command(after_help = "\
In a pipe the columns are: ok, warning or problem; what was looked at; what is so; what to do.

Exit codes: 0 all is well, or there are warnings only; 1 there are problems; 69, 77, 78 the database
could not be asked: it does not answer, does not let this role in, or nothing says where it is.

Examples:
  crontabber doctor                                      after an installation, and when something is odd
  sudo -u crontabber crontabber doctor                   as the user that the unit has
  crontabber doctor --json | jq -r '.findings[] | select(.level != \"ok\") | .fact'")]
pub(super) struct Doctor {
    /// As an object (docs/json.md)
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        let known = Known::of(global);
        let config = known.config.as_ref();
        let place = config.and_then(|config| open::place(global, config).ok());
        let (database, silent) = match known.ask() {
            Ok(checkup) => (Ok(checkup), None),
            Err((silence, exit)) => (Err(silence), Some(exit)),
        };
        let facts = Facts {
            database,
            needs: known.needs(),
            here: here::look(
                known
                    .daemon()
                    .and_then(|daemon| daemon.state_directory.as_deref()),
                config,
                place.as_ref(),
            ),
            configuration: known.files,
        };
        let findings = doctor::examine(&facts);
        print(&if self.json {
            answer::json(&findings)
        } else {
            answer::text(&findings, Medium::of_stdout())
        })?;
        Ok(match (silent, doctor::worst(&findings)) {
            (Some(exit), _) => exit,
            (None, Level::Problem) => Exit::Failed,
            (None, Level::Ok | Level::Warning) => Exit::Ok,
        })
    }
}

/// What the files say, as far as they can be read.
struct Known {
    files: Configuration,
    config: Option<Config>,
    /// What is left of a configuration with mistakes.
    salvaged: Option<config::Salvaged>,
}

impl Known {
    fn of(global: &Global) -> Self {
        let named = global.config.as_deref();
        let surroundings = Surroundings::of_this_process();
        match config::load_in(named, &surroundings) {
            Ok(config) => {
                let secrets = config.check_secrets(&surroundings);
                let unnamed = config.require_database().err();
                let unnamed = unnamed.and_then(|report| report.first_error());
                Self {
                    files: Configuration {
                        summary: config.warnings.summary(),
                        mistake: unnamed,
                        warnings: config.warnings.warnings(),
                        secrets: Some(Secrets {
                            mistake: secrets.first_error(),
                            warnings: secrets.warnings(),
                        }),
                    },
                    config: Some(config),
                    salvaged: None,
                }
            }
            Err(report) => Self {
                files: Configuration {
                    summary: report.summary(),
                    mistake: report.first_error(),
                    warnings: report.warnings(),
                    secrets: None,
                },
                config: None,
                salvaged: config::salvage(named, &surroundings),
            },
        }
    }

    fn daemon(&self) -> Option<&Daemon> {
        match &self.config {
            Some(config) => Some(&config.daemon),
            None => self.salvaged.as_ref()?.daemon.as_ref(),
        }
    }

    fn needs(&self) -> Needs {
        let config = self.config.as_ref();
        let jobs = config.map_or(&[][..], |config| config.graph.jobs());
        let is_sql = |kind: &Kind| matches!(kind, Kind::Sql(_));
        let limits = config.map(|config| config.check.clock_skew);
        Needs {
            max_parallel: self.daemon().map_or(0, |daemon| daemon.max_parallel),
            sql_jobs: jobs.iter().filter(|job| is_sql(&job.kind)).count(),
            streams: jobs.iter().any(|job| job.stream_output),
            max_ongoing_age: self
                .daemon()
                .map_or(MAX_ONGOING_AGE, |daemon| daemon.max_ongoing_age),
            clock_skew: limits.unwrap_or(doctor::facts::CLOCK_SKEW),
        }
    }

    /// Asks the database; or why it cannot be asked, and the exit code that says so.
    fn ask(&self) -> Result<Checkup, (Silence, Exit)> {
        let wanted = match &self.config {
            Some(config) => config.database.as_ref(),
            None => self.salvaged.as_ref().map(|salvaged| &salvaged.database),
        };
        let Some(wanted) = wanted else {
            let why = "nothing that can be read says where the database is";
            return Err((Silence::Unknown(why.to_owned()), Exit::Configuration));
        };
        let database = open::database_at(wanted, 1);
        let database = database.map_err(|failure| {
            let exit = failure.exit();
            (Silence::Unknown(failure.bare()), exit)
        })?;
        let address = database.address().shown();
        let asked = block_on(async { Ok(checkup(&database, &wanted.schema).await?) });
        asked.map_err(|failure| {
            let exit = failure.exit();
            let why = failure.bare();
            (Silence::NoAnswer { address, why }, exit)
        })
    }
}
