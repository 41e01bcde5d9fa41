//! What a daemon with ten thousand jobs costs while none of them is due, and what an hour of work leaves in the table.

use std::{
    fmt::Write as _,
    fs,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::{Daemon, Effort, Server, Site};
use crate::{
    figure::{Bar, Figure, Spread},
    proxy::Proxy,
};

/// How many jobs.
const JOBS: usize = 10_000;
/// How long nothing happens.
const QUIET: Duration = Duration::from_mins(2);
/// How many runs an hour has.
const RUNS: i64 = 2000;

pub(crate) async fn figures(server: &Server, effort: Effort) -> Vec<Figure> {
    let mut figures = nothing_to_do(server, effort).await;
    figures.push(heap(server).await);
    figures
}

async fn nothing_to_do(server: &Server, effort: Effort) -> Vec<Figure> {
    let mut jobs = String::new();
    for job in 0..JOBS {
        let (minute, zone) = (
            job % 60,
            ["UTC", "Europe/Berlin", "America/New_York"][job % 3],
        );
        write!(
            jobs,
            "\n[jobs.job-{job:05}]\ndescription = \"Number {job} of those that are not due\"\n\
             schedule = \"{minute} 4 1 1 *\"\ntimezone = \"{zone}\"\ncommand = [\"/usr/bin/something\", \"--number\", \"{job}\"]\n"
        )
        .expect("a text takes everything");
    }
    let site = Site::new(server, "idle", &jobs).await;
    let proxy = Proxy::before(&site.url);
    site.configure(&proxy.url(), &jobs);
    let daemon = site.daemon("bench").await;
    site.execute("VACUUM ANALYZE").await;
    // What it does when it begins is over.
    sleep(Duration::from_secs(5)).await;
    let trips_before = proxy.trips();
    let (since, before) = (Instant::now(), processor(&daemon));
    sleep(QUIET / u32::try_from(effort.shrinks()).expect("a handful")).await;
    let seconds = since.elapsed().as_secs_f64();
    let worked = processor(&daemon) - before;
    let trips = proxy.trips() - trips_before;
    let trips = f64::from(u32::try_from(trips).expect("a handful"));
    vec![
        Figure {
            what: "idle daemon, 10,000 jobs: percent of one processor",
            bar: Bar::AtMost(0.5),
            measured: Spread::once(100.0 * worked / seconds),
            here: format!("in {seconds:.0} s"),
        },
        Figure {
            what: "idle daemon, 10,000 jobs: RSS, MiB",
            bar: Bar::AtMost(40.0),
            measured: Spread::once(memory(&daemon, "VmRSS") / 1024.0),
            here: format!("at most {:.1}", memory(&daemon, "VmHWM") / 1024.0),
        },
        Figure {
            what: "idle daemon, 10,000 jobs: round trips a second",
            bar: Bar::AtMost(0.5),
            measured: Spread::once(trips / seconds),
            here: format!("{trips} in {seconds:.0} s"),
        },
    ]
}

/// How large an hour's work makes the table of states, with nobody to tidy up.
async fn heap(server: &Server) -> Figure {
    let mut jobs = "[daemon]\npoll = \"1h\"\nmax_parallel = 8\n".to_owned();
    for job in 0..100 {
        write!(
            jobs,
            "\n[jobs.job-{job:03}]\nevery = \"1s\"\ncommand = [\"/bin/true\"]\n"
        )
        .expect("a text takes everything");
    }
    let site = Site::new(server, "heap", &jobs).await;
    let daemon = site.daemon("bench").await;
    site.until(&format!(
        "SELECT count(*) >= {RUNS} FROM crontabber_log WHERE outcome = 'success'"
    ))
    .await;
    drop(daemon);
    let bytes: i64 = site.ask("SELECT pg_relation_size('crontabber')").await;
    let bytes = f64::from(u32::try_from(bytes).expect("some MiB"));
    Figure {
        what: "2,000 runs of 100 jobs, no vacuum: heap of the state table, MiB",
        bar: Bar::AtMost(4.0),
        measured: Spread::once(bytes / 1024.0 / 1024.0),
        here: String::new(),
    }
}

/// The seconds of processor that all threads of a daemon have taken.
fn processor(daemon: &Daemon) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid())).expect("it lives");
    let nanoseconds: f64 = tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse::<f64>().ok())
        .sum();
    nanoseconds / 1e9
}

/// A size of a daemon, in KiB.
fn memory(daemon: &Daemon, which: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid()));
    let status = status.expect("it lives");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(which)?.strip_prefix(':'));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    number.expect("every process has one")
}
