//! Jobs that are kept running: started whenever they do not run, by hosts that stay.

mod by_hand;
#[path = "../common/mod.rs"]
mod common;
mod daemons;
mod moved;
mod restarted;
mod seen;

use std::time::Duration;

use common::{Database, host::job};
use crontabber::spec::{JobSpec, Retry};

/// A service that does this; delays from a minute to ten.
pub(crate) fn kept(shell: &str) -> JobSpec {
    JobSpec {
        timetable: None,
        keep_running: true,
        retry: Retry {
            first: Duration::from_mins(1),
            factor: 2.0,
            max: Duration::from_mins(10),
            jitter: 0.0,
            attempts: 0,
        },
        ..job("relay", shell)
    }
}

/// Errors in a row, and what Python's listing would print of the last.
pub(crate) async fn errors(database: &Database) -> (i32, String) {
    let count = database
        .query_one("SELECT error_count FROM crontabber WHERE app_name = 'relay'")
        .await;
    let last = "SELECT concat_ws(' ', last_error->>'type', last_error->>'value', last_error->>'traceback') FROM crontabber WHERE app_name = 'relay'";
    (count, database.query_one(last).await)
}
