//! A database that crontabber 0.18.1 has used for years is taken over in place: every job carries on where Python left
//! it, and Python's own commands go on working beside ours.

mod common;

use std::collections::BTreeSet;

use common::{
    Database, Site, legacy,
    python::{Job, Python, Real, readings},
};

/// The jobs of the estate as they are configured here; the ghost is in nobody's configuration.
const JOBS: [(&str, &str, &str); 16] = [
    ("well", "", "true"),
    ("later", "", "true"),
    ("child", "depends_on = [\"later\"]", "true"),
    ("failing", "", "exit 1"),
    ("recovering", "", "true"),
    ("waiting", "", "true"),
    ("child_of_failing", "depends_on = [\"failing\"]", "true"),
    ("ongoing_1h", "", "true"),
    ("ongoing_11h59", "", "true"),
    ("ongoing_12h01", "", "true"),
    ("ongoing_25h", "", "true"),
    ("first_run", "", "true"),
    ("first_run_died", "", "true"),
    ("backfill", "", "true"),
    // A backfill job that is well: the day it has done last is a little older than when it did so.
    ("days_behind", "", "true"),
    ("child_of_days", "depends_on = [\"days_behind\"]", "true"),
];

fn site(database: &Database) -> Site {
    Site::with(database, |site| {
        let job = |(name, keys, shell)| {
            let every = if ["backfill", "days_behind"].contains(&name) {
                "1d"
            } else {
                "1h"
            };
            site.job(name, &format!("every = \"{every}\"\n{keys}"), shell)
        };
        JOBS.map(job).concat()
    })
}

/// An estate, widened.
async fn adopted() -> (Database, Site) {
    let database = legacy::estate().await;
    let site = site(&database);
    let migrated = site.on("alpha", &["migrate"]).run().await;
    assert_eq!(migrated.code, Some(0), "{}", migrated.stderr);
    (database, site)
}

/// The same jobs for crontabber.
fn python_jobs() -> Vec<Job> {
    let job = |(name, ..): (&str, &str, &str)| match name {
        "child" => Job::hourly(name).after(&["later"]),
        "child_of_failing" => Job::hourly(name).after(&["failing"]),
        "backfill" => Job::hourly(name)
            .every(jiff::SignedDuration::from_hours(24))
            .backfill(),
        _ => Job::hourly(name),
    };
    JOBS.map(job).to_vec()
}

fn ran(site: &Site) -> Vec<String> {
    let mut ran: Vec<_> = site
        .ledger()
        .starts()
        .into_iter()
        .map(|start| start.job)
        .collect();
    ran.sort_unstable();
    ran
}

/// Whether this holds for the row of a job.
async fn holds(database: &Database, job: &str, what: &str) -> bool {
    let sql = format!("SELECT coalesce(({what}), false) FROM crontabber WHERE app_name = '{job}'");
    database.query_one::<bool>(&sql).await
}

#[tokio::test]
async fn every_value_of_an_old_database_is_kept_to_the_byte_and_its_log_outgrows_four_bytes() {
    let database = legacy::estate().await;
    let before = legacy::contents(&database).await;
    let migrated = site(&database).on("alpha", &["migrate"]).run().await;
    assert_eq!(migrated.code, Some(0), "{}", migrated.stderr);
    assert_eq!(legacy::contents(&database).await, before);
    // Past the last number of the old column, by Python's own statement.
    let python = Python::on(&database).await;
    for _ in 0..60 {
        python
            .remember_success("well", python.now())
            .await
            .expect("there are numbers left");
    }
    let sql = "SELECT max(id) > 2147483647 FROM crontabber_log";
    assert!(database.query_one::<bool>(sql).await);
}

#[tokio::test]
async fn every_job_carries_on_where_python_left_it() {
    let (database, site) = adopted().await;
    let pass = site.on("alpha", &["tick"]).run().await;
    assert_eq!(
        pass.code,
        Some(1),
        "one job fails, as before: {}",
        pass.stderr
    );
    // What was due has run, and of the backfill job its last day; neither what is not due, nor what Python is at, nor
    // the child of a parent that fails. The child of a parent that is well has not waited for its next success.
    let due = [
        "backfill",
        "child",
        "child_of_days",
        "failing",
        "first_run_died",
        "ongoing_12h01",
        "ongoing_25h",
        "recovering",
        "well",
    ];
    assert_eq!(ran(&site), due);

    // A count of failures goes on, and ends with a success.
    assert!(
        holds(
            &database,
            "failing",
            "error_count = 4 AND last_error->>'type' IS NOT NULL"
        )
        .await
    );
    assert!(
        holds(
            &database,
            "recovering",
            "error_count = 0 AND last_error::text = '{}'"
        )
        .await
    );
    assert!(
        holds(
            &database,
            "waiting",
            "error_count = 3 AND next_run > now() AND run_id IS NULL"
        )
        .await
    );
    assert!(
        holds(
            &database,
            "later",
            "next_run BETWEEN now() + interval '19 min' AND now() + interval '20 min'"
        )
        .await
    );
    // Its first run is history, whoever ran it.
    assert!(
        holds(
            &database,
            "well",
            "first_run < now() - interval '899 days' AND last_success > now() - interval '1 min'"
        )
        .await
    );
    assert!(
        holds(
            &database,
            "first_run_died",
            "first_run IS NOT NULL AND next_run > now()"
        )
        .await
    );
    for job in ["ongoing_1h", "ongoing_11h59", "first_run"] {
        assert!(
            holds(&database, job, "ongoing IS NOT NULL AND run_id IS NULL").await,
            "{job} is Python's"
        );
    }
    let lost = "SELECT app_name FROM crontabber_log WHERE outcome = 'lost' AND host = 'python' ORDER BY app_name";
    let taken_over = ["first_run_died", "ongoing_12h01", "ongoing_25h"];
    assert_eq!(database.rows(lost).await.concat(), taken_over);
    // Nobody's.
    assert!(
        holds(
            &database,
            "ghost",
            "revision = 0 AND next_run < now() - interval '8 days'"
        )
        .await
    );

    // No day of the three is lost silently: the last one ran, and speaks for the two before it.
    let days = "SELECT outcome, reason, slots FROM crontabber_log WHERE app_name = 'backfill' ORDER BY slot";
    let verdicts = [["skipped", "coalesced", "2"], ["success", "NULL", "NULL"]];
    assert_eq!(database.rows(days).await, verdicts);
    assert!(
        holds(
            &database,
            "backfill",
            "next_run BETWEEN now() + interval '21 hours' AND now() + interval '22 hours'"
        )
        .await
    );
}

#[tokio::test]
async fn a_backfill_that_failed_under_python_runs_for_each_day_since_its_last_success() {
    let database = legacy::estate().await;
    // Three days behind; Python would look again in a moment, and then run each of them.
    let failing = "UPDATE crontabber SET next_run = now() - interval '1 minute', error_count = 2, last_error = '{\"type\": \"E\", \"value\": \"v\", \"traceback\": \"t\"}' WHERE app_name = 'backfill'";
    database.execute(failing).await;
    let site = Site::with(&database, |site| {
        site.job("backfill", "every = \"1d\"\ncatch_up = \"all\"", "true")
    });
    assert_eq!(site.on("alpha", &["migrate"]).run().await.code, Some(0));
    let pass = site.on("alpha", &["tick"]).run().await;
    assert_eq!(pass.code, Some(0), "{pass:?}");
    assert_eq!(ran(&site), ["backfill", "backfill", "backfill"]);
    let days = "SELECT outcome, attempt, slot < now() - interval '25 hours', slot < now() - interval '49 hours'
                  FROM crontabber_log WHERE app_name = 'backfill' ORDER BY slot";
    let each = [["t", "t"], ["t", "f"], ["f", "f"]];
    let each = each.map(|[a_day, two]| ["success", "1", a_day, two]);
    assert_eq!(database.rows(days).await, each);
}

#[tokio::test]
async fn what_python_ends_after_the_move_is_its_own_record_and_the_job_is_ours_from_then_on() {
    let (database, site) = adopted().await;
    let python = Python::on(&database).await;
    let mut jobs = python_jobs();
    jobs.retain(|job| ["well", "child"].contains(&job.name.as_str()));
    let code = python
        .pass(&jobs, async |job| {
            site.ledger().enter(&job.name);
            Ok(())
        })
        .await;
    assert_eq!(code, 0);
    assert_eq!(ran(&site), ["child", "well"]);
    assert!(
        holds(
            &database,
            "well",
            "success_slot > last_run - interval '5 min' AND slot IS NULL"
        )
        .await
    );

    // An hour later.
    let later = "UPDATE crontabber SET revision = revision + 1, next_run = next_run - interval '1 hour' WHERE app_name = 'well'";
    database.execute(later).await;
    site.on("alpha", &["tick"]).run().await;
    let well = ran(&site).iter().filter(|job| *job == "well").count();
    assert_eq!(well, 2);
    assert!(
        holds(
            &database,
            "well",
            "next_run > now() AND success_slot > now() - interval '5 min' AND revision > 2"
        )
        .await
    );
}

#[tokio::test]
async fn pythons_other_commands_read_our_rows() {
    let (database, site) = adopted().await;
    site.on("alpha", &["tick"]).run().await;
    let python = Python::on(&database).await;
    let jobs = python_jobs();

    let lines = readings::list_jobs(&python, &jobs)
        .await
        .expect("it reads every row");
    assert_eq!(lines.len(), jobs.len());
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("failing: error x4")),
        "{lines:?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("ongoing_1h: ongoing")),
        "{lines:?}"
    );
    let (code, line) = readings::nagios(&python, &jobs)
        .await
        .expect("it reads every row");
    assert_eq!(code, 2);
    assert!(
        line.contains("failing: ") && line.contains("waiting: ") && !line.contains("well"),
        "{line}"
    );
    let ghosts = readings::audit_ghosts(&python, &jobs)
        .await
        .expect("it reads every row");
    assert_eq!(ghosts, BTreeSet::from(["ghost".to_owned()]));

    readings::reset_job(&python, "well")
        .await
        .expect("nobody runs it");
    let gone = "SELECT count(*) FROM crontabber WHERE app_name = 'well'";
    assert_eq!(database.query_one::<i64>(gone).await, 0);
    // To ours it is a job that nobody has met: wanted in an hour, as it says.
    site.on("alpha", &["tick"]).run().await;
    assert!(holds(&database, "well", "next_run > now() AND error_count = 0").await);
}

#[tokio::test]
async fn the_real_crontabber_works_on_the_widened_table_as_before() {
    let database = legacy::estate().await;
    let site = site(&database);
    let Some(real) = Real::find(&database, &site.file(""), site.ledger()) else {
        println!("no Python 2 with crontabber 0.18.1 here: see the tests with its statements");
        return;
    };
    let real = real
        .job("well", "1h", &[], "", "pass")
        .job("child", "1h", &["well"], "", "pass")
        .job(
            "recovering",
            "1h",
            &[],
            "",
            "raise ValueError('no such file')",
        )
        .job("backfill", "1d", &[], "@as_backfill_cron_app", "pass")
        .job("new", "1h", &[], "", "pass");
    assert_eq!(site.on("alpha", &["migrate"]).run().await.code, Some(0));

    let pass = real.with(&[]).run().await;
    assert_eq!(pass.code, Some(0), "{}", pass.stderr);
    let days = ["backfill", "backfill", "backfill"];
    assert_eq!(
        ran(&site),
        [&days[..], &["child", "new", "recovering", "well"]].concat()
    );
    assert!(
        holds(
            &database,
            "new",
            "success_slot IS NOT NULL AND next_run > now()"
        )
        .await
    );
    assert!(
        holds(
            &database,
            "recovering",
            "error_count = 4 AND next_run > now()"
        )
        .await
    );
    assert!(
        holds(
            &database,
            "child",
            "success_slot > last_run - interval '5 min' AND revision = 2"
        )
        .await
    );

    // Ours takes the same rows on, and Python reads what it leaves.
    let later = "UPDATE crontabber SET revision = revision + 1, next_run = now() WHERE app_name IN ('well', 'recovering')";
    database.execute(later).await;
    site.on("alpha", &["tick"]).run().await;
    assert!(
        holds(
            &database,
            "well",
            "last_success > now() - interval '1 min' AND next_run > now()"
        )
        .await
    );
    assert!(holds(&database, "recovering", "error_count = 0").await);

    let listed = real.with(&["--list-jobs"]).run().await;
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    assert!(
        listed.stdout.contains("backfill") && listed.stdout.contains("new"),
        "{}",
        listed.stdout
    );
    let nagios = real.with(&["--nagios"]).run().await;
    assert_eq!(nagios.code, Some(0), "{} {}", nagios.stdout, nagios.stderr);
    let ghosts = real.with(&["--audit-ghosts"]).run().await;
    assert_eq!(ghosts.code, Some(0), "{}", ghosts.stderr);
    assert!(ghosts.stdout.contains("ghost"), "{}", ghosts.stdout);
    let reset = real.with(&["--reset-job=well"]).run().await;
    assert_eq!(reset.code, Some(0), "{}", reset.stderr);
    let gone = "SELECT count(*) FROM crontabber WHERE app_name = 'well'";
    assert_eq!(database.query_one::<i64>(gone).await, 0);
}
