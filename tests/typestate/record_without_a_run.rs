//! What was claimed but not run cannot be recorded.

use crontabber::{claim::Claim, record::{Recorder, record}};

async fn skip_the_run(claim: Claim, to: Recorder<'_>) {
    let _ = record(claim, to).await;
}

fn main() {}
