//! The server that all tests share, and fresh databases on it.

use std::{
    env,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::sync::OnceCell;
use tokio_postgres::{Client, Config};
use uuid::Uuid;
#[cfg(feature = "embedded")]
use {crontabber::embedded::Cluster, std::path::Path};

use super::database::{Database, connect};

/// What a test leaves behind when it is killed is dropped by a later run, after this long.
const LEFTOVER: Duration = Duration::from_hours(1);
/// How many of them at a time: deleting files is slow on some disks.
const SWEPT: usize = 10;
/// Not UTC, and half an hour off every other zone: whoever forgets a time zone is found out.
const ZONE: &str = "America/St_Johns";

/// A server, by the URL of a database on it from which others are made.
#[derive(Debug, Clone)]
pub struct Postgres {
    url: String,
}

/// What a fresh database holds: made once, then copied by the server.
#[derive(Debug, Clone)]
pub struct Template {
    name: String,
}

impl Postgres {
    /// A fresh, empty database on the shared server.
    pub async fn database() -> Database {
        Self::shared().await.fresh().await
    }

    /// The server of all tests: `TEST_DATABASE_URL` (a superuser's), or one under `target`, started by
    /// whoever comes first and left running for the next run.
    pub async fn shared() -> Self {
        static SHARED: OnceCell<Postgres> = OnceCell::const_new();
        let start = async || {
            let url = env::var("TEST_DATABASE_URL").unwrap_or_else(|_| started());
            let postgres = Self { url };
            postgres.sweep().await;
            postgres
        };
        SHARED.get_or_init(start).await.clone()
    }

    /// The server that this URL leads to.
    pub fn at(url: String) -> Self {
        Self { url }
    }

    /// A fresh, empty database.
    pub async fn fresh(&self) -> Database {
        self.copy("template1").await
    }

    /// A fresh database that holds what the template holds.
    pub async fn from(&self, template: &Template) -> Database {
        self.copy(&template.name).await
    }

    /// The template of this key, filled by `fill` unless that was done in an earlier test or run.
    /// Another content needs another key: hash what it is made from into it.
    pub async fn template(&self, key: &str, fill: impl AsyncFnOnce(&mut Client)) -> Template {
        let name = format!("template_{key}");
        let admin = self.admin().await;
        // Other tests and other test binaries want it at this very moment; the lock goes with `admin`.
        let lock = format!("SELECT pg_advisory_lock(hashtext('{name}'))");
        admin
            .batch_execute(&lock)
            .await
            .expect("the lock is free some time");
        let known = "SELECT FROM pg_database WHERE datname = $1";
        let known = admin
            .query_opt(known, &[&name])
            .await
            .expect("the catalogue is readable");
        if known.is_none() {
            self.fill_template(&admin, &name, fill).await;
        }
        Template { name }
    }

    async fn fill_template(&self, admin: &Client, name: &str, fill: impl AsyncFnOnce(&mut Client)) {
        let sql = async |sql: String| {
            let done = admin.batch_execute(&sql).await;
            done.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        };
        // Renamed when it is complete, so that a killed test leaves no half of a template.
        sql(format!("DROP DATABASE IF EXISTS {name}_new WITH (FORCE)")).await;
        sql(format!("CREATE DATABASE {name}_new")).await;
        let mut client = connect(&self.config(&format!("{name}_new"))).await;
        fill(&mut client).await;
        drop(client);
        // The server notices a client that has left a moment later; nobody else connects to this one.
        sql(format!(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}_new'"
        ))
        .await;
        sql(format!("ALTER DATABASE {name}_new RENAME TO {name}")).await;
    }

    async fn copy(&self, template: &str) -> Database {
        let name = format!("test_{:08x}{}", now().as_secs(), Uuid::new_v4().simple());
        let admin = self.admin().await;
        for sql in [
            format!("CREATE DATABASE {name} TEMPLATE {template}"),
            format!("ALTER DATABASE {name} SET timezone = '{ZONE}'"),
        ] {
            let done = admin.batch_execute(&sql).await;
            done.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        }
        Database::new(with_database(&self.url, &name), self.url.clone(), name)
    }

    /// Drops some of what earlier tests have left, unless somebody is still connected to it.
    async fn sweep(&self) {
        let admin = self.admin().await;
        let names = "SELECT datname FROM pg_database WHERE datname ~ '^test_[0-9a-f]{40}$'";
        let rows = admin.query(names, &[]).await;
        let names = rows.expect("the catalogue is readable").into_iter();
        let old = |name: &String| {
            let made =
                u64::from_str_radix(&name[5..13], 16).expect("eight hex digits were matched");
            Duration::from_secs(made) + LEFTOVER < now()
        };
        for name in names.map(|row| row.get(0)).filter(old).take(SWEPT) {
            let drop = format!("DROP DATABASE IF EXISTS {name}");
            // In use, or lost in a race against another sweep: both are fine.
            let _ = admin.batch_execute(&drop).await;
        }
    }

    async fn admin(&self) -> Client {
        connect(&parse(&self.url)).await
    }

    fn config(&self, database: &str) -> Config {
        parse(&with_database(&self.url, database))
    }
}

/// The URL of the server under `target`, which runs by then.
#[cfg(feature = "embedded")]
fn started() -> String {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let target = target.expect("cargo's directory for tests lies in `target`");
    let cluster = Cluster::at(&target.join("test-postgres"));
    if let Err(error) = cluster.ensure_running() {
        panic!("the tests need a PostgreSQL server (scripts/need postgres): {error}");
    }
    cluster.url()
}

#[cfg(not(feature = "embedded"))]
fn started() -> String {
    panic!("the tests need a PostgreSQL server: set TEST_DATABASE_URL, or build with `embedded`")
}

/// The configuration a URL stands for.
pub fn parse(url: &str) -> Config {
    url.parse()
        .unwrap_or_else(|error| panic!("`{url}` is no URL of a database: {error:?}"))
}

/// The same server, another database; for URLs and for `key=value` texts, where the last one counts.
fn with_database(url: &str, name: &str) -> String {
    let Some(authority) = url.find("://").map(|at| at + 3) else {
        return format!("{url} dbname={name}");
    };
    let end = url[authority..]
        .find(['/', '?'])
        .map_or(url.len(), |at| authority + at);
    let query = url.find('?').map_or("", |at| &url[at..]);
    format!("{}/{name}{query}", &url[..end])
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is later than 1970")
}
