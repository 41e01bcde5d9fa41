//! What `simulate` says happens is what the tables say happened.

use std::{collections::HashMap, time::Duration};

use crontabber::{
    dag::JobGraph,
    place::Place,
    simulate::{Down, Happening, Scenario, simulate},
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    common::{Database, Postgres, host::Host},
    world::{NEVER, entering, jobs, ledger, next_instant},
};

fn from() -> Timestamp {
    "2031-03-27T00:00:00Z".parse().expect("an instant")
}

fn hours(hours: i64) -> Timestamp {
    from() + SignedDuration::from_hours(hours)
}

/// Six days, with the night in which Berlin's clocks jump; nobody is there for a day and a half of them.
fn scenario() -> Scenario {
    Scenario {
        from: from(),
        to: hours(144),
        hosts: vec![crontabber::simulate::Host {
            place: Place {
                host: "alpha".into(),
                ..Place::default()
            },
            max_parallel: 4,
            down: vec![Down {
                from: hours(49),
                to: hours(85),
            }],
        }],
        took: HashMap::new(),
        took_else: Duration::ZERO,
        fails: Vec::new(),
    }
}

/// Each happening in a line: the row, the slot, how many, the attempt, when, what.
fn foretold(graph: &JobGraph) -> Vec<String> {
    let mut lines = Vec::new();
    simulate(graph, &scenario(), |happening| {
        lines.push(match happening {
            Happening::Ran(ran) => {
                let outcome = ran.outcome.map_or("running", |outcome| outcome.as_str());
                line(ran.row, ran.slot, 1, ran.attempt, ran.started_at, outcome)
            }
            Happening::Skipped { row, skipped, at } => {
                let slots = skipped.slots;
                let reason = skipped.reason.to_string();
                line(row, slots.first, slots.count, 0, *at, &reason)
            }
        });
    });
    lines.sort_unstable();
    lines
}

fn line(row: &str, slot: Timestamp, slots: i64, attempt: i32, at: Timestamp, what: &str) -> String {
    let seconds = |at: Timestamp| at.as_second() - from().as_second();
    format!(
        "{row} {} {slots} {attempt} {} {what}",
        seconds(slot),
        seconds(at)
    )
}

/// The same of the log.
async fn happened(database: &Database) -> Vec<String> {
    let from = from();
    let sql = format!(
        "SELECT concat_ws(' ', app_name, extract(epoch FROM slot - '{from}')::int8, coalesce(slots, 1), attempt,
                          extract(epoch FROM coalesce(started_at, log_time) - '{from}')::int8,
                          CASE outcome WHEN 'skipped' THEN reason ELSE outcome END)
           FROM crontabber_log"
    );
    let mut lines = database.rows(&sql).await.concat();
    lines.sort_unstable();
    lines
}

/// Every job as the simulation takes it to be: well until the first instant, and pending from there on.
async fn all_well(database: &Database) {
    let sql = format!(
        "UPDATE crontabber SET revision = revision + 1, success_slot = '{0}'::timestamptz - interval '1 us',
                slot = CASE WHEN next_run >= '9999-01-01Z' THEN '{0}'::timestamptz - interval '1 us' ELSE slot END",
        from()
    );
    database.execute(&sql).await;
}

#[tokio::test]
async fn what_the_simulation_of_six_days_says_is_what_happens_to_the_real_tables() {
    let database = Postgres::database().await;
    ledger(&database).await;
    // Failures are for the month: their retries are drawn by chance.
    let jobs: Vec<_> = jobs()
        .into_iter()
        .map(|job| crontabber::spec::JobSpec {
            kind: entering(job.name.as_str(), NEVER).kind,
            start: crontabber::spec::Start::Next,
            ..job
        })
        .collect();
    let graph = JobGraph::resolve(jobs.clone()).expect("a graph");
    let host = Host::new("alpha", &database, &jobs);
    // The rows are made an instant before, so that the first slots are not behind them.
    let just_before = from() - SignedDuration::from_micros(1);
    host.at(just_before).tick().await;
    database
        .execute(&format!(
            "UPDATE crontabber SET revision = revision + 1, slot = '{0}', next_run = '{0}' WHERE app_name IN ('latest', 'all')",
            from()
        ))
        .await;
    all_well(&database).await;
    let down = scenario().hosts[0].down[0];
    let mut now = from();
    while now < scenario().to {
        if now < down.from || down.to <= now {
            host.at(now).tick().await;
        }
        let next = next_instant(&database, now).await.unwrap_or(down.to);
        // What came while nobody was there is looked at when somebody is there again.
        now = if now < down.to && (next > down.to || down.from <= next) {
            down.to
        } else {
            next
        };
    }
    assert_eq!(happened(&database).await, foretold(&graph));
}
