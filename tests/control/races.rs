//! Changes by hand at the same instant as something else.

use crontabber::{
    claim::{self, Claimed},
    control::{Claims, Happened},
    store::table::never,
};
use futures_util::join;
use uuid::Uuid;

use super::{
    common::{
        Postgres,
        host::{Host, dies_running, job, log, minutes, noon},
        locked,
    },
    operator::{Operator, audit, only},
};

#[tokio::test]
async fn a_reset_and_a_claim_at_the_same_instant_have_one_winner() {
    let database = Postgres::database().await;
    let names: Vec<String> = (0..24).map(|number| format!("j{number:02}")).collect();
    let jobs: Vec<_> = names.iter().map(|name| job(name, "true")).collect();
    let alpha = Host::new("alpha", &database, &jobs).at(noon());
    let engine = alpha.engine();
    let dues = alpha.dues().await;
    let person = Operator::at(&alpha, noon());
    let mut claims = 0;
    for (spec, due) in engine.graph.jobs().iter().zip(&dues) {
        let name = spec.name.as_str();
        let (claimed, changes) = join!(
            claim::claim(&engine.database, &engine.host.place, spec, due, engine.now),
            person.reset(std::slice::from_ref(&name), Claims::Respected),
        );
        let happened = only(changes);
        let claimed = claimed.expect("the database is there");
        match (&claimed, &happened) {
            (Claimed::Ours(_), Happened::Ongoing) => claims += 1,
            (Claimed::Changed | Claimed::Contended, Happened::Done) => {}
            both => panic!("{name}: {both:?}"),
        }
    }
    let running = "SELECT count(*) FROM crontabber WHERE run_id IS NOT NULL";
    assert_eq!(database.query_one::<i64>(running).await, claims);
    let resets = i64::try_from(audit(&database).await.len()).expect("a few");
    assert_eq!(claims + resets, 24);
}

#[tokio::test]
async fn a_cancel_hits_the_run_it_names_and_never_the_next() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "true")]);
    dies_running(&alpha.at(noon())).await;
    let live = "SELECT run_id FROM crontabber";
    let first: Uuid = database.query_one(live).await;
    // Its host is dead: it is reaped, and another run is going on when somebody cancels the one he had seen.
    let later = noon() + minutes(1);
    alpha.at(later).table().await;
    dies_running(&alpha.at(later)).await;
    let second: Uuid = database.query_one(live).await;
    assert_ne!(first, second);
    let person = Operator::at(&alpha, later);
    assert_eq!(person.cancel("a", first).await, Happened::Ended);
    let asked = "SELECT count(*) FROM crontabber WHERE cancel_run_id IS NOT NULL";
    assert_eq!(database.query_one::<i64>(asked).await, 0);
    assert_eq!(audit(&database).await.len(), 0);

    // Of a run whose host is gone, the reaper says what was asked for: it is final, the next slot runs.
    assert_eq!(person.cancel("a", second).await, Happened::Done);
    assert_eq!(person.cancel("a", second).await, Happened::AskedBefore);
    assert_eq!(audit(&database).await, ["anna@alpha cancel a disk swap"]);
    assert_eq!(alpha.at(noon() + minutes(3)).tick().await.well, 0);
    assert_eq!(alpha.at(noon() + minutes(60)).tick().await.well, 1);
    assert_eq!(
        log(&database).await,
        ["a 0 1 lost", "a 0 2 cancelled", "a 60 1 success"]
    );
}

#[tokio::test]
async fn a_job_that_holds_its_fence_can_be_cancelled_and_paused_all_the_same() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "true")]);
    dies_running(&alpha.at(noon())).await;
    let session = database.connect().await;
    session
        .batch_execute("BEGIN; SELECT crontabber_assert_fence('a', (SELECT fence FROM crontabber))")
        .await
        .expect("it holds the job");
    let run: Uuid = database.query_one("SELECT run_id FROM crontabber").await;
    let person = Operator::at(&alpha, noon());
    assert_eq!(person.cancel("a", run).await, Happened::Done);
    assert_eq!(only(person.pause(&["a"], never()).await), Happened::Done);
    session
        .batch_execute("COMMIT")
        .await
        .expect("it held it to the end");
}

#[tokio::test]
async fn two_people_who_mark_a_slot_at_once_mark_it_once() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "exit 1")]);
    alpha.at(noon()).tick().await;
    let person = Operator::at(&alpha, noon() + minutes(1));
    let (one, other) = join!(person.mark(&["a"], None), person.mark(&["a"], None));
    // Who comes later finds it changed, or has already read that there is nothing to do.
    let done = [one, other].concat();
    let done = done
        .iter()
        .filter(|change| change.happened == Happened::Done);
    assert_eq!(done.count(), 1);
    assert_eq!(log(&database).await, ["a 0 1 failure", "a 0 2 success"]);
    assert_eq!(audit(&database).await.len(), 1);
}

#[tokio::test]
async fn a_row_that_somebody_holds_is_waited_for_and_then_nothing_is_changed() {
    let database = Postgres::database().await;
    let site = super::common::Site::with(&database, |site| {
        site.job("a", "every = \"1h\"", "true") + &site.job("b", "every = \"1h\"", "true")
    });
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
    let _session = locked::lock(&database, "b").await;
    for arguments in [
        &["pause", "a", "b"][..],
        &["reset", "a", "b"],
        &["mark", "a", "b", "--success"],
    ] {
        let refused = site.on("alpha", arguments).run().await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(
            refused.stderr.contains("nothing was changed"),
            "{refused:?}"
        );
    }
    let paused = "SELECT count(*) FROM crontabber WHERE paused_until IS NOT NULL";
    assert_eq!(database.query_one::<i64>(paused).await, 0);
    assert_eq!(audit(&database).await.len(), 0);
}

#[tokio::test]
async fn a_change_that_the_audit_cannot_take_is_not_made() {
    let database = Postgres::database().await;
    let site = super::common::Site::with(&database, |site| site.job("a", "every = \"1h\"", "true"));
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
    database
        .execute("ALTER TABLE crontabber_audit ADD CONSTRAINT full_up CHECK (false)")
        .await;
    database
        .execute("INSERT INTO crontabber (app_name, next_run) VALUES ('old', now())")
        .await;
    let contents =
        "SELECT c.*, (SELECT count(*) FROM crontabber_log) FROM crontabber c ORDER BY app_name";
    let before = database.rows(contents).await;
    for arguments in [
        &["pause", "a"][..],
        &["reset", "a"],
        &["mark", "a", "--success"],
        &["ghosts", "--remove", "old", "--yes"],
    ] {
        let failed = site.on("alpha", arguments).run().await;
        assert_eq!(
            (failed.code, failed.stdout.as_str()),
            (Some(70), ""),
            "{failed:?}"
        );
        assert!(failed.stderr.contains("full_up"), "{failed:?}");
    }
    assert_eq!(database.rows(contents).await, before);
}
