//! What becomes of it when its host goes, or its definition changes.

use std::time::Duration;

use crontabber::{
    spec::{JobSpec, OnLost},
    stop::Stopper,
    tick::tick,
};

use crate::{
    common::{
        host::{Host, crontab, dies_running, job, log, minutes, next_run, noon},
        tables, until,
    },
    errors, kept,
};

#[tokio::test]
async fn one_whose_host_died_runs_on_another_when_its_lease_is_over() {
    let database = tables().await;
    let beta = Host::new("beta", &database, &[kept("true")]).staying();
    dies_running(&beta.at(noon())).await;
    assert_eq!(beta.at(noon()).tick().await.well, 0);
    assert_eq!(beta.at(noon() + minutes(1)).tick().await.well, 1);
    assert_eq!(
        log(&database).await,
        ["relay 0 1 lost", "relay 0 2 success"]
    );
}

#[tokio::test]
async fn whatever_on_lost_says_of_its_slot_it_is_started_again() {
    let database = tables().await;
    let skips = JobSpec {
        on_lost: OnLost::Skip,
        ..kept("true")
    };
    let beta = Host::new("beta", &database, &[skips]).staying();
    dies_running(&beta.at(noon())).await;
    assert_eq!(beta.at(noon() + minutes(1)).tick().await.well, 1);
    assert_eq!(
        log(&database).await,
        ["relay 0 1 lost", "relay 0 1 success"]
    );
}

#[tokio::test]
async fn one_whose_host_is_told_to_stop_is_taken_over_at_once_and_that_is_no_error() {
    let database = tables().await;
    let mut service = kept("[ $CRONTABBER_ATTEMPT = 2 ] || exec sleep 60");
    service.lease = crontabber::spec::Lease::of(Duration::from_mins(2));
    let other = job("batch", "sleep 1");
    let engine = Host::new("alpha", &database, &[service.clone(), other])
        .staying()
        .engine();
    let mut stop = Stopper::listen().expect("signals can be listened for");
    let stopping = async {
        until(Duration::from_secs(30), "both run", async || {
            let running = "SELECT count(*) FROM crontabber_log WHERE outcome = 'running'";
            database.query_one::<i64>(running).await == 2
        })
        .await;
        engine.heart.stop_kept();
    };
    let (pass, ()) = tokio::join!(tick(&engine, &mut stop), stopping);
    // What ends by itself was left alone.
    assert_eq!((pass.well, pass.failed), (2, 0), "{pass:?}");
    assert_eq!(errors(&database).await.0, 0);
    let beta = Host::new("beta", &database, &[service]).staying();
    assert_eq!(beta.tick().await.well, 1);
    let runs = database
        .rows("SELECT attempt, host, outcome, coalesce(reason, '') FROM crontabber_log WHERE app_name = 'relay' ORDER BY id")
        .await;
    let expected = [
        ["1", "alpha", "lost", "killed: its host was told to stop"],
        ["2", "beta", "success", ""],
    ];
    assert_eq!(runs, expected);
}

#[tokio::test]
async fn a_job_that_becomes_one_is_started_at_once_and_one_that_gets_a_schedule_follows_it() {
    let database = tables().await;
    let by_hand = JobSpec {
        keep_running: false,
        ..kept("true")
    };
    let alpha = Host::new("alpha", &database, std::slice::from_ref(&by_hand)).staying();
    assert_eq!(alpha.at(noon()).tick().await.well, 0);
    // Another host than the one that knows the old definition, and without a clock in the row.
    let beta = Host::new("beta", &database, &[kept("true")]).staying();
    assert_eq!(beta.at(noon() + minutes(5)).tick().await.well, 1);
    assert_eq!(next_run(&database, "relay").await, 6);
    let hourly = JobSpec {
        timetable: Some(crontab("30 * * * *")),
        ..by_hand
    };
    let alpha = alpha.with_jobs(&[hourly]);
    alpha.at(noon() + minutes(7)).tick().await;
    alpha.at(noon() + minutes(31)).tick().await;
    assert_eq!(next_run(&database, "relay").await, 90);
}
