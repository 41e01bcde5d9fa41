//! What these tests take for crontabber 0.18.1 is crontabber 0.18.1: its tables, and what a pass leaves in them.
//!
//! Only where the program itself is to be had (`scripts/need python2`).

mod common;

use common::{
    Database, Postgres, Site, legacy,
    python::{Job, Python, Real},
};
use jiff::SignedDuration;

/// The program on this database, if there is one.
fn real(database: &Database, site: &Site) -> Option<Real> {
    let real = Real::find(database, &site.file(""), site.ledger());
    if real.is_none() {
        println!("no Python 2 with crontabber 0.18.1 here: nothing to compare with");
    }
    real
}

#[tokio::test]
async fn the_tables_of_these_tests_are_those_that_the_program_makes() {
    let (made, ours) = (Postgres::database().await, legacy::empty().await);
    let site = Site::new();
    let Some(real) = real(&made, &site) else {
        return;
    };
    let listed = real
        .job("it", "1h", &[], "", "pass")
        .with(&["--list-jobs"])
        .run()
        .await;
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    for sql in [
        "SELECT table_name, column_name, ordinal_position, data_type, udt_name, is_nullable, column_default
           FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 3",
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 2",
    ] {
        assert_eq!(made.rows(sql).await, ours.rows(sql).await);
    }
}

/// What a pass has left, apart from the instant.
async fn left(database: &Database) -> Vec<Vec<String>> {
    let rows = "SELECT app_name, round(extract(epoch FROM next_run - last_run)), round(extract(epoch FROM now() - last_run) / 60),
                       round(extract(epoch FROM now() - last_success) / 60), round(extract(epoch FROM now() - first_run) / 60),
                       round(extract(epoch FROM now() - ongoing) / 60), error_count, depends_on,
                       last_error->>'type', last_error->>'value', last_error->>'traceback' IS NULL
                  FROM crontabber ORDER BY 1";
    let log = "SELECT app_name, round(extract(epoch FROM now() - success) / 60), exc_type, exc_traceback IS NULL
                 FROM crontabber_log WHERE log_time > now() - interval '4 minutes' ORDER BY 1, 2";
    let mut all = database.rows(rows).await;
    all.extend(database.rows(log).await);
    all
}

/// One pass of the program and one of its re-enactment over these jobs, on the same estate; the exit code of both.
async fn compare(jobs: &[(&str, &str, &[&str], &str)]) -> Option<i32> {
    let (theirs, ours) = (legacy::estate().await, legacy::estate().await);
    let site = Site::new();
    let mut real = real(&theirs, &site)?;
    let mut known = Vec::new();
    for &(name, frequency, depends_on, body) in jobs {
        let is_backfill = name == "backfill";
        let decorator = if is_backfill {
            "@as_backfill_cron_app"
        } else {
            ""
        };
        real = real.job(name, frequency, depends_on, decorator, body);
        let job = Job::hourly(name).after(depends_on);
        known.push(if is_backfill {
            job.every(SignedDuration::from_hours(24)).backfill()
        } else {
            job
        });
    }
    let pass = real.with(&[]).run().await;
    let code = pass.code.expect("it ends by itself");

    let python = Python::on(&ours).await;
    let body = async |job: &Job| match jobs.iter().find(|(name, ..)| *name == job.name) {
        Some((.., "pass")) => Ok(()),
        _ => Err("no such file".to_owned()),
    };
    assert_eq!(python.pass(&known, body).await, code, "{}", pass.stderr);
    assert_eq!(left(&ours).await, left(&theirs).await);
    Some(code)
}

const FAILS: &str = "raise ValueError('no such file')";

#[tokio::test]
async fn a_pass_of_the_reenactment_leaves_what_a_pass_of_the_program_leaves() {
    let jobs: &[(&str, &str, &[&str], &str)] = &[
        ("backfill", "1d", &[], "pass"),
        ("first_run_died", "1h", &[], "pass"),
        ("later", "1h", &[], "pass"),
        ("new", "1h", &[], "pass"),
        ("new_and_fails", "1h", &[], FAILS),
        ("ongoing_12h01", "1h", &[], "pass"),
        ("recovering", "1h", &[], "pass"),
        ("failing", "1h", &[], FAILS),
        ("waiting", "1h", &[], "pass"),
        ("well", "1h", &[], FAILS),
        ("child", "1h", &["later"], "pass"),
        ("child_of_failing", "1h", &["failing"], "pass"),
        ("child_of_nobody", "1h", &["absent"], "pass"),
    ];
    assert!(matches!(compare(jobs).await, None | Some(0)));
}

#[tokio::test]
async fn a_pass_ends_at_the_same_job_with_the_same_code() {
    for (job, code) in [
        ("ongoing_1h", 3),
        ("ongoing_11h59", 3),
        ("ongoing_25h", 3),
        ("first_run", 3),
    ] {
        let seen = compare(&[(job, "1h", &[], "pass"), ("well", "1h", &[], "pass")]).await;
        assert!(seen.is_none_or(|seen| seen == code), "{job}: {seen:?}");
    }
    // Its parent has never ended a run: a comparison of None with a time, and a traceback.
    let seen = compare(&[
        ("first_run_of_parent", "1h", &[], "pass"),
        ("child", "1h", &["first_run"], "pass"),
    ])
    .await;
    assert!(seen.is_none_or(|seen| seen == 1), "{seen:?}");
}
