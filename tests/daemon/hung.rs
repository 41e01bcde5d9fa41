//! A call of the database that never returns, while others do: the other jobs go on, and so does the loop.

use crate::{
    common::{Line, NotifySocket, Postgres, Site, until},
    world::{SOON, daemon, hears, holds, log, nothing_ran_twice, ready},
};

/// How often `often` has started.
fn often(site: &Site) -> usize {
    let starts = site.ledger().starts();
    starts.iter().filter(|start| start.job == "often").count()
}

#[tokio::test]
async fn a_call_that_never_returns_keeps_neither_the_other_jobs_nor_the_watchdog_waiting() {
    let database = Postgres::database().await;
    let line = Line::to(&database);
    let site = Site::new();
    let once = "every = \"1h\"\nstart = \"now\"";
    let sections = [
        "[daemon]\nlease = \"60s\"\npoll = \"1s\"\n\n[defaults]\nlease = \"60s\"\n\n".to_owned(),
        site.job("claimed", once, "true"),
        site.job("recorded", once, "true"),
        site.job("often", "every = \"1s\"", "true"),
    ]
    .concat();
    site.configure(line.url(), &sections);
    // Each is said once on a connection before that is frozen: the claim of one job, the record of another, a heartbeat.
    line.freeze_at("-- claim: ");
    line.freeze_at("-- record: ");
    let socket = NotifySocket::new();
    let alpha = daemon(&site, "alpha")
        .env("NOTIFY_SOCKET", socket.path())
        .env("WATCHDOG_USEC", "1000000");
    let alpha = ready(alpha.spawn()).await;
    until(SOON, "a claim and a record hang", async || {
        line.frozen() == 2
    })
    .await;
    let (ran, fed) = (often(&site), socket.count("WATCHDOG=1"));
    until(SOON, "the other jobs and the loop go on", async || {
        often(&site) > ran + 2 && socket.count("WATCHDOG=1") > fed + 2
    })
    .await;
    let _ = (&database, &alpha);
    hears(&alpha, "cannot record the run").await;
    holds(
        &database,
        "what hung has run in the end",
        "SELECT count(*) = 2 FROM crontabber WHERE app_name <> 'often' AND success_slot IS NOT NULL",
    )
    .await;
    nothing_ran_twice(&site);
    let _ = log;
}
