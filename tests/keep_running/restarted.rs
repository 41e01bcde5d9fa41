//! When it is started again, and what is counted.

use std::time::Duration;

use crontabber::{
    exit::Exit,
    spec::{JobSpec, Retry},
};

use crate::{
    common::{
        Database,
        host::{Host, log, minutes, next_run, noon},
        tables, until,
    },
    errors, kept,
};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_new_one_is_started_at_once_and_again_after_the_first_delay_when_it_ends() {
    let database = tables().await;
    let alpha = Host::new("alpha", &database, &[kept("true")]).staying();
    assert_eq!(alpha.at(noon()).tick().await.well, 1);
    assert_eq!(next_run(&database, "relay").await, 1);
    // Not before its time.
    assert_eq!(alpha.at(noon()).tick().await.well, 0);
    assert_eq!(alpha.at(noon() + minutes(2)).tick().await.well, 1);
    assert_eq!(
        log(&database).await,
        ["relay 0 1 success", "relay 1 1 success"]
    );
}

#[tokio::test]
async fn each_failure_waits_longer_than_the_one_before_and_a_success_forgets_them() {
    let database = tables().await;
    let alpha = Host::new("alpha", &database, &[kept("echo no database; exit 1")]).staying();
    let mut now = noon();
    for (count, delay) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (6, 10)] {
        let before = i32::try_from(now.duration_since(noon()).as_mins()).expect("an hour");
        alpha.at(now).tick().await;
        let wait = next_run(&database, "relay").await - before;
        assert_eq!((errors(&database).await.0, wait), (count, delay));
        // Runs take a moment of the real clock, and the next start is counted from their end.
        now += minutes(i64::from(delay) + 1);
    }
    let (_, last) = errors(&database).await;
    assert!(last.starts_with("failure exit 1: no database "), "{last}");
    alpha
        .with_jobs(&[kept("true")])
        .at(now + minutes(60))
        .tick()
        .await;
    assert_eq!(errors(&database).await, (0, String::new()));
}

/// One that has failed four times, and now stays up for a while; with this longest delay. Once it runs, `meanwhile`
/// happens; its errors in the end.
async fn stays_up(longest: Duration, meanwhile: impl AsyncFnOnce(&Database)) -> i32 {
    let database = tables().await;
    let retry = Retry {
        max: longest,
        first: Duration::from_millis(300),
        ..kept("").retry
    };
    let spec = JobSpec {
        retry,
        ..kept("sleep 3; exit 1")
    };
    let alpha = Host::new("alpha", &database, &[spec]).staying();
    alpha.table().await;
    database
        .execute(
            "UPDATE crontabber SET revision = revision + 1, error_count = 4,
                    last_error = '{\"type\": \"failure\", \"value\": \"exit 1\", \"traceback\": \"\"}'",
        )
        .await;
    let look = async {
        until(SOON, "it runs", async || {
            database
                .query_one("SELECT ongoing IS NOT NULL FROM crontabber")
                .await
        })
        .await;
        meanwhile(&database).await;
    };
    tokio::join!(alpha.tick(), look);
    errors(&database).await.0
}

#[tokio::test]
async fn one_that_has_been_up_for_the_longest_delay_has_no_errors_any_more_and_fails_for_the_first_time()
 {
    let errors = stays_up(Duration::from_millis(600), async |database| {
        until(SOON, "its errors are taken back while it runs", async || {
            let healthy = "SELECT error_count = 0 AND last_error::text = '{}' AND run_id IS NOT NULL FROM crontabber";
            database.query_one(healthy).await
        })
        .await;
    });
    assert_eq!(errors.await, 1);
}

#[tokio::test]
async fn one_that_has_not_been_up_for_so_long_keeps_them() {
    let errors = stays_up(Duration::from_mins(10), async |_| ());
    assert_eq!(errors.await, 5);
}

#[tokio::test]
async fn two_hosts_that_stay_run_one_instance() {
    let database = tables().await;
    let service = [kept("sleep 1")];
    let alpha = Host::new("alpha", &database, &service).staying();
    let beta = Host::new("beta", &database, &service).staying();
    alpha.table().await;
    let (one, other) = tokio::join!(alpha.tick(), beta.tick());
    assert_eq!(one.well + other.well, 1, "{one:?} {other:?}");
    assert_eq!(log(&database).await.len(), 1);
}

#[tokio::test]
async fn its_host_and_others_see_nothing_due_while_it_runs() {
    let database = tables().await;
    let service = [kept("sleep 2")];
    let alpha = Host::new("alpha", &database, &service).staying();
    let look = async {
        until(SOON, "it runs", async || {
            let ongoing = "SELECT count(*) FROM crontabber WHERE ongoing IS NOT NULL";
            database.query_one::<i64>(ongoing).await == 1
        })
        .await;
        for host in [alpha.clone(), Host::new("beta", &database, &service)] {
            let pass = host.tick().await;
            assert_eq!(pass.ongoing + pass.contended, 0, "{pass:?}");
            assert_eq!(pass.exit(), Exit::Ok);
        }
    };
    assert_eq!(tokio::join!(alpha.tick(), look).0.well, 1);
}
