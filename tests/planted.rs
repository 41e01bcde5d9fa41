//! Bugs planted on purpose: the tests of the promise notice each of them. A test that cannot fail proves nothing.

mod common;

use std::time::Duration;

use common::{
    Crontabber, Gate, Postgres, Site,
    bank::{Bank, MOVE, TAKE_THE_CLAIM_AWAY},
    each,
    locked::past_the_lease_of_another,
    money::{Money, SOUND},
    race::{Race, Start, log_agrees, rounds, site},
    until,
};
use nix::sys::signal::Signal;
use tokio::sync::Mutex;

const SOON: Duration = Duration::from_secs(30);

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
    // The first of those that came late had the row to itself, and saw under the lock that its plan was old.
    assert!(tally.changed >= tally.rounds, "{tally}");
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
    // 1: the database itself refuses to overwrite a live claim. Of a run that is over it knows nothing.
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
    assert_eq!(tally.doubled.len(), tally.rounds, "{tally}");
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

#[tokio::test]
async fn a_host_that_is_killed_before_the_commit_of_its_sql_has_done_nothing() {
    let money = Money::new().await;
    let pass = money
        .host("alpha")
        .env("CRONTABBER_FAULT", "before-effects-commit=kill");
    until_one_is_killed(&money, pass).await;
    assert_eq!(money.audit().await, SOUND);
}

#[tokio::test]
async fn sql_whose_record_is_a_commit_of_its_own_moves_money_that_no_record_knows_and_the_audit_sees_it()
 {
    let money = Money::new().await;
    let bug = "sql-record-apart,before-effects-commit=kill";
    let pass = money.host("alpha").env("CRONTABBER_FAULT", bug);
    until_one_is_killed(&money, pass).await;
    // A move that no record knows: with the lost slot run again, or with a later one in its place.
    let audit = money.audit().await;
    assert!(audit.doubled + audit.unrecorded > 0, "{audit:?}");
}

/// The first slots are done; the next are due in a moment.
async fn until_one_is_killed(money: &Money, pass: Crontabber) {
    let due = "SELECT count(*) FROM crontabber WHERE next_run <= clock_timestamp()";
    until(SOON, "something is due", async || {
        money.database.query_one::<i64>(due).await > 0
    })
    .await;
    let pass = pass.run().await;
    assert_eq!(pass.signal, Some(9), "{pass:?}");
}

#[tokio::test]
async fn sql_whose_record_knows_no_fence_commits_although_its_claim_is_gone() {
    for (fault, moved) in [("", 0), ("record-without-fence", 1)] {
        let bank = Bank::new("", &format!("{MOVE} {TAKE_THE_CLAIM_AWAY}")).await;
        let pass = bank.on("alpha", &["tick"]).env("CRONTABBER_FAULT", fault);
        let pass = pass.run().await;
        assert_eq!(bank.balance("b").await, moved, "{fault}: {pass:?}");
    }
}

#[tokio::test]
async fn to_monitoring_a_bug_is_unknown_on_standard_output() {
    let finished = Site::new()
        .on("alpha", &["check"])
        .env("CRONTABBER_FAULT", "start=panic")
        .run()
        .await;
    assert_eq!(finished.code, Some(3), "{finished:?}");
    assert!(
        finished
            .stdout
            .starts_with("CRONTABBER UNKNOWN: this is a bug in crontabber"),
        "{}",
        finished.stdout
    );
}

/// How often a run that was asked for once happens, if a second host has found the request before the first claims it,
/// and claims when that run has ended.
async fn runs_of_one_request(fault: &str) -> usize {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| site.job("it", "every = \"1h\"", ""));
    for arguments in [&["tick"][..], &["trigger", "it"]] {
        let done = site.on("alpha", arguments).run().await;
        assert_eq!(done.code, Some(0), "{done:?}");
    }
    let late = site.on("beta", &["tick"]).env("CRONTABBER_FAULT", fault);
    let late = late.spawn();
    until(SOON, "the second host has found the request", async || {
        late.is_stopped()
    })
    .await;
    let pass = site.on("alpha", &["tick"]).run().await;
    assert_eq!(pass.code, Some(0), "{pass:?}");
    late.signal(Signal::SIGCONT);
    late.finished().await;
    site.ledger().starts().len()
}

#[tokio::test]
async fn a_run_that_was_asked_for_once_happens_once() {
    assert_eq!(runs_of_one_request("before-claim=stop").await, 1);
    let forgets = "before-claim=stop,claim-without-recheck";
    assert_eq!(runs_of_one_request(forgets).await, 2);
}

#[tokio::test]
async fn hosts_that_share_the_row_of_a_job_on_each_host_run_it_on_one_of_them() {
    let _track = TRACK.lock().await;
    let without_host = |command: Crontabber| command.env("CRONTABBER_FAULT", "row-without-host");
    let database = Postgres::database().await;
    let site = each::site(&database, without_host).await;
    let gate = Gate::new(&site.file(""));
    let starts = each::race(&site, &database, &gate, without_host).await;
    assert_ne!(starts, each::each_once());
    assert_eq!(
        starts.into_iter().collect::<Vec<_>>(),
        [("it".to_owned(), 1)]
    );
}
