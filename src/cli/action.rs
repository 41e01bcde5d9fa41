//! `action`: the work that is shipped with the program.

mod feeds;

use clap::Subcommand;

use crate::exit::Exit;

use super::fail::Failure;

/// The work that is shipped with the program, by hand
#[derive(Debug, Subcommand)]
pub(super) enum Action {
    Feeds(feeds::Feeds),
}

impl Action {
    pub(super) fn answer(self) -> Result<Exit, Failure> {
        match self {
            Self::Feeds(feeds) => feeds.answer(),
        }
    }
}
