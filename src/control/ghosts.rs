//! Rows that no job of this configuration has: who knows them, and removing them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio_postgres::types::{ToSql, Type};

use crate::{
    plan::{MAX_ONGOING_AGE, live_since},
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

/// Removes these rows; their history stays. `known` says who knows them, and is asked again under the lock; with
/// `in_spite_of_hosts` it does not matter.
pub async fn remove(
    database: &Database,
    by: &By<'_>,
    names: &[&str],
    known: &BTreeMap<String, Ghost>,
    in_spite_of_hosts: bool,
    now: Option<Timestamp>,
) -> Result<Answer, DatabaseError> {
    let parameters: [(&(dyn ToSql + Sync), Type); 7] = [
        (&names, Type::TEXT_ARRAY),
        (&in_spite_of_hosts, Type::BOOL),
        (&by.who, Type::TEXT),
        (&by.host, Type::TEXT),
        (&by.reason, Type::TEXT),
        (&MAX_ONGOING_AGE.as_secs_f64(), Type::FLOAT8),
        (&now, Type::TIMESTAMPTZ),
    ];
    let statement = Statement {
        sql: include_str!("../../sql/remove_ghost.sql"),
        parameters: &parameters,
    };
    let why_not = |name: &str, Locked { row, now }: &Locked| {
        if live_since(row, *now, MAX_ONGOING_AGE).is_some() {
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
