//! What people can do with one.

use std::time::Duration;

use crontabber::{
    control::{self, Answer, By, Claims, Target, resettings},
    store::table::never,
};

use crate::{
    common::{
        Site,
        host::{Host, minutes, next_run, noon},
        tables, until,
    },
    errors, kept,
};

const BY: By<'_> = By {
    who: "anna@alpha",
    host: "alpha",
    reason: None,
};

#[tokio::test]
async fn a_pause_keeps_it_from_being_started_and_a_resume_starts_it_at_once() {
    let database = tables().await;
    let alpha = Host::new("alpha", &database, &[kept("true")]).staying();
    alpha.at(noon()).tick().await;
    let (engine, table) = (alpha.at(noon()).engine(), alpha.at(noon()).table().await);
    let target = [Target {
        name: "relay",
        spec: engine.graph.jobs().first(),
        row: table.row("relay"),
    }];
    let paused = control::pause(
        &engine.database,
        &BY,
        &target,
        never(),
        noon(),
        Some(noon()),
    );
    assert!(matches!(paused.await, Ok(Answer::Jobs(_))));
    assert_eq!(alpha.at(noon() + minutes(60)).tick().await.well, 0);
    let later = noon() + minutes(60);
    let resumed = control::resume(&engine.database, &BY, &target, later, Some(later));
    assert!(matches!(resumed.await, Ok(Answer::Jobs(_))));
    assert_eq!(alpha.at(later).tick().await.well, 1);
}

#[tokio::test]
async fn a_reset_forgets_its_errors_and_its_delay() {
    let database = tables().await;
    let alpha = Host::new("alpha", &database, &[kept("exit 1")]).staying();
    for at in [0, 5, 10, 20] {
        alpha.at(noon() + minutes(at)).tick().await;
    }
    assert_eq!(next_run(&database, "relay").await, 28);
    let now = noon() + minutes(21);
    let (engine, table) = (alpha.at(now).engine(), alpha.at(now).table().await);
    let spec = &engine.graph.jobs()[0];
    let target = Target {
        name: "relay",
        spec: Some(spec),
        row: table.row("relay"),
    };
    let resettings = resettings(&[target], now);
    let reset = control::reset(
        &engine.database,
        &BY,
        &resettings,
        Claims::Respected,
        Some(now),
    );
    assert!(matches!(reset.await, Ok(Answer::Jobs(_))));
    assert_eq!(next_run(&database, "relay").await, 21);
    assert_eq!(errors(&database).await.0, 0);
}

#[tokio::test]
async fn no_pass_runs_it_and_no_person_and_both_say_why() {
    let database = tables().await;
    let site = Site::with(&database, |site| {
        site.job("relay", "keep_running = true", "true")
    });
    let pass = site.on("alpha", &["tick"]).run().await;
    assert_eq!((pass.code, pass.stdout.as_str()), (Some(0), ""), "{pass:?}");
    for arguments in [vec!["run", "relay"], vec!["run", "relay", "--force"]] {
        let refused = site.on("alpha", &arguments).run().await;
        assert_eq!(refused.code, Some(4), "{refused:?}");
        assert!(
            refused.stderr.contains(
                "not run: relay is kept running by daemons; `crontabber cancel` starts it anew"
            ),
            "{refused:?}"
        );
    }
    assert!(site.ledger().starts().is_empty());
    let why = site.on("alpha", &["why", "relay"]).run().await.stdout;
    assert!(
        why.starts_with("relay is about to run: it is kept running, and the next daemon"),
        "{why}"
    );
    assert!(!why.contains("--force"), "{why}");
}

#[tokio::test]
async fn one_that_is_cancelled_is_started_again_without_an_error() {
    let database = tables().await;
    let alpha = Host::new("alpha", &database, &[kept("exec sleep 60")]).staying();
    let engine = alpha.engine();
    let cancel = async {
        let ongoing = "SELECT count(*) FROM crontabber WHERE run_id IS NOT NULL";
        until(Duration::from_secs(30), "it runs", async || {
            database.query_one::<i64>(ongoing).await == 1
        })
        .await;
        let run_id = database.query_one("SELECT run_id FROM crontabber").await;
        let cancelled = control::cancel(&engine.database, &BY, "relay", run_id, None).await;
        assert!(matches!(cancelled, Ok(Answer::Jobs(_))));
    };
    assert_eq!(tokio::join!(alpha.tick(), cancel).0.well, 1);
    let after = database
        .rows("SELECT error_count, next_run = slot, next_run - clock_timestamp() BETWEEN '30 seconds' AND '90 seconds' FROM crontabber")
        .await;
    assert_eq!(after, [["0", "t", "t"]]);
}
