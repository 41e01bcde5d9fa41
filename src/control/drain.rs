//! Draining a host: what it runs ends, and it takes no work until somebody undoes it.
//!
//! It is the host that is drained and not its process, which stays, or a service manager would start it again; and a
//! restart changes nothing.

use jiff::Timestamp;
use tokio_postgres::{error::SqlState, types::Type};

use crate::store::{Database, error::DatabaseError, recurring::Parameter, transaction};

use super::By;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// It is so now.
    Done,
    /// It was so before; nothing was changed.
    Before,
    /// Somebody held the row of the host for longer than the transaction waits; nothing was changed.
    Contended,
}

/// Drains a host that has announced itself.
pub async fn drain(
    database: &Database,
    by: &By<'_>,
    host: &str,
    now: Option<Timestamp>,
) -> Result<Drained, DatabaseError> {
    write(
        database,
        include_str!("../../sql/drain_host.sql"),
        by,
        host,
        now,
    )
    .await
}

/// Lets a drained host take work again.
pub async fn undrain(
    database: &Database,
    by: &By<'_>,
    host: &str,
    now: Option<Timestamp>,
) -> Result<Drained, DatabaseError> {
    write(
        database,
        include_str!("../../sql/undrain_host.sql"),
        by,
        host,
        now,
    )
    .await
}

async fn write(
    database: &Database,
    sql: &'static str,
    by: &By<'_>,
    host: &str,
    now: Option<Timestamp>,
) -> Result<Drained, DatabaseError> {
    let parameters: [Parameter<'_>; 5] = [
        (&host, Type::TEXT),
        (&by.who, Type::TEXT),
        (&by.host, Type::TEXT),
        (&by.reason, Type::TEXT),
        (&now, Type::TIMESTAMPTZ),
    ];
    match transaction::run(database, sql, &parameters).await {
        Err(error) if error.sql_state() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
            Ok(Drained::Contended)
        }
        Err(error) => Err(error),
        Ok(rows) if rows.is_empty() => Ok(Drained::Before),
        Ok(_) => Ok(Drained::Done),
    }
}
