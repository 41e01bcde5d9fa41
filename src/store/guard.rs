//! The guard on the state table: what keeps Python hosts, and psql, from starting a job twice.
//!
//! Migration `002_guard` has the function and says what it refuses; its triggers carry arguments, and one of them, how
//! long a Python host's claim is respected, is the operator's. So `migrate` puts the triggers where they should be,
//! whatever the version of the tables; and takes them away for who goes back to Python alone.

use std::time::Duration;

use tokio_postgres::{Client, types::Type};

use super::error::DatabaseError;

/// Sees to it that the guard stands, within the migration's transaction; whether anything had to be done.
///
/// On a guard that stands already no lock is taken.
pub(super) async fn install(
    client: &Client,
    max_ongoing_age: Duration,
) -> Result<bool, DatabaseError> {
    let age = interval(max_ongoing_age);
    let rows = client
        .query_typed(
            include_str!("../../sql/read_guard.sql"),
            &[(&age, Type::TEXT)],
        )
        .await?;
    let stands = match rows.first() {
        Some(row) => row.try_get::<_, Option<bool>>("stands")?.unwrap_or(false),
        None => false,
    };
    if !stands {
        client.batch_execute(&script(max_ongoing_age)).await?;
    }
    Ok(!stands)
}

/// What [`install`] carries out on tables whose guard does not stand.
pub(super) fn script(max_ongoing_age: Duration) -> String {
    format!(
        "SET LOCAL crontabber.max_ongoing_age = '{}';\n{}",
        interval(max_ongoing_age),
        include_str!("../../sql/install_guard.sql")
    )
}

fn interval(age: Duration) -> String {
    format!("{} seconds", age.as_secs())
}
