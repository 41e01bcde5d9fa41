//! A server with fewer connections than there are processes: some passes end at once, and no slot is lost or doubled.

#![cfg(feature = "embedded")]

mod common;

use std::{collections::BTreeMap, time::Duration};

use common::{Gate, Private, Site, race::log_agrees};
use tokio_postgres::NoTls;

/// Processes, all at once.
const PROCESSES: usize = 50;

/// Jobs, each due once.
const JOBS: usize = 10;

/// A host's role, which may not use the connections that are kept for superusers.
const ROLE: &str = "\
CREATE ROLE web LOGIN;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO web;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO web";

#[tokio::test]
async fn fifty_passes_at_once_on_a_server_with_twenty_connections_lose_no_slot_and_double_none() {
    let server = Private::new();
    let first = server.database().await;
    first.execute("ALTER SYSTEM SET max_connections = 20").await;
    server.restart();
    let database = server.database().await;
    let site = Site::with(&database, |site| {
        let job = |number| {
            site.job(
                &format!("it{number}"),
                "every = \"1h\"\nstart = \"now\"",
                "exec sleep 0.1",
            )
        };
        (0..JOBS).map(job).collect()
    });
    let made = site.on("first", &["migrate"]).run().await;
    assert_eq!(made.code, Some(0), "{made:?}");
    database.execute(ROLE).await;
    let sections = std::fs::read_to_string(site.file("crontabber.toml")).expect("just written");
    let as_host = sections.replace("user=crontabber", "user=web");
    assert_ne!(sections, as_host);
    std::fs::write(site.file("crontabber.toml"), as_host).expect("it is writable");

    // Somebody else has all of them.
    let url = database.url().replace("user=crontabber", "user=web");
    let mut others = Vec::new();
    while let Ok((client, connection)) = tokio_postgres::connect(&url, NoTls).await {
        tokio::spawn(connection);
        others.push(client);
    }
    // Three are kept for superusers, and this test has some itself.
    assert!((10..=17).contains(&others.len()), "{}", others.len());
    let refused = site.on("alpha", &["tick"]).run().await;
    assert_eq!(refused.code, Some(69), "{refused:?}");
    let advice = "SQLSTATE 53300); close some, or raise max_connections";
    assert!(refused.stderr.contains(advice), "{refused:?}");

    // Somebody else has most of them.
    others.truncate(others.len() - 3);
    let gate = Gate::new(&site.file(""));
    let tick = |number| site.on(&format!("host{number}"), &["tick"]);
    let waiting = gate.gather((0..PROCESSES).map(tick)).await;
    gate.open(PROCESSES, Duration::ZERO);
    let mut codes: BTreeMap<i32, usize> = BTreeMap::new();
    for running in waiting {
        let finished = running.finished().await;
        let code = finished.code.expect("no pass dies of a signal");
        *codes.entry(code).or_default() += 1;
        let said = &finished.stderr;
        assert!(matches!(code, 0 | 2 | 3 | 69), "{finished:?}");
        assert!(!said.contains("panicked"), "{said}");
        assert!(
            code != 69 || said.contains("SQLSTATE 53300"),
            "another reason than too few connections: {said}"
        );
    }
    println!("{PROCESSES} passes: {codes:?}");

    // What nobody got to, the next pass does.
    let last = site.on("last", &["tick"]).run().await;
    assert_eq!(last.code, Some(0), "{last:?}");
    let mut ran: Vec<_> = site
        .ledger()
        .starts()
        .into_iter()
        .map(|start| start.job)
        .collect();
    ran.sort_unstable();
    let all: Vec<_> = (0..JOBS).map(|number| format!("it{number}")).collect();
    assert_eq!(ran, all);
    log_agrees(&site, &database).await;
}
