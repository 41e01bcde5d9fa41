//! What it costs to plan: a verdict for each of very many jobs, from a table in memory.

use std::{fmt::Write as _, fs, hint::black_box, path::Path};

use crontabber::{
    config::{Surroundings, load_in},
    dag::JobGraph,
    place::Place,
    plan::{Verdict, plan},
    spec::JobSpec,
    store::table::{JobState, Table, never},
};
use jiff::Timestamp;

use super::{
    Effort,
    figure::{Bar, Figure, Spread, beside, processor_time, time},
    schedules::{CRONTABS, ZONES},
    server::Server,
};

const JOBS: usize = 100_000;

/// One job in so many is due.
const DUE: usize = 100;

/// A configuration and a table that knows all of its jobs.
struct World {
    graph: JobGraph,
    table: Table,
}

impl World {
    fn new(directory: &Path, jobs: usize) -> Self {
        let file = directory.join("plans.toml");
        let mut text = "[database]\nurl = \"postgresql:///nowhere\"\n".to_owned();
        (0..jobs).for_each(|job| text.push_str(&definition(job)));
        fs::write(&file, text).expect("the directory is ours");
        let config = load_in(Some(&file), &Surroundings::none());
        let graph = config.unwrap_or_else(|report| panic!("{report}")).graph;
        let now = "2026-06-01T12:00:30Z".parse().expect("an instant");
        let rows = graph.jobs().iter().enumerate();
        let rows = rows.map(|(number, spec)| {
            let row = row(spec, now, number % DUE == 0);
            (spec.name.as_str().into(), Box::new(row))
        });
        let table = Table {
            now,
            jobs: rows.collect(),
            ..Table::default()
        };
        let world = Self { graph, table };
        world.is_what_it_should_be(jobs);
        world
    }

    fn is_what_it_should_be(&self, jobs: usize) {
        let edges = (0..jobs).map(|job| self.graph.parents(job).len());
        assert_eq!(
            edges.sum::<usize>(),
            2 * jobs - 5,
            "two for each, but at the top"
        );
        let plan = plan(&self.graph, &self.table, &Place::default());
        let due = plan.jobs.iter();
        let due = due.filter(|job| matches!(job.verdict, Verdict::Run(_)));
        let due = due.count();
        assert!(due > jobs / DUE / 2, "only {due} of {jobs} are due");
    }

    /// The seconds of processor that a plan of everything takes.
    fn plan(&self) -> f64 {
        let since = processor_time();
        let plan = plan(&self.graph, &self.table, &Place::default());
        let took = processor_time() - since;
        black_box(plan);
        took
    }
}

/// A quarter each: crontab, period, day at a wall time, after its parents. Two parents each, in a graph that is as deep
/// as the logarithm of the number.
fn definition(job: usize) -> String {
    let zone = ZONES[job / 4 % ZONES.len()];
    let when = match job % 4 {
        0 => format!("schedule = \"{}\"", CRONTABS[job / 4 % CRONTABS.len()]),
        1 => format!("every = \"{}m\"", 5 + job / 4 % 60),
        2 => format!(
            "every = \"1d\"\nat = \"{:02}:{:02}\"",
            job / 4 % 24,
            job % 60
        ),
        _ => String::new(),
    };
    let parents = match job {
        0 => String::new(),
        1..4 => "depends_on = [\"job-0\"]\n".to_owned(),
        _ => format!("depends_on = [\"job-{}\", \"job-{}\"]\n", job / 2, job / 3),
    };
    let mut text = String::new();
    write!(
        text,
        "\n[jobs.job-{job}]\n{when}\ntimezone = \"{zone}\"\n{parents}command = [\"/bin/true\"]\n"
    )
    .expect("a text takes everything");
    text
}

/// A row whose slots have all been well so far, but for the one that is due.
fn row(spec: &JobSpec, now: Timestamp, is_due: bool) -> JobState {
    let Some(when) = &spec.timetable else {
        return JobState {
            next_run: Some(never()),
            slot: Some(now),
            success_slot: Some(now),
            ..JobState::default()
        };
    };
    let midnight = "2026-01-01T00:00:00Z".parse().expect("an instant");
    let latest = when.latest(now, midnight);
    let slot = if is_due {
        latest
    } else {
        when.next(now, midnight)
    };
    JobState {
        next_run: slot,
        slot,
        success_slot: latest,
        ..JobState::default()
    }
}

pub(crate) fn figures(server: &Server, effort: Effort) -> Vec<Figure> {
    let many = World::new(server.directory(), JOBS);
    // Ten of them and not one ten times: a table that was planned a moment ago is in the processor's cache.
    let few: Vec<World> = (0..10)
        .map(|_| World::new(server.directory(), JOBS / 10))
        .collect();
    let (mut of_many, mut of_ten_few) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds(50) {
        of_many.push(many.plan());
        of_ten_few.push(few.iter().map(World::plan).sum());
    }
    vec![
        Figure {
            what: "plan of 100,000 jobs, 200,000 edges, one in a hundred due: milliseconds of processor",
            bar: Bar::AtMost(60.0),
            measured: Spread::of(of_many.iter().map(|seconds| seconds * 1e3).collect()),
            here: String::new(),
        },
        Figure {
            what: "the same: time / plans of ten times 10,000 jobs",
            bar: Bar::AtMost(1.5),
            measured: Spread::of_ratios(&of_many, &of_ten_few),
            here: beside(&of_many, &of_ten_few, time),
        },
    ]
}
