//! Resetting, by the clock of the test.

use crontabber::{
    control::{Claims, Happened},
    spec::{JobSpec, OnLost},
    store::table::never,
};

use super::{
    common::{
        Postgres,
        host::{Host, after, dies_running, job, log, minutes, noon},
    },
    operator::{Operator, audit, only, row},
};

#[tokio::test]
async fn a_failing_job_is_as_new_but_for_its_fence_and_its_history() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "exit 1")]);
    alpha.at(noon()).tick().await;
    assert_eq!(alpha.at(noon() + minutes(6)).tick().await.failed, 1);
    let fence = "SELECT fence FROM crontabber";
    let before: i64 = database.query_one(fence).await;
    let person = Operator::at(&alpha, noon() + minutes(10));
    assert_eq!(
        only(person.reset(&["a"], Claims::Respected).await),
        Happened::Done
    );
    assert_eq!(row(&database, "a").await, "60 60 free 0");
    assert_eq!(database.query_one::<i64>(fence).await, before);
    let errors = "SELECT last_error::text FROM crontabber";
    assert_eq!(database.query_one::<String>(errors).await, "{}");
    // The slot that failed has its verdict, and gets no other.
    assert_eq!(log(&database).await, ["a 0 1 failure", "a 0 2 failure"]);
    assert_eq!(audit(&database).await, ["anna@alpha reset a disk swap"]);
    let errors = "SELECT (detail -> 'before' ->> 'error_count')::int FROM crontabber_audit";
    assert_eq!(database.query_one::<i32>(errors).await, 2);
}

#[tokio::test]
async fn slots_that_a_reset_passes_are_missed_in_the_log() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "exit 1"), job("b", "true")]);
    alpha.at(noon()).tick().await;
    // Four hours without a pass: a's slot of noon has failed before, b's of 13:00 has never been tried.
    let person = Operator::at(&alpha, noon() + minutes(250));
    person.reset(&["a", "b"], Claims::Respected).await;
    assert_eq!(row(&database, "a").await, "300 300 free 0");
    // The two runs of noon came in either order.
    assert_eq!(
        log(&database).await[2..],
        ["a 60 0 skipped missed x4", "b 60 0 skipped missed x4"]
    );
}

#[tokio::test]
async fn a_job_that_is_running_is_left_alone_and_its_run_is_named() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "true")]);
    dies_running(&alpha.at(noon())).await;
    let person = Operator::at(&alpha, noon());
    for claims in [Claims::Respected, Claims::TakenAway] {
        let changes = person.reset(&["a"], claims).await;
        let claim = changes[0]
            .before
            .as_ref()
            .and_then(|row| row.claim.as_ref());
        assert_eq!(claim.map(|claim| claim.host.as_str()), Some("dead"));
        assert_eq!(only(changes), Happened::Ongoing);
    }
    assert_eq!(log(&database).await, ["a 0 1 running"]);
    assert_eq!(audit(&database).await.len(), 0);
}

#[tokio::test]
async fn a_held_job_is_released_and_a_paused_one_stays_paused() {
    let database = Postgres::database().await;
    let held = JobSpec {
        on_lost: OnLost::Hold,
        ..job("a", "true")
    };
    let alpha = Host::new("alpha", &database, &[held, job("b", "true")]);
    dies_running(&alpha.at(noon())).await;
    let person = Operator::at(&alpha, noon() + minutes(1));
    alpha.at(noon() + minutes(1)).tick().await;
    person.pause(&["b"], never()).await;
    person.reset(&["a", "b"], Claims::Respected).await;
    assert_eq!(row(&database, "a").await, "60 60 free 0");
    assert_eq!(row(&database, "b").await, "60 never paused 0");
}

#[tokio::test]
async fn a_job_without_schedule_gives_up_its_retry_and_waits_for_its_parents() {
    let database = Postgres::database().await;
    let mut child = after(job("child", "exit 1"), &["parent"]);
    child.timetable = None;
    let alpha = Host::new("alpha", &database, &[job("parent", "true"), child]);
    alpha.at(noon()).tick().await;
    assert_eq!(row(&database, "child").await, "0 5 free 1");
    Operator::at(&alpha, noon() + minutes(1))
        .reset(&["child"], Claims::Respected)
        .await;
    assert_eq!(row(&database, "child").await, "0 never free 0");
    assert_eq!(alpha.at(noon() + minutes(6)).tick().await.failed, 0);
    assert_eq!(alpha.at(noon() + minutes(60)).tick().await.failed, 1);
}

#[tokio::test]
async fn a_python_host_s_claim_goes_only_when_that_is_asked_for_and_is_lost_in_the_log() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "true")]);
    alpha.at(noon()).tick().await;
    database
        .execute("UPDATE crontabber SET revision = revision + 1, ongoing = '2031-05-05T13:00Z'")
        .await;
    let person = Operator::at(&alpha, noon() + minutes(70));
    assert_eq!(
        only(person.reset(&["a"], Claims::Respected).await),
        Happened::Ongoing
    );
    assert_eq!(audit(&database).await.len(), 0);
    assert_eq!(
        only(person.reset(&["a"], Claims::TakenAway).await),
        Happened::Done
    );
    let lost = database
        .rows("SELECT started_at = '2031-05-05T13:00Z', host, reason, exc_type FROM crontabber_log WHERE outcome = 'lost'")
        .await;
    let why = "its claim was taken away by anna@alpha: disk swap";
    assert_eq!(lost, [["t", "python", why, "lost"]]);
    assert_eq!(row(&database, "a").await, "120 120 free 0");
    assert_eq!(alpha.at(noon() + minutes(120)).tick().await.well, 1);
}
