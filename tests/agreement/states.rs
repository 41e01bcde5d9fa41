//! Tables in random states, each job drawn from sixteen numbers.

use std::{path::Path, time::Duration};

use crontabber::{
    schedule::Timetable,
    spec::{CatchUp, JobSpec, Needed, On, Parent, Placement},
};
use jiff::{SignedDuration, Timestamp};

use super::common::{
    Database,
    host::{crontab, every, job, minutes, noon},
};

/// The numbers that a job and its row are made of.
pub(crate) type Draw = [u8; 16];

/// The database's clock: between two slots of everything.
pub(crate) fn now() -> Timestamp {
    noon() + SignedDuration::from_secs(7 * 60 + 30)
}

/// One of these.
fn pick<T: Copy>(number: u8, of: &[T]) -> T {
    of[usize::from(number) % of.len()]
}

/// The jobs: each may wait for two of those before it, and their runs for the gate.
pub(crate) fn specs(draws: &[Draw], gate: &Path) -> Vec<JobSpec> {
    let shell = format!(": < {}", gate.display());
    let specs = draws.iter().enumerate().map(|(number, draw)| {
        let depends_on = parents(number, draw);
        let hours = |hours| Some(Duration::from_hours(hours));
        JobSpec {
            timetable: timetable(draw[2], !depends_on.is_empty()),
            depends_on,
            catch_up: pick(draw[3], &[CatchUp::Latest, CatchUp::None, CatchUp::All]),
            catch_up_limit: pick(draw[4], &[None, Some(1), Some(2)]),
            start_deadline: pick(
                draw[5],
                &[None, None, Some(Duration::from_mins(10)), hours(2)],
            ),
            placement: Placement {
                hosts: vec![pick(draw[6], &["*", "*", "*", "alpha", "gone*"]).to_owned()],
                on: On::One,
            },
            ..job(&name(number), &shell)
        }
    });
    specs.collect()
}

fn name(number: usize) -> String {
    format!("job{number}")
}

fn parents(number: usize, draw: &Draw) -> Vec<Parent> {
    let mut parents: Vec<Parent> = Vec::new();
    for draw in [draw[0], draw[1]] {
        // Half of the jobs wait for nothing.
        let parent = usize::from(draw % 32);
        let is_new =
            |parents: &[Parent], name: &str| parents.iter().all(|it| it.job.as_str() != name);
        if parent < number && is_new(&parents, &name(parent)) {
            parents.push(Parent {
                on: pick(draw / 32, &[Needed::Success, Needed::Finish]),
                within: pick(
                    draw / 64,
                    &[
                        None,
                        Some(Duration::from_mins(90)),
                        Some(Duration::from_hours(30)),
                    ],
                ),
                ..Parent::named(name(parent).parse().expect("a name"))
            });
        }
    }
    parents
}

fn timetable(draw: u8, has_parents: bool) -> Option<Timetable> {
    let hourly = crontab("0 * * * *");
    Some(match draw % 6 {
        0 => every(Duration::from_hours(1)),
        1 => hourly,
        2 => crontab("*/15 * * * *"),
        3 => crontab("0 3 * * *"),
        4 => Timetable {
            jitter: Duration::from_mins(40),
            ..hourly
        },
        _ if has_parents => return None,
        _ => every(Duration::from_mins(10)),
    })
}

/// The rows, and the log of the runs that are going on in them, in place of what was there.
pub(crate) async fn write(database: &Database, specs: &[JobSpec], draws: &[Draw]) {
    let mut sql = "TRUNCATE crontabber, crontabber_log, crontabber_host;".to_owned();
    for (spec, draw) in specs.iter().zip(draws) {
        sql += &row(spec, draw);
        sql += &going_on(spec, draw[14]);
    }
    database.execute(&sql).await;
}

fn row(spec: &JobSpec, draw: &Draw) -> String {
    let errors = pick(draw[8], &[0, 0, 0, 1, 4]);
    let retry = (errors > 0).then(|| now() + minutes(pick(draw[9], &[-20, -3, 4, 30])));
    let (slot, start) = slot(spec, draw[7]);
    let pause = pick(
        draw[10],
        &[None, None, None, None, Some(-180), Some(-20), Some(30)],
    );
    let pause = pause.map(|away| now() + minutes(away));
    let next_run = start.max(retry).max(pause.filter(|_| start.is_some()));
    let done = |draw: u8| {
        pick(
            draw,
            &[
                None,
                Some(0),
                Some(0),
                Some(-15),
                Some(-60),
                Some(-180),
                Some(-1440),
            ],
        )
        .map(|away| noon() + minutes(away))
    };
    let asked = draw[13].is_multiple_of(12);
    format!(
        "INSERT INTO crontabber (app_name, slot, next_run, error_count, last_error, last_run, paused_until, paused_by,
                success_slot, finish_slot, trigger_id, triggered_at)
         VALUES ('{}', {}, {}, {errors}, '{{}}', {}, {}, {}, {}, {}, {}, {});",
        spec.name,
        sql(slot),
        next_run.map_or("'9999-01-01 00:00+00'".to_owned(), |at| sql(Some(at))),
        sql(Some(noon() - minutes(60))),
        sql(pause),
        if draw[10] < 128 { "'anna'" } else { "'on_lost'" },
        sql(done(draw[11])),
        sql(done(draw[12])),
        if asked { "gen_random_uuid()" } else { "NULL" },
        sql(asked.then(|| now() - minutes(1))),
    )
}

/// The pending slot, from six before the latest to one ahead, and its start; of a job that its parents start what it handled
/// last.
fn slot(spec: &JobSpec, draw: u8) -> (Option<Timestamp>, Option<Timestamp>) {
    let Some(when) = &spec.timetable else {
        let handled = pick(draw, &[None, Some(0), Some(-60), Some(-15), Some(-1440)]);
        return (handled.map(|away| noon() + minutes(away)), None);
    };
    let latest = when.latest(now(), noon()).expect("it has slots");
    let slot = match draw % 8 {
        7 => when.next(latest, noon()).expect("it has more"),
        before => (0..before).fold(latest, |slot, _| {
            let earlier = slot - SignedDuration::from_micros(1);
            when.latest(earlier, noon()).expect("it has slots")
        }),
    };
    let start = slot + when.offset(spec.name.as_str());
    (Some(slot), Some(start))
}

/// A run on another host, or one of a Python host, which is respected for twelve hours.
fn going_on(spec: &JobSpec, draw: u8) -> String {
    let name = &spec.name;
    match draw % 10 {
        0 => {
            let (at, until) = (
                sql(Some(noon() - minutes(3))),
                sql(Some(now() + minutes(60))),
            );
            format!(
                "UPDATE crontabber SET revision = revision + 1, ongoing = {at}, run_id = gen_random_uuid(), run_slot = {at},
                        run_trigger = 'manual', attempt = 1, host = 'beta', lease_until = {until} WHERE app_name = '{name}';
                 INSERT INTO crontabber_log (app_name, run_id, slot, attempt, host, trigger, outcome, started_at)
                 SELECT app_name, run_id, run_slot, 1, host, 'manual', 'running', ongoing
                   FROM crontabber WHERE app_name = '{name}';"
            )
        }
        1 => python(spec, -10),
        2 => python(spec, -13 * 60),
        _ => String::new(),
    }
}

fn python(spec: &JobSpec, since: i64) -> String {
    let (name, since) = (&spec.name, sql(Some(noon() + minutes(since))));
    format!(
        "UPDATE crontabber SET revision = revision + 1, ongoing = {since} WHERE app_name = '{name}';"
    )
}

fn sql(at: Option<Timestamp>) -> String {
    at.map_or("NULL".to_owned(), |at| format!("'{at}'"))
}
