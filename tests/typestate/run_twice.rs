//! Running consumes the claim.

use crontabber::{claim::Claim, run::{Means, run}};

async fn twice(claim: Claim, means: &Means<'_>) {
    let _ = run(claim, means).await;
    let _ = run(claim, means).await;
}

fn main() {}
