//! The hosts, as they have announced themselves.

use super::{Connection, error::DatabaseError, limited, transaction};
use crate::plan::{Place, Seen};

/// Every host that has announced itself, by name: what a plan for readers wants to know of them.
pub async fn seen(client: &Connection) -> Result<Vec<Seen>, DatabaseError> {
    let query = client.query_typed(include_str!("../../sql/read_seen_hosts.sql"), &[]);
    let rows = limited(transaction::LIMIT, client.fuse(), query).await?;
    let seen = rows.iter().map(|row| {
        let place = Place {
            host: row.try_get("host")?,
            tags: row.try_get("tags")?,
        };
        Ok::<_, tokio_postgres::Error>(Seen {
            place,
            at: row.try_get("seen_at")?,
        })
    });
    Ok(seen.collect::<Result<_, _>>()?)
}
