//! A database that holds our tables, as every host finds them.

use std::hash::{DefaultHasher, Hash, Hasher};

use crontabber::{place::MAX_ONGOING_AGE, store::schema};

use super::{Database, Postgres};

/// A fresh database with our tables and no row.
pub async fn tables() -> Database {
    let postgres = Postgres::shared().await;
    let mut hasher = DefaultHasher::new();
    schema::from_nothing(MAX_ONGOING_AGE).hash(&mut hasher);
    let key = format!("tables_{:016x}", hasher.finish());
    let template = postgres
        .template(&key, async |client| {
            schema::migrate(client, MAX_ONGOING_AGE)
                .await
                .expect("an empty database takes the tables");
        })
        .await;
    postgres.from(&template).await
}

/// Takes the guard away, as `migrate --drop-guard` does for whoever goes back to Python alone.
pub async fn drop_guard(database: &Database) {
    let client = database.connect().await;
    let dropped = schema::drop_guard(&client, "a test").await;
    dropped.expect("nobody holds the table");
}
