//! Running consumes the claim.

use crontabber::{claim::Claim, heartbeat::Heart, run::run, supervise::Supervisor};

async fn twice(claim: Claim, supervisor: &Supervisor, heart: &Heart) {
    let _ = run(claim, "alpha", supervisor, heart).await;
    let _ = run(claim, "alpha", supervisor, heart).await;
}

fn main() {}
