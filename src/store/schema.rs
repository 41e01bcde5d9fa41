//! The version of the tables, and the migrations that bring them there.
//!
//! A pass on a current schema takes no lock and asks no extra question: the version comes with the rows it
//! reads anyway. Additive: the schema says which programs may still use it (`compatible_from`), and only
//! older ones are refused, so that a rolling upgrade never stops the other hosts.

use std::time::Duration;

use tokio_postgres::{Client, Row, error::SqlState, types::Type};

use super::{error::DatabaseError, guard};

/// One step, applied in order and once, unless somebody has dropped what it makes.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// The version the tables have after it.
    pub version: i32,
    /// The oldest version of a program that may use them.
    pub compatible_from: i32,
    /// The name of its file.
    pub name: &'static str,
    /// The function that it makes, if it makes one: it is applied again where that is gone.
    pub function: Option<&'static str>,
    /// The statements.
    pub sql: &'static str,
}

/// All of them.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        compatible_from: 1,
        name: "001_tables",
        function: None,
        sql: include_str!("../../sql/migrations/001_tables.sql"),
    },
    Migration {
        version: 2,
        compatible_from: 1,
        name: "002_guard",
        function: Some("crontabber_guard()"),
        sql: include_str!("../../sql/migrations/002_guard.sql"),
    },
    Migration {
        version: 3,
        compatible_from: 1,
        name: "003_fence",
        function: Some("crontabber_assert_fence(text, bigint)"),
        sql: include_str!("../../sql/migrations/003_fence.sql"),
    },
    Migration {
        version: 4,
        compatible_from: 1,
        name: "004_finishes",
        function: None,
        sql: include_str!("../../sql/migrations/004_finishes.sql"),
    },
    Migration {
        version: 5,
        compatible_from: 1,
        name: "005_daemon",
        function: None,
        sql: include_str!("../../sql/migrations/005_daemon.sql"),
    },
    Migration {
        version: 6,
        compatible_from: 1,
        name: "006_time",
        function: None,
        sql: include_str!("../../sql/migrations/006_time.sql"),
    },
    Migration {
        version: 7,
        compatible_from: 1,
        name: "007_execute",
        function: Some("crontabber_execute()"),
        sql: include_str!("../../sql/migrations/007_execute.sql"),
    },
    #[cfg(feature = "faults")]
    Migration {
        version: 8,
        compatible_from: 1,
        name: "the next release's (a test's)",
        function: None,
        sql: "ALTER TABLE crontabber ADD COLUMN IF NOT EXISTS of_the_next_release text",
    },
];

/// The migrations this program applies.
#[must_use]
pub fn migrations() -> &'static [Migration] {
    #[cfg(feature = "faults")]
    if !crate::faults::is_on("next-schema") {
        return &MIGRATIONS[..MIGRATIONS.len() - 1];
    }
    MIGRATIONS
}

/// The version of the tables this program was written for.
#[must_use]
pub fn version() -> i32 {
    migrations().last().map_or(0, |migration| migration.version)
}

/// What the database says of its tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Their version.
    pub version: i32,
    /// The oldest version of a program that may use them.
    pub compatible_from: i32,
}

/// What there is in a database before a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Neither our tables nor crontabber's.
    Nothing,
    /// crontabber's own, never widened.
    Legacy,
    /// Ours.
    Ours(Found),
}

impl Before {
    /// The version of the tables; 0 of what is not ours.
    fn version(self) -> i32 {
        match self {
            Self::Nothing | Self::Legacy => 0,
            Self::Ours(found) => found.version,
        }
    }
}

impl Found {
    pub(super) fn from_row(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            version: row.try_get("version")?,
            compatible_from: row.try_get("compatible_from")?,
        })
    }

    /// Whether this program may use the tables.
    pub fn check(self) -> Result<(), DatabaseError> {
        if self.compatible_from > version() {
            return Err(DatabaseError::Schema(format!(
                "the tables have version {}, which needs a crontabber that knows version {} or later; this one knows \
                 {}: upgrade it on this host",
                self.version,
                self.compatible_from,
                version()
            )));
        }
        if self.version < version() {
            return Err(DatabaseError::Schema(format!(
                "the tables have version {}, this crontabber needs {}: run `crontabber migrate` once, on any host; \
                 the other hosts go on meanwhile",
                self.version,
                version()
            )));
        }
        Ok(())
    }
}

/// Looks at what there is, when whoever is migrating at this moment has ended: between its commit and the end of its
/// lock a session may see the new tables in one catalogue and miss them in its own cache.
pub async fn look(client: &Client) -> Result<Before, DatabaseError> {
    patiently(async || {
        let begun = client
            .batch_execute(include_str!("../../sql/migrate_begin.sql"))
            .await;
        client.batch_execute("ROLLBACK").await?;
        begun?;
        look_now(client).await
    })
    .await
}

/// The same in the transaction that holds the lock.
async fn look_now(client: &Client) -> Result<Before, DatabaseError> {
    let row = client
        .query_typed(include_str!("../../sql/read_schema.sql"), &[])
        .await?;
    let (ours, legacy, is_nowhere): (bool, bool, bool) = match row.first() {
        Some(row) => (
            row.try_get("ours")?,
            row.try_get("legacy")?,
            row.try_get("is_nowhere")?,
        ),
        None => (false, false, false),
    };
    if is_nowhere {
        // It has an error for every reason there can be.
        let why = include_str!("../../sql/ask_schema.sql");
        client.query_typed(why, &[]).await?;
    }
    if !ours {
        return Ok(if legacy {
            Before::Legacy
        } else {
            Before::Nothing
        });
    }
    let rows = client
        .query_typed(
            "SELECT version, compatible_from FROM crontabber_schema",
            &[],
        )
        .await?;
    Ok(match rows.first() {
        Some(row) => Before::Ours(Found::from_row(row)?),
        None if legacy => Before::Legacy,
        None => Before::Nothing,
    })
}

/// How often a migration that could not get its locks is tried again.
const TRIES: u32 = 20;

/// How long it waits between two tries: the queue behind its lock request gets through meanwhile.
const PAUSE: Duration = Duration::from_millis(500);

/// What a migration has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migrated {
    /// The names of the steps that were missing.
    pub steps: Vec<&'static str>,
    /// Whether the guard was put in place, or told another age.
    pub guard: bool,
}

/// Applies what is missing, and sees to it that the guard respects the claims of Python hosts for so long.
///
/// Any number of programs may do so at once: one at a time holds an advisory lock for its transaction. A table
/// lock that does not come within three seconds is given up and asked for again later, because every heartbeat
/// queues behind it.
pub async fn migrate(
    client: &Client,
    max_ongoing_age: Duration,
) -> Result<Migrated, DatabaseError> {
    as_migrator(client, async || apply(client, max_ongoing_age).await).await
}

/// Takes the guard away: Python hosts write as they did before. The next [`migrate`] puts it back.
pub async fn drop_guard(client: &Client, who: &str) -> Result<(), DatabaseError> {
    as_migrator(client, async || drop_guard_once(client, who).await).await
}

async fn drop_guard_once(client: &Client, who: &str) -> Result<(), DatabaseError> {
    client
        .batch_execute(include_str!("../../sql/drop_guard.sql"))
        .await?;
    client
        .execute_typed(
            include_str!("../../sql/audit_drop_guard.sql"),
            &[(&who, Type::TEXT)],
        )
        .await?;
    Ok(())
}

/// Work in a transaction that one migrator at a time is in, of the engine's tables or of an action's; committed if it is
/// well, undone if it is not, and done again where a lock has not come.
pub(crate) async fn as_migrator<T>(
    client: &Client,
    work: impl AsyncFn() -> Result<T, DatabaseError>,
) -> Result<T, DatabaseError> {
    let once = async || {
        client
            .batch_execute(include_str!("../../sql/migrate_begin.sql"))
            .await?;
        let done = work().await?;
        client.batch_execute("COMMIT").await?;
        Ok(done)
    };
    patiently(async || undone(client, once().await).await).await
}

async fn patiently<T>(
    work: impl AsyncFn() -> Result<T, DatabaseError>,
) -> Result<T, DatabaseError> {
    let mut tries = 0;
    loop {
        match work().await {
            Err(error) if is_worth_another_try(&error) && tries < TRIES => {
                tries += 1;
                tokio::time::sleep(PAUSE).await;
            }
            result => return result,
        }
    }
}

/// A lock that did not come, or that could not: a live table's users may ask for theirs in another order.
fn is_worth_another_try(error: &DatabaseError) -> bool {
    let state = error.sql_state();
    state == Some(&SqlState::LOCK_NOT_AVAILABLE) || state == Some(&SqlState::T_R_DEADLOCK_DETECTED)
}

/// What came of a transaction; after an error it is rolled back.
async fn undone<T>(client: &Client, outcome: Result<T, DatabaseError>) -> Result<T, DatabaseError> {
    if outcome.is_err() {
        // The error that led here is the one to tell; a connection that is gone has rolled back by itself.
        let _ = client.batch_execute("ROLLBACK").await;
    }
    outcome
}

async fn apply(client: &Client, max_ongoing_age: Duration) -> Result<Migrated, DatabaseError> {
    let found = look_now(client).await?.version();
    client
        .query_typed(include_str!("../../sql/migrate_schema.sql"), &[])
        .await?;
    let missing = missing(found, &gone(client, found).await?);
    for step in &missing {
        client.batch_execute(step.sql).await?;
    }
    if let Some(last) = missing.last().filter(|last| last.version > found) {
        let set = include_str!("../../sql/write_schema.sql");
        client
            .execute_typed(
                set,
                &[
                    (&last.version, Type::INT4),
                    (&last.compatible_from, Type::INT4),
                ],
            )
            .await?;
    }
    // On newer tables the guard is that of a newer program, which may have other triggers and arguments.
    let guard = found <= version() && guard::install(client, max_ongoing_age).await?;
    Ok(Migrated {
        steps: missing.iter().map(|step| step.name).collect(),
        guard,
    })
}

/// The steps that tables of this version, 0 for none of ours, lack: later ones, and those whose function is gone.
fn missing(version: i32, gone: &[String]) -> Vec<&'static Migration> {
    let is_gone = |step: &Migration| {
        let function = step.function;
        function.is_some_and(|function| gone.iter().any(|gone| gone == function))
    };
    let steps = migrations().iter();
    steps
        .filter(|step| step.version > version || is_gone(step))
        .collect()
}

/// The functions that tables of this version should have, and that somebody has dropped, or left out of a restore.
async fn gone(client: &Client, version: i32) -> Result<Vec<String>, DatabaseError> {
    // On newer tables a newer program decides what there is to be.
    let made = if version > self::version() {
        &[]
    } else {
        migrations()
    };
    let made = made.iter().filter(|step| step.version <= version);
    let made: Vec<&str> = made.filter_map(|step| step.function).collect();
    let rows = client
        .query_typed(
            include_str!("../../sql/read_functions.sql"),
            &[(&made, Type::TEXT_ARRAY)],
        )
        .await?;
    let gone = rows.iter().map(|row| row.try_get(0));
    Ok(gone.collect::<Result<_, _>>()?)
}

/// The SQL of what [`migrate`] would change now.
pub async fn plan(client: &Client, max_ongoing_age: Duration) -> Result<String, DatabaseError> {
    let found = look(client).await?.version();
    let gone = gone(client, found).await?;
    Ok(script(found, &gone, max_ongoing_age))
}

/// What makes the tables where there are none.
#[must_use]
pub fn from_nothing(max_ongoing_age: Duration) -> String {
    script(0, &[], max_ongoing_age)
}

/// The text of the steps that are missing, and of the guard's triggers.
fn script(found: i32, gone: &[String], max_ongoing_age: Duration) -> String {
    let guard = (found <= version()).then(|| guard::script(max_ongoing_age));
    let missing = missing(found, gone);
    let steps = missing.iter().map(|step| step.sql.to_owned());
    steps.chain(guard).collect::<Vec<_>>().join("\n")
}
