//! One pass: what it runs, in which order, and what it leaves behind in the table.
//!
//! The database is real, its clock is the test's: every statement takes its time as a parameter.

mod common;

use std::time::Duration;

use common::{
    Postgres,
    host::{Host, after, crontab, dies_running, every, job, log, minutes, next_run, noon},
};
use crontabber::{
    exit::Exit,
    plan::Verdict,
    spec::{JobSpec, Lease, OnLost, Overlap, Retry, Start},
};
use jiff::SignedDuration;

#[tokio::test]
async fn a_job_that_is_due_runs_once_and_is_wanted_again_a_period_later() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("fetch", "true")]);
    assert_eq!(alpha.at(noon()).tick().await.exit(), Exit::Ok);
    assert_eq!(log(&database).await, ["fetch 0 1 success"]);
    assert_eq!(next_run(&database, "fetch").await, 60);
    assert_eq!(alpha.at(noon() + minutes(59)).tick().await.well, 0);
    assert_eq!(alpha.at(noon() + minutes(60)).tick().await.well, 1);
    assert_eq!(
        log(&database).await,
        ["fetch 0 1 success", "fetch 60 1 success"]
    );
}

#[tokio::test]
async fn eight_hosts_at_the_same_instant_run_a_slot_once() {
    let database = Postgres::database().await;
    let hosts: Vec<Host> = ["a", "b", "c", "d", "e", "f", "g", "h"]
        .map(|name| Host::new(name, &database, &[job("fetch", "true")]).at(noon()))
        .into();
    let passes = futures_util::future::join_all(hosts.iter().map(Host::tick)).await;
    assert_eq!(
        passes.iter().map(|pass| pass.well).sum::<usize>(),
        1,
        "{passes:?}"
    );
    assert_eq!(log(&database).await, ["fetch 0 1 success"]);
}

#[tokio::test]
async fn a_new_job_waits_for_its_next_slot_unless_it_says_now() {
    let database = Postgres::database().await;
    let next = JobSpec {
        start: Start::Next,
        ..job("fetch", "true")
    };
    let alpha = Host::new("alpha", &database, &[next]);
    assert_eq!(alpha.at(noon()).tick().await.well, 0);
    assert_eq!(next_run(&database, "fetch").await, 60);
}

#[tokio::test]
async fn children_run_in_the_same_pass_as_soon_as_all_their_parents_have_succeeded() {
    let database = Postgres::database().await;
    let jobs = [
        job("a", "true"),
        job("b", "true"),
        after(job("c", "true"), &["a", "b"]),
        after(
            JobSpec {
                timetable: None,
                ..job("d", "true")
            },
            &["c"],
        ),
    ];
    let alpha = Host::new("alpha", &database, &jobs).at(noon());
    assert_eq!(alpha.tick().await.well, 4);
    let order = database
        .rows("SELECT app_name FROM crontabber_log ORDER BY started_at, id")
        .await
        .concat();
    assert_eq!(order[2..], ["c", "d"]);
}

#[tokio::test]
async fn a_failing_parent_blocks_its_children_and_the_plan_says_so() {
    let database = Postgres::database().await;
    let jobs = [
        job("a", "echo upstream is down; exit 1"),
        after(job("b", "true"), &["a"]),
    ];
    let alpha = Host::new("alpha", &database, &jobs).at(noon());
    assert_eq!(alpha.tick().await.exit(), Exit::Failed);
    assert_eq!(log(&database).await, ["a 0 1 failure"]);
    let reason = alpha
        .planned(|plan| plan.get("b").expect("a job").reason())
        .await;
    assert_eq!(reason, "a is failing: exit 1: upstream is down");
}

#[tokio::test]
async fn a_third_failure_waits_longer_than_the_second() {
    let database = Postgres::database().await;
    let daily = JobSpec {
        timetable: Some(every(Duration::from_hours(24))),
        ..job("a", "exit 1")
    };
    let alpha = Host::new("alpha", &database, std::slice::from_ref(&daily));
    for (at, next) in [(0, 5), (6, 16), (17, 37)] {
        assert_eq!(alpha.at(noon() + minutes(at)).tick().await.failed, 1);
        assert_eq!(next_run(&database, "a").await, next);
    }
    assert_eq!(
        log(&database).await,
        ["a 0 1 failure", "a 0 2 failure", "a 0 3 failure"]
    );
    let mended = alpha.with_jobs(&[JobSpec {
        kind: job("a", "true").kind,
        ..daily
    }]);
    assert_eq!(mended.at(noon() + minutes(38)).tick().await.well, 1);
    assert_eq!(next_run(&database, "a").await, 24 * 60);
    let errors = database
        .rows("SELECT error_count, last_error::text FROM crontabber")
        .await;
    assert_eq!(errors, [["0", "{}"]]);
}

#[tokio::test]
async fn a_retry_never_outlasts_the_next_slot() {
    let database = Postgres::database().await;
    let retry = Retry {
        first: Duration::from_hours(2),
        factor: 1.0,
        max: Duration::from_hours(2),
        jitter: 0.0,
        attempts: 0,
    };
    let alpha = Host::new(
        "alpha",
        &database,
        &[JobSpec {
            retry,
            ..job("a", "exit 1")
        }],
    );
    alpha.at(noon()).tick().await;
    assert_eq!(next_run(&database, "a").await, 60);
    alpha.at(noon() + minutes(60)).tick().await;
    assert_eq!(log(&database).await, ["a 0 1 failure", "a 60 1 failure"]);
}

#[tokio::test]
async fn a_temporary_exit_code_is_tried_again_and_counts_as_no_error() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "exit 75")]);
    assert_eq!(alpha.at(noon()).tick().await.exit(), Exit::Ok);
    assert_eq!(next_run(&database, "a").await, 5);
    assert_eq!(
        database
            .query_one::<i32>("SELECT error_count FROM crontabber")
            .await,
        0
    );
}

#[tokio::test]
async fn a_fatal_exit_code_is_not_tried_again_before_the_next_slot() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "exit 78")]);
    assert_eq!(alpha.at(noon()).tick().await.exit(), Exit::Failed);
    assert_eq!(next_run(&database, "a").await, 60);
}

#[tokio::test]
async fn slots_missed_in_an_outage_are_one_row_and_the_latest_runs() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "true")]);
    alpha.at(noon()).tick().await;
    alpha.at(noon() + minutes(5 * 60 + 10)).tick().await;
    let expected = [
        "a 0 1 success",
        "a 60 0 skipped coalesced x4",
        "a 300 1 success",
    ];
    assert_eq!(log(&database).await, expected);
    assert_eq!(next_run(&database, "a").await, 360);
}

#[tokio::test]
async fn a_job_without_schedule_runs_once_for_each_success_of_its_parents() {
    let database = Postgres::database().await;
    let child = after(
        JobSpec {
            timetable: None,
            ..job("child", "true")
        },
        &["parent"],
    );
    let alpha = Host::new("alpha", &database, &[job("parent", "true"), child]);
    assert_eq!(alpha.at(noon()).tick().await.well, 2);
    assert_eq!(alpha.at(noon() + minutes(1)).tick().await.well, 0);
    assert_eq!(alpha.at(noon() + minutes(60)).tick().await.well, 2);
    let expected = [
        "parent 0 1 success",
        "child 0 1 success",
        "parent 60 1 success",
        "child 60 1 success",
    ];
    assert_eq!(log(&database).await, expected);
}

#[tokio::test]
async fn a_job_without_schedule_that_fails_is_tried_again_without_a_new_success_of_its_parents() {
    let database = Postgres::database().await;
    let child = after(
        JobSpec {
            timetable: None,
            ..job("child", "exit 1")
        },
        &["parent"],
    );
    let alpha = Host::new("alpha", &database, &[job("parent", "true"), child]);
    assert_eq!(alpha.at(noon()).tick().await.failed, 1);
    assert_eq!(next_run(&database, "child").await, 5);
    assert_eq!(alpha.at(noon() + minutes(6)).tick().await.failed, 1);
    let expected = [
        "parent 0 1 success",
        "child 0 1 failure",
        "child 0 2 failure",
    ];
    assert_eq!(log(&database).await, expected);
}

#[tokio::test]
async fn a_paused_job_is_left_alone() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "true")]);
    alpha.at(noon()).tick().await;
    database
        .execute("UPDATE crontabber SET revision = revision + 1, paused_until = '2031-05-06T12:00Z', paused_by = 'ann'")
        .await;
    let later = alpha.at(noon() + minutes(60));
    assert_eq!(later.tick().await.well, 0);
    assert_eq!(
        later
            .planned(|plan| plan.get("a").expect("a job").reason())
            .await,
        "paused by ann"
    );
    assert_eq!(alpha.at(noon() + minutes(24 * 60)).tick().await.well, 1);
}

#[tokio::test]
async fn a_job_for_other_hosts_is_left_to_them() {
    let database = Postgres::database().await;
    let mut picky = job("a", "true");
    picky.placement.hosts = vec!["web*".into()];
    let jobs = [picky];
    assert_eq!(
        Host::new("db1", &database, &jobs)
            .at(noon())
            .tick()
            .await
            .well,
        0
    );
    assert_eq!(
        Host::new("web1", &database, &jobs)
            .at(noon())
            .tick()
            .await
            .well,
        1
    );
}

#[tokio::test]
async fn a_row_made_due_by_hand_runs_in_the_next_pass() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "true")]);
    alpha.at(noon()).tick().await;
    database
        .execute("UPDATE crontabber SET next_run = '2031-05-05T12:01Z'")
        .await;
    assert_eq!(alpha.at(noon() + minutes(1)).tick().await.well, 1);
}

#[tokio::test]
async fn a_job_whose_host_died_is_left_alone_until_its_lease_is_over_and_runs_again() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "true")]);
    dies_running(&alpha.at(noon())).await;
    let early = alpha
        .at(noon() + SignedDuration::from_secs(12))
        .tick()
        .await;
    assert_eq!((early.exit(), early.well), (Exit::Ongoing, 0));
    let late = alpha
        .at(noon() + SignedDuration::from_secs(14))
        .tick()
        .await;
    assert_eq!(late.well, 1);
    assert_eq!(log(&database).await, ["a 0 1 lost", "a 0 2 success"]);
}

#[tokio::test]
async fn the_second_loss_in_a_row_backs_off() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "true")]);
    dies_running(&alpha.at(noon())).await;
    let second = noon() + minutes(1);
    alpha.at(second).table().await;
    dies_running(&alpha.at(second)).await;
    assert_eq!(alpha.at(second + minutes(1)).tick().await.well, 0);
    assert_eq!(log(&database).await, ["a 0 1 lost", "a 0 2 lost"]);
    assert!(next_run(&database, "a").await > 5);
}

#[tokio::test]
async fn a_lost_run_is_skipped_or_held_where_the_job_says_so() {
    for (on_lost, next) in [(OnLost::Skip, 60), (OnLost::Hold, i32::MAX)] {
        let database = Postgres::database().await;
        let spec = JobSpec {
            on_lost,
            ..job("a", "true")
        };
        let alpha = Host::new("alpha", &database, &[spec]);
        dies_running(&alpha.at(noon())).await;
        let later = alpha.at(noon() + minutes(1));
        assert_eq!(later.tick().await.well, 0);
        let verdict = later
            .planned(|plan| plan.get("a").expect("a job").verdict.clone())
            .await;
        if next == i32::MAX {
            assert_eq!(verdict, Verdict::Held);
        } else {
            assert_eq!(next_run(&database, "a").await, next);
        }
    }
}

#[tokio::test]
async fn a_host_whose_definition_changed_moves_the_slot_once_and_others_do_not_move_it_back() {
    let database = Postgres::database().await;
    let at_three = JobSpec {
        timetable: Some(crontab("0 15 * * *")),
        start: Start::Next,
        ..job("a", "true")
    };
    let at_six = JobSpec {
        timetable: Some(crontab("0 18 * * *")),
        ..at_three.clone()
    };
    let alpha = Host::new("alpha", &database, std::slice::from_ref(&at_three)).at(noon());
    let beta = Host::new("beta", &database, &[at_three]).at(noon());
    alpha.tick().await;
    beta.tick().await;
    assert_eq!(next_run(&database, "a").await, 180);
    alpha.with_jobs(std::slice::from_ref(&at_six)).tick().await;
    assert_eq!(next_run(&database, "a").await, 360);
    beta.tick().await;
    assert_eq!(next_run(&database, "a").await, 360);
}

#[tokio::test]
async fn rows_that_no_configuration_knows_are_ghosts_and_are_not_touched() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "true")]).at(noon());
    alpha.tick().await;
    let heir = alpha.with_jobs(&[job("b", "true")]);
    heir.tick().await;
    let ghosts = heir
        .planned(|plan| {
            plan.ghosts
                .iter()
                .map(|(name, _)| (*name).to_owned())
                .collect::<Vec<_>>()
        })
        .await;
    assert_eq!(ghosts, ["a"]);
}

#[tokio::test]
async fn a_long_run_keeps_its_lease_while_short_ones_come_and_go() {
    let database = Postgres::database().await;
    let lease = Lease::of(Duration::from_secs(3));
    let long = JobSpec {
        lease,
        ..job("long", "sleep 4")
    };
    let mut jobs = vec![long, job("short0", "sleep 0.3")];
    for number in 1..14 {
        let parent = format!("short{}", number - 1);
        jobs.push(after(
            job(&format!("short{number}"), "sleep 0.3"),
            &[&parent],
        ));
    }
    let pass = Host::new("alpha", &database, &jobs).tick().await;
    assert_eq!((pass.well, pass.failed), (15, 0), "{pass:?}");
}

#[tokio::test]
async fn slots_that_fall_due_while_the_job_is_running_are_skipped_and_the_log_says_how_many() {
    let database = Postgres::database().await;
    let seconds = every(Duration::from_secs(1));
    let slow = JobSpec {
        timetable: Some(seconds),
        ..job("slow", "sleep 2.2")
    };
    let pass = Host::new("alpha", &database, &[slow]).tick().await;
    assert_eq!(pass.well, 1);
    let rows = database
        .rows(
            "SELECT skipped.reason, skipped.slots >= 2, skipped.slot = ran.slot + interval '1 second',
                    skipped.slot_until + interval '1 second' = j.next_run,
                    skipped.slots = extract(epoch FROM j.next_run - ran.slot)::int - 1,
                    j.next_run > ran.finished_at
               FROM crontabber j, crontabber_log ran, crontabber_log skipped
              WHERE ran.outcome = 'success' AND skipped.outcome = 'skipped'",
        )
        .await;
    assert_eq!(rows, [["missed", "t", "t", "t", "t", "t"]]);
}

#[tokio::test]
async fn where_slots_queue_the_latest_that_fell_due_during_a_run_runs_next_and_speaks_for_the_others()
 {
    let database = Postgres::database().await;
    let seconds = every(Duration::from_secs(1));
    let slow = JobSpec {
        timetable: Some(seconds),
        overlap: Overlap::QueueOne,
        ..job("slow", "sleep 2.2")
    };
    let alpha = Host::new("alpha", &database, &[slow]);
    for _ in 0..3 {
        assert_eq!(alpha.tick().await.well, 1);
        let due = "SELECT next_run = slot AND slot <= clock_timestamp() FROM crontabber";
        assert!(database.query_one::<bool>(due).await, "it is due at once");
    }
    // Each second from the first to the last run has one verdict, and none was missed.
    let rows = database
        .rows(
            "SELECT outcome, coalesce(reason, ''), slots IS NULL OR slots >= 1,
                    coalesce(slot - lag(coalesce(slot_until, slot)) OVER (ORDER BY slot), '1 second') = '1 second'
               FROM crontabber_log ORDER BY slot",
        )
        .await;
    let (ran, passed) = (
        ["success", "", "t", "t"],
        ["skipped", "coalesced", "t", "t"],
    );
    assert_eq!(rows, [ran, passed, ran, passed, ran]);
}
