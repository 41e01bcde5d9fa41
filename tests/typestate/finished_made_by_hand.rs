//! Only a run is finished.

use crontabber::{claim::Held, ended::Ended, run::Finished};

fn forge(held: Held, ended: Ended) -> Finished {
    Finished { held, ended, cut: None, at: jiff::Timestamp::now() }
}

fn main() {}
