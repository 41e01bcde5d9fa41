//! What goes right where crontabber 0.18 goes wrong with slots of the past and with parents: D11, D17, D18 and D19 of
//! `docs/from-crontabber.md`.
//!
//! The database is real, its clock is the test's: every statement takes its time as a parameter.

mod common;

use std::{sync::Arc, time::Duration};

use common::{
    Postgres, Site,
    host::{Host, after, dies_running, job, log, minutes, noon},
    tables,
};
use crontabber::{
    claim::{Claimed, claim},
    engine::Engine,
    plan::{Verdict, plan},
    record::record,
    run::run,
    spec::{CatchUp, JobSpec, Lease, Retry},
};

/// Starts the first job of a host, and records it by the clock of another.
async fn runs_until(begin: &Host, end: impl AsyncFnOnce(), ends: &Host) {
    let engine: Arc<Engine> = begin.engine();
    let table = engine.look().await.expect("the table can be read");
    let plan = plan(&engine.graph, &table, &engine.host.place);
    let Verdict::Run(due) = plan.jobs[0].verdict.clone() else {
        panic!("not due but {:?}", plan.jobs[0].verdict);
    };
    let (place, spec) = (&engine.host.place, &engine.graph.jobs()[0]);
    let claimed = claim(&engine.database, place, spec, &due, engine.now).await;
    let Ok(Claimed::Ours(ours)) = claimed else {
        panic!("{claimed:?}");
    };
    end().await;
    let finished = run(*ours, &engine.means()).await;
    let recorded = record(finished, ends.engine().recorder()).await;
    recorded.expect("the record is taken");
}

#[tokio::test]
async fn d11_a_parent_that_takes_seventy_minutes_of_each_hour_does_not_starve_its_child() {
    let database = Postgres::database().await;
    let parent = JobSpec {
        lease: Lease::of(Duration::from_hours(2)),
        ..job("parent", "true")
    };
    let child = after(job("child", "true"), &["parent"]);
    let alpha = Host::new("alpha", &database, &[parent, child]);
    for round in 0..4 {
        let at = |more: i64| alpha.at(noon() + minutes(120 * round + more));
        runs_until(
            &at(0),
            async || {
                at(60).tick().await;
            },
            &at(70),
        )
        .await;
        assert!(
            at(70).tick().await.well > 0,
            "the child waits in round {round}"
        );
    }
    let log = log(&database).await;
    let child: Vec<_> = log.iter().filter(|row| row.starts_with("child")).collect();
    // The last pass may get to the slot of 420 minutes, whose parent it runs as well, or leave it to the next.
    assert!(child.len() >= 7, "{child:?}");
    for (hour, run) in child.into_iter().enumerate() {
        assert_eq!(*run, format!("child {} 1 success", 60 * hour));
    }
}

#[tokio::test]
async fn d11_a_paused_parent_keeps_its_child_waiting_by_name_and_no_longer_than_the_pause() {
    let database = Postgres::database().await;
    let child = after(job("child", "true"), &["parent"]);
    let alpha = Host::new("alpha", &database, &[job("parent", "true"), child]);
    assert_eq!(alpha.at(noon()).tick().await.well, 2);
    database
        .execute(
            "UPDATE crontabber SET revision = revision + 1, paused_until = '2031-05-05T14:30Z', next_run = '2031-05-05T14:30Z'
              WHERE app_name = 'parent'",
        )
        .await;
    let said = alpha
        .at(noon() + minutes(61))
        .planned(|plan| plan.jobs[1].reason())
        .await;
    assert_eq!(said, "parent is paused");
    alpha.at(noon() + minutes(121)).tick().await;
    assert_eq!(alpha.at(noon() + minutes(151)).tick().await.well, 2);
    let log = log(&database).await;
    let child: Vec<_> = log.iter().filter(|row| row.starts_with("child")).collect();
    assert_eq!(
        child,
        [
            "child 0 1 success",
            "child 60 0 skipped blocked by parent x1",
            "child 120 1 success"
        ]
    );
}

/// A parent of this name, and a child that waits for `parent`.
fn family(site: &Site, parent: &str) -> String {
    site.job(parent, "every = \"1h\"\nstart = \"now\"", "")
        + &site.job(
            "child",
            "every = \"1h\"\nstart = \"now\"\ndepends_on = [\"parent\"]",
            "",
        )
}

#[tokio::test]
async fn d11_a_parent_that_only_other_files_know_is_named_where_it_is_missing_and_goes_on_where_it_is_not()
 {
    let database = tables().await;
    let renamed = Site::with(&database, |site| family(site, "parents"));
    let check = renamed.on("alpha", &["config", "check"]).run().await;
    assert_eq!(check.code, Some(1), "{check:?}");
    let pass = renamed.on("alpha", &["tick"]).run().await;
    assert_eq!(pass.code, Some(78), "{pass:?}");
    for said in [check.stdout + &check.stderr, pass.stderr] {
        assert!(said.contains("`parent`"), "{said}");
        assert!(said.contains("did you mean `parents`?"), "{said}");
    }
    let known = Site::with(&database, |site| family(site, "parent"));
    let pass = known.on("beta", &["tick"]).run().await;
    assert_eq!(pass.code, Some(0), "{pass:?}");
    let mut ran: Vec<String> = known
        .ledger()
        .starts()
        .into_iter()
        .map(|start| start.job)
        .collect();
    ran.sort_unstable();
    assert_eq!(ran, ["child", "parent"]);
}

/// Hourly, and catches up on each slot.
fn catches_up(shell: &str) -> JobSpec {
    JobSpec {
        catch_up: CatchUp::All,
        ..job("a", shell)
    }
}

#[tokio::test]
async fn d17_a_job_whose_first_run_failed_catches_up_on_the_outage_after_it() {
    let database = Postgres::database().await;
    let failing = Host::new("alpha", &database, &[catches_up("exit 1")]);
    failing.at(noon()).tick().await;
    let mended = failing.with_jobs(&[catches_up("true")]);
    assert_eq!(mended.at(noon() + minutes(181)).tick().await.well, 4);
    assert_eq!(
        log(&database).await,
        [
            "a 0 1 failure",
            "a 0 2 success",
            "a 60 1 success",
            "a 120 1 success",
            "a 180 1 success"
        ]
    );
}

#[tokio::test]
async fn d18_a_host_that_dies_while_it_catches_up_makes_no_slot_run_twice() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[catches_up("true")]);
    assert_eq!(alpha.at(noon()).tick().await.well, 1);
    dies_running(&alpha.at(noon() + minutes(181))).await;
    assert_eq!(alpha.at(noon() + minutes(185)).tick().await.well, 3);
    assert_eq!(
        log(&database).await,
        [
            "a 0 1 success",
            "a 60 1 lost",
            "a 60 2 success",
            "a 120 1 success",
            "a 180 1 success"
        ]
    );
}

#[tokio::test]
async fn d19_each_slot_has_its_own_timeout_and_no_more_are_caught_up_on_than_the_job_says() {
    let database = Postgres::database().await;
    let spec = JobSpec {
        catch_up_limit: Some(3),
        timeout: Duration::from_millis(500),
        retry: Retry {
            attempts: 1,
            ..job("a", "").retry
        },
        ..catches_up("case $CRONTABBER_SLOT in *T16:*) exec tail -f /dev/null ;; esac")
    };
    let alpha = Host::new("alpha", &database, &[spec]);
    alpha.at(noon()).tick().await;
    alpha.at(noon() + minutes(301)).tick().await;
    // What has timed out has had its attempts; those behind it have their own time.
    alpha.at(noon() + minutes(330)).tick().await;
    assert_eq!(
        log(&database).await,
        [
            "a 0 1 success",
            "a 60 0 skipped missed x2",
            "a 180 1 success",
            "a 240 1 timeout",
            "a 300 1 success"
        ]
    );
}
