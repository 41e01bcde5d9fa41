//! The version of the action's tables, and the steps that bring them there.
//!
//! As with the engine's own: steps add, and say which programs may still use what they leave; only older ones are refused.

use std::{collections::BTreeSet, time::Duration};

use tokio_postgres::{Client, types::Type};

use crate::store::{Database, DatabaseError, limited, schema::as_migrator};

/// One step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// The version the tables have after it.
    pub(super) version: i32,
    /// The oldest version of a program that may use them.
    compatible_from: i32,
    /// The name of its file.
    pub(super) name: &'static str,
    sql: &'static str,
    /// What it makes that a later look must find.
    makes: &'static [&'static str],
}

const STEPS: [Step; 3] = [
    Step {
        version: 1,
        compatible_from: 1,
        name: "001_tables",
        sql: include_str!("migrations/001_tables.sql"),
        makes: &["feeds", "episodes", "feed_fetches"],
    },
    Step {
        version: 2,
        compatible_from: 1,
        name: "002_probes",
        sql: include_str!("migrations/002_probes.sql"),
        makes: &["feed_probes", "episode_durations"],
    },
    Step {
        version: 3,
        compatible_from: 1,
        name: "003_pruning",
        sql: include_str!("migrations/003_pruning.sql"),
        makes: &[],
    },
];

/// The version this program was written for.
const VERSION: i32 = STEPS[STEPS.len() - 1].version;

/// How long all steps may take together; each statement has ten minutes by the server's clock.
const LIMIT: Duration = Duration::from_mins(30);

/// What a database has of the action's tables.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Found {
    /// The names of those that there are.
    names: BTreeSet<String>,
    /// The last step that was taken; 0: none.
    version: i32,
    compatible_from: i32,
}

impl Found {
    /// The first step that is still to be taken.
    pub(super) fn next(&self) -> Option<&'static Step> {
        STEPS.iter().find(|step| step.version > self.version)
    }

    /// What steps have made that were taken, and that is not there any more.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        let taken = STEPS.iter().filter(|step| step.version <= self.version);
        let made = taken.flat_map(|step| step.makes).copied();
        made.filter(|name| !self.names.contains(*name)).collect()
    }

    /// Whether the tables can be used, or brought to where they can be.
    fn check(&self) -> Result<(), DatabaseError> {
        if self.compatible_from > VERSION {
            return Err(DatabaseError::Schema(format!(
                "the tables of the feeds have version {}, which needs a crontabber that knows version {} or later; this \
                 one knows {VERSION}: upgrade it on this host",
                self.version, self.compatible_from
            )));
        }
        let missing = self.missing();
        if missing.is_empty() {
            return Ok(());
        }
        // Feeds made anew have the old numbers, and the old episodes would be taken for theirs.
        let anew = if missing.contains(&"feeds") {
            "drop the other tables of the action too, and the next pass makes all of them"
        } else {
            "let the next pass make it, empty, and ask for everything: DELETE FROM feeds_schema; UPDATE feeds SET etag = \
             NULL, last_modified = NULL"
        };
        Err(DatabaseError::Schema(format!(
            "missing in the database: {}, although feeds_schema says version {}: restore it from a backup; or {anew}",
            missing.join(", "),
            self.version
        )))
    }
}

/// Sees to it that the tables are there and of this version: who only uses them needs no right to make any.
pub async fn prepare(database: &Database) -> Result<(), DatabaseError> {
    let client = database.get().await?;
    let prepared = async {
        while is_one_missing(&look(&client).await?)? {
            as_migrator(&client, async || take_next(&client).await).await?;
        }
        Ok::<_, DatabaseError>(())
    };
    limited(LIMIT, client.fuse(), prepared).await
}

/// What there is.
pub(super) async fn look(client: &Client) -> Result<Found, DatabaseError> {
    let rows = client
        .query_typed(include_str!("sql/read_schema.sql"), &[])
        .await?;
    let names = rows.iter().map(|row| row.try_get("name"));
    let mut found = Found {
        names: names.collect::<Result<_, _>>()?,
        ..Found::default()
    };
    if found.names.contains("feeds_schema") {
        let sql = include_str!("sql/read_version.sql");
        let row = client.query_typed(sql, &[]).await?;
        if let Some(row) = row.first() {
            let number = |name| row.try_get::<_, Option<i32>>(name);
            found.version = number("version")?.unwrap_or_default();
            found.compatible_from = number("compatible_from")?.unwrap_or_default();
        }
    }
    Ok(found)
}

fn is_one_missing(found: &Found) -> Result<bool, DatabaseError> {
    found.check()?;
    Ok(found.next().is_some())
}

/// Takes the step that is missing now: somebody else may have taken the one that was missing before the lock was ours.
async fn take_next(client: &Client) -> Result<(), DatabaseError> {
    let found = look(client).await?;
    found.check()?;
    let Some(step) = found.next() else {
        return Ok(());
    };
    client.batch_execute(step.sql).await?;
    let sql = include_str!("sql/write_version.sql");
    client
        .execute_typed(
            sql,
            &[
                (&step.version, Type::INT4),
                (&step.compatible_from, Type::INT4),
                (&step.name, Type::TEXT),
            ],
        )
        .await?;
    tracing::info!(step = step.name, "the tables of the feeds were changed");
    Ok(())
}
