//! Recording consumes what was run.

use crontabber::{record::{Recorder, record}, run::Finished};

async fn twice(finished: Finished, to: Recorder<'_>) {
    let _ = record(finished, to).await;
    let _ = record(finished, to).await;
}

fn main() {}
