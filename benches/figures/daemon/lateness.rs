//! How long after its slot a claim is made by a daemon that was asleep.

use std::fmt::Write as _;

use super::{Effort, Server, Site};
use crate::figure::{Bar, Figure, Spread};

/// How many slots.
const SLOTS: usize = 1000;
/// How far apart, in milliseconds: each run is over long before the next slot.
const APART: usize = 25;

pub(crate) async fn figures(server: &Server, effort: Effort) -> Vec<Figure> {
    let slots = effort.rounds(SLOTS);
    let mut jobs = String::new();
    for job in 0..slots {
        write!(
            jobs,
            "\n[jobs.slot-{job:04}]\nevery = \"30d\"\nsql = \"SELECT\"\n"
        )
        .expect("a text takes everything");
    }
    let site = Site::new(server, "lateness", &jobs).await;
    let _daemon = site.daemon("bench").await;
    site.execute("VACUUM ANALYZE").await;
    site.execute(&format!(
        "UPDATE crontabber SET slot = NULL, revision = revision + 1,
                next_run = clock_timestamp() + interval '2 s' + right(app_name, 4)::int * interval '{APART} ms';
         NOTIFY crontabber, 'moved'"
    ))
    .await;
    let ended = format!("SELECT count(*) = {slots} FROM crontabber_log WHERE outcome = 'success'");
    site.until(&ended).await;
    let quantile = |part: f64| {
        format!(
            "SELECT percentile_cont({part}) WITHIN GROUP (ORDER BY 1e3 * extract(epoch FROM started_at - slot))
               FROM crontabber_log WHERE outcome = 'success'"
        )
    };
    vec![
        Figure {
            what: "a slot of an idle daemon: milliseconds until it is claimed, median",
            bar: Bar::AtMost(1.0),
            measured: Spread::once(site.ask(&quantile(0.5)).await),
            here: String::new(),
        },
        Figure {
            what: "a slot of an idle daemon: milliseconds until it is claimed, 99 of 100",
            bar: Bar::AtMost(5.0),
            measured: Spread::once(site.ask(&quantile(0.99)).await),
            here: String::new(),
        },
    ]
}
