//! The hosts, as they have announced themselves.

use std::collections::HashMap;

use jiff::Timestamp;
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use super::{Connection, Database, error::DatabaseError, recurring::Parameter, transaction};
use crate::place::{LIVE_FOR, Place, Seen};

/// Every host that has announced itself, by name: what a plan for readers wants to know of them.
pub async fn seen(client: &Connection) -> Result<Vec<Seen>, DatabaseError> {
    let rows =
        transaction::read(client, include_str!("../../sql/read_seen_hosts.sql"), &[]).await?;
    Ok(rows.iter().map(seen_in).collect::<Result<_, _>>()?)
}

fn seen_in(row: &Row) -> Result<Seen, tokio_postgres::Error> {
    Ok(Seen {
        place: Place {
            host: row.try_get("host")?,
            tags: row.try_get("tags")?,
            ..Place::default()
        },
        at: row.try_get("seen_at")?,
        drained: row.try_get("drain_at")?,
    })
}

/// What a host has announced.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Announced {
    /// Its name, its tags, and when.
    pub seen: Seen,
    /// The version of its program.
    pub version: String,
    /// How far its clock was ahead of the database's, in seconds; negative: behind.
    pub clock_skew: Option<f64>,
    /// Hash of the files its configuration was read from.
    pub configuration: String,
    /// How many jobs it knows.
    pub jobs: i64,
    /// Who has drained it.
    pub drained_by: Option<String>,
    /// The daemon behind the name; `None`: it makes passes.
    pub daemon: Option<Daemon>,
    /// Why it goes on with an older configuration than its files have.
    pub config_error: Option<String>,
    /// Another daemon that uses the same name, and when it was seen last.
    pub other: Option<(String, Timestamp)>,
}

/// A daemon, as it has announced itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Daemon {
    /// Which process it is: boot id, pid namespace, pid, start.
    pub instance: String,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// What it was doing.
    pub status: Option<String>,
}

impl Announced {
    /// The other daemon that uses the same name, if it was seen lately.
    #[must_use]
    pub fn namesake(&self, now: Timestamp) -> Option<(&str, Timestamp)> {
        let (instance, at) = self.other.as_ref()?;
        (now.duration_since(*at) <= LIVE_FOR).then_some((instance, *at))
    }
}

/// What every host has announced, by name.
pub async fn announced(client: &Connection) -> Result<Vec<Announced>, DatabaseError> {
    let rows = transaction::read(client, include_str!("../../sql/read_hosts.sql"), &[]).await?;
    let announced = rows.iter().map(|row| {
        Ok::<_, tokio_postgres::Error>(Announced {
            seen: seen_in(row)?,
            version: row.try_get("version")?,
            clock_skew: row.try_get("clock_skew")?,
            configuration: row.try_get("configuration")?,
            jobs: row.try_get("jobs")?,
            drained_by: row.try_get("drain_by")?,
            daemon: daemon_in(row)?,
            config_error: row.try_get("config_error")?,
            other: Option::zip(
                row.try_get("other_instance")?,
                row.try_get("other_seen_at")?,
            ),
        })
    });
    Ok(announced.collect::<Result<_, _>>()?)
}

fn daemon_in(row: &Row) -> Result<Option<Daemon>, tokio_postgres::Error> {
    let Some(instance) = row.try_get("instance")? else {
        return Ok(None);
    };
    Ok(Some(Daemon {
        instance,
        started_at: row.try_get("started_at")?,
        status: row.try_get("status")?,
    }))
}

/// What some hosts mean by a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// The job.
    pub name: String,
    /// The hash of its definition.
    pub hash: String,
    /// The hosts that mean this.
    pub hosts: Vec<String>,
}

/// What these hosts mean by the jobs that they do not all know, and mean the same by; by job, what most of them mean
/// first.
pub async fn meanings(client: &Connection, hosts: &[&str]) -> Result<Vec<Meaning>, DatabaseError> {
    let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&hosts, Type::TEXT_ARRAY)];
    let sql = include_str!("../../sql/compare_definitions.sql");
    let rows = transaction::read(client, sql, &parameters).await?;
    let meanings = rows.iter().map(|row| {
        Ok::<_, tokio_postgres::Error>(Meaning {
            name: row.try_get("app_name")?,
            hash: row.try_get("definition_hash")?,
            hosts: row.try_get("hosts")?,
        })
    });
    Ok(meanings.collect::<Result<_, _>>()?)
}

/// Of each of these jobs, by name and hash, the live hosts that go by the definition with that hash and take work; an
/// empty list where there is none.
pub async fn newest(
    client: &Connection,
    jobs: &[(&str, &str)],
    now: Option<Timestamp>,
) -> Result<HashMap<String, Vec<String>>, DatabaseError> {
    let (names, hashes): (Vec<&str>, Vec<&str>) = jobs.iter().copied().unzip();
    let live_for = LIVE_FOR.as_secs_f64();
    let parameters: [Parameter<'_>; 4] = [
        (&names, Type::TEXT_ARRAY),
        (&hashes, Type::TEXT_ARRAY),
        (&live_for, Type::FLOAT8),
        (&now, Type::TIMESTAMPTZ),
    ];
    let sql = include_str!("../../sql/read_newest.sql");
    let mut newest: HashMap<String, Vec<String>> = names
        .iter()
        .map(|&name| (name.to_owned(), Vec::new()))
        .collect();
    for row in transaction::read(client, sql, &parameters).await? {
        let hosts = newest.entry(row.try_get("app_name")?).or_default();
        hosts.push(row.try_get("host")?);
    }
    Ok(newest)
}

/// Deletes the row of a host that is neither live nor holds a lease, with an audit row that says who did it, on which
/// host; returns when the host was seen last. `None`: nothing was changed.
pub async fn forget(
    database: &Database,
    host: &str,
    (who, here): (&str, &str),
    now: Option<Timestamp>,
) -> Result<Option<Timestamp>, DatabaseError> {
    let live_for = LIVE_FOR.as_secs_f64();
    let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
        (&host, Type::TEXT),
        (&live_for, Type::FLOAT8),
        (&who, Type::TEXT),
        (&here, Type::TEXT),
        (&now, Type::TIMESTAMPTZ),
    ];
    let sql = include_str!("../../sql/forget_host.sql");
    let rows = transaction::run(database, sql, &parameters).await?;
    Ok(rows.first().map(|row| row.try_get("seen_at")).transpose()?)
}
