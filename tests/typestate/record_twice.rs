//! Recording consumes what was run.

use crontabber::{record::record, run::Finished, store::Database};

async fn twice(finished: Finished, database: &Database) {
    let _ = record(finished, database, None).await;
    let _ = record(finished, database, None).await;
}

fn main() {}
