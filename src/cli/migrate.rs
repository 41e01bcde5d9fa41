//! `migrate`: the tables, brought to this version.

use clap::Args;

use crate::{
    exit::Exit,
    store::schema::{self, Before},
};

use super::{
    Global,
    fail::Failure,
    open::{self, block_on},
    print,
};

/// Creates the tables, widens those of crontabber 0.18, or updates ours; safe to repeat, on any host.
///
/// The other hosts go on meanwhile: nothing waits longer than three seconds for a lock.
#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// Print the SQL and change nothing
    #[arg(long)]
    plan: bool,
}

impl Migrate {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        let config = open::configuration(global)?;
        block_on(async {
            let database = open::database(&config, 1)?;
            let client = database.get().await?;
            let before = schema::look(&client).await?;
            if self.plan {
                print(&schema::plan(before))?;
                return Ok(Exit::Ok);
            }
            let steps = schema::migrate(&client).await?;
            print(&match (before, steps.as_slice()) {
                (_, []) => format!("the tables are current: version {}\n", schema::version()),
                (Before::Legacy, steps) => format!("crontabber's tables are widened: {}\n", steps.join(", ")),
                (_, steps) => format!("the tables are at version {}: {}\n", schema::version(), steps.join(", ")),
            })?;
            Ok(Exit::Ok)
        })
    }
}
