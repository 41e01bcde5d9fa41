//! A database that holds our tables, as every host finds them.

use std::hash::{DefaultHasher, Hash, Hasher};

use crontabber::store::schema::{self, Before};

use super::{Database, Postgres};

/// A fresh database with our tables and no row.
pub async fn tables() -> Database {
    let postgres = Postgres::shared().await;
    let mut hasher = DefaultHasher::new();
    schema::plan(Before::Nothing).hash(&mut hasher);
    let key = format!("tables_{:016x}", hasher.finish());
    let template = postgres
        .template(&key, async |client| {
            schema::migrate(client)
                .await
                .expect("an empty database takes the tables");
        })
        .await;
    postgres.from(&template).await
}

/// Takes the guard away, as whoever goes back to Python alone does.
pub async fn drop_guard(database: &Database) {
    let triggers = "SELECT tgname FROM pg_trigger WHERE tgrelid = 'crontabber'::regclass AND tgname LIKE 'crontabber_guard%'";
    let triggers = database.rows(triggers).await.concat();
    assert!(!triggers.is_empty(), "there is no guard to take away");
    for trigger in triggers {
        database
            .execute(&format!("DROP TRIGGER {trigger} ON crontabber"))
            .await;
    }
}
