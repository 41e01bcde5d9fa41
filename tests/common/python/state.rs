//! The table as crontabber reads and writes it.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio_postgres::{
    Client, Error, Row,
    error::SqlState,
    types::{ToSql, Type},
};

use super::super::Database;

/// One process of crontabber: a connection for the state, one for the log, a clock of its own.
#[derive(Debug)]
pub struct Python {
    state: Client,
    log: Client,
    ahead: SignedDuration,
}

/// A row, as it is read and written back whole.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Info {
    pub next_run: Option<Timestamp>,
    pub first_run: Option<Timestamp>,
    pub last_run: Option<Timestamp>,
    pub last_success: Option<Timestamp>,
    pub depends_on: Option<Vec<String>>,
    pub error_count: Option<i32>,
    pub last_error: Option<Value>,
    pub ongoing: Option<Timestamp>,
}

/// What ends a pass before its last job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// `RowLevelLockError`: somebody holds the row, or the text of the refusal names the unique index.
    Locked(String),
    /// `OngoingJobError`
    Ongoing,
    /// Any other exception: a traceback.
    Crash(String),
}

const INDEX: &str = "crontabber_unique_app_name_idx";
const GET: &str = "SELECT next_run, first_run, last_run, last_success, depends_on, error_count, last_error, ongoing
                     FROM crontabber WHERE app_name = $1";
const CONTAINS: &str = "SELECT app_name FROM crontabber WHERE app_name = $1";
const LOCK: &str = "SELECT ongoing FROM crontabber WHERE app_name = $1 FOR UPDATE NOWAIT";
const UPDATE: &str = "UPDATE crontabber
                         SET next_run = $2, first_run = $3, last_run = $4, last_success = $5, depends_on = $6,
                             error_count = $7, last_error = $8, ongoing = $9
                       WHERE app_name = $1";
const INSERT: &str = "INSERT INTO crontabber (app_name, next_run, first_run, last_run, last_success, depends_on, error_count, last_error, ongoing)
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const ITEMS: &str = "SELECT app_name, next_run, first_run, last_run, last_success, depends_on, error_count, last_error FROM crontabber";
const DELETE: &str = "DELETE FROM crontabber WHERE app_name = $1";
const SUCCEEDED: &str =
    "INSERT INTO crontabber_log (app_name, success, duration) VALUES ($1, $2, '1 second')";
const FAILED: &str =
    "INSERT INTO crontabber_log (app_name, duration, exc_type, exc_value, exc_traceback)
                      VALUES ($1, '1 second', $2, $3, $4)";

type Parameters<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

impl Python {
    /// A process with a clock that is right.
    pub async fn on(database: &Database) -> Self {
        Self {
            state: database.connect().await,
            log: database.connect().await,
            ahead: SignedDuration::ZERO,
        }
    }

    /// The same on a host whose clock is ahead by this much, or behind.
    pub fn ahead(self, ahead: SignedDuration) -> Self {
        Self { ahead, ..self }
    }

    /// The same, started with `PGOPTIONS='-c crontabber.force=on'`.
    pub async fn forcing(self) -> Self {
        let force = self.state.batch_execute("SET crontabber.force = on").await;
        force.expect("anybody may set it");
        self
    }

    /// `utc_now()`
    pub fn now(&self) -> Timestamp {
        let now = Timestamp::now() + self.ahead;
        Timestamp::from_microsecond(now.as_microsecond()).expect("the clock is not that wrong")
    }

    /// `state[key]`; `None`: `KeyError`.
    pub async fn get(&self, job: &str) -> Result<Option<Info>, Stop> {
        let rows = transaction(&self.state, GET, &[(&job, Type::TEXT)]).await?;
        Ok(rows.first().map(Info::from_row))
    }

    /// `key in state`
    pub async fn contains(&self, job: &str) -> Result<bool, Stop> {
        let rows = transaction(&self.state, CONTAINS, &[(&job, Type::TEXT)]).await?;
        Ok(!rows.is_empty())
    }

    /// `state.keys()`
    pub async fn keys(&self) -> Result<Vec<String>, Stop> {
        let rows = transaction(&self.state, ITEMS, &[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// `state[key] = info`: [`Python::lock`] and [`Python::write`].
    pub async fn set(&self, job: &str, info: &Info) -> Result<(), Stop> {
        let exists = self.lock(job).await?;
        self.write(job, info, exists).await
    }

    /// Its first half, which leaves the transaction open: whether there is a row, and nobody at it in this instant.
    /// What is read there, `ongoing`, is not looked at.
    pub async fn lock(&self, job: &str) -> Result<bool, Stop> {
        begin(&self.state).await?;
        match self.state.query_typed(LOCK, &[(&job, Type::TEXT)]).await {
            Ok(rows) => Ok(!rows.is_empty()),
            // The only statement around which an `OperationalError` is looked for.
            Err(error) => {
                let locked = error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE);
                rollback(&self.state).await?;
                Err(if locked {
                    Stop::Locked(text(&error))
                } else {
                    Stop::Crash(text(&error))
                })
            }
        }
    }

    /// Its second half: the row as it was read, with some fields changed, and the commit.
    pub async fn write(&self, job: &str, info: &Info, exists: bool) -> Result<(), Stop> {
        let sql = if exists { UPDATE } else { INSERT };
        match self.state.query_typed(sql, &info.parameters(&job)).await {
            Ok(_) => commit(&self.state).await,
            Err(error) => {
                rollback(&self.state).await?;
                let refused = error
                    .code()
                    .is_some_and(|code| code.code().starts_with("23"))
                    && text(&error).contains(INDEX);
                Err(if refused {
                    Stop::Locked(text(&error))
                } else {
                    Stop::Crash(text(&error))
                })
            }
        }
    }

    /// `state.pop(key)`
    pub async fn pop(&self, job: &str) -> Result<(), Stop> {
        if self.get(job).await?.is_none() || !self.contains(job).await? {
            return Err(Stop::Crash(format!("KeyError: {job}")));
        }
        transaction(&self.state, DELETE, &[(&job, Type::TEXT)]).await?;
        Ok(())
    }

    /// `_remember_success`
    pub async fn remember_success(&self, job: &str, success: Timestamp) -> Result<(), Stop> {
        let parameters: [(&(dyn ToSql + Sync), Type); 2] =
            [(&job, Type::TEXT), (&success, Type::TIMESTAMPTZ)];
        transaction(&self.log, SUCCEEDED, &parameters).await?;
        Ok(())
    }

    /// `_remember_failure`
    pub async fn remember_failure(&self, job: &str, value: &str) -> Result<(), Stop> {
        let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
            (&job, Type::TEXT),
            (&ERROR_TYPE, Type::TEXT),
            (&value, Type::TEXT),
            (&TRACEBACK, Type::TEXT),
        ];
        transaction(&self.log, FAILED, &parameters).await?;
        Ok(())
    }
}

const ERROR_TYPE: &str = "<type 'exceptions.ValueError'>";
const TRACEBACK: &str = "  File \"jobs.py\", line 1, in run\n";

impl Info {
    fn from_row(row: &Row) -> Self {
        Self {
            next_run: row.get(0),
            first_run: row.get(1),
            last_run: row.get(2),
            last_success: row.get(3),
            depends_on: row.get(4),
            error_count: row.get(5),
            last_error: row.get(6),
            ongoing: row.get(7),
        }
    }

    /// Of a job's first run.
    pub fn first(depends_on: &[String], now: Timestamp) -> Self {
        Self {
            depends_on: Some(depends_on.to_vec()),
            error_count: Some(0),
            last_error: Some(Value::Object(serde_json::Map::new())),
            ongoing: Some(now),
            ..Self::default()
        }
    }

    /// `last_error` after a failure.
    pub fn error(value: &str) -> Value {
        serde_json::json!({ "type": ERROR_TYPE, "value": value, "traceback": TRACEBACK })
    }

    /// Whether `info['last_error']` is true in Python: neither null nor empty.
    pub fn has_error(&self) -> bool {
        match &self.last_error {
            None | Some(Value::Null) => false,
            Some(Value::Object(fields)) => !fields.is_empty(),
            Some(_) => true,
        }
    }

    fn parameters<'a>(&'a self, job: &'a &str) -> [(&'a (dyn ToSql + Sync), Type); 9] {
        [
            (job, Type::TEXT),
            (&self.next_run, Type::TIMESTAMPTZ),
            (&self.first_run, Type::TIMESTAMPTZ),
            (&self.last_run, Type::TIMESTAMPTZ),
            (&self.last_success, Type::TIMESTAMPTZ),
            (&self.depends_on, Type::TEXT_ARRAY),
            (&self.error_count, Type::INT4),
            (&self.last_error, Type::JSON),
            (&self.ongoing, Type::TIMESTAMPTZ),
        ]
    }
}

/// One statement in a transaction of its own; any error of it is an exception that nobody expects.
async fn transaction(
    client: &Client,
    sql: &str,
    parameters: Parameters<'_>,
) -> Result<Vec<Row>, Stop> {
    begin(client).await?;
    match client.query_typed(sql, parameters).await {
        Ok(rows) => commit(client).await.map(|()| rows),
        Err(error) => {
            rollback(client).await?;
            Err(Stop::Crash(text(&error)))
        }
    }
}

async fn begin(client: &Client) -> Result<(), Stop> {
    client
        .batch_execute("BEGIN")
        .await
        .map_err(|error| Stop::Crash(text(&error)))
}

async fn commit(client: &Client) -> Result<(), Stop> {
    client
        .batch_execute("COMMIT")
        .await
        .map_err(|error| Stop::Crash(text(&error)))
}

async fn rollback(client: &Client) -> Result<(), Stop> {
    client
        .batch_execute("ROLLBACK")
        .await
        .map_err(|error| Stop::Crash(text(&error)))
}

fn text(error: &Error) -> String {
    error
        .as_db_error()
        .map_or_else(|| error.to_string(), |error| error.message().to_owned())
}
