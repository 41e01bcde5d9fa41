//! `db`: the embedded PostgreSQL.

use clap::Subcommand;

use crate::{config::Access, exit::Exit};

use super::{Global, fail::Failure, open, print, server};

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
            Self::Url => print(&format!("{}\n", server::running(directory, bin_directory)?))?,
            Self::Stop => print(server::stop(directory, bin_directory)?)?,
        }
        Ok(Exit::Ok)
    }
}
