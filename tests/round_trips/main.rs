//! How often the program waits for the server: counted on the way there, not measured.

#![cfg(feature = "embedded")]

#[path = "../common/mod.rs"]
mod common;
mod proxy;

use std::time::Duration;

use common::{Crontabber, Database, Finished, Private, Site};
use proxy::{Message, Proxy, Trip};

/// A claim that waits for an answer before all of it is sent waits for ever.
const LIMIT: Duration = Duration::from_secs(20);

/// A server on which nobody else is, so that every transaction that writes is ours.
async fn server() -> (Private, Database) {
    let server = Private::new();
    let database = server.database().await;
    database.execute("ALTER SYSTEM SET autovacuum = off").await;
    database.execute("SELECT pg_reload_conf()").await;
    (server, database)
}

/// A site with ten jobs that are known to the table and not due, seen through a proxy.
async fn idle_site(database: &Database) -> (Site, Proxy) {
    let proxy = Proxy::before(database.url());
    let site = Site::new();
    let jobs = (0..10).map(|job| site.job(&format!("job-{job}"), "every = \"1h\"", "true"));
    site.configure(&proxy.url(), &jobs.collect::<String>());
    well(pass(&site)).await;
    proxy.said();
    (site, proxy)
}

fn pass(site: &Site) -> Crontabber {
    site.on("alpha", &["tick"]).limit(LIMIT)
}

async fn well(pass: Crontabber) -> Finished {
    let finished = pass.run().await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(finished.stderr, "");
    finished
}

/// The number of the next transaction that writes anything.
async fn next_write(database: &Database) -> i64 {
    database
        .query_one("SELECT txid_snapshot_xmax(txid_current_snapshot())")
        .await
}

/// The trips of a pass that kept to one connection.
fn trips(proxy: &Proxy) -> Vec<Trip> {
    let mut said = proxy.said();
    assert_eq!(said.len(), 1, "connections: {said:?}");
    said.pop().expect("there is one")
}

/// What a trip asks for: the names of its statements, which are the first words of their comments.
fn statements(trip: &Trip) -> Vec<&str> {
    trip.iter()
        .filter_map(|message| match message {
            Message::Query(sql) | Message::Parse(sql) => Some(name(sql)),
            _ => None,
        })
        .collect()
}

fn name(sql: &str) -> &str {
    let sql = sql.trim_start_matches("-- ");
    sql.split([' ', ':', ';']).next().unwrap_or_default()
}

#[tokio::test]
async fn a_pass_with_nothing_due_asks_one_question_and_writes_nothing() {
    let (_server, database) = server().await;
    let (site, proxy) = idle_site(&database).await;
    let before = next_write(&database).await;
    well(pass(&site)).await;
    assert_eq!(next_write(&database).await, before, "something was written");
    let trips = trips(&proxy);
    let [trip] = trips.as_slice() else {
        panic!("more than one question: {trips:?}");
    };
    assert_eq!(statements(trip), ["read_table"]);
    let [Message::Parse(_), rest @ ..] = trip.as_slice() else {
        panic!("{trip:?}");
    };
    assert_eq!(
        rest,
        [
            Message::Bind,
            Message::Describe,
            Message::Execute,
            Message::Sync
        ]
    );
}

#[tokio::test]
async fn a_host_that_was_last_seen_six_minutes_ago_writes_its_own_row_and_nothing_else() {
    let (_server, database) = server().await;
    let (site, proxy) = idle_site(&database).await;
    database
        .execute("UPDATE crontabber_host SET seen_at = seen_at - interval '6 minutes'")
        .await;
    let before = next_write(&database).await;
    well(pass(&site)).await;
    assert_eq!(next_write(&database).await, before + 1);
    let trips = trips(&proxy);
    let said: Vec<_> = trips.iter().map(statements).collect();
    assert_eq!(
        said,
        [vec!["read_table"], vec!["BEGIN", "announce_host", "COMMIT"],]
    );
}

#[tokio::test]
async fn a_claim_is_one_trip_and_a_record_is_another() {
    let (_server, database) = server().await;
    let (site, proxy) = idle_site(&database).await;
    database
        .execute("UPDATE crontabber SET next_run = clock_timestamp() WHERE app_name = 'job-3'")
        .await;
    let before = next_write(&database).await;
    well(pass(&site)).await;
    assert_eq!(site.ledger().starts().len(), 1);
    assert_eq!(next_write(&database).await, before + 2);
    let trips = trips(&proxy);
    let said: Vec<_> = trips.iter().map(statements).collect();
    assert_eq!(
        said,
        [
            vec!["read_table"],
            vec!["BEGIN", "claim_lock", "claim", "COMMIT"],
            vec!["BEGIN", "record", "COMMIT"],
        ]
    );
}

#[tokio::test]
async fn a_row_that_was_made_due_a_moment_ago_runs_in_the_next_pass() {
    let (_server, database) = server().await;
    let (site, _proxy) = idle_site(&database).await;
    for passed in 0..3 {
        well(pass(&site)).await;
        assert_eq!(site.ledger().starts().len(), passed);
        database
            .execute("UPDATE crontabber SET next_run = clock_timestamp() WHERE app_name = 'job-7'")
            .await;
        well(pass(&site)).await;
        assert_eq!(site.ledger().starts().len(), passed + 1);
    }
}

#[tokio::test]
async fn who_waits_within_a_transaction_is_found_out() {
    let (_server, database) = server().await;
    let proxy = Proxy::before(database.url());
    let (client, connection) = tokio_postgres::connect(&proxy.url(), tokio_postgres::NoTls)
        .await
        .expect("the proxy lets everybody through");
    tokio::spawn(connection);
    let begun = client.batch_execute("BEGIN");
    tokio::pin!(begun);
    // An answer that is withheld is no event.
    let answer = tokio::time::timeout(Duration::from_millis(200), &mut begun).await;
    assert!(answer.is_err(), "the proxy answered in the middle");
    let (begun, committed) = tokio::join!(begun, client.batch_execute("COMMIT"));
    begun.expect("it is answered with the end");
    committed.expect("a transaction that did nothing");
    client.batch_execute("SELECT 1").await.expect("it goes on");
    let said: Vec<_> = trips(&proxy).iter().map(Vec::len).collect();
    assert_eq!(said, [2, 1], "BEGIN and COMMIT together, then a question");
}
