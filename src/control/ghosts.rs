//! Rows that no job of this configuration has: who knows them, and removing them.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use tokio_postgres::types::{ToSql, Type};

use crate::{
    plan::live_since,
    store::{Connection, Database, error::DatabaseError, limited, transaction},
};

use super::{Answer, By, Happened, Locked, Statement, change};

/// What is known of a row that no job of this configuration has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ghost {
    /// Where it ran last; `python`: on some host of crontabber 0.18.
    pub last_host: Option<String>,
    /// The hosts that know the job: they announced it within a day; `python`: one of crontabber 0.18 ran it then.
    pub known_by: Vec<String>,
}

/// What is known of these rows, by name, as seen from this host.
pub async fn ghosts(
    client: &Connection,
    names: &[&str],
    host: &str,
    now: Option<Timestamp>,
) -> Result<BTreeMap<String, Ghost>, DatabaseError> {
    let parameters: [(&(dyn ToSql + Sync), Type); 3] = [
        (&names, Type::TEXT_ARRAY),
        (&host, Type::TEXT),
        (&now, Type::TIMESTAMPTZ),
    ];
    let query = client.query_typed(include_str!("../../sql/read_ghosts.sql"), &parameters);
    let rows = limited(transaction::LIMIT, client.fuse(), query).await?;
    let ghosts = rows.iter().map(|row| {
        let ghost = Ghost {
            last_host: row.try_get("last_host")?,
            known_by: row.try_get("known_by")?,
        };
        Ok::<_, tokio_postgres::Error>((row.try_get("app_name")?, ghost))
    });
    Ok(ghosts.collect::<Result<_, _>>()?)
}

/// Rows that are to be removed.
#[derive(Debug, Clone, Copy)]
pub struct Removal<'a> {
    /// Their names.
    pub names: &'a [&'a str],
    /// Who knows them; asked again under the lock.
    pub known: &'a BTreeMap<String, Ghost>,
    /// Those that go though hosts know them.
    pub in_spite_of_hosts: &'a [&'a str],
    /// How long a Python host's `ongoing` is respected.
    pub max_ongoing_age: Duration,
}

/// Removes rows that are neither running nor paused; their history stays.
pub async fn remove(
    database: &Database,
    by: &By<'_>,
    removal: &Removal<'_>,
    now: Option<Timestamp>,
) -> Result<Answer, DatabaseError> {
    let Removal {
        names,
        known,
        in_spite_of_hosts,
        max_ongoing_age,
    } = *removal;
    let parameters: [(&(dyn ToSql + Sync), Type); 7] = [
        (&names, Type::TEXT_ARRAY),
        (&in_spite_of_hosts, Type::TEXT_ARRAY),
        (&by.who, Type::TEXT),
        (&by.host, Type::TEXT),
        (&by.reason, Type::TEXT),
        (&max_ongoing_age.as_secs_f64(), Type::FLOAT8),
        (&now, Type::TIMESTAMPTZ),
    ];
    let statement = Statement {
        sql: include_str!("../../sql/remove_ghost.sql"),
        parameters: &parameters,
    };
    let why_not = |name: &str, Locked { row, now }: &Locked| {
        if live_since(row, *now, max_ongoing_age).is_some() {
            return Happened::Ongoing;
        }
        if row.paused_until.is_some_and(|until| until > *now) {
            return Happened::Paused;
        }
        let hosts = known.get(name).map(|ghost| ghost.known_by.clone());
        Happened::KnownBy(hosts.unwrap_or_default())
    };
    change(database, names, statement, why_not, now).await
}
