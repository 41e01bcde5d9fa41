//! `make demo`: two hosts, one PostgreSQL and a graph of jobs with real work, on this machine.
//!
//! ```text
//! stage      a directory, a server and a configuration of the demo's own
//! database   the driver's own questions to that server
//! feeds      a server of feeds for the shipped job that fetches them
//! hosts      alpha and beta: the real program, a daemon each, which wake at the same instants
//! event      what one line of a host's log says
//! timeline   how it is shown
//! narrator   what the hosts say, told there
//! plot       the host that is killed half-way through a run
//! show       who does what when
//! ledger     what the jobs noted themselves
//! processes  what still runs
//! proof      the figures, and the SQL they come from
//! ```
//!
//! It ends by itself after `DEMO_SECONDS`, otherwise on Ctrl-C. `DEMO_DIRECTORY` is where everything is kept (`.demo`
//! unless named), `DEMO_PROGRAM` which program is shown (the `crontabber` built beside this one). The exit code is 0 if
//! everything that the demo is about was seen and nothing ran twice.

mod database;
mod event;
mod feeds;
mod hosts;
mod ledger;
mod narrator;
mod plot;
mod processes;
mod proof;
mod show;
mod stage;
mod timeline;

use std::{
    env, io,
    path::PathBuf,
    process::{ExitCode, ExitStatus},
    time::Duration,
};

use crontabber::{
    embedded::EmbeddedError,
    store::{AddressError, error::DatabaseError},
};
use thiserror::Error;

use proof::Proof;
use show::Show;
use stage::Stage;
use timeline::Timeline;

/// Nobody watches longer than this; logs and ledger only grow.
const LONGEST: Duration = Duration::from_hours(1);

fn main() -> ExitCode {
    match demo() {
        Ok(proof) if proof.is_complete() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Sets the stage, plays, and strikes it again whatever came of the play.
fn demo() -> Result<Proof, DemoError> {
    let length = length()?;
    let cues = show::cues()?;
    let stage = Stage::choose()?;
    let timeline = Timeline::new();
    timeline.say("crontabber: two hosts, alpha and beta, both wake at the same instants")?;
    let played = stage
        .set(&timeline)
        .and_then(|()| Show::new(&stage, cues, &timeline)?.play(length))
        .and_then(|races| {
            feeds::list(&stage, &timeline)?;
            Proof::take(&stage, races)
        });
    let struck = stage.strike();
    let proof = played?;
    struck?;
    proof.print(&stage, &timeline)?;
    Ok(proof)
}

/// How long the play goes on.
fn length() -> Result<Duration, DemoError> {
    let Ok(text) = env::var("DEMO_SECONDS") else {
        return Ok(LONGEST);
    };
    let seconds = text.parse().map_err(|_| DemoError::Seconds(text))?;
    Ok(Duration::from_secs(seconds).min(LONGEST))
}

/// Why there is nothing to see.
#[derive(Debug, Error)]
enum DemoError {
    /// `DEMO_SECONDS` is no number.
    #[error("DEMO_SECONDS is `{0}`: it takes whole seconds")]
    Seconds(String),
    /// Started from somewhere else.
    #[error("`{}` is not there: start the demo in the directory of the project", .0.display())]
    NotTheProject(PathBuf),
    /// The program to show has not been built.
    #[error("`{}` is not there: build it first, or name another as DEMO_PROGRAM", .0.display())]
    NoProgram(PathBuf),
    /// The directory holds things that no demo has put there, and a demo clears it.
    #[error("`{}` holds files that are not the demo's: name another directory as DEMO_DIRECTORY", .0.display())]
    NotOurs(PathBuf),
    /// Another demo plays there.
    #[error("another demo is using `{}`", .0.display())]
    Busy(PathBuf),
    /// There is a server, but no client.
    #[error(
        "there is no `psql`, neither beside the server's programs nor on the PATH: install the PostgreSQL client"
    )]
    NoPsql,
    /// The example's configuration is no TOML.
    #[error("cannot read `{}`: {source}", .path.display())]
    Configuration {
        path: PathBuf,
        source: toml::de::Error,
    },
    /// A file or a program could not be used.
    #[error("cannot {what} `{}`: {source}", .path.display())]
    Io {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// Whoever watched has gone away.
    #[error("nobody is watching any more: {0}")]
    NobodyWatches(io::Error),
    /// No server.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The server's URL is not understood.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The feeds could not be made known.
    #[error("`crontabber action feeds add` has ended with {0}")]
    Feeds(ExitStatus),
    /// The configuration that the hosts go by has mistakes.
    #[error("{0}")]
    Mistakes(String),
    /// The server does not answer.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The server answers, but not in time.
    #[error("the database took longer than {}s to answer", database::LIMIT.as_secs())]
    Slow,
}

impl DemoError {
    /// Puts what was tried, and with what, beside an error of the system.
    fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}
