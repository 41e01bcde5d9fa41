//! `migrate`: the tables, brought to this version.

use std::time::Duration;

use clap::Args;
use tokio_postgres::Client;

use crate::{
    duration,
    exit::Exit,
    store::schema::{self, Before, Migrated},
};

use super::{
    Global,
    fail::Failure,
    open::{self, block_on},
    print,
    who::who,
};

/// Creates, widens or updates the tables.
///
/// Those of crontabber 0.18 are widened in place, ours brought to this version. Safe to repeat, on any host. The other hosts go on meanwhile: nothing waits longer than three seconds for a lock.
#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// Print the SQL and change nothing
    #[arg(long)]
    plan: bool,
    /// Take away the guard that keeps hosts of crontabber 0.18 from starting jobs twice, to go back to them alone
    #[arg(long, conflicts_with = "plan")]
    drop_guard: bool,
}

impl Migrate {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        let config = open::configuration(global)?;
        block_on(async {
            let database = open::database(&config, 1)?;
            let client = database.get().await?;
            let age = config.daemon.max_ongoing_age;
            if self.plan {
                print(&schema::plan(&client, age).await?)?;
                return Ok(Exit::Ok);
            }
            let before = schema::look(&client).await?;
            if self.drop_guard {
                let host = open::place(global, &config)?.host;
                return without_guard(&client, before, &who(&host)).await;
            }
            let migrated = schema::migrate(&client, age).await?;
            print(&told(before, &migrated, age))?;
            Ok(Exit::Ok)
        })
    }
}

async fn without_guard(client: &Client, before: Before, who: &str) -> Result<Exit, Failure> {
    if !matches!(before, Before::Ours(_)) {
        print("there is no guard: these are not tables of ours\n")?;
        return Ok(Exit::Ok);
    }
    schema::drop_guard(client, who).await?;
    print(
        "the guard is gone: hosts of crontabber 0.18 may start jobs twice again, and over our runs\n\
         stop `crontabber tick` on every host before you leave the jobs to them; `crontabber migrate` puts it back\n",
    )?;
    Ok(Exit::Ok)
}

fn told(before: Before, migrated: &Migrated, age: Duration) -> String {
    let (version, applied) = (schema::version(), migrated.steps.join(", "));
    let tables = match before {
        Before::Ours(found) if found.version > version => {
            return format!(
                "the tables have version {}, this crontabber knows {version} and works on them: there is nothing to do; \
                 what a newer one changes, the guard too, it changes by its own `migrate`\n",
                found.version
            );
        }
        _ if migrated.steps.is_empty() => format!("the tables are current: version {version}\n"),
        Before::Legacy => {
            format!("crontabber's tables are widened to version {version}: {applied}\n")
        }
        Before::Nothing | Before::Ours(_) => {
            format!("the tables are at version {version}: {applied}\n")
        }
    };
    if migrated.guard {
        let age = duration::written(age);
        format!("{tables}the guard stands: runs of crontabber 0.18 are respected for {age}\n")
    } else {
        tables
    }
}
