//! How long runs took lately.

use std::{collections::HashMap, time::Duration};

use tokio_postgres::types::Type;

use super::{Connection, error::DatabaseError, recurring::Parameter, transaction};

/// The median of the last twenty successes of each of these rows that has any.
pub async fn of_each(
    client: &Connection,
    names: &[&str],
) -> Result<HashMap<String, Duration>, DatabaseError> {
    let parameters: [Parameter<'_>; 1] = [(&names, Type::TEXT_ARRAY)];
    let sql = include_str!("../../sql/read_durations.sql");
    let rows = transaction::read(client, sql, &parameters).await?;
    let mut durations = HashMap::new();
    for row in &rows {
        let seconds: Option<f64> = row.try_get("seconds")?;
        let took = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        if let Some(took) = took {
            durations.insert(row.try_get("name")?, took);
        }
    }
    Ok(durations)
}
