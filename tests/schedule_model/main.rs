//! Crontab schedules against a model of cron that shares nothing with them: no parser, no calendar, no time zones, no
//! library. It reads the zones' files itself, and asks every minute of whole years whether the fields allow it.
//!
//! The rule, which is cronie's: cron looks at the clock on the wall once a minute, and starts what the five fields allow.
//! A day must be allowed by the day of the month or by the day of the week; by both, if one of the two fields begins with
//! an asterisk. When the clocks jump, there are two kinds of job. One whose minute or hour begins with an asterisk means
//! "every so often": it is started whenever the clock shows its time, so not at all in an hour that is left out, and again
//! in one that comes twice. Any other means a time of day, which each day has once: if the clocks jump over it, it is
//! started at the jump, once, whatever number of its minutes was left out; and when the clocks are set back, it is not
//! started until they show a later time than they ever did. cronie does so for jumps of up to three hours, and takes
//! longer ones for somebody who has set the clock; here the zone's file tells, and its jumps are of any length.
//!
//! Schedules with thousands of slots a year are compared slot by slot for two days around each jump and on every seventh
//! day, which day differs from zone to zone and from year to year; on the others by the first, the last and the number of
//! their slots. `CRONTABBER_MODEL=full` compares every slot.

mod model;
mod zone;

use std::{env, ops::Range, time::Duration};

use crontabber::schedule::{Crontab, Rule, Timetable};
use jiff::Timestamp;
use model::{DAY, Schedules, new_year};
use zone::Zone;

const ZONES: [&str; 9] = [
    "UTC",
    "America/New_York",
    "Europe/Paris",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "America/St_Johns",
    "Pacific/Apia",
];

const CRONTABS: [&str; 17] = [
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

/// Years with a leap day, with Apia's missing day, with the midnight that São Paulo has not, and with Casablanca's
/// change of mind.
const YEARS: [i64; 5] = [2011, 2017, 2018, 2024, 2026];

#[test]
fn schedules_have_the_slots_of_a_cron_that_looks_at_every_minute() {
    let schedules = Schedules::new(&CRONTABS);
    let mut compared = 0;
    for (number, name) in ZONES.into_iter().enumerate() {
        let zone = Zone::read(name);
        for year in YEARS {
            let days = new_year(year)..new_year(year + 1);
            let every_seventh = i64::try_from(number).expect("a few") + year;
            let is_close = |day: &i64| (day + every_seventh) % 7 == 0 || jumps_about(&zone, *day);
            let (close, other): (Vec<i64>, Vec<i64>) = days.clone().partition(is_close);
            let window = days.start * DAY..days.end * DAY;
            for (crontab, slots) in CRONTABS.iter().zip(schedules.slots(&zone, &window)) {
                let comparison = Comparison {
                    timetable: timetable(crontab, name),
                    slots: &slots,
                    window: &window,
                };
                let is_dense = slots.len() > 5_000 && !is_full();
                for day in &close {
                    comparison.steps(*day);
                }
                for day in &other {
                    if is_dense {
                        comparison.ends(*day);
                    } else {
                        comparison.steps(*day);
                    }
                }
                for jump in zone.jumps_in(&window) {
                    comparison.about(instant(jump));
                    comparison.about(before(jump));
                }
                comparison.instants();
                compared += slots.len();
            }
        }
    }
    println!("{compared} slots compared");
    assert!(compared > 3_000_000, "only {compared} slots compared");
}

fn is_full() -> bool {
    env::var("CRONTABBER_MODEL").is_ok_and(|model| model == "full")
}

/// Whether the clocks jump on a day, on one of two days before or on one of two after.
fn jumps_about(zone: &Zone, day: i64) -> bool {
    let about = (day - 2) * DAY..(day + 3) * DAY;
    !zone.jumps_in(&about).is_empty()
}

/// What the program says, held against the slots of the model in a window.
struct Comparison<'a> {
    timetable: Timetable,
    slots: &'a [i64],
    window: &'a Range<i64>,
}

impl Comparison<'_> {
    /// From each slot of a day the program steps to the one after it.
    fn steps(&self, day: i64) {
        let (_, later) = self.split(day * DAY - 1);
        let nexts = later.iter().skip(1).copied().map(Some).chain([None]);
        let today = later
            .iter()
            .zip(nexts)
            .take_while(|(slot, _)| **slot < (day + 1) * DAY);
        for (slot, next) in today {
            self.next(instant(*slot), next);
        }
    }

    /// A day has its first slot, its last slot and so many.
    fn ends(&self, day: i64) {
        let (midnight, next) = (day * DAY, (day + 1) * DAY);
        let (earlier, later) = self.split(midnight - 1);
        let today = self.split(next - 1).0.len() - earlier.len();
        self.next(before(midnight), later.first().copied());
        self.latest(before(next), &later[..today]);
        self.count(instant(midnight), before(next), today);
    }

    /// Instants that nobody chose, the same in every run.
    fn instants(&self) {
        self.next(before(self.window.start), self.slots.first().copied());
        let length = (self.window.end - self.window.start) * 60_000;
        let mut seed = 0x3039_u64 ^ self.window.start.unsigned_abs();
        for _ in 0..4 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let drawn = i64::try_from(seed >> 24).expect("40 bits") % length;
            self.about(instant(self.window.start) + Duration::from_millis(drawn.unsigned_abs()));
        }
    }

    /// From an instant the program looks both ways, and counts all slots from and up to it.
    fn about(&self, at: Timestamp) {
        let minute = at.as_second().div_euclid(60);
        let (earlier, later) = self.split(minute);
        self.next(at, later.first().copied());
        self.latest(at, earlier);
        self.count(instant(self.window.start), at, earlier.len());
        let is_slot = earlier.last().map(|slot| instant(*slot)) == Some(at);
        let from_here = later.len() + usize::from(is_slot);
        self.count(at, before(self.window.end), from_here);
    }

    /// The slots up to a minute, and those after it.
    fn split(&self, minute: i64) -> (&[i64], &[i64]) {
        let upto = self.slots.partition_point(|slot| *slot <= minute);
        self.slots.split_at(upto)
    }

    /// `None`: the model has no other before the window ends.
    fn next(&self, after: Timestamp, expected: Option<i64>) {
        let found = self.timetable.next(after, after);
        let is_right = match expected {
            Some(expected) => found == Some(instant(expected)),
            None => found.is_none_or(|slot| slot >= instant(self.window.end)),
        };
        let expected = expected.map(instant);
        assert!(
            is_right,
            "{} after {after}: {found:?}, not {expected:?}",
            self.timetable
        );
    }

    /// Without slots the model cannot tell: the latest lies before the window.
    fn latest(&self, until: Timestamp, slots: &[i64]) {
        if let Some(latest) = slots.last() {
            let found = self.timetable.latest(until, until);
            assert_eq!(
                found,
                Some(instant(*latest)),
                "{} until {until}",
                self.timetable
            );
        }
    }

    fn count(&self, from: Timestamp, until: Timestamp, expected: usize) {
        let found = self.timetable.count(from, until);
        let when = &self.timetable;
        assert_eq!(
            usize::try_from(found),
            Ok(expected),
            "{when} from {from} to {until}"
        );
    }
}

fn timetable(crontab: &str, zone: &str) -> Timetable {
    let crontab = Crontab::parse(crontab).expect(crontab);
    Timetable {
        rules: vec![Rule::Crontab(crontab)],
        timezone: zone.to_owned(),
        jitter: Duration::ZERO,
    }
}

fn instant(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).expect("a year of these days")
}

fn before(minute: i64) -> Timestamp {
    instant(minute) - Duration::from_nanos(1)
}
