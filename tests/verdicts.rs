//! Every slot has one verdict, and no edit of a definition keeps a job from its next one.
//!
//! The database is real, its clock is the test's: every statement takes its time as a parameter.

mod common;

use std::time::Duration;

use common::{
    Postgres,
    host::{Host, after, crontab, dies_running, every, job, log, minutes, next_run, noon},
};
use crontabber::{
    schedule::Timetable,
    spec::{CatchUp, JobSpec, Parent, Start},
};

fn minutely(shell: &str) -> JobSpec {
    JobSpec {
        timetable: Some(every(Duration::from_mins(1))),
        ..job("a", shell)
    }
}

#[tokio::test]
async fn a_slot_whose_run_was_lost_is_not_coalesced_too() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[minutely("true")]);
    dies_running(&alpha.at(noon())).await;
    assert_eq!(alpha.at(noon() + minutes(3)).tick().await.well, 1);
    assert_eq!(
        log(&database).await,
        ["a 0 1 lost", "a 1 0 skipped coalesced x2", "a 3 1 success"]
    );
}

#[tokio::test]
async fn a_slot_that_failed_without_counting_is_not_coalesced_too() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "exit 75")]);
    alpha.at(noon()).tick().await;
    alpha.at(noon() + minutes(130)).tick().await;
    let expected = [
        "a 0 1 failure",
        "a 60 0 skipped coalesced x1",
        "a 120 1 failure",
    ];
    assert_eq!(log(&database).await, expected);
}

#[tokio::test]
async fn a_slot_that_waited_out_the_delay_of_an_earlier_failure_has_its_verdict_too() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[minutely("exit 1")]);
    alpha.at(noon()).tick().await;
    // What the record of a run of 90 seconds leaves: the next slot has passed, the delay has not.
    database
        .execute(
            "UPDATE crontabber SET revision = revision + 1, slot = '2031-05-05T12:01Z', next_run = '2031-05-05T12:06:30Z'",
        )
        .await;
    alpha.at(noon() + minutes(7)).tick().await;
    assert_eq!(
        log(&database).await,
        [
            "a 0 1 failure",
            "a 1 0 skipped coalesced x6",
            "a 7 1 failure"
        ]
    );
}

#[tokio::test]
async fn a_job_that_is_lost_again_and_again_backs_off_even_when_each_loss_is_of_another_slot() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[minutely("true")]);
    dies_running(&alpha.at(noon())).await;
    let second = noon() + minutes(2);
    alpha.at(second).table().await;
    dies_running(&alpha.at(second)).await;
    alpha.at(noon() + minutes(4)).table().await;
    assert!(
        next_run(&database, "a").await > 9,
        "it would kill a host every other minute"
    );
}

#[tokio::test]
async fn a_job_without_schedule_that_gets_one_runs_by_it() {
    let database = Postgres::database().await;
    let child = after(
        JobSpec {
            timetable: None,
            ..job("child", "true")
        },
        &["parent"],
    );
    let parent = job("parent", "true");
    let alpha = Host::new("alpha", &database, &[parent.clone(), child.clone()]);
    assert_eq!(alpha.at(noon()).tick().await.well, 2);
    let hourly = JobSpec {
        timetable: Some(crontab("30 * * * *")),
        ..child
    };
    // Not the host that met it before, which would know that the definition has changed.
    let beta = Host::new("beta", &database, &[parent, hourly]);
    beta.at(noon() + minutes(10)).tick().await;
    assert_eq!(next_run(&database, "child").await, 30);
    assert_eq!(beta.at(noon() + minutes(30)).tick().await.well, 1);
    assert_eq!(next_run(&database, "child").await, 90);
}

#[tokio::test]
async fn a_job_that_loses_its_schedule_waits_for_its_parents() {
    let database = Postgres::database().await;
    let daily = JobSpec {
        timetable: Some(every(Duration::from_hours(24))),
        ..job("parent", "true")
    };
    let child = after(job("child", "true"), &["parent"]);
    let alpha = Host::new("alpha", &database, &[daily.clone(), child.clone()]);
    assert_eq!(alpha.at(noon()).tick().await.well, 2);
    let child = JobSpec {
        timetable: None,
        ..child
    };
    let edited = alpha.with_jobs(&[daily, child]);
    assert_eq!(edited.at(noon() + minutes(10)).tick().await.well, 0);
    assert_eq!(edited.at(noon() + minutes(70)).tick().await.well, 0);
    assert_eq!(edited.at(noon() + minutes(24 * 60)).tick().await.well, 2);
}

#[tokio::test]
async fn a_pass_that_outlives_its_configuration_does_not_undo_the_new_one() {
    let database = Postgres::database().await;
    let at = |hour: &str| JobSpec {
        timetable: Some(crontab(&format!("0 {hour} * * *"))),
        start: Start::Next,
        ..job("a", "true")
    };
    let alpha = Host::new("alpha", &database, &[at("15")]).at(noon());
    // A pass that waits for a long run looks again every minute.
    let long = alpha.engine();
    long.look().await.unwrap();
    assert_eq!(next_run(&database, "a").await, 180);
    let edited = alpha.with_jobs(&[at("18")]);
    edited.tick().await;
    assert_eq!(next_run(&database, "a").await, 360);
    long.look().await.unwrap();
    assert_eq!(next_run(&database, "a").await, 360);
    // But when nothing is heard of the new one for long, it was not this host's after all.
    database
        .execute("UPDATE crontabber_host SET seen_at = seen_at - interval '11 minutes'")
        .await;
    long.look().await.unwrap();
    assert_eq!(next_run(&database, "a").await, 180);
}

/// Hourly, and started later by a jitter: twenty to forty minutes for this name.
fn jittered() -> (Timetable, &'static str, i64) {
    let timetable = Timetable {
        jitter: Duration::from_mins(59),
        ..crontab("0 * * * *")
    };
    let name = ["a", "b", "c", "d", "e", "f"]
        .into_iter()
        .find(|name| (20..40).contains(&(timetable.offset(name).as_secs() / 60)))
        .expect("one of them is in the middle");
    let offset = i64::try_from(timetable.offset(name).as_secs() / 60).expect("less than an hour");
    (timetable, name, offset)
}

#[tokio::test]
async fn a_slot_is_not_run_before_its_jitter_has_passed() {
    let database = Postgres::database().await;
    let (timetable, name, offset) = jittered();
    let spec = JobSpec {
        timetable: Some(timetable),
        start: Start::Next,
        ..job(name, "true")
    };
    let alpha = Host::new("alpha", &database, &[spec]);
    alpha.at(noon() - minutes(10)).tick().await;
    // An hour's outage: 13:00 has come, its own start has not.
    assert_eq!(alpha.at(noon() + minutes(61)).tick().await.well, 1);
    assert_eq!(log(&database).await, [format!("{name} 0 1 success")]);
    assert_eq!(alpha.at(noon() + minutes(61 + offset)).tick().await.well, 1);
    assert_eq!(
        log(&database).await,
        [
            format!("{name} 0 1 success"),
            format!("{name} 60 1 success")
        ]
    );
}

#[tokio::test]
async fn a_stale_claim_of_python_that_is_taken_over_is_lost_in_the_log() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "true")]);
    alpha.at(noon()).tick().await;
    database
        .execute("UPDATE crontabber SET revision = revision + 1, ongoing = '2031-05-05T13:00Z'")
        .await;
    assert_eq!(alpha.at(noon() + minutes(14 * 60)).tick().await.well, 1);
    let lost = database
        .rows("SELECT started_at = '2031-05-05T13:00Z', host, run_id FROM crontabber_log WHERE outcome = 'lost'")
        .await;
    assert_eq!(lost, [["t", "python", "NULL"]]);
}

#[tokio::test]
async fn a_row_that_was_left_without_any_instant_gets_its_next_slot() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("a", "true")]);
    alpha.at(noon()).tick().await;
    // A Python host has died in the job's first run, and somebody has taken its claim away.
    database
        .execute("UPDATE crontabber SET next_run = NULL")
        .await;
    assert_eq!(alpha.at(noon() + minutes(1)).tick().await.well, 0);
    assert_eq!(next_run(&database, "a").await, 61);
    assert_eq!(alpha.at(noon() + minutes(61)).tick().await.well, 1);
}

#[tokio::test]
async fn slots_are_left_behind_though_a_python_host_has_died_in_the_job_long_ago() {
    let database = Postgres::database().await;
    let spec = JobSpec {
        catch_up: CatchUp::None,
        ..job("a", "true")
    };
    let alpha = Host::new("alpha", &database, &[spec]);
    alpha.at(noon()).tick().await;
    database
        .execute("UPDATE crontabber SET revision = revision + 1, ongoing = '2031-05-05T12:30Z'")
        .await;
    let pass = alpha.at(noon() + minutes(14 * 60 + 30)).tick().await;
    assert_eq!(pass.changed, 0, "the plan has promised what was refused");
    let rows = ["a 0 1 success", "a 60 0 skipped missed x14"];
    assert_eq!(log(&database).await, rows);
}

#[tokio::test]
async fn a_blocked_child_runs_the_oldest_of_its_slots_that_may_still_start() {
    let database = Postgres::database().await;
    let hour = Duration::from_hours(1);
    let child = JobSpec {
        start_deadline: Some(Duration::from_mins(90)),
        depends_on: vec![Parent {
            within: Some(hour),
            ..Parent::named("parent".parse().expect("a name"))
        }],
        ..job("child", "true")
    };
    let alpha = Host::new("alpha", &database, &[job("parent", "exit 1"), child]);
    alpha.at(noon()).tick().await;
    // The parent did it at noon after all, and not for the slots since.
    database
        .execute(
            "UPDATE crontabber SET revision = revision + 1, success_slot = '2031-05-05T12:00Z', slot = '2031-05-05T15:00Z',
                    next_run = '2031-05-05T15:00Z' WHERE app_name = 'parent'",
        )
        .await;
    let pass = alpha.at(noon() + minutes(130)).tick().await;
    assert_eq!(pass.changed, 0, "the plan has promised what was refused");
    let rows = [
        "parent 0 1 failure",
        "child 0 0 skipped late x1",
        "child 60 1 success",
    ];
    assert_eq!(log(&database).await, rows);
}

#[tokio::test]
async fn the_outage_of_the_documents_has_the_verdicts_that_they_say() {
    let ninety = Some(Duration::from_mins(90));
    for (catch_up, limit, start_deadline, at, rows) in [
        (
            CatchUp::Latest,
            None,
            None,
            250,
            &["a 60 0 skipped coalesced x3", "a 240 1 success"][..],
        ),
        (
            CatchUp::All,
            None,
            None,
            250,
            &[
                "a 60 1 success",
                "a 120 1 success",
                "a 180 1 success",
                "a 240 1 success",
            ],
        ),
        (
            CatchUp::All,
            Some(2),
            None,
            250,
            &[
                "a 60 0 skipped missed x2",
                "a 180 1 success",
                "a 240 1 success",
            ],
        ),
        (
            CatchUp::None,
            None,
            None,
            250,
            &["a 60 0 skipped missed x3", "a 240 1 success"],
        ),
        (
            CatchUp::None,
            None,
            None,
            251,
            &["a 60 0 skipped missed x4"],
        ),
        (
            CatchUp::All,
            None,
            ninety,
            250,
            &[
                "a 60 0 skipped late x2",
                "a 180 1 success",
                "a 240 1 success",
            ],
        ),
    ] {
        let database = Postgres::database().await;
        let spec = JobSpec {
            catch_up,
            catch_up_limit: limit,
            start_deadline,
            ..job("a", "true")
        };
        let alpha = Host::new("alpha", &database, &[spec]);
        alpha.at(noon()).tick().await;
        alpha.at(noon() + minutes(at)).tick().await;
        assert_eq!(log(&database).await[1..], *rows, "{catch_up:?}");
    }
}
