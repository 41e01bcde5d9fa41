//! Somebody's open transaction on one row: that job waits, and no other. On the whole table: everybody waits, and not for
//! ever.

mod common;

use std::time::{Duration, Instant};

use common::{
    Database, Postgres, Site,
    locked::{Pass, lock, past_the_lease_of_another},
    until,
};
use tokio_postgres::Client;

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

/// What a migration of somebody's own, an `ALTER TABLE` in `psql` or a `VACUUM FULL` holds.
async fn lock_table(database: &Database) -> Client {
    let client = database.connect().await;
    let sql = "BEGIN; LOCK TABLE crontabber IN ACCESS EXCLUSIVE MODE";
    client.batch_execute(sql).await.expect("it comes free");
    client
}

#[tokio::test]
async fn passes_give_up_on_a_locked_table_after_seconds_and_work_again_afterwards() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| site.job("it", "every = \"1h\"", "true"));
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
    let session = lock_table(&database).await;
    let begun = Instant::now();
    let (alpha, beta) = tokio::join!(
        site.on("alpha", &["tick"]).run(),
        site.on("beta", &["run", "it", "--force"]).run(),
    );
    let took = begun.elapsed();
    for refused in [alpha, beta] {
        assert_eq!(refused.code, Some(69), "{refused:?}");
        assert!(
            refused.stderr.contains("took longer than 8s"),
            "{refused:?}"
        );
    }
    assert!(took < Duration::from_secs(20), "{took:?}");
    // Nobody is left in the queue for the lock, where all who come later would wait behind him.
    let queued =
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'crontabber'::regclass";
    until(SOON, "the queue is empty", async || {
        database.query_one::<i64>(queued).await == 0
    })
    .await;
    session.batch_execute("ROLLBACK").await.unwrap();
    let again = site.on("alpha", &["run", "it", "--force"]).run().await;
    assert_eq!(again.code, Some(0), "{again:?}");
}

#[tokio::test]
async fn a_run_that_ends_while_the_table_is_locked_is_recorded_when_the_lock_is_gone() {
    let pass = Pass::new("30s", "").await;
    let session = lock_table(&pass.database).await;
    pass.end("held");
    pass.end("other");
    until(SOON, "both records have given up a first try", async || {
        pass.tick.stderr().matches("cannot record the run").count() >= 2
    })
    .await;
    session.batch_execute("ROLLBACK").await.unwrap();
    let (database, finished) = (pass.database, pass.tick.finished().await);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let well = "SELECT count(*) FROM crontabber_log WHERE outcome = 'success'";
    assert_eq!(database.query_one::<i64>(well).await, 2);
}
