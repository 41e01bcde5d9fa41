//! Pausing and resuming, by the clock of the test.

use crontabber::{
    claim::{self, Claim, Claimed},
    control::Happened,
    exit::Exit,
    plan::{State, Verdict},
    record::record,
    run::run,
    spec::{JobSpec, OnLost, Start},
    store::table::never,
};
use jiff::SignedDuration;

use super::{
    common::{
        Database, Postgres,
        host::{Host, after, crontab, dies_running, job, log, minutes, next_run, noon},
    },
    operator::{Operator, audit, only, row},
};

#[tokio::test]
async fn a_paused_job_runs_on_no_host_and_python_s_look_at_a_date_that_never_comes() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "true"), job("b", "true")]);
    alpha.at(noon()).tick().await;
    let paused = Operator::at(&alpha, noon() + minutes(10))
        .pause(&["a"], never())
        .await;
    assert_eq!(only(paused), Happened::Done);
    assert_eq!(row(&database, "a").await, "60 never paused 0");
    let later = alpha.at(noon() + minutes(61));
    assert_eq!(later.tick().await.well, 1);
    // Two jobs of one layer end in any order.
    let mut ran = log(&database).await;
    ran.sort_unstable();
    assert_eq!(ran, ["a 0 1 success", "b 0 1 success", "b 60 1 success"]);
    let reason = later.planned(|plan| {
        let job = plan.get("a").expect("a job");
        (job.state(plan.now), job.reason())
    });
    let expected = "paused by anna@alpha: disk swap".to_owned();
    assert_eq!(reason.await, (State::Paused, expected));
    assert_eq!(audit(&database).await, ["anna@alpha pause a disk swap"]);

    // Python starts what its own clock calls due: it reads next_run, and a forced start is refused by the guard.
    let due = "SELECT count(*) FROM crontabber WHERE next_run < now() + interval '100 years' AND app_name = 'a'";
    assert_eq!(database.query_one::<i64>(due).await, 0);
    let start = "UPDATE crontabber SET ongoing = now(), next_run = next_run, first_run = first_run, last_run = last_run,
                        last_success = last_success, error_count = error_count, depends_on = depends_on,
                        last_error = last_error WHERE app_name = 'a'";
    let refused = database.connect().await.batch_execute(start).await;
    let refused = refused.expect_err("a paused job is not started");
    let refused = refused
        .as_db_error()
        .expect("the guard's")
        .message()
        .to_owned();
    assert!(refused.contains("is paused until"), "{refused}");
}

#[tokio::test]
async fn a_pause_with_an_end_ends_by_itself_and_what_was_due_meanwhile_runs_once() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "true")]);
    alpha.at(noon()).tick().await;
    let until = noon() + minutes(200);
    Operator::at(&alpha, noon() + minutes(10))
        .pause(&["a"], until)
        .await;
    assert_eq!(row(&database, "a").await, "60 200 paused 0");
    assert_eq!(alpha.at(noon() + minutes(199)).tick().await.well, 0);
    assert_eq!(alpha.at(until).tick().await.well, 1);
    assert_eq!(
        log(&database).await,
        [
            "a 0 1 success",
            "a 60 0 skipped paused x2",
            "a 180 1 success"
        ]
    );
    // An end that has come is no pause any more.
    let resumed = Operator::at(&alpha, until).resume(&["a"]).await;
    assert_eq!(only(resumed), Happened::NotPaused);
    assert_eq!(audit(&database).await.len(), 1);
}

#[tokio::test]
async fn a_pause_that_ends_before_the_slot_leaves_its_start_where_it_is() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "true")]);
    alpha.at(noon()).tick().await;
    let person = Operator::at(&alpha, noon() + minutes(10));
    person.pause(&["a"], noon() + minutes(30)).await;
    // Or Python's hosts, which look at nothing else, would start it half an hour early.
    assert_eq!(row(&database, "a").await, "60 60 paused 0");
    // The same when an endless pause, which has taken its start away, gets such an end.
    person.pause(&["a"], never()).await;
    assert_eq!(row(&database, "a").await, "60 never paused 0");
    let changed = person.pause(&["a"], noon() + minutes(30)).await;
    assert_eq!(row(&database, "a").await, "60 60 paused 0");
    let before = changed[0].before.as_ref().expect("it has a row");
    assert_eq!(before.paused_until, Some(never()));
    assert_eq!(audit(&database).await.len(), 3);
}

#[tokio::test]
async fn a_job_that_is_resumed_after_slots_have_passed_runs_once_for_the_latest() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "true")]);
    alpha.at(noon()).tick().await;
    Operator::at(&alpha, noon() + minutes(10))
        .pause(&["a"], never())
        .await;
    let later = noon() + minutes(250);
    let resumed = Operator::at(&alpha, later).resume(&["a"]).await;
    assert_eq!(only(resumed), Happened::Done);
    assert_eq!(row(&database, "a").await, "60 60 free 0");
    assert_eq!(alpha.at(later).tick().await.well, 1);
    assert_eq!(alpha.at(later).tick().await.well, 0);
    assert_eq!(
        log(&database).await,
        [
            "a 0 1 success",
            "a 60 0 skipped paused x3",
            "a 240 1 success"
        ]
    );
    assert_eq!(
        audit(&database).await,
        [
            "anna@alpha pause a disk swap",
            "anna@alpha resume a disk swap"
        ]
    );
    let before: String = database
        .query_one(
            "SELECT detail -> 'before' ->> 'slot' FROM crontabber_audit WHERE what = 'resume'",
        )
        .await;
    assert_eq!(before, "2031-05-05T13:00:00+00:00");
}

#[tokio::test]
async fn a_resumed_job_keeps_the_jitter_of_its_start() {
    let database = Postgres::database().await;
    let mut spec = JobSpec {
        timetable: Some(crontab("0 * * * *")),
        start: Start::Next,
        ..job("a", "true")
    };
    let when = spec.timetable.as_mut().expect("just given");
    when.jitter = std::time::Duration::from_mins(50);
    let alpha = Host::new("alpha", &database, &[spec]);
    let person = Operator::at(&alpha, noon() + minutes(1));
    alpha.at(noon() + minutes(1)).tick().await;
    let start = next_run(&database, "a").await;
    assert!((61..110).contains(&start), "{start}");
    person.pause(&["a"], never()).await;
    person.resume(&["a"]).await;
    assert_eq!(next_run(&database, "a").await, start);
}

#[tokio::test]
async fn a_retry_that_waited_is_due_at_once_when_it_is_resumed() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "exit 1")]);
    alpha.at(noon()).tick().await;
    let person = Operator::at(&alpha, noon() + minutes(1));
    person.pause(&["a"], never()).await;
    assert_eq!(row(&database, "a").await, "0 never paused 1");
    person.resume(&["a"]).await;
    assert_eq!(row(&database, "a").await, "0 0 free 1");
    // A pause that is shorter than the delay does not shorten it.
    assert_eq!(alpha.at(noon() + minutes(1)).tick().await.failed, 1);
    let start = next_run(&database, "a").await;
    person.pause(&["a"], noon() + minutes(2)).await;
    person.resume(&["a"]).await;
    assert_eq!(next_run(&database, "a").await, start);
}

#[tokio::test]
async fn a_job_without_schedule_waits_for_its_parents_again_unless_its_slot_has_failed() {
    for (shell, runs) in [("true", 0), ("exit 1", 1)] {
        let database = Postgres::database().await;
        let mut child = after(job("child", shell), &["parent"]);
        child.timetable = None;
        let alpha = Host::new("alpha", &database, &[job("parent", "true"), child]);
        alpha.at(noon()).tick().await;
        assert_eq!(log(&database).await.len(), 2);
        let person = Operator::at(&alpha, noon() + minutes(1));
        person.pause(&["child"], never()).await;
        assert_eq!(alpha.at(noon() + minutes(20)).tick().await.exit(), Exit::Ok);
        let person = Operator::at(&alpha, noon() + minutes(21));
        person.resume(&["child"]).await;
        let pass = alpha.at(noon() + minutes(21)).tick().await;
        assert_eq!(pass.well + pass.failed, runs, "{shell}");
    }
}

#[tokio::test]
async fn a_held_job_is_resumed_like_a_paused_one() {
    let database = Postgres::database().await;
    let spec = JobSpec {
        on_lost: OnLost::Hold,
        ..job("a", "true")
    };
    let alpha = Host::new("alpha", &database, &[spec]);
    dies_running(&alpha.at(noon())).await;
    let later = noon() + minutes(1);
    assert_eq!(alpha.at(later).tick().await.well, 0);
    assert_eq!(row(&database, "a").await, "0 never paused 1");
    let changes = Operator::at(&alpha, later).resume(&["a"]).await;
    let before = changes[0].before.as_ref().expect("it has a row");
    assert_eq!(before.paused_by.as_deref(), Some("on_lost"));
    assert_eq!(alpha.at(later).tick().await.well, 1);
    assert_eq!(log(&database).await, ["a 0 1 lost", "a 0 2 success"]);
}

#[tokio::test]
async fn a_row_of_python_s_keeps_its_next_run_through_a_pause() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[]);
    alpha.at(noon()).tick().await;
    database
        .execute("INSERT INTO crontabber (app_name, next_run) VALUES ('old', '2031-05-05T13:00Z')")
        .await;
    let person = Operator::at(&alpha, noon());
    person.pause(&["old"], never()).await;
    assert_eq!(row(&database, "old").await, "60 never paused 0");
    // A run that a Python host had started before ends: its record keeps the pause, and its next slot waits.
    database
        .execute("UPDATE crontabber SET revision = revision + 1, ongoing = '2031-05-05T12:00Z' WHERE app_name = 'old';
                  UPDATE crontabber SET next_run = '2031-05-05T14:00Z', last_run = '2031-05-05T12:00Z', ongoing = NULL WHERE app_name = 'old'")
        .await;
    assert_eq!(row(&database, "old").await, "120 never paused 0");
    person.resume(&["old"]).await;
    assert_eq!(row(&database, "old").await, "120 120 free 0");
}

#[tokio::test]
async fn a_run_that_python_records_during_a_pause_is_followed_by_its_next_slot() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "true")]);
    alpha.at(noon()).tick().await;
    let person = Operator::at(&alpha, noon() + minutes(1));
    person.pause(&["a"], never()).await;
    database
        .execute(
            "UPDATE crontabber SET revision = revision + 1, ongoing = '2031-05-05T12:05Z';
             UPDATE crontabber SET next_run = '2031-05-05T13:05Z', last_run = '2031-05-05T12:05Z', ongoing = NULL",
        )
        .await;
    let person = Operator::at(&alpha, noon() + minutes(6));
    person.resume(&["a"]).await;
    assert_eq!(row(&database, "a").await, "65 65 free 0");
}

/// A claim of this host's for a job that is due.
async fn claimed(host: &Host, name: &str) -> Claim {
    let engine = host.engine();
    let due = host
        .planned(|plan| match &plan.get(name).expect("a job").verdict {
            Verdict::Run(due) => due.clone(),
            other => panic!("not due but {other:?}"),
        })
        .await;
    let mut jobs = engine.graph.jobs().iter();
    let spec = jobs.find(|spec| spec.name.as_str() == name);
    let spec = spec.expect("a job");
    match claim::claim(&engine.database, &engine.host.place, spec, &due, engine.now).await {
        Ok(Claimed::Ours(claim)) => *claim,
        other => panic!("not claimed but {other:?}"),
    }
}

/// A job paused for a quarter of an hour while it is running at noon; then the run ends and is recorded.
async fn paused_while_it_runs(host: &Host, name: &str) {
    let host = host.at(noon());
    let engine = host.engine();
    let claim = claimed(&host, name).await;
    let person = Operator::at(&host, noon());
    person.pause(&[name], noon() + minutes(15)).await;
    let finished = run(claim, &engine.means()).await;
    record(finished, engine.recorder())
        .await
        .expect("the database is there");
}

/// A job without schedule, and its parent, which has succeeded at noon.
async fn parent_and_child(database: &Database, shell: &str) -> Host {
    let parent = Host::new("alpha", database, &[job("parent", "true")]);
    assert_eq!(parent.at(noon()).tick().await.well, 1);
    let mut child = after(job("child", shell), &["parent"]);
    child.timetable = None;
    let both = parent.with_jobs(&[job("parent", "true"), child]);
    // A child that nobody knew has nothing to do before its parent succeeds again.
    database
        .execute("UPDATE crontabber SET success_slot = slot - interval '2 hours', revision = revision + 1")
        .await;
    both.at(noon()).table().await;
    database
        .execute("UPDATE crontabber SET success_slot = slot - interval '1 hour', revision = revision + 1 WHERE app_name = 'parent'")
        .await;
    both
}

#[tokio::test]
async fn a_run_that_succeeds_in_a_pause_with_an_end_is_not_run_again_when_it_ends() {
    let database = Postgres::database().await;
    let alpha = parent_and_child(&database, "true").await;
    paused_while_it_runs(&alpha, "child").await;
    assert_eq!(alpha.at(noon() + minutes(16)).tick().await.well, 0);
    assert_eq!(
        log(&database).await,
        ["parent 0 1 success", "child 0 1 success"]
    );
}

#[tokio::test]
async fn a_run_that_ends_in_a_pause_leaves_its_next_slot_s_start_where_it_is() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "true")]);
    paused_while_it_runs(&alpha, "a").await;
    // Or Python's hosts, which look at nothing else, would start it at the end of the pause.
    assert_eq!(row(&database, "a").await, "60 60 paused 0");
}

#[tokio::test]
async fn a_run_that_fails_in_a_pause_is_tried_again_when_it_ends_and_not_before_its_delay() {
    for (factor, start) in [(1, 15), (4, 20)] {
        let database = Postgres::database().await;
        let mut child = job("a", "exit 1");
        child.retry.first *= factor;
        let alpha = Host::new("alpha", &database, &[child]);
        paused_while_it_runs(&alpha, "a").await;
        let expected = format!("0 {start} paused 1");
        assert_eq!(row(&database, "a").await, expected);
    }
}

#[tokio::test]
async fn a_run_that_is_lost_in_a_pause_with_an_end_is_tried_again_when_it_ends() {
    let database = Postgres::database().await;
    let alpha = parent_and_child(&database, "true").await;
    drop(claimed(&alpha.at(noon()), "child").await);
    let person = Operator::at(&alpha, noon());
    person.pause(&["child"], noon() + minutes(15)).await;
    assert_eq!(alpha.at(noon() + minutes(5)).tick().await.well, 0);
    assert_eq!(alpha.at(noon() + minutes(16)).tick().await.well, 1);
    assert_eq!(
        log(&database).await,
        ["parent 0 1 success", "child 0 1 lost", "child 0 2 success"]
    );
}

#[tokio::test]
async fn several_jobs_are_paused_together_and_a_missing_row_is_told() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("b", "true"), job("a", "true")]);
    alpha.at(noon()).tick().await;
    let person = Operator::at(&alpha, noon() + SignedDuration::from_secs(1));
    let changes = person.pause(&["b", "nobody", "a"], never()).await;
    let told: Vec<_> = changes
        .iter()
        .map(|change| (change.name.as_str(), change.happened.clone()))
        .collect();
    assert_eq!(
        told,
        [
            ("a", Happened::Done),
            ("b", Happened::Done),
            ("nobody", Happened::NoRow)
        ]
    );
    assert_eq!(audit(&database).await.len(), 2);
}
