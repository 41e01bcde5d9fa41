//! Bugs planted on purpose: the tests of the promise notice each of them. A test that cannot fail proves nothing.

mod common;

use common::{
    Crontabber, Postgres, Site,
    locked::past_the_lease_of_another,
    race::{Race, Start, log_agrees, rounds, site},
};
use tokio::sync::Mutex;

/// One race at a time: they are about each other's processes, not about this machine's.
static TRACK: Mutex<()> = Mutex::const_new(());

/// Fifty processes that have all planned before the first of them claims.
fn planned(rounds: usize, disguise: fn(usize, Crontabber) -> Crontabber) -> Race {
    Race {
        start: Start::AfterThePlan,
        disguise,
        ..Race::of(rounds)
    }
}

#[tokio::test]
async fn fifty_processes_that_have_all_found_a_job_due_start_it_once() {
    let _track = TRACK.lock().await;
    let database = Postgres::database().await;
    let site = site(&database).await;
    let race = planned(rounds(12, 120), |_, command| {
        command.env("CRONTABBER_FAULT", "before-claim=stop")
    });
    let tally = race.run(&site, &database).await;
    println!("{tally}");
    assert_eq!(tally.missed, []);
    assert_eq!(tally.doubled, []);
    log_agrees(&site, &database).await;
    // Every process but the one that ran it was turned away at the row.
    assert_eq!(
        tally.contended + tally.ongoing + tally.changed,
        49 * tally.rounds,
        "{tally}"
    );
}

#[tokio::test]
async fn a_claim_that_believes_the_plan_starts_slots_twice_and_the_race_sees_it() {
    let _track = TRACK.lock().await;
    let database = Postgres::database().await;
    let site = site(&database).await;
    let race = planned(rounds(12, 120), |_, command| {
        command.env(
            "CRONTABBER_FAULT",
            "before-claim=stop,claim-without-recheck",
        )
    });
    // 1: its claim was overwritten by another's while it ran, so that its record was fenced.
    let tally = Race {
        codes: &[0, 1, 2, 3],
        ..race
    }
    .run(&site, &database)
    .await;
    println!(
        "planted claim-without-recheck: {tally}; {} starts",
        site.ledger().starts().len()
    );
    assert!(!tally.doubled.is_empty(), "{tally}");
}

#[tokio::test]
async fn a_heartbeat_that_waits_for_a_locked_row_loses_the_other_runs_and_the_test_sees_it() {
    let (_, _session, other) = past_the_lease_of_another("heartbeat-that-waits").await;
    assert_eq!(other, ["lost"]);
}

#[tokio::test]
async fn a_bug_is_70_and_asks_to_be_reported() {
    let finished = Site::new()
        .on("alpha", &["tick"])
        .env("CRONTABBER_FAULT", "start=panic")
        .run()
        .await;
    assert_eq!(finished.code, Some(70), "{finished:?}");
    assert!(
        finished
            .stderr
            .contains("this is a bug in crontabber; please report it"),
        "{}",
        finished.stderr
    );
}
