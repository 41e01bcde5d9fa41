//! `action feeds resume`: feeds that were given up, once more.

use clap::Args;

use super::Feeds;
use crate::{
    actions::feeds::store,
    cli::{fail::Failure, open::block_on},
    exit::Exit,
};

/// Fetches feeds again that have been given up
#[derive(Debug, Args)]
pub(super) struct Resume {
    /// Their numbers, as `list` has them
    #[arg(required = true, value_name = "NUMBER")]
    numbers: Vec<i64>,
}

impl Resume {
    pub(super) fn answer(&self, feeds: &Feeds) -> Result<Exit, Failure> {
        let database = feeds.database(1)?;
        let resumed = block_on(async { Ok(store::resume(&database, &self.numbers).await?) })?;
        let unknown = self.numbers.iter().find(|number| !resumed.contains(number));
        match unknown {
            Some(number) => Err(Failure::Usage(format!("there is no feed {number}"))),
            None => Ok(Exit::Ok),
        }
    }
}
