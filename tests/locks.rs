//! Somebody's open transaction on one row: that job waits, and no other.

mod common;

use std::time::Duration;

use common::{
    Postgres, Site,
    locked::{Pass, lock, past_the_lease_of_another},
    until,
};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_locked_row_keeps_its_own_job_waiting_and_all_others_run_in_the_same_pass() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        ["a", "b", "c"]
            .map(|name| site.job(name, "every = \"1h\"", "true"))
            .concat()
    });
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
    database
        .execute("UPDATE crontabber SET next_run = clock_timestamp()")
        .await;
    let session = lock(&database, "b").await;

    let pass = site.on("alpha", &["tick", "-v"]).run().await;
    assert_eq!(pass.code, Some(0), "{}", pass.stderr);
    assert!(
        pass.stderr
            .contains("contended: another process holds the row, left to it job=b"),
        "{}",
        pass.stderr
    );
    let ran = || {
        let mut jobs: Vec<_> = site
            .ledger()
            .starts()
            .into_iter()
            .map(|start| start.job)
            .collect();
        jobs.sort_unstable();
        jobs
    };
    assert_eq!(ran(), ["a", "c"]);

    // Nothing but the locked one is due now.
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(2));
    session.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
    assert_eq!(ran(), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_run_whose_row_is_locked_for_a_while_misses_renewals_and_ends_well() {
    let pass = Pass::new("9s", "").await;
    let session = lock(&pass.database, "held").await;
    let before = pass.lease_until("held").await;
    pass.renewed("other", 2).await;
    assert!(
        (pass.lease_until("held").await - before).abs() < f64::EPSILON,
        "somebody renewed a locked row"
    );
    session.batch_execute("ROLLBACK").await.unwrap();
    pass.renewed("held", 1).await;
    pass.end("held");
    pass.end("other");
    let (database, finished) = (pass.database, pass.tick.finished().await);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(
        database
            .query_one::<i64>("SELECT count(*) FROM crontabber_log WHERE outcome = 'success'")
            .await,
        2
    );
}

#[tokio::test]
async fn a_run_that_ends_while_its_row_is_locked_is_recorded_when_the_lock_is_gone() {
    let pass = Pass::new("30s", "").await;
    let session = lock(&pass.database, "held").await;
    pass.end("held");
    pass.end("other");
    until(SOON, "the record has given up a first try", async || {
        pass.tick.stderr().contains("cannot record the run")
    })
    .await;
    assert_eq!(pass.outcomes("held").await, ["running"]);
    assert_eq!(pass.outcomes("other").await, ["success"]);
    session.batch_execute("ROLLBACK").await.unwrap();
    let (database, finished) = (pass.database, pass.tick.finished().await);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(
        database
            .query_one::<i64>("SELECT count(*) FROM crontabber_log WHERE outcome = 'success'")
            .await,
        2
    );
}

#[tokio::test]
async fn a_lock_that_outlasts_a_lease_costs_that_run_and_no_other() {
    let (pass, session, other) = past_the_lease_of_another("").await;
    assert_eq!(other, ["success"]);
    session.batch_execute("ROLLBACK").await.unwrap();
    pass.end("held");
    until(SOON, "the run of `held` is recorded", async || {
        pass.outcomes("held").await == ["lost"]
    })
    .await;
    let again = pass.again().await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(pass.outcomes("held").await, ["lost", "success"]);
    let finished = pass.tick.finished().await;
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
}
