//! A database for one test.

use std::{thread, time::Duration};

use tokio::{
    sync::{Mutex, MutexGuard},
    time::timeout,
};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage, types::FromSqlOwned};

use super::postgres::parse;

/// How long any one thing may take here before the test is told that it hangs.
const LIMIT: Duration = Duration::from_secs(30);

/// A database that nobody else uses. It is dropped with this value, unless the test has failed: then
/// it stays for an hour, and its URL is printed.
#[derive(Debug)]
pub struct Database {
    url: String,
    /// From where it is dropped.
    neighbour: String,
    name: String,
    client: Mutex<Option<Client>>,
}

impl Database {
    pub(super) fn new(url: String, neighbour: String, name: String) -> Self {
        Self {
            url,
            neighbour,
            name,
            client: Mutex::new(None),
        }
    }

    /// Its URL, for the program and for `psql`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A connection of the caller's own.
    pub async fn connect(&self) -> Client {
        connect(&parse(&self.url)).await
    }

    /// Runs any number of statements.
    pub async fn execute(&self, sql: &str) {
        let client = self.client().await;
        within(sql, client.as_ref().expect("just made").batch_execute(sql)).await;
    }

    /// The only column of the only row.
    pub async fn query_one<T: FromSqlOwned>(&self, sql: &str) -> T {
        let client = self.client().await;
        let client = client.as_ref().expect("just made");
        within(sql, client.query_one(sql, &[])).await.get(0)
    }

    /// All rows as text, the way `psql` shows them in this database's zone; NULL is `NULL`.
    pub async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let client = self.client().await;
        let client = client.as_ref().expect("just made");
        let messages = within(sql, client.simple_query(sql)).await;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        rows.map(|row| {
            let values = (0..row.len()).map(|column| row.get(column).unwrap_or("NULL").to_owned());
            values.collect()
        })
        .collect()
    }

    /// The connection behind the three above, made anew if the server has been restarted.
    async fn client(&self) -> MutexGuard<'_, Option<Client>> {
        let mut client = self.client.lock().await;
        // Asked, because a client learns of its server's end only when it is next polled.
        let usable = match client.as_ref() {
            Some(client) => matches!(timeout(LIMIT, client.simple_query("")).await, Ok(Ok(_))),
            None => false,
        };
        if !usable {
            *client = Some(self.connect().await);
        }
        client
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!(
                "the database of this test is still there: psql '{}'",
                self.url
            );
            return;
        }
        let neighbour = self.neighbour.clone();
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // In the background: nothing can be awaited here, and deleting files is slow on some disks.
        // What the end of the test binary cuts off is swept by a later run.
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime needs a few file descriptors only");
            runtime.block_on(async {
                let neighbour = parse(&neighbour);
                let attempt = async {
                    let (client, connection) = neighbour.connect(NoTls).await?;
                    tokio::spawn(connection);
                    client.batch_execute(&drop).await
                };
                // A test may have stopped or frozen its server.
                let _ = timeout(LIMIT, attempt).await;
            });
        });
    }
}

/// Connects, with a limit: the server may be frozen.
pub(super) async fn connect(config: &Config) -> Client {
    let (client, connection) = within("connecting", config.connect(NoTls)).await;
    // Its end is seen by the client, as an error of the next statement.
    tokio::spawn(connection);
    client
}

async fn within<T>(
    what: &str,
    future: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> T {
    let answer = timeout(LIMIT, future).await;
    let answer = answer.unwrap_or_else(|_| panic!("{what}: no answer within {LIMIT:?}"));
    answer.unwrap_or_else(|error| panic!("{what}: {error:?}"))
}
