//! Which hosts there are, and where each job ran last.

use std::collections::HashMap;

use crate::store::{Connection, error::DatabaseError, limited, transaction};

/// Where each job ran last, by the name of the job.
pub async fn last_of_each(client: &Connection) -> Result<HashMap<String, String>, DatabaseError> {
    let query = client.query_typed(include_str!("../../sql/read_last_hosts.sql"), &[]);
    let rows = limited(transaction::LIMIT, client.fuse(), query).await?;
    let hosts = rows.iter().map(|row| {
        Ok::<_, tokio_postgres::Error>((row.try_get("app_name")?, row.try_get("host")?))
    });
    Ok(hosts.collect::<Result<_, _>>()?)
}
