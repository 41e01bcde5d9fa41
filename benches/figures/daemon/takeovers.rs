//! How long after `kill -9` of a daemon its run has begun anew: on another host, and on its own.

use std::time::Instant;

use super::{Server, Site};
use crate::figure::{Bar, Figure, Spread};

/// Seconds: the lease, and by default a sixth of it between heartbeats and a twelfth of grace.
const LEASE: f64 = 12.0;
const HEARTBEAT: f64 = LEASE / 6.0;
const GRACE: f64 = LEASE / 12.0;

pub(crate) async fn figures(server: &Server) -> Vec<Figure> {
    vec![
        Figure {
            what: "kill -9 of a daemon, lease 12 s: seconds until another host runs its job",
            bar: Bar::AtMost(LEASE + HEARTBEAT + GRACE + 2.0),
            measured: Spread::once(after_a_kill(server, "takeover", "beta").await),
            here: String::new(),
        },
        Figure {
            what: "kill -9 of a daemon, started again at once: seconds until it runs its job",
            bar: Bar::AtMost(3.0),
            measured: Spread::once(after_a_kill(server, "comeback", "alpha").await),
            here: String::new(),
        },
    ]
}

async fn after_a_kill(server: &Server, name: &'static str, heir: &str) -> f64 {
    let jobs = format!(
        "[daemon]\nlease = \"{LEASE}s\"\n\n[jobs.long]\nevery = \"30d\"\nstart = \"now\"\ncommand = [\"/bin/sleep\", \"600\"]\n"
    );
    let site = Site::new(server, name, &jobs).await;
    let mut alpha = site.daemon("alpha").await;
    let runs = |attempt: u32| {
        format!(
            "SELECT count(*) = 1 FROM crontabber_log WHERE attempt = {attempt} AND outcome = 'running'"
        )
    };
    site.until(&runs(1)).await;
    let beta = match heir {
        "alpha" => None,
        other => Some(site.daemon(other).await),
    };
    // As if it had just renewed its lease: the longest wait.
    site.until(&format!(
        "SELECT lease_until > clock_timestamp() + interval '{} s' FROM crontabber",
        LEASE - 0.2
    ))
    .await;
    let since = Instant::now();
    alpha.kill();
    let _heir = match beta {
        Some(beta) => beta,
        None => site.daemon("alpha").await,
    };
    site.until(&runs(2)).await;
    since.elapsed().as_secs_f64()
}
