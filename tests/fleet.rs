//! Four hosts of crontabber 0.18.1 and four of ours at one due job, with clocks up to four seconds apart: with the guard
//! each slot runs once, without it some run twice. Told by what the jobs themselves wrote.
//!
//! Where a Python 2 with crontabber is to be had (`scripts/need python2`), it is the program itself; a round with its
//! statements alone is played everywhere.

mod common;

use std::collections::BTreeMap;

use common::{
    fleet::{Fleet, Kind, Tally},
    race::rounds,
};
use tokio::sync::Mutex;

/// One fleet at a time: it is about its hosts, not about this machine.
static HARBOUR: Mutex<()> = Mutex::const_new(());

async fn sail(kind: Kind, guarded: bool, rounds: usize) -> Option<(Fleet, Tally)> {
    let fleet = Fleet::new(kind, guarded).await?;
    let tally = fleet.run(rounds).await;
    let guard = if guarded {
        "with the guard"
    } else {
        "without the guard"
    };
    println!("{kind:?} {guard}: {tally}");
    Some((fleet, tally))
}

/// The negative: rounds without the guard, until some have doubled.
async fn it_is_the_guard_that_helps(kind: Kind) {
    for _ in 0..10 {
        let sailed = sail(kind, false, rounds(8, 200)).await;
        let (_, tally) = sailed.expect("it was there a moment ago");
        if tally.doubled > 0 {
            return;
        }
    }
    panic!("nothing runs twice without the guard either");
}

/// Nothing twice, nothing left out, nobody stuck.
async fn is_sound(fleet: &Fleet, tally: &Tally) {
    assert_eq!(tally.doubled, 0, "{tally}");
    assert!(
        tally.our_codes.keys().all(|code| [0, 2, 3].contains(code)),
        "{tally}"
    );
    let live =
        "SELECT count(*) FROM crontabber WHERE run_id IS NOT NULL OR lease_until IS NOT NULL";
    assert_eq!(
        fleet.database.query_one::<i64>(live).await,
        0,
        "a claim that nobody gave up"
    );
}

/// The same where nobody meddles, with every refusal in crontabber's own words.
async fn is_orderly(fleet: &Fleet, tally: &Tally) {
    is_sound(fleet, tally).await;
    assert_eq!(tally.ours + tally.pythons, tally.rounds, "{tally}");
    assert!(
        tally
            .python_codes
            .keys()
            .all(|code| [0, 2, 3].contains(code)),
        "{tally}"
    );
    // Otherwise they have not met.
    let losers =
        |codes: &BTreeMap<i32, usize>| codes.get(&2).unwrap_or(&0) + codes.get(&3).unwrap_or(&0);
    assert!(
        losers(&tally.python_codes) > 0 && losers(&tally.our_codes) > 0,
        "{tally}"
    );

    let history = "SELECT count(*) FILTER (WHERE run_id IS NULL AND success IS NOT NULL)::int8 AS pythons,
                          count(*) FILTER (WHERE run_id IS NOT NULL AND outcome = 'success')::int8 AS ours,
                          count(*)::int8 AS rows FROM crontabber_log";
    let starts = fleet.ledger().starts();
    let pythons = starts.iter().filter(|start| start.is_pythons()).count();
    let told = [pythons, starts.len() - pythons, starts.len()].map(|count| count.to_string());
    assert_eq!(
        fleet.database.rows(history).await.concat(),
        told,
        "the log and the ledger agree"
    );
}

#[tokio::test]
async fn a_mixed_fleet_runs_each_slot_once_with_the_guard_and_some_twice_without_it() {
    let _alone = HARBOUR.lock().await;
    let (fleet, tally) = sail(Kind::Reenacted, true, rounds(12, 200))
        .await
        .expect("needs nothing");
    is_orderly(&fleet, &tally).await;
    it_is_the_guard_that_helps(Kind::Reenacted).await;
}

#[tokio::test]
async fn a_fleet_with_the_real_crontabber_runs_each_slot_once_with_the_guard_and_some_twice_without_it()
 {
    let _alone = HARBOUR.lock().await;
    let Some((fleet, tally)) = sail(Kind::Real, true, rounds(12, 200)).await else {
        println!("no Python 2 with crontabber 0.18.1 here: its hosts were re-enacted only");
        return;
    };
    is_orderly(&fleet, &tally).await;
    it_is_the_guard_that_helps(Kind::Real).await;
}

#[tokio::test]
async fn whoever_forces_and_resets_the_job_on_python_hosts_starts_it_once_more_for_a_reset_and_not_again()
 {
    let _alone = HARBOUR.lock().await;
    let (fleet, tally) = sail(Kind::Meddling, true, rounds(12, 200))
        .await
        .expect("needs nothing");
    is_sound(&fleet, &tally).await;
    assert!(tally.resets.get() > 0, "{tally}");
    it_is_the_guard_that_helps(Kind::Meddling).await;
}
