//! Four hosts of crontabber 0.18.1 and four of ours at one due job, with clocks up to four seconds apart: with the guard
//! each slot runs once, without it some run twice. Told by what the jobs themselves wrote.
//!
//! Where a Python 2 with crontabber is to be had (`scripts/need python2`), it is the program itself; a round with its
//! statements alone is played everywhere.

mod common;

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

/// Nothing twice, nothing left out, nobody stuck, every refusal in crontabber's own words.
async fn is_sound(fleet: &Fleet, tally: &Tally) {
    assert_eq!(tally.doubled, 0, "{tally}");
    assert_eq!(tally.ours + tally.pythons, tally.rounds, "{tally}");
    assert!(
        tally
            .python_codes
            .keys()
            .all(|code| [0, 2, 3].contains(code)),
        "{tally}"
    );
    assert!(
        tally.our_codes.keys().all(|code| [0, 2, 3].contains(code)),
        "{tally}"
    );
    // Otherwise they have not met.
    let losers = |codes: &std::collections::BTreeMap<i32, usize>| {
        codes.get(&2).unwrap_or(&0) + codes.get(&3).unwrap_or(&0)
    };
    assert!(
        losers(&tally.python_codes) > 0 && losers(&tally.our_codes) > 0,
        "{tally}"
    );

    let history = "SELECT count(*) FILTER (WHERE run_id IS NULL AND success IS NOT NULL)::int8 AS pythons,
                          count(*) FILTER (WHERE run_id IS NOT NULL AND outcome = 'success')::int8 AS ours,
                          count(*)::int8 AS rows FROM crontabber_log";
    let told = [tally.pythons, tally.ours, tally.rounds].map(|count| count.to_string());
    assert_eq!(
        fleet.database.rows(history).await.concat(),
        told,
        "the log and the ledger agree"
    );
    let live =
        "SELECT count(*) FROM crontabber WHERE run_id IS NOT NULL OR lease_until IS NOT NULL";
    assert_eq!(
        fleet.database.query_one::<i64>(live).await,
        0,
        "a claim that nobody gave up"
    );
}

#[tokio::test]
async fn a_mixed_fleet_runs_each_slot_once_with_the_guard_and_some_twice_without_it() {
    let _alone = HARBOUR.lock().await;
    let (fleet, tally) = sail(Kind::Reenacted, true, rounds(12, 200))
        .await
        .expect("needs nothing");
    is_sound(&fleet, &tally).await;
    let (_, tally) = sail(Kind::Reenacted, false, rounds(8, 200))
        .await
        .expect("needs nothing");
    assert!(tally.doubled > 0, "it is not the guard that helps: {tally}");
}

#[tokio::test]
async fn a_fleet_with_the_real_crontabber_runs_each_slot_once_with_the_guard_and_some_twice_without_it()
 {
    let _alone = HARBOUR.lock().await;
    let Some((fleet, tally)) = sail(Kind::Real, true, rounds(12, 200)).await else {
        println!("no Python 2 with crontabber 0.18.1 here: its hosts were re-enacted only");
        return;
    };
    is_sound(&fleet, &tally).await;
    let (_, tally) = sail(Kind::Real, false, rounds(8, 200))
        .await
        .expect("it was there a moment ago");
    assert!(tally.doubled > 0, "it is not the guard that helps: {tally}");
}
