//! What hosts say of themselves when they pass.

use jiff::{SignedDuration, Timestamp};

use super::{Connection, error::DatabaseError, limited, transaction};

/// What one host said when it passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// Its name.
    pub host: String,
    /// When it passed last, give or take [`ANNOUNCE_EVERY`](crate::host::ANNOUNCE_EVERY).
    pub at: Timestamp,
    /// How far its clock was ahead of the database's; `None`: it did not say.
    pub clock_skew: Option<SignedDuration>,
}

/// Every host that has ever announced itself, by name.
pub async fn read(client: &Connection) -> Result<Vec<Announced>, DatabaseError> {
    let query = client.query_typed(include_str!("../../sql/read_announced.sql"), &[]);
    let rows = limited(transaction::LIMIT, client.fuse(), query).await?;
    let announced = rows.iter().map(|row| {
        let seconds: Option<f64> = row.try_get("clock_skew")?;
        Ok::<_, tokio_postgres::Error>(Announced {
            host: row.try_get("host")?,
            at: row.try_get("seen_at")?,
            clock_skew: seconds.and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok()),
        })
    });
    Ok(announced.collect::<Result<_, _>>()?)
}
