//! One pass: what it runs, in which order, and what it leaves behind in the table.

mod common;

use common::{
    Postgres,
    host::{Host, job},
};
use crontabber::exit::Exit;
use jiff::{SignedDuration, Timestamp};

/// An instant after the server's start, so that reaping is not held back by it.
fn noon() -> Timestamp {
    "2031-05-05T12:00:00Z".parse().expect("a timestamp")
}

#[tokio::test]
async fn a_job_that_is_due_runs_once_and_is_wanted_again_a_period_later() {
    let database = Postgres::database().await;
    let alpha = Host::new("alpha", &database, &[job("fetch", "true")]);
    assert_eq!(alpha.at(noon()).tick().await.exit(), Exit::Ok);
    let row = database
        .rows("SELECT error_count, run_id, last_success = next_run - interval '1 hour', extract(epoch FROM next_run) FROM crontabber")
        .await;
    let next = noon() + SignedDuration::from_hours(1);
    assert_eq!(
        row,
        [["0", "NULL", "t", &format!("{}.000000", next.as_second())]]
    );
    let log = database
        .rows("SELECT outcome, attempt, trigger, host, exit_code FROM crontabber_log")
        .await;
    assert_eq!(log, [["success", "1", "schedule", "alpha", "0"]]);
    assert_eq!(alpha.at(noon()).tick().await.well, 0);
}
