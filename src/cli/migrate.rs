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

/// Creates, widens or updates the tables.
///
/// Those of crontabber 0.18 are widened in place, ours brought to this version. Safe to repeat, on any host. The other hosts go on meanwhile: nothing waits longer than three seconds for a lock.
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
            print(&told(before, &steps))?;
            Ok(Exit::Ok)
        })
    }
}

fn told(before: Before, steps: &[&str]) -> String {
    let (version, applied) = (schema::version(), steps.join(", "));
    match before {
        _ if steps.is_empty() => format!("the tables are current: version {version}\n"),
        Before::Legacy => {
            format!("crontabber's tables are widened to version {version}: {applied}\n")
        }
        Before::Nothing | Before::Ours(_) => {
            format!("the tables are at version {version}: {applied}\n")
        }
    }
}
