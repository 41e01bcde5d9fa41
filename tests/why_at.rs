//! What became of a slot, told from what real passes have left in the log.
//!
//! The database is real, its clock is the test's; the last test asks the program itself.

mod common;

use std::time::Duration;

use common::{
    Database, Postgres, Site,
    host::{Host, after, every, job, minutes, noon},
    tables,
};
use crontabber::{
    backfill::{Over, backfill},
    plan::plan,
    spec::{CatchUp, JobSpec, OnLost, Overlap},
    stop::Stopper,
    view::{
        Medium, Times, entry, subject,
        why::{Known, at::explain_at},
    },
};
use jiff::Timestamp;
use serde_json::Value;

/// What `why JOB --at` says on a host.
async fn why(host: &Host, job: &str, at: Timestamp) -> String {
    let engine = host.engine();
    let table = engine.look().await.expect("the table can be read");
    let plan = plan(&engine.graph, &table, &engine.host.place);
    let client = engine.database.get().await.expect("a connection");
    let log = entry::of_slot(&client, job, at).await;
    let known = Known {
        plan: &plan,
        graph: &engine.graph,
        place: &engine.host.place,
        times: Times {
            now: table.now,
            medium: Medium::Terminal {
                width: 120,
                colour: false,
            },
        },
    };
    let subject = subject::named(&plan, job).expect("the test's own job");
    explain_at(&subject, at, &log.expect("the log can be read"), &known).conclusion
}

/// A job with a host, after a run for the slot of noon.
async fn after_noon(spec: JobSpec) -> (Database, Host) {
    let database = Postgres::database().await;
    let host = Host::new("alpha", &database, &[spec]);
    host.at(noon()).tick().await;
    (database, host)
}

#[tokio::test]
async fn a_slot_that_succeeded_at_the_second_attempt() {
    let directory = tempfile::tempdir().expect("/tmp takes directories");
    let flag = directory.path().join("flag").display().to_string();
    let shell = format!("[ -e {flag} ] || {{ touch {flag}; exit 1; }}");
    let (_database, host) = after_noon(job("a", &shell)).await;
    let pending = why(&host.at(noon() + minutes(1)), "a", noon()).await;
    assert!(
        pending.starts_with(
            "a has not succeeded for its slot 2031-05-05 12:00:00Z yet: failure on alpha, took 0.0s: exit 1; it is still \
             pending. a is not running because its last run failed"
        ),
        "{pending}"
    );
    let host = host.at(noon() + minutes(6));
    host.tick().await;
    assert_eq!(
        why(&host, "a", noon()).await,
        "a ran for its slot 2031-05-05 12:00:00Z: success on alpha at the 2nd attempt, 6m late, took 0.0s."
    );
}

#[tokio::test]
async fn slots_that_were_coalesced_name_the_run_that_stood_in_for_them() {
    let (_database, host) = after_noon(job("a", "true")).await;
    let host = host.at(noon() + minutes(4 * 60));
    host.tick().await;
    for at in [60, 120, 180] {
        let said = why(&host, "a", noon() + minutes(at)).await;
        assert!(
            said.ends_with(
                "it is one of 3 slots from 2031-05-05 13:00:00Z to 2031-05-05 15:00:00Z that were coalesced into the run for \
                 2031-05-05 16:00:00Z, because no host had started it by then."
            ),
            "{said}"
        );
    }
    let said = why(&host, "a", noon() + minutes(239)).await;
    assert!(
        said.starts_with(
            "2031-05-05 15:59:00Z is no slot of a; the latest before it is 2031-05-05 15:00:00Z."
        ),
        "{said}"
    );
    let said = why(&host, "a", noon() + minutes(240)).await;
    assert_eq!(
        said,
        "a ran for its slot 2031-05-05 16:00:00Z: success on alpha, took 0.0s."
    );
}

/// A job that catches up on nothing has missed 13:00 and 14:00.
async fn missed() -> (Database, Host) {
    let (database, host) = after_noon(JobSpec {
        catch_up: CatchUp::None,
        ..job("a", "true")
    })
    .await;
    let host = host.at(noon() + minutes(150));
    host.tick().await;
    (database, host)
}

#[tokio::test]
async fn a_slot_that_was_missed() {
    let (_database, host) = missed().await;
    let said = why(&host, "a", noon() + minutes(60)).await;
    assert_eq!(
        said,
        "a did not run for its slot 2031-05-05 13:00:00Z: it is one of 2 slots from 2031-05-05 13:00:00Z to 2031-05-05 \
         14:00:00Z that were missed: no host started it in time, and the job does not catch up on it."
    );
}

#[tokio::test]
async fn a_slot_that_was_missed_and_made_up_for_by_a_backfill() {
    let (_database, host) = missed().await;
    let engine = host.engine();
    let slot = noon() + minutes(60);
    let mut stop = Stopper::listen().expect("signals can be listened for");
    let over = backfill(&engine, 0, &[slot], &mut stop, &mut |_| {}).await;
    assert!(matches!(over, Ok(Over::All)), "{over:?}");
    assert_eq!(
        why(&host, "a", slot).await,
        "a ran for its slot 2031-05-05 13:00:00Z: success on alpha, by a backfill, 1h 30m late, took 0.0s. It had been skipped \
         before: missed."
    );
    let other = why(&host, "a", noon() + minutes(120)).await;
    assert!(
        other.starts_with("a did not run for its slot 2031-05-05 14:00:00Z: it is one of 2"),
        "{other}"
    );
}

#[tokio::test]
async fn a_slot_that_fell_due_in_a_pause() {
    let (database, host) = after_noon(job("a", "true")).await;
    database
        .execute(
            "UPDATE crontabber SET revision = revision + 1, paused_until = '2031-05-05T14:30Z', next_run = '2031-05-05T14:30Z'",
        )
        .await;
    let at = noon() + minutes(60);
    let pending = why(&host.at(at), "a", at).await;
    assert!(
        pending.contains("it is still pending. a is not running because it is paused"),
        "{pending}"
    );
    let host = host.at(noon() + minutes(181));
    host.tick().await;
    let said = why(&host, "a", at).await;
    assert!(
        said.ends_with("that were paused: it fell due while the job was paused."),
        "{said}"
    );
}

#[tokio::test]
async fn a_slot_that_was_too_late_to_start() {
    let (_database, host) = after_noon(JobSpec {
        start_deadline: Some(Duration::from_mins(10)),
        ..job("a", "true")
    })
    .await;
    let host = host.at(noon() + minutes(90));
    host.tick().await;
    assert_eq!(
        why(&host, "a", noon() + minutes(60)).await,
        "a did not run for its slot 2031-05-05 13:00:00Z: it was late: it could not start before its start_deadline was over."
    );
}

#[tokio::test]
async fn a_slot_that_a_parent_has_blocked_until_the_next_one() {
    let database = Postgres::database().await;
    let child = after(job("child", "true"), &["parent"]);
    let host = Host::new("alpha", &database, &[job("parent", "exit 1"), child]);
    host.at(noon()).tick().await;
    let said = why(&host.at(noon()), "child", noon()).await;
    assert!(
        said.contains("it is still pending. child is due, but waits for a job it depends on"),
        "{said}"
    );
    host.at(noon() + minutes(60)).tick().await;
    assert_eq!(
        why(&host.at(noon() + minutes(60)), "child", noon()).await,
        "child did not run for its slot 2031-05-05 12:00:00Z: it was blocked by parent: the next slot came before that was done \
         which it waited for."
    );
}

#[tokio::test]
async fn a_slot_that_fell_due_during_a_run_names_that_run() {
    for (overlap, says) in [
        (
            Overlap::Skip,
            "it was missed: the run for 2031-05-05 12:00:00Z was still going on when it fell due.",
        ),
        (
            Overlap::QueueOne,
            "it was coalesced into the run for 2031-05-05 14:00:00Z, because the run for 2031-05-05 12:00:00Z was still going \
             on when it fell due.",
        ),
    ] {
        let spec = JobSpec {
            overlap,
            on_lost: OnLost::Skip,
            ..job("a", "true")
        };
        let (database, host) = after_noon(spec).await;
        // As if the run of noon had gone on until five past two: its record knows what it has passed.
        lengthen(&database, overlap).await;
        let host = host.at(noon() + minutes(125));
        host.tick().await;
        let said = why(&host, "a", noon() + minutes(60)).await;
        assert!(said.ends_with(says), "{said}");
    }
}

/// Makes the run of noon end at 14:05, with what its record would have written then.
async fn lengthen(database: &Database, overlap: Overlap) {
    database
        .execute("UPDATE crontabber_log SET finished_at = '2031-05-05T14:05Z' WHERE slot = '2031-05-05T12:00Z'")
        .await;
    if overlap == Overlap::Skip {
        database
            .execute(
                "INSERT INTO crontabber_log (app_name, log_time, slot, slot_until, slots, attempt, outcome, reason, finished_at)
                 VALUES ('a', '2031-05-05T14:05:00.000001Z', '2031-05-05T13:00Z', '2031-05-05T13:00Z', 1, 0, 'skipped', 'missed',
                         '2031-05-05T14:05:00.000001Z')",
            )
            .await;
        database
            .execute("UPDATE crontabber SET revision = revision + 1, slot = '2031-05-05T14:00Z', next_run = '2031-05-05T14:00Z'")
            .await;
    }
}

#[tokio::test]
async fn the_log_of_another_period_is_believed_and_what_it_lacks_is_not_known() {
    let (_database, host) = after_noon(job("a", "true")).await;
    let another = JobSpec {
        timetable: Some(every(Duration::from_mins(7))),
        ..job("a", "true")
    };
    let host = host.with_jobs(&[another]).at(noon() + minutes(61));
    host.tick().await;
    let said = why(&host, "a", noon()).await;
    assert_eq!(
        said,
        "a ran for its slot 2031-05-05 12:00:00Z: success on alpha, took 0.0s."
    );
    let before = why(&host, "a", noon() - minutes(60)).await;
    assert!(
        before.contains("The log knows nothing of the slot"),
        "{before}"
    );
}

#[tokio::test]
async fn the_program_answers_people_and_programs_in_any_zone() {
    let database = tables().await;
    let site = Site::with(&database, |site| {
        site.job("job", "every = \"1h\"\nstart = \"now\"", "exit 1")
    });
    site.on("web1", &["tick"]).run().await;
    let slot: String = database
        .query_one("SELECT to_char(slot AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US') FROM crontabber")
        .await;
    let utc = format!("{slot}Z");
    let asked = site
        .on("web1", &["why", "job", "--at", &utc, "--json"])
        .run()
        .await;
    assert_eq!(asked.code, Some(0), "{}", asked.stderr);
    let json: Value = serde_json::from_str(&asked.stdout).expect("an object");
    assert_eq!(json["verdict"], "pending");
    assert_eq!(json["entries"][0]["reason"], "exit 1");
    assert_eq!(json["why"]["state"], "retrying");
    assert_eq!(json["slot"], json["at"]);
    let local = site
        .on("web1", &["why", "job", "--at", &slot])
        .env("TZ", "UTC");
    let local = local.run().await;
    assert!(
        local.stderr.contains("(UTC)") || local.stderr.contains("+00"),
        "{}",
        local.stderr
    );
    assert!(
        local.stdout.contains("failure\tattempt 1\tfailure on web1"),
        "{}",
        local.stdout
    );
    let ahead = site.on("web1", &["why", "job", "--at", "2131-05-05T00:00:00Z"]);
    let ahead = ahead.run().await;
    assert!(
        ahead
            .stdout
            .contains("has not come: by its schedule it runs 2131-"),
        "{}",
        ahead.stdout
    );
    let wrong = site
        .on("web1", &["why", "job", "--at", "yesterday"])
        .run()
        .await;
    assert_eq!(wrong.code, Some(64));
    assert!(
        wrong.stderr.contains("`yesterday` is no instant"),
        "{}",
        wrong.stderr
    );
}
