//! However many hosts see a job due in the same instant, it starts once.

mod common;

use std::time::Duration;

use common::{
    Gate, Postgres, Site,
    race::{Race, log_agrees, rounds, site},
};
use tokio::sync::Mutex;

/// One race at a time: they are about each other's processes, not about this machine's.
static TRACK: Mutex<()> = Mutex::const_new(());

/// Rounds in the short form: each of the two jobs four times with each of the three spreads.
const SHORT: usize = 24;

#[tokio::test]
async fn fifty_processes_that_see_a_job_due_in_the_same_instant_start_it_once() {
    let _track = TRACK.lock().await;
    let database = Postgres::database().await;
    let site = site(&database).await;
    let race = Race::of(rounds(SHORT, 10 * SHORT));
    let tally = race.run(&site, &database).await;
    println!("{tally}");
    assert_eq!(tally.missed, []);
    assert_eq!(tally.doubled, []);
    log_agrees(&site, &database).await;
    // Otherwise it was no race: two hundred in the short form, and as many for each round in the long one.
    let met = tally.contended + tally.ongoing;
    assert!(met > 200 * tally.rounds / SHORT, "{tally}");
}

#[tokio::test]
async fn a_job_that_nobody_has_met_before_in_a_database_without_tables_starts_once_too() {
    let _track = TRACK.lock().await;
    for _ in 0..rounds(3, 30) {
        let database = Postgres::database().await;
        let site = Site::with(&database, |site| {
            site.job(
                "first",
                "every = \"1h\"\nstart = \"now\"",
                "exec sleep 0.05",
            )
        });
        let gate = Gate::new(site.file("").as_path());
        let tick = |number: usize| site.on(&format!("host{number}"), &["tick"]);
        let waiting = gate.gather((0..50).map(tick)).await;
        gate.open(50, Duration::ZERO);
        for running in waiting {
            let finished = running.finished().await;
            assert!(matches!(finished.code, Some(0 | 2 | 3)), "{finished:?}");
        }
        assert_eq!(site.ledger().starts().len(), 1);
        log_agrees(&site, &database).await;
    }
}
