//! What the next slot of a schedule costs.

use std::hint::black_box;

use crontabber::schedule::{Crontab, Rule, Timetable};
use jiff::{SignedDuration, Timestamp};

use super::{
    Effort,
    figure::{Bar, Figure, Spread, processor_time},
};

/// From one every ten minutes to one in four years; at fixed times and following real time.
pub(crate) const CRONTABS: [&str; 17] = [
    "*/10 * * * *",
    "0 * * * *",
    "30 2 * * *",
    "30 1 * * *",
    "0 2,3 * * *",
    "15 0-4 * * *",
    "*/30 1,2 * * 0",
    "0 0 * * *",
    "5 1-3 */2 * 1",
    "0 0 13 * 5",
    "59 23 31 12 *",
    "0 3 1-7 * 0",
    "45 1 * 3,4,10,11 *",
    "* 2 * * *",
    "0 */6 * * 1-5",
    "30 2 29 2 *",
    "15,45 1 1,15 * 6,7",
];

/// One without jumps, and two that jump at different times.
pub(crate) const ZONES: [&str; 3] = ["UTC", "Europe/Berlin", "America/New_York"];

/// How many instants of a year each of them is asked at.
const INSTANTS: i32 = 200;

pub(crate) fn figures(effort: Effort) -> Vec<Figure> {
    let timetables: Vec<Timetable> = ZONES
        .iter()
        .flat_map(|zone| CRONTABS.iter().map(|crontab| timetable(crontab, zone)))
        .collect();
    let asked = INSTANTS * i32::try_from(timetables.len()).expect("a few");
    let round = || {
        let since = processor_time();
        ask(&timetables);
        (processor_time() - since) * 1e6 / f64::from(asked)
    };
    // The first round reads the zones.
    round();
    vec![Figure {
        what: "the next slot of a crontab, 17 of them in three zones: microseconds of processor",
        bar: Bar::AtMost(2.0),
        measured: Spread::of((0..effort.rounds(200)).map(|_| round()).collect()),
        here: String::new(),
    }]
}

fn ask(timetables: &[Timetable]) {
    let new_year: Timestamp = "2026-01-01T00:00:00Z".parse().expect("an instant");
    // Nearly two days, so that each hour of a day is met.
    let distance = SignedDuration::from_secs(157_013);
    for timetable in timetables {
        let mut instant = new_year;
        for _ in 0..INSTANTS {
            black_box(timetable.next(instant, instant));
            instant += distance;
        }
    }
}

fn timetable(crontab: &str, zone: &str) -> Timetable {
    Timetable {
        rules: vec![Rule::Crontab(Crontab::parse(crontab).expect(crontab))],
        timezone: zone.to_owned(),
        jitter: std::time::Duration::ZERO,
    }
}
