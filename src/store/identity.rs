//! Which database this is: so that two hosts on two databases are seen.

use jiff::Timestamp;
use serde::Serialize;

use super::{Connection, error::DatabaseError, limited, transaction};

/// What tells this database from others. In JSON as it stands here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// Its number on the server: a database that is dropped and made again has another.
    pub oid: i64,
    /// The server's address as the server sees it; `None`: a Unix socket.
    pub address: Option<String>,
    /// The server's port.
    pub port: i32,
    /// When the server was started.
    pub started_at: Timestamp,
    /// What `initdb` gave to the server, the same for its standbys and copies; text, because it is wider than the
    /// numbers of JSON. `None`: this role may not ask.
    pub system_identifier: Option<String>,
    /// The role that asked.
    pub role: String,
}

/// Asks the server who it is. Every role may know all of it but the system identifier, whose function can be taken
/// away from ordinary roles.
pub async fn identity(client: &Connection) -> Result<Identity, DatabaseError> {
    let row = one(client, include_str!("../../sql/read_identity.sql")).await?;
    let may_ask: bool = row.try_get("may_ask")?;
    let system_identifier = if may_ask {
        let row = one(client, include_str!("../../sql/read_system_identifier.sql")).await?;
        let identifier: i64 = row.try_get("system_identifier")?;
        Some(identifier.to_string())
    } else {
        None
    };
    Ok(Identity {
        name: row.try_get("name")?,
        oid: row.try_get("oid")?,
        address: row.try_get("address")?,
        port: row.try_get("port")?,
        started_at: row.try_get("started_at")?,
        system_identifier,
        role: row.try_get("role")?,
    })
}

async fn one(client: &Connection, sql: &str) -> Result<tokio_postgres::Row, DatabaseError> {
    let rows = limited(
        transaction::LIMIT,
        client.fuse(),
        client.query_typed(sql, &[]),
    )
    .await?;
    // `pg_database` holds the database one is in, and a function in FROM gives its row.
    rows.into_iter().next().ok_or_else(|| {
        DatabaseError::Schema("the server does not say which database this is".to_owned())
    })
}

impl Identity {
    /// `crontabber (oid 16385) at 10.0.0.5:5432, system identifier 7301234567890123456`.
    #[must_use]
    pub fn words(&self) -> String {
        let Self {
            name,
            oid,
            port,
            started_at,
            role,
            ..
        } = self;
        let place = match &self.address {
            Some(address) if address.contains(':') => format!("[{address}]:{port}"),
            Some(address) => format!("{address}:{port}"),
            None => format!("port {port} of a Unix socket"),
        };
        let which = match &self.system_identifier {
            Some(identifier) => format!("system identifier {identifier}"),
            None => format!(
                "on a server started {started_at}, whose system identifier is not for role {role}"
            ),
        };
        format!("{name} (oid {oid}) at {place}, {which}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_told_by_its_server_and_where_that_is_hidden_by_its_start() {
        let known = Identity {
            name: "cron".into(),
            oid: 16_385,
            address: Some("10.0.0.5".into()),
            port: 5432,
            started_at: "2031-05-05T12:00:00Z".parse().unwrap(),
            system_identifier: Some("7301234567890123456".into()),
            role: "app".into(),
        };
        assert_eq!(
            known.words(),
            "cron (oid 16385) at 10.0.0.5:5432, system identifier 7301234567890123456"
        );
        let hidden = Identity {
            address: None,
            system_identifier: None,
            ..known.clone()
        };
        assert_eq!(
            hidden.words(),
            "cron (oid 16385) at port 5432 of a Unix socket, on a server started 2031-05-05T12:00:00Z, whose system \
             identifier is not for role app"
        );
        let ipv6 = Identity {
            address: Some("fd00::5".into()),
            ..known
        };
        assert!(ipv6.words().contains(" at [fd00::5]:5432, "));
    }
}
