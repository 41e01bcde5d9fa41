//! Marking slots as succeeded, by the clock of the test.

use crontabber::{
    control::{Decision, Happened},
    spec::{JobSpec, Start},
    store::table::never,
};

use super::{
    common::{
        Postgres,
        host::{Host, after, crontab, dies_running, job, log, minutes, noon},
    },
    operator::{Operator, audit, only, row},
};

#[tokio::test]
async fn a_slot_that_failed_counts_as_succeeded_and_its_child_runs() {
    let database = Postgres::database().await;
    let jobs = [
        job("parent", "exit 1"),
        after(job("child", "true"), &["parent"]),
    ];
    let alpha = Host::new("alpha", &database, &jobs);
    alpha.at(noon()).tick().await;
    let later = noon() + minutes(1);
    let changes = Operator::at(&alpha, later).mark(&["parent"], None).await;
    assert_eq!(changes[0].slot, Some(noon()));
    assert_eq!(only(changes), Happened::Done);
    assert_eq!(row(&database, "parent").await, "60 60 free 0");
    assert_eq!(alpha.at(later).tick().await.well, 1);
    assert_eq!(
        log(&database).await,
        [
            "parent 0 1 failure",
            "parent 0 2 success",
            "child 0 1 success"
        ]
    );
    let marked = database
        .rows("SELECT trigger, reason, host, success IS NOT NULL FROM crontabber_log WHERE attempt = 2")
        .await;
    let why = "marked by anna@alpha: disk swap";
    assert_eq!(marked, [["manual", why, "alpha", "t"]]);
    assert_eq!(audit(&database).await, ["anna@alpha mark parent disk swap"]);
}

#[tokio::test]
async fn the_newest_slot_is_marked_and_speaks_for_those_before_it() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "true")]);
    alpha.at(noon()).tick().await;
    let later = noon() + minutes(250);
    let person = Operator::at(&alpha, later);
    person.mark(&["a"], None).await;
    assert_eq!(row(&database, "a").await, "300 300 free 0");
    assert_eq!(
        log(&database).await,
        [
            "a 0 1 success",
            "a 60 0 skipped coalesced x3",
            "a 240 1 success"
        ]
    );
    // Again, there is nothing to do.
    let newest = noon() + minutes(240);
    assert_eq!(person.decided("a", None).await, Decision::Succeeded(newest));
    assert_eq!(alpha.at(later).tick().await.well, 0);
    assert_eq!(audit(&database).await.len(), 1);
}

#[tokio::test]
async fn a_named_slot_of_the_past_leaves_the_schedule_and_the_failures_alone() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "exit 1")]);
    alpha.at(noon()).tick().await;
    alpha.at(noon() + minutes(60)).tick().await;
    assert_eq!(row(&database, "a").await, "60 70 free 2");
    let person = Operator::at(&alpha, noon() + minutes(61));
    person.mark(&["a"], Some(noon())).await;
    assert_eq!(row(&database, "a").await, "60 70 free 2");
    assert_eq!(
        log(&database).await,
        ["a 0 1 failure", "a 0 2 success", "a 60 1 failure"]
    );
    person.mark(&["a"], Some(noon() + minutes(60))).await;
    assert_eq!(row(&database, "a").await, "120 120 free 0");
}

#[tokio::test]
async fn a_slot_that_is_none_or_lies_ahead_is_not_marked() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "true")]);
    alpha.at(noon()).tick().await;
    let person = Operator::at(&alpha, noon() + minutes(90));
    let odd = person.decided("a", Some(noon() + minutes(61))).await;
    let around = Decision::NotASlot {
        before: Some(noon() + minutes(60)),
        after: Some(noon() + minutes(120)),
    };
    assert_eq!(odd, around);
    let ahead = person.decided("a", Some(noon() + minutes(120))).await;
    assert_eq!(ahead, Decision::Ahead);
}

#[tokio::test]
async fn on_a_first_deploy_nothing_old_fires() {
    let database = Postgres::database().await;
    let daily = JobSpec {
        timetable: Some(crontab("30 3 * * *")),
        start: Start::Next,
        ..job("daily", "true")
    };
    let mut index = after(job("index", "true"), &["daily", "now"]);
    index.timetable = None;
    let mut by_hand = job("by_hand", "true");
    by_hand.timetable = None;
    let mut report = after(job("report", "true"), &["by_hand"]);
    report.timetable = None;
    let jobs = [
        daily,
        job("now", "true"),
        index,
        by_hand,
        report,
        after(job("hourly", "true"), &["daily"]),
    ];
    let alpha = Host::new("alpha", &database, &jobs);
    let person = Operator::at(&alpha, noon());
    let all = ["daily", "now", "index", "by_hand", "report", "hourly"];
    let changes = person.mark(&all, None).await;
    assert!(
        changes
            .iter()
            .all(|change| change.happened == Happened::Done),
        "{changes:?}"
    );
    assert_eq!(changes.len(), 6);
    assert_eq!(alpha.at(noon()).tick().await.well, 0);
    // An hour later what is due then runs; the hourly child does not wait for the daily parent's next night.
    assert_eq!(alpha.at(noon() + minutes(60)).tick().await.well, 2);
    let next = noon() + minutes(15 * 60 + 30);
    assert_eq!(alpha.at(next).tick().await.well, 4);
}

#[tokio::test]
async fn a_child_without_schedule_counts_what_its_parents_did_as_handled() {
    let database = Postgres::database().await;
    let mut child = after(job("child", "exit 1"), &["parent"]);
    child.timetable = None;
    let alpha = Host::new("alpha", &database, &[job("parent", "true"), child]);
    alpha.at(noon()).tick().await;
    let person = Operator::at(&alpha, noon() + minutes(1));
    person.mark(&["child"], None).await;
    assert_eq!(row(&database, "child").await, "0 never free 0");
    assert_eq!(
        person.decided("child", None).await,
        Decision::Succeeded(noon())
    );
    assert_eq!(alpha.at(noon() + minutes(6)).tick().await.failed, 0);
    assert_eq!(alpha.at(noon() + minutes(60)).tick().await.failed, 1);
}

#[tokio::test]
async fn a_pause_outlasts_a_mark_and_a_run_keeps_it_off() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "exit 1"), job("b", "true")]);
    dies_running(&alpha.at(noon())).await;
    let person = Operator::at(&alpha, noon());
    let changes = person.mark(&["a"], None).await;
    assert_eq!(only(changes), Happened::Ongoing);
    assert_eq!(audit(&database).await.len(), 0);
    person.pause(&["b"], never()).await;
    person.mark(&["b"], None).await;
    assert_eq!(row(&database, "b").await, "60 never paused 0");
}
