//! `action feeds` without a command: a pass, as a job runs it.

use std::{
    env,
    io::{self, IsTerminal as _, Read as _},
    time::Duration,
};

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use super::Feeds;
use crate::{
    actions::feeds::{
        fetch::{Fetcher, Manners},
        pass::{Done, pass},
        probe::{Probed, probe},
        prune::prune,
        schema,
        sources::{self, NoSource},
        table::Table,
    },
    cli::{fail::Failure, open::block_on, print},
    exit::Exit,
    store::Database,
    supervise::keep_little_freed_memory,
    view::text::harmless,
};

/// What a run says at its end.
#[derive(Debug, Serialize)]
struct Worked {
    #[serde(flatten)]
    done: Done,
    /// Not there where the job has no `probe`.
    #[serde(flatten)]
    probed: Option<Probed>,
}

/// The longest table of a job, in bytes.
const LONGEST: u64 = 1 << 20;

impl Feeds {
    pub(super) fn work(&self) -> Result<Exit, Failure> {
        if io::stdin().is_terminal() {
            return Err(Failure::Usage(
                "a pass reads the job's table from its standard input: echo '{}' | crontabber action feeds; other \
                 commands: crontabber action feeds --help"
                    .to_owned(),
            ));
        }
        keep_little_freed_memory();
        let mut json = String::new();
        io::stdin().lock().take(LONGEST).read_to_string(&mut json)?;
        let table = match Table::parse(&json) {
            Ok(table) => table,
            Err(bad) => return Ok(misconfigured(&bad.to_string())),
        };
        // One for each document that is kept, one for claims, one for notes.
        let database = self.database(table.parallel + 2)?;
        let left = left();
        let fetcher = Fetcher::new(Manners {
            contact: table.contact.clone(),
            allowed: table.allow.clone(),
            parallel: table.parallel,
            gap: table.gap,
            timeout: left.map_or(table.timeout, |left| table.timeout.min(half(left))),
            max_body: table.max_body,
        });
        let fetcher = fetcher.map_err(|error| Failure::Usage(error.to_string()))?;
        let worked = block_on(async {
            match all_that_is_due(&database, &fetcher, left, &table).await {
                Ok(worked) => Ok(Ok(worked)),
                Err(NoSource::Database(error)) => Err(error.into()),
                Err(why) => Ok(Err(why)),
            }
        })?;
        let worked = match worked {
            Ok(worked) => worked,
            Err(why) => return Ok(misconfigured(&why.to_string())),
        };
        let json = serde_json::to_string(&worked).expect("counts have a JSON form");
        print(&format!("{json}\n"))?;
        let Worked { done, .. } = worked;
        #[expect(clippy::cast_precision_loss, reason = "a share of feeds, not of atoms")]
        let share = done.failed as f64 / done.fetched.max(1) as f64;
        Ok(if share > table.fail_above {
            Exit::Failed
        } else {
            Exit::Ok
        })
    }
}

/// What the sources name is added before anything is fetched; a source that gives nothing ends it there.
async fn all_that_is_due(
    database: &Database,
    fetcher: &Fetcher,
    left: Option<Duration>,
    table: &Table,
) -> Result<Worked, NoSource> {
    let tell = |why: &str| println!("{}", harmless(why));
    schema::prepare(database).await?;
    let wanted = sources::wanted(database, table, tell).await?;
    sources::add(database, &wanted, table.every).await?;
    let end = left.map(|left| Instant::now() + left);
    let done = pass(database, fetcher, table.parallel, end, tell).await?;
    let probed = match &table.probe {
        Some(how) => Some(probe(database, how, &table.allow, end, tell).await?),
        None => None,
    };
    prune(database, table.keep_fetches).await?;
    Ok(Worked { done, probed })
}

/// How long this run may still take, if somebody has said so: crontabber, of a job's.
fn left() -> Option<Duration> {
    let deadline: Timestamp = env::var("CRONTABBER_DEADLINE").ok()?.parse().ok()?;
    let left = deadline.duration_since(Timestamp::now());
    Some(left.try_into().unwrap_or_default())
}

/// Half of it in whole seconds, but a second at least: as long as one fetch may take of a run that has little time.
fn half(left: Duration) -> Duration {
    Duration::from_secs((left / 2).as_secs().max(1))
}

fn misconfigured(why: &str) -> Exit {
    eprintln!("error: {}", harmless(why));
    Exit::Configuration
}
