//! Five hundred jobs that are due at the same instant.

use std::{fmt::Write as _, time::Duration};

use tokio::time::sleep;

use super::{Effort, Server, Site};
use crate::{
    figure::{Bar, Figure, Spread, beside, rate},
    runs::bare_rate,
};

/// How many jobs.
const JOBS: usize = 500;
/// How many at once: as the operator of such a crowd would have it; the bare loop is as fast with eight.
const WIDTH: usize = 32;

pub(crate) async fn figures(server: &Server, effort: Effort) -> Vec<Figure> {
    vec![sql(server, effort).await, commands(server, effort).await]
}

/// When the last of them starts, by its own clock: the first thing it does is to write that down.
async fn sql(server: &Server, effort: Effort) -> Figure {
    let insert = "INSERT INTO started VALUES (clock_timestamp())";
    let site = site(server, "sql_burst", &format!("sql = \"{insert}\"")).await;
    site.execute("CREATE TABLE started (at timestamptz)").await;
    let _daemon = site.daemon("bench").await;
    warm_up(&site).await;
    let (mut last, mut first) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds(20).max(3) {
        site.execute("TRUNCATE started").await;
        burst(&site).await;
        let since = |which: &str| {
            format!(
                "SELECT extract(epoch FROM {which}(at) - (SELECT max(slot) FROM crontabber_log))::float8 FROM started"
            )
        };
        let all: bool = site
            .ask(&format!("SELECT count(*) = {JOBS} FROM started"))
            .await;
        assert!(all, "each has started once");
        last.push(site.ask(&since("max")).await);
        first.push(site.ask::<f64>(&since("min")).await);
    }
    Figure {
        what: "500 `sql` jobs due at one instant: seconds until the last one starts",
        bar: Bar::AtMost(0.2),
        measured: Spread::of(last),
        here: format!("the first: {:.3} s", Spread::of(first).median()),
    }
}

/// From the instant until the last one is recorded, beside a bare loop.
async fn commands(server: &Server, effort: Effort) -> Figure {
    let site = site(server, "command_burst", "command = [\"/bin/true\"]").await;
    let _daemon = site.daemon("bench").await;
    warm_up(&site).await;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds(20).max(3) {
        burst(&site).await;
        let took: f64 = site
            .ask("SELECT extract(epoch FROM max(finished_at) - max(slot))::float8 FROM crontabber_log WHERE outcome = 'success'")
            .await;
        ours.push(f64::from(u32::try_from(JOBS).expect("some hundreds")) / took);
        bare.push(bare_rate(JOBS, WIDTH));
    }
    Figure {
        what: "500 jobs of /bin/true due at one instant: rate / bare loop of as many processes",
        bar: Bar::AtLeast(0.6),
        measured: Spread::of_ratios(&ours, &bare),
        here: beside(&ours, &bare, rate),
    }
}

async fn site<'a>(server: &'a Server, name: &'static str, work: &str) -> Site<'a> {
    let mut jobs = format!("[daemon]\npoll = \"1h\"\nmax_parallel = {WIDTH}\n");
    for job in 0..JOBS {
        write!(jobs, "\n[jobs.job-{job:04}]\nevery = \"30d\"\n{work}\n")
            .expect("a text takes everything");
    }
    Site::new(server, name, &jobs).await
}

/// The first runs of all jobs, and what the server's own housekeeping would do in the minute after: of a log that was
/// empty when it was looked at, the planner expects that it can be read from end to end.
async fn warm_up(site: &Site<'_>) {
    burst(site).await;
    site.execute("VACUUM ANALYZE").await;
}

/// Makes all of them due at one instant, and waits until they are done.
async fn burst(site: &Site<'_>) {
    let at: String = site
        .ask("SELECT (clock_timestamp() + interval '1 s')::text")
        .await;
    site.execute(&format!(
        "UPDATE crontabber SET slot = NULL, revision = revision + 1, next_run = '{at}';
         NOTIFY crontabber, 'moved'"
    ))
    .await;
    // Whoever asks meanwhile takes a processor away.
    sleep(Duration::from_secs(2)).await;
    site.until(&format!(
        "SELECT count(*) = {JOBS} FROM crontabber WHERE success_slot = '{at}'"
    ))
    .await;
}
