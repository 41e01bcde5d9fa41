//! What holds in every zone of the tz database, and in each of its nights.

use std::{collections::BTreeSet, time::Duration};

use crontabber::schedule::Timetable;
use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{self, Time},
    tz::{self, TimeZone},
};

use super::{at, crontab, every};

/// Each zone, by name; not those that mean whatever their host was set to.
fn zones() -> Vec<(String, TimeZone)> {
    let names = tz::db().available().map(|name| name.to_string());
    let names = names.filter(|name| !["localtime", "posixrules"].contains(&name.as_str()));
    let zones: Vec<_> = names
        .filter_map(|name| TimeZone::get(&name).ok().map(|zone| (name, zone)))
        .collect();
    assert!(zones.len() > 400, "only {} zones", zones.len());
    zones
}

/// The jumps of a zone's clocks in two years, those of Apia's missing day among them, and of Casablanca's Ramadan.
fn jumps(zone: &TimeZone) -> Vec<Timestamp> {
    let years = [
        ("2011-07-01T00:00:00Z", "2012-07-01T00:00:00Z"),
        ("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
    ];
    let jumps = years.into_iter().flat_map(|(from, until)| {
        zone.following(at(from))
            .map(|jump| jump.timestamp())
            .take_while(move |jump| *jump < at(until))
    });
    jumps.collect()
}

#[test]
fn slots_strictly_increase_in_every_night_of_every_zone() {
    let timetables = |zone: &str| {
        [
            crontab("*/20 * * * *", zone),
            crontab("30 0,2 * * *", zone),
            crontab("0 0 * * *", zone),
            every("1d", Some("02:30"), zone),
            every("1d", Some("00:00"), zone),
            every("5h", None, zone),
        ]
    };
    let mut stepped = 0;
    for (name, zone) in zones() {
        for jump in jumps(&zone) {
            for timetable in timetables(&name) {
                stepped += steps(&timetable, jump);
            }
        }
    }
    assert!(stepped > 50_000, "only {stepped} slots");
}

/// Steps from two days before a jump to two days after it, and back again; how many slots there were.
fn steps(timetable: &Timetable, jump: Timestamp) -> usize {
    let (from, until) = (jump - 48.hours(), jump + 48.hours());
    let mut slots = Vec::new();
    let mut after = from;
    while let Some(slot) = timetable.next(after, from) {
        assert!(slot > after, "{timetable}: {slot} comes after {after}");
        if slot > until {
            break;
        }
        slots.push(slot);
        after = slot;
    }
    for slot in slots.iter().rev() {
        let latest = timetable.latest(after, from);
        assert_eq!(latest, Some(*slot), "{timetable} until {after}");
        after = *slot - Duration::from_micros(1);
    }
    slots.len()
}

#[test]
fn a_day_at_a_wall_time_has_one_slot_in_every_zone_whatever_its_clocks_do() {
    let mut nights = 0;
    for (name, zone) in zones() {
        for jump in jumps(&zone) {
            // The wall times about the jump, on either side of it.
            for wall in [jump - 30.minutes(), jump, jump + 30.minutes()] {
                let wall = zone.to_datetime(wall);
                has_one_slot_a_day(&name, &zone, wall);
                has_one_slot_a_day(&name, &zone, wall - 45.minutes());
            }
            nights += 1;
        }
    }
    assert!(nights > 500, "only {nights} nights");
}

/// The five days about a wall time have a slot each: the wall time itself, or, where it is jumped over, the jump. That is
/// one slot, where a whole day is left out and the next one begins with the wall time.
fn has_one_slot_a_day(name: &str, zone: &TimeZone, wall: civil::DateTime) {
    let time = Time::constant(wall.hour(), wall.minute(), 0, 0);
    let daily = every("1d", Some(&time.to_string()), name);
    let anchor = at("2011-01-01T00:00:00Z");
    let days = (-2..=2).map(|days| (wall.date() + days.days()).to_datetime(time));
    let slots: BTreeSet<Timestamp> = days.map(|day| first_that_shows(zone, day)).collect();
    let mut before = *slots.first().expect("five days") - Duration::from_micros(1);
    for slot in &slots {
        assert_eq!(daily.next(before, anchor), Some(*slot), "{daily}");
        assert_eq!(daily.latest(*slot, anchor), Some(*slot), "{daily}");
        before = *slot;
    }
}

/// The first instant at which a zone's clock shows a wall time or a later one.
fn first_that_shows(zone: &TimeZone, wall: civil::DateTime) -> Timestamp {
    let as_utc = TimeZone::UTC
        .to_timestamp(wall)
        .expect("a year of these days");
    let mut start = as_utc - 30.hours();
    for jump in zone.following(start) {
        let shown = zone.to_offset(start).to_timestamp(wall);
        let shown = shown.expect("a year of these days").max(start);
        if shown < jump.timestamp() {
            return shown;
        }
        start = jump.timestamp();
    }
    let shown = zone.to_offset(start).to_timestamp(wall);
    shown.expect("a year of these days").max(start)
}

#[test]
fn a_period_that_is_recorded_late_each_time_keeps_to_its_anchor() {
    for zone in ["Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia"] {
        let period = every("7h", None, zone);
        let anchor = at("2011-12-20T00:07:00Z");
        let (mut slot, mut late) = (anchor, 0);
        for step in 1..=100 {
            // What the row keeps is the slot, however late the run was; the next one counts from it.
            late = (late * 31 + 17) % (7 * 60 * 60);
            slot = period
                .next(slot + SignedDuration::from_secs(late), slot)
                .expect("a period has no end");
            assert_eq!(
                slot,
                anchor + SignedDuration::from_hours(7 * step),
                "{period}"
            );
        }
    }
}
