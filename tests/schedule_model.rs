//! Crontab schedules against a model that was written without them: every minute is asked whether
//! the fields allow it, the way cron itself works, and cron's rule for jumping clocks is applied to
//! the answers.
//!
//! The nights in which clocks jump, and a few ordinary days; `CRONTABBER_MODEL=full` walks whole
//! years instead, which takes minutes in a release build.

use std::collections::BTreeSet;

use crontabber::schedule::{Crontab, Rule, Timetable};
use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};

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

/// Years with a leap day, with Apia's missing day, and with Brazil's and Morocco's changes of mind.
const YEARS: [i16; 5] = [2011, 2017, 2018, 2024, 2026];

#[test]
fn schedules_have_the_slots_of_a_cron_that_looks_at_every_minute() {
    let mut compared = 0;
    for name in ZONES {
        let zone = TimeZone::get(name).expect("a zone of the tz database");
        for window in windows(&zone) {
            let minutes = window.minutes(&zone);
            for crontab in CRONTABS {
                let slots = Model::new(crontab).slots(&minutes);
                let timetable = timetable(crontab, name);
                compare(&timetable, &window, &slots);
                compared += slots.len();
            }
        }
    }
    println!("{compared} slots compared");
    assert!(compared > 20_000, "only {compared} slots compared");
}

/// What `next`, `latest` and `count` say of a window, from its start and from instants inside.
fn compare(timetable: &Timetable, window: &Window, slots: &[Timestamp]) {
    let nanosecond = SignedDuration::from_nanos(1);
    let mut after = window.start - nanosecond;
    for slot in slots {
        let next = timetable.next(after, after);
        assert_eq!(next, Some(*slot), "{timetable} after {after}");
        after = *slot;
    }
    let beyond = timetable.next(after, after);
    assert!(
        beyond.is_none_or(|slot| slot >= window.end),
        "{timetable} after {after}: {beyond:?}"
    );
    if let (Some(first), Some(last)) = (slots.first(), slots.last()) {
        let count = timetable.count(*first, *last);
        assert_eq!(
            usize::try_from(count),
            Ok(slots.len()),
            "{timetable} from {first} to {last}"
        );
    }
    for instant in window.instants() {
        let (before, after) = slots.split_at(slots.partition_point(|slot| *slot <= instant));
        if let Some(slot) = after.first() {
            let next = timetable.next(instant, instant);
            assert_eq!(next, Some(*slot), "{timetable} after {instant}");
        }
        if let Some(slot) = before.last() {
            let latest = timetable.latest(instant, instant);
            assert_eq!(latest, Some(*slot), "{timetable} until {instant}");
        }
        let later = timetable.count(instant + nanosecond, window.end - nanosecond);
        assert_eq!(
            usize::try_from(later),
            Ok(after.len()),
            "{timetable} from {instant}"
        );
        let count = timetable.count(window.start, instant);
        assert_eq!(
            usize::try_from(count),
            Ok(before.len()),
            "{timetable} until {instant}"
        );
    }
}

fn timetable(crontab: &str, zone: &str) -> Timetable {
    let crontab = Crontab::parse(crontab).expect(crontab);
    Timetable {
        rules: vec![Rule::Crontab(crontab)],
        timezone: zone.to_owned(),
        jitter: std::time::Duration::ZERO,
    }
}

/// A span of time that is compared; no clock is set back just before it.
struct Window {
    start: Timestamp,
    end: Timestamp,
}

fn windows(zone: &TimeZone) -> Vec<Window> {
    let full = std::env::var("CRONTABBER_MODEL").is_ok_and(|model| model == "full");
    YEARS
        .into_iter()
        .flat_map(|year| {
            if full {
                vec![whole_year(year)]
            } else {
                nights(year, zone)
            }
        })
        .collect()
}

fn whole_year(year: i16) -> Window {
    Window {
        start: new_year(year),
        end: new_year(year + 1),
    }
}

/// The hours around each jump of the clocks, and around the turns of the year and of February.
fn nights(year: i16, zone: &TimeZone) -> Vec<Window> {
    let jumps = zone.following(new_year(year)).map(|jump| jump.timestamp());
    let jumps = jumps.take_while(|jump| *jump < new_year(year + 1));
    let march = civil::date(year, 3, 1)
        .to_zoned(TimeZone::UTC)
        .expect("a day");
    jumps
        .chain([new_year(year), march.timestamp()])
        .map(|midst| Window {
            start: midst - SignedDuration::from_hours(10),
            end: midst + SignedDuration::from_hours(20),
        })
        .collect()
}

fn new_year(year: i16) -> Timestamp {
    let day = civil::date(year, 1, 1)
        .to_zoned(TimeZone::UTC)
        .expect("a day");
    day.timestamp()
}

impl Window {
    /// Each minute of the window, and what a clock on the wall shows then.
    fn minutes(&self, zone: &TimeZone) -> Vec<Minute> {
        let mut minutes = Vec::new();
        let mut at = self.start;
        while at < self.end {
            minutes.push(Minute {
                at,
                wall: zone.to_datetime(at),
            });
            at += SignedDuration::from_mins(1);
        }
        minutes
    }

    /// Instants that nobody chose, the same in every run.
    fn instants(&self) -> Vec<Timestamp> {
        let length = self.end.as_millisecond() - self.start.as_millisecond();
        let mut seed = 0x3039_u64 ^ self.start.as_second().unsigned_abs();
        let mut draw = || {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let drawn = i64::try_from(seed >> 24).expect("40 bits") % length;
            self.start + SignedDuration::from_millis(drawn)
        };
        (0..20).map(|_| draw()).collect()
    }
}

struct Minute {
    at: Timestamp,
    wall: civil::DateTime,
}

/// What five fields allow, read as simply as can be.
struct Model {
    minutes: BTreeSet<i8>,
    hours: BTreeSet<i8>,
    days: BTreeSet<i8>,
    months: BTreeSet<i8>,
    weekdays: BTreeSet<i8>,
    both_days: bool,
    fixed_time: bool,
}

impl Model {
    fn new(crontab: &str) -> Self {
        let fields: Vec<&str> = crontab.split(' ').collect();
        let star = |field: usize| fields[field].starts_with('*');
        Self {
            minutes: numbers(fields[0], 0, 59),
            hours: numbers(fields[1], 0, 23),
            days: numbers(fields[2], 1, 31),
            months: numbers(fields[3], 1, 12),
            weekdays: numbers(fields[4], 0, 7).iter().map(|day| day % 7).collect(),
            both_days: star(2) || star(4),
            fixed_time: !star(0) && !star(1),
        }
    }

    fn allows(&self, wall: civil::DateTime) -> bool {
        let day = self.days.contains(&wall.day());
        let weekday = self
            .weekdays
            .contains(&wall.weekday().to_sunday_zero_offset());
        self.minutes.contains(&wall.minute())
            && self.hours.contains(&wall.hour())
            && self.months.contains(&wall.month())
            && if self.both_days {
                day && weekday
            } else {
                day || weekday
            }
    }

    /// A job at a fixed time runs at the jump when its minute was jumped over, and not again when
    /// its minute comes again.
    fn slots(&self, minutes: &[Minute]) -> Vec<Timestamp> {
        let mut slots = Vec::new();
        let mut latest = minutes[0].wall - SignedDuration::from_mins(1);
        for Minute { at, wall } in minutes {
            let allowed = self.allows(*wall);
            let jumped_over = || {
                let minute = SignedDuration::from_mins(1);
                std::iter::successors(Some(latest + minute), |wall| Some(*wall + minute))
                    .take_while(|skipped| skipped < wall)
                    .any(|skipped| self.allows(skipped))
            };
            let due = if self.fixed_time {
                *wall > latest && (allowed || jumped_over())
            } else {
                allowed
            };
            if due {
                slots.push(*at);
            }
            latest = latest.max(*wall);
        }
        slots
    }
}

fn numbers(field: &str, low: i8, high: i8) -> BTreeSet<i8> {
    let number = |text: &str| text.parse::<i8>().expect("a number");
    let item = |item: &str| {
        let (range, step) = item.split_once('/').unwrap_or((item, "1"));
        let (low, high) = match range.split_once('-') {
            Some((from, to)) => (number(from), number(to)),
            None if range == "*" => (low, high),
            None => (number(range), number(range)),
        };
        (low..=high).step_by(usize::try_from(number(step)).expect("a step"))
    };
    field.split(',').flat_map(item).collect()
}
