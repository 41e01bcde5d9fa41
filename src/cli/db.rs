//! `db`: the embedded PostgreSQL.

use std::path::Path;

use clap::Subcommand;

use crate::{config::Access, exit::Exit};

use super::{Global, fail::Failure, open, print};

/// The embedded PostgreSQL, if that is what the configuration asks for.
#[derive(Debug, Subcommand)]
pub(super) enum Db {
    /// Print its URL, starting it if need be: psql "$(crontabber db url)"
    Url,
    /// Stop it; the next command that needs it starts it again
    Stop,
}

impl Db {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        let config = open::configuration(global)?;
        let Access::Embedded {
            directory,
            bin_directory,
        } = &config.require_database()?.access
        else {
            return Err(Failure::NoDatabase(
                "this configuration names a database of its own; `db` is for `[database] embedded = true`".to_owned(),
            ));
        };
        let (directory, bin_directory) = (directory.as_deref(), bin_directory.as_deref());
        match self {
            Self::Url => print(&format!("{}\n", running(directory, bin_directory)?))?,
            Self::Stop => print(stop(directory, bin_directory)?)?,
        }
        Ok(Exit::Ok)
    }
}

#[cfg(feature = "embedded")]
fn cluster(directory: Option<&Path>, bin_directory: Option<&Path>) -> crate::embedded::Cluster {
    use crate::embedded::{Cluster, default_directory};

    let cluster = match directory {
        Some(directory) => Cluster::at(directory),
        None => Cluster::at(&default_directory(|name| std::env::var_os(name))),
    };
    cluster.with_binaries(bin_directory.map(Path::to_owned))
}

/// The URL of the embedded server, which is running when this returns.
#[cfg(feature = "embedded")]
pub(super) fn running(
    directory: Option<&Path>,
    bin_directory: Option<&Path>,
) -> Result<String, Failure> {
    let cluster = cluster(directory, bin_directory);
    cluster
        .ensure_running()
        .map_err(|error| Failure::NoDatabase(error.to_string()))?;
    Ok(cluster.url())
}

#[cfg(feature = "embedded")]
fn stop(directory: Option<&Path>, bin_directory: Option<&Path>) -> Result<&'static str, Failure> {
    match cluster(directory, bin_directory).stop() {
        Ok(crate::embedded::Stopped::Stopped) => Ok("stopped\n"),
        Ok(crate::embedded::Stopped::NotRunning) => Ok("was not running\n"),
        Err(error) => Err(Failure::NoDatabase(error.to_string())),
    }
}

#[cfg(not(feature = "embedded"))]
pub(super) fn running(_: Option<&Path>, _: Option<&Path>) -> Result<String, Failure> {
    Err(without())
}

#[cfg(not(feature = "embedded"))]
fn stop(_: Option<&Path>, _: Option<&Path>) -> Result<&'static str, Failure> {
    Err(without())
}

#[cfg(not(feature = "embedded"))]
fn without() -> Failure {
    Failure::NoDatabase(
        "this build has no embedded PostgreSQL (feature `embedded`); name a database as `url`"
            .to_owned(),
    )
}
