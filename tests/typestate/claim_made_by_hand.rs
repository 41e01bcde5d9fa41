//! Only `claim` makes a claim.

use crontabber::claim::{Claim, Held};

fn forge(held: Held) -> Claim {
    Claim(held)
}

fn main() {}
