//! Only a run is finished.

use crontabber::{claim::Held, run::Finished, supervise::Ended};

fn forge(held: Held, ended: Ended) -> Finished {
    Finished { held, ended, cut: None, at: jiff::Timestamp::now() }
}

fn main() {}
