//! Hosts whose clocks are wrong: only the database's clock decides.

mod common;

use common::{
    Crontabber, Database, Postgres, Site,
    race::{Race, log_agrees, make_due, rounds, site},
};

/// What the clocks of a cluster's hosts are off by, and the same in seconds.
const CLOCKS: [(&str, f64); 3] = [("-2s", -2.0), ("+2h", 7200.0), ("-13h", -46800.0)];

/// Every fourth host has the right time.
fn disguise(number: usize, command: Crontabber) -> Crontabber {
    match CLOCKS.get(number % 4) {
        Some((off, _)) => command.clock(off),
        None => command,
    }
}

#[tokio::test]
async fn hosts_whose_clocks_are_hours_apart_start_a_slot_once() {
    let database = Postgres::database().await;
    let site = site(&database).await;
    let race = Race {
        disguise,
        ..Race::of(rounds(6, 60))
    };
    let tally = race.run(&site, &database).await;
    println!("{tally}");
    assert_eq!(tally.missed, []);
    assert_eq!(tally.doubled, []);
    log_agrees(&site, &database).await;
    for (number, (off, seconds)) in CLOCKS.iter().enumerate() {
        let skew = skew(&database, &format!("host{number}")).await;
        assert!(
            (skew - seconds).abs() < 1.0,
            "a host at {off} says that it is {skew} s off: no wrong clock was tried"
        );
    }
}

#[tokio::test]
async fn what_a_host_with_a_wrong_clock_writes_is_the_databases_time() {
    for (off, seconds) in CLOCKS {
        let database = Postgres::database().await;
        let job =
            |site: &Site| site.job("late", "every = \"1h\"\nstart = \"now\"", "exec sleep 0.05");
        let site = Site::with(&database, job);
        let before = now(&database).await;
        tick(&site, off).await;
        make_due(&database, "late").await;
        tick(&site, off).await;
        let after = now(&database).await;

        // The job's first slot, and everything a run leaves, lie within these seconds by the database's clock.
        let written = "SELECT app_name, min(extract(epoch FROM at))::float8, max(extract(epoch FROM at))::float8 FROM (\
             SELECT 'log' AS app_name, unnest(ARRAY[slot, log_time, started_at, finished_at, success]) AS at FROM crontabber_log \
             UNION ALL SELECT 'row', unnest(ARRAY[first_run, last_run, last_success, success_slot]) FROM crontabber \
             UNION ALL SELECT 'host', seen_at FROM crontabber_host) AS times GROUP BY app_name ORDER BY app_name";
        let written = database.rows(written).await;
        assert_eq!(written.len(), 3);
        for row in written {
            let [first, last] = [1, 2].map(|column: usize| row[column].parse::<f64>().unwrap());
            assert!(
                before <= first && last <= after,
                "{off}: {row:?} is not within {before}..{after}"
            );
        }
        let next = "SELECT next_run = success_slot + interval '1 hour' AND slot = next_run FROM crontabber";
        assert!(
            database.query_one::<bool>(next).await,
            "{off}: the next slot is an hour after the last"
        );
        let runs = "SELECT count(*) FROM crontabber_log WHERE outcome = 'success' AND duration BETWEEN '40 ms' AND '30 s'";
        assert_eq!(database.query_one::<i64>(runs).await, 2, "{off}");
        assert!(
            (skew(&database, "odd").await - seconds).abs() < 1.0,
            "{off}"
        );
    }
}

async fn tick(site: &Site, off: &str) {
    let pass = site.on("odd", &["tick"]).clock(off).run().await;
    assert_eq!((pass.code, pass.stderr.as_str()), (Some(0), ""));
}

async fn now(database: &Database) -> f64 {
    database
        .query_one("SELECT extract(epoch FROM clock_timestamp())::float8")
        .await
}

/// How far a host's clock is off, as it has announced.
async fn skew(database: &Database, host: &str) -> f64 {
    let sql = format!(
        "SELECT extract(epoch FROM clock_skew)::float8 FROM crontabber_host WHERE host = '{host}'"
    );
    database.query_one(&sql).await
}
