//! How often the program waits for the server: counted on the way there, not measured.

#![cfg(feature = "embedded")]

#[path = "../common/mod.rs"]
mod common;
mod proxy;

use std::{
    slice,
    {
        sync::Arc,
        time::{Duration, Instant},
    },
};

use common::{
    Crontabber, Database, Finished, Private, Site,
    host::{Host, job},
    until,
};
use crontabber::{
    engine::Engine,
    heartbeat::Heart,
    record::Records,
    stop::Stopper,
    store::{self, Address, Environment},
    tick::tick,
};
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
async fn a_daemon_with_nothing_due_asks_two_questions_a_poll_and_writes_nothing() {
    let (_server, database) = server().await;
    let (site, proxy) = idle_site(&database).await;
    let jobs = (0..10).map(|job| site.job(&format!("job-{job}"), "every = \"1h\"", "true"));
    let daemon = "[daemon]\npoll = \"1s\"\n\n".to_owned();
    site.configure(&proxy.url(), &(daemon + &jobs.collect::<String>()));
    let _daemon = site.on("alpha", &["daemon"]).spawn();
    // It has begun: it has announced itself, it listens, and it has looked twice.
    let settled = async || proxy.trips() >= 12;
    until(LIMIT, "it has settled", settled).await;
    let (before, trips, since) = (next_write(&database).await, proxy.trips(), Instant::now());
    until(LIMIT, "it looks again", async || proxy.trips() >= trips + 6).await;
    let polls = since.elapsed().as_secs_f64();
    assert!(
        polls > 1.9,
        "six questions in {polls} s: {:?}",
        proxy.said()
    );
    assert_eq!(next_write(&database).await, before, "something was written");
}

/// A job that runs once and waits for one that runs on each host.
fn gathers(site: &Site) -> String {
    let feeds = site.job("feeds", "every = \"1h\"\non = \"each\"", "true");
    let report = site.job("report", "every = \"1h\"\ndepends_on = [\"feeds\"]", "true");
    feeds + &report
}

#[tokio::test]
async fn a_pass_asks_for_the_hosts_only_where_a_job_waits_for_them_and_in_the_same_trip() {
    let (_server, database) = server().await;
    let proxy = Proxy::before(database.url());
    let site = Site::new();
    let alone = site.job("feeds", "every = \"1h\"\non = \"each\"", "true");
    for (jobs, asks) in [
        (alone, &["read_table"][..]),
        (gathers(&site), &["read_table", "read_seen_hosts"]),
    ] {
        site.configure(&proxy.url(), &jobs);
        well(pass(&site)).await;
        proxy.said();
        let before = next_write(&database).await;
        well(pass(&site)).await;
        assert_eq!(next_write(&database).await, before, "something was written");
        let trips = trips(&proxy);
        let said: Vec<_> = trips.iter().map(statements).collect();
        assert_eq!(said, [asks]);
    }
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
            vec!["BEGIN", "record", "record_log", "COMMIT"],
        ]
    );
}

/// A host that stays, with one connection and one job.
struct Daemon<'a> {
    engine: Arc<Engine>,
    stop: Stopper,
    database: &'a Database,
}

impl<'a> Daemon<'a> {
    fn new(proxy: &Proxy, database: &'a Database) -> Self {
        let host = Host::new("alpha", database, &[job("fetch", "true")]);
        let engine = Arc::into_inner(host.engine()).expect("nobody else has it");
        let address = Address::parse(&proxy.url(), &Environment::of_this_process());
        let referee = store::Database::new(address.expect("our URL"), "crontabber test", 1, LIMIT);
        let engine = Engine {
            heart: Arc::new(Heart::new(referee.clone(), None)),
            records: Records::new(referee.clone(), None),
            database: referee,
            ..engine
        };
        Self {
            engine: Arc::new(engine),
            stop: Stopper::listen().expect("signals can be listened for"),
            database,
        }
    }

    /// So many passes, each with the job due.
    async fn run(&mut self, times: usize) {
        for _ in 0..times {
            let pass = tick(&self.engine, &mut self.stop).await;
            assert_eq!((pass.well, pass.failed), (1, 0), "{pass:?}");
            let due = "UPDATE crontabber SET next_run = clock_timestamp()";
            self.database.execute(due).await;
        }
    }
}

/// How often a statement of this name was sent as text.
fn understood(trips: &[Trip], statement: &str) -> usize {
    let all = trips.iter().flat_map(|trip| statements(trip));
    all.filter(|name| *name == statement).count()
}

#[tokio::test]
async fn a_host_that_keeps_claiming_has_its_statements_prepared_and_a_claim_is_still_one_trip() {
    let (_server, database) = server().await;
    let proxy = Proxy::before(database.url());
    Daemon::new(&proxy, &database).run(6).await;
    let trips = trips(&proxy);
    for statement in ["claim_lock", "claim", "record", "record_log"] {
        // Twice as text, and once to prepare it.
        assert_eq!(understood(&trips, statement), 3, "{statement}");
    }
    let [.., claim, record] = trips.as_slice() else {
        panic!("{trips:?}");
    };
    let prepared = [Message::Bind, Message::Execute, Message::Sync];
    let commit = Message::Query("COMMIT".to_owned());
    assert_eq!(
        claim[1..],
        [&prepared[..], &prepared, slice::from_ref(&commit)].concat()
    );
    assert_eq!(record[1..], [&prepared[..], &prepared, &[commit]].concat());
}

#[tokio::test]
async fn behind_a_pooler_every_statement_is_text_because_a_name_may_mean_another_there() {
    let (_server, database) = server().await;
    let proxy = Proxy::like_a_pooler(database.url());
    Daemon::new(&proxy, &database).run(6).await;
    let trips = trips(&proxy);
    for statement in ["claim_lock", "claim", "record", "record_log"] {
        assert_eq!(understood(&trips, statement), 6, "{statement}");
    }
}

#[tokio::test]
async fn behind_a_pooler_no_sql_runs_that_would_leave_its_settings_there() {
    let (_server, database) = server().await;
    let pooler = Proxy::like_a_pooler(database.url());
    let direct = Proxy::before(database.url());
    for (proxy, outcome) in [(&pooler, "failure"), (&direct, "success")] {
        let site = Site::with(&database, |_| {
            format!(
                "[database.warehouse]\nurl = \"{}\"\n[jobs.{outcome}]\nevery = \"1h\"\nstart = \"now\"\n\
                 database = \"warehouse\"\ntransaction = false\nsql = \"VACUUM crontabber_audit\"\n",
                proxy.url()
            )
        });
        pass(&site).run().await;
        let ended = format!("SELECT outcome FROM crontabber_log WHERE app_name = '{outcome}'");
        assert_eq!(database.query_one::<String>(&ended).await, outcome);
    }
    let is_text = |message: &Message| *message == Message::Query("VACUUM crontabber_audit".into());
    let said = trips(&pooler).concat();
    assert!(!said.iter().any(is_text), "{said:?}");
    assert!(trips(&direct).concat().iter().any(is_text));
}

#[tokio::test]
async fn prepared_statements_go_on_when_another_host_has_widened_the_tables() {
    let (_server, database) = server().await;
    let proxy = Proxy::before(database.url());
    let mut daemon = Daemon::new(&proxy, &database);
    daemon.run(4).await;
    for table in ["crontabber", "crontabber_log"] {
        let widen = format!("ALTER TABLE {table} ADD COLUMN of_the_next_release text DEFAULT 'x'");
        database.execute(&widen).await;
    }
    daemon.run(4).await;
    assert_eq!(understood(&trips(&proxy), "claim"), 3);
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
