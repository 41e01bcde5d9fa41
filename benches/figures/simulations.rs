//! What it costs to play a month through.

use std::{collections::HashMap, fmt::Write as _, fs, path::Path, time::Duration};

use crontabber::{
    config::{Surroundings, load_in},
    dag::JobGraph,
    place::Place,
    simulate::{Happening, Host, Scenario, simulate},
};

use super::{
    Effort,
    figure::{Bar, Figure, Spread, processor_time},
    schedules::ZONES,
    server::Server,
};

const JOBS: usize = 1_000;

pub(crate) fn figures(server: &Server, effort: Effort) -> Vec<Figure> {
    let graph = graph(server.directory());
    let scenario = month();
    let mut took = Vec::new();
    let mut slots = 0;
    for _ in 0..effort.rounds(10).max(3) {
        slots = 0;
        let since = processor_time();
        simulate(&graph, &scenario, |happening| {
            slots += match happening {
                Happening::Ran(_) => 1,
                Happening::Skipped { skipped, .. } => skipped.slots.count,
            };
        });
        took.push(processor_time() - since);
    }
    assert!(slots > 1_000_000, "only {slots} slots");
    vec![Figure {
        what: "`simulate` of 1,000 jobs over 30 days: seconds of processor",
        bar: Bar::AtMost(5.0),
        measured: Spread::of(took),
        here: format!("{slots} slots"),
    }]
}

/// Crontabs and periods at the granularity of minutes, in three zones; every fifth job waits for another.
fn graph(directory: &Path) -> JobGraph {
    let file = directory.join("simulations.toml");
    let mut text = "[database]\nurl = \"postgresql:///nowhere\"\n".to_owned();
    for job in 0..JOBS {
        let (zone, minute) = (ZONES[job % ZONES.len()], job % 60);
        let when = match job % 4 {
            0 => "schedule = \"*/20 * * * *\"".to_owned(),
            1 => format!("schedule = \"{minute} * * * *\""),
            2 => "every = \"45m\"".to_owned(),
            _ => format!("schedule = \"{minute} */2,7-9 * * *\""),
        };
        let parent = match job {
            5.. if job.is_multiple_of(5) => format!("depends_on = [\"job-{}\"]\n", job - 4),
            _ => String::new(),
        };
        write!(
            text,
            "\n[jobs.job-{job}]\n{when}\ntimezone = \"{zone}\"\n{parent}command = [\"/bin/true\"]\n"
        )
        .expect("a text takes everything");
    }
    fs::write(&file, text).expect("the directory is ours");
    let config = load_in(Some(&file), &Surroundings::none());
    config.unwrap_or_else(|report| panic!("{report}")).graph
}

fn month() -> Scenario {
    Scenario {
        from: "2026-03-01T00:00:00Z".parse().expect("an instant"),
        to: "2026-03-31T00:00:00Z".parse().expect("an instant"),
        hosts: vec![Host {
            place: Place {
                host: "alpha".into(),
                ..Place::default()
            },
            max_parallel: 64,
            down: Vec::new(),
        }],
        took: HashMap::new(),
        took_else: Duration::from_secs(5),
        fails: Vec::new(),
    }
}
