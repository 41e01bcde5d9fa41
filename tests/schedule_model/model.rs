//! cron, as simply as can be: every minute is asked whether the fields allow it.
//!
//! All times are minutes since 1970, those of walls as if the zone were UTC.

use std::{
    collections::BTreeSet,
    ops::{Range, RangeInclusive},
};

use super::zone::Zone;

/// Minutes of a day.
pub(crate) const DAY: i64 = 24 * 60;

/// What some crontabs allow, each a bit of every number.
pub(crate) struct Schedules {
    number: usize,
    minutes: [u32; 60],
    hours: [u32; 24],
    days: [u32; 32],
    months: [u32; 13],
    weekdays: [u32; 8],
    either_day: u32,
    fixed_time: u32,
}

impl Schedules {
    pub(crate) fn new(crontabs: &[&str]) -> Self {
        let mut this = Self {
            number: crontabs.len(),
            minutes: [0; 60],
            hours: [0; 24],
            days: [0; 32],
            months: [0; 13],
            weekdays: [0; 8],
            either_day: 0,
            fixed_time: 0,
        };
        for (number, crontab) in crontabs.iter().enumerate() {
            let bit = 1 << number;
            let fields: Vec<&str> = crontab.split(' ').collect();
            let star = |field: usize| fields[field].starts_with('*');
            allow(&mut this.minutes, bit, fields[0], 0..=59);
            allow(&mut this.hours, bit, fields[1], 0..=23);
            allow(&mut this.days, bit, fields[2], 1..=31);
            allow(&mut this.months, bit, fields[3], 1..=12);
            allow(&mut this.weekdays, bit, fields[4], 0..=7);
            this.either_day |= if star(2) || star(4) { 0 } else { bit };
            this.fixed_time |= if star(0) || star(1) { 0 } else { bit };
        }
        this.weekdays[0] |= this.weekdays[7];
        this
    }

    /// The minutes of a window at which each of the crontabs is started.
    pub(crate) fn slots(&self, zone: &Zone, window: &Range<i64>) -> Vec<Vec<i64>> {
        let mut slots = vec![Vec::new(); self.number];
        // A day earlier: what the clock showed before they were set back, in the first hours, is known then.
        let begin = window.start - DAY;
        let mut day = Day::default();
        let stretches = zone.stretches(&(begin..window.end));
        let mut latest = begin + stretches[0].offset - 1;
        for stretch in stretches {
            for minute in stretch.minutes {
                let wall = minute + stretch.offset;
                let shown = day.allowed(self, wall);
                let mut due = shown & !self.fixed_time;
                if wall > latest {
                    let jumped_over = latest + 1..wall;
                    let left_out = jumped_over.fold(0, |all, wall| all | day.allowed(self, wall));
                    due |= (shown | left_out) & self.fixed_time;
                    latest = wall;
                }
                while due != 0 && minute >= window.start {
                    slots[due.trailing_zeros() as usize].push(minute);
                    due &= due - 1;
                }
            }
        }
        slots
    }

    /// The crontabs that a day allows.
    fn of_day(&self, day: i64) -> u32 {
        let (month, date) = month_and_day(day);
        // The first of January 1970 was a Thursday.
        let weekday = usize::try_from((day + 4).rem_euclid(7)).expect("one of seven");
        let (date, weekday) = (self.days[date], self.weekdays[weekday]);
        let either = self.either_day & (date | weekday);
        let both = !self.either_day & date & weekday;
        self.months[month] & (either | both)
    }
}

/// The day that was looked at last, and the crontabs it allows.
#[derive(Default)]
struct Day {
    known: Option<i64>,
    allows: u32,
}

impl Day {
    /// The crontabs that are allowed when the clock on the wall shows this.
    fn allowed(&mut self, schedules: &Schedules, wall: i64) -> u32 {
        let day = wall.div_euclid(DAY);
        if self.known != Some(day) {
            self.known = Some(day);
            self.allows = schedules.of_day(day);
        }
        let minute = usize::try_from(wall.rem_euclid(DAY)).expect("not negative");
        self.allows & schedules.hours[minute / 60] & schedules.minutes[minute % 60]
    }
}

fn allow(values: &mut [u32], bit: u32, field: &str, range: RangeInclusive<usize>) {
    let number = |text: &str| text.parse::<usize>().expect("a number");
    let mut allowed = BTreeSet::new();
    for item in field.split(',') {
        let (span, step) = item.split_once('/').unwrap_or((item, "1"));
        let (from, to) = match span.split_once('-') {
            Some((from, to)) => (number(from), number(to)),
            None if span == "*" => (*range.start(), *range.end()),
            None => (number(span), number(span)),
        };
        allowed.extend((from..=to).step_by(number(step)));
    }
    for value in allowed {
        assert!(range.contains(&value), "{field}");
        values[value] |= bit;
    }
}

/// How many days the first of January lies after that of 1970.
pub(crate) fn new_year(year: i64) -> i64 {
    (1970..year).map(|year| 337 + february(year)).sum()
}

fn february(year: i64) -> i64 {
    let leaps = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if leaps { 29 } else { 28 }
}

/// The month and the day of the month of so many days after the first of January 1970, both from 1.
fn month_and_day(day: i64) -> (usize, usize) {
    let mut year = 1970 + day / 366;
    while new_year(year + 1) <= day {
        year += 1;
    }
    let mut rest = day - new_year(year);
    let months = [31, february(year), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    for (month, days) in months.into_iter().enumerate() {
        if rest < days {
            let day = usize::try_from(rest).expect("after 1970");
            return (month + 1, day + 1);
        }
        rest -= days;
    }
    unreachable!("a year has twelve months");
}
