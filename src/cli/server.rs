//! The embedded PostgreSQL as commands meet it: running when it is needed, or an error in a build without it.

use std::path::Path;

use super::fail::Failure;

#[cfg(feature = "embedded")]
mod with {
    use super::{Failure, Path};
    use crate::embedded::{Cluster, Stopped, default_directory};

    fn cluster(directory: Option<&Path>, bin_directory: Option<&Path>) -> Cluster {
        let cluster = match directory {
            Some(directory) => Cluster::at(directory),
            None => Cluster::at(&default_directory(|name| std::env::var_os(name))),
        };
        cluster.with_binaries(bin_directory.map(Path::to_owned))
    }

    /// The URL of the embedded server, which is running when this returns.
    pub(in crate::cli) fn running(
        directory: Option<&Path>,
        bin_directory: Option<&Path>,
    ) -> Result<String, Failure> {
        let cluster = cluster(directory, bin_directory);
        let running = cluster.ensure_running();
        running.map_err(|error| Failure::NoDatabase(error.to_string()))?;
        Ok(cluster.url())
    }

    /// Stops it; what came of that, for people.
    pub(in crate::cli) fn stop(
        directory: Option<&Path>,
        bin_directory: Option<&Path>,
    ) -> Result<&'static str, Failure> {
        match cluster(directory, bin_directory).stop() {
            Ok(Stopped::Stopped) => Ok("stopped\n"),
            Ok(Stopped::NotRunning) => Ok("was not running\n"),
            Err(error) => Err(Failure::NoDatabase(error.to_string())),
        }
    }
}

#[cfg(not(feature = "embedded"))]
mod with {
    use super::{Failure, Path};

    fn without<T>() -> Result<T, Failure> {
        let what =
            "this build has no embedded PostgreSQL (feature `embedded`); name a database as `url`";
        Err(Failure::NoDatabase(what.to_owned()))
    }

    pub(in crate::cli) fn running(_: Option<&Path>, _: Option<&Path>) -> Result<String, Failure> {
        without()
    }

    pub(in crate::cli) fn stop(
        _: Option<&Path>,
        _: Option<&Path>,
    ) -> Result<&'static str, Failure> {
        without()
    }
}

pub(super) use with::{running, stop};
