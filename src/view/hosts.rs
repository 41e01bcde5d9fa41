//! Which hosts there are, and where each job ran last.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::{
    host::ANNOUNCE_EVERY,
    plan::Place,
    spec::Placement,
    store::{Connection, error::DatabaseError, limited, transaction},
};

/// A host that has announced itself.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its name and tags.
    pub place: Place,
    /// When it passed last, give or take [`ANNOUNCE_EVERY`].
    pub at: Timestamp,
}

/// How long after its announcement a host is taken for alive: two of them, so that one may be late.
const ALIVE: SignedDuration = SignedDuration::from_secs(2 * ANNOUNCE_EVERY.as_secs());

impl Seen {
    /// Whether it is taken for alive.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        now.duration_since(self.at) <= ALIVE
    }
}

/// The hosts on which a job may run, as far as they have announced themselves.
pub fn that_match<'a>(
    seen: &'a [Seen],
    placement: &'a Placement,
) -> impl Iterator<Item = &'a Seen> {
    seen.iter().filter(|seen| seen.place.matches(placement))
}

/// Every host that has announced itself, by name.
pub async fn seen(client: &Connection) -> Result<Vec<Seen>, DatabaseError> {
    let query = client.query_typed(include_str!("../../sql/read_seen_hosts.sql"), &[]);
    let rows = limited(transaction::LIMIT, client.fuse(), query).await?;
    let seen = rows.iter().map(|row| {
        let place = Place {
            host: row.try_get("host")?,
            tags: row.try_get("tags")?,
            ..Place::default()
        };
        Ok::<_, tokio_postgres::Error>(Seen {
            place,
            at: row.try_get("seen_at")?,
        })
    });
    Ok(seen.collect::<Result<_, _>>()?)
}

/// Where each job ran last, by the name of the job.
pub async fn last_of_each(client: &Connection) -> Result<HashMap<String, String>, DatabaseError> {
    let query = client.query_typed(include_str!("../../sql/read_last_hosts.sql"), &[]);
    let rows = limited(transaction::LIMIT, client.fuse(), query).await?;
    let hosts = rows.iter().map(|row| {
        Ok::<_, tokio_postgres::Error>((row.try_get("app_name")?, row.try_get("host")?))
    });
    Ok(hosts.collect::<Result<_, _>>()?)
}
