//! What was claimed but not run cannot be recorded.

use crontabber::{claim::Claim, record::record, store::Database};

async fn skip_the_run(claim: Claim, database: &Database) {
    let _ = record(claim, database, None).await;
}

fn main() {}
