//! What holds for every timetable at every instant.

use std::time::Duration;

use crontabber::schedule::{Rule, Timetable};
use jiff::{Timestamp, civil::Time};
use proptest::prelude::*;

use super::{at, rule, timetable};

fn any_instant() -> impl Strategy<Value = Timestamp> {
    let span =
        at("1990-01-01T00:00:00Z").as_microsecond()..at("2060-01-01T00:00:00Z").as_microsecond();
    span.prop_map(|micros| Timestamp::from_microsecond(micros).expect("an instant"))
}

fn any_timetable() -> impl Strategy<Value = Timetable> {
    let zones = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Pacific/Apia",
    ];
    let rules = prop_oneof![
        any_crontab().prop_map(|fields| vec![rule(&fields)]),
        (any_crontab(), any_crontab()).prop_map(|(one, two)| vec![rule(&one), rule(&two)]),
        (1_u64..10_000_000).prop_map(|seconds| {
            let period = Duration::from_secs(seconds);
            vec![Rule::Every { period, at: None }]
        }),
        (1_u64..40, 0_i8..24, 0_i8..60).prop_map(|(days, hour, minute)| {
            let at = Time::new(hour, minute, 0, 0).expect("a time of day");
            let period = Duration::from_hours(24 * days);
            vec![Rule::Every {
                period,
                at: Some(at),
            }]
        }),
    ];
    (rules, proptest::sample::select(zones.to_vec()))
        .prop_map(|(rules, zone)| timetable(rules, zone))
}

fn any_crontab() -> impl Strategy<Value = String> {
    let field = |low: u8, high: u8| {
        prop_oneof![
            Just("*".to_owned()),
            (2..=(high - low) / 2).prop_map(|step| format!("*/{step}")),
            (low..=high).prop_map(|value| value.to_string()),
            (low..=high, low..=high).prop_map(|(one, two)| format!("{one},{two}")),
            (low..=high, low..=high).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        ]
    };
    // Days that every month has, so that each of these comes.
    (
        field(0, 59),
        field(0, 23),
        field(1, 28),
        field(1, 12),
        field(0, 6),
    )
        .prop_map(|(minute, hour, day, month, weekday)| {
            format!("{minute} {hour} {day} {month} {weekday}")
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn next_and_latest_mean_the_same_slots(
        timetable in any_timetable(),
        now in any_instant(),
        anchor in any_instant(),
    ) {
        let next = timetable.next(now, anchor).expect("a next slot");
        prop_assert!(now < next);
        prop_assert_eq!(timetable.latest(next, anchor), Some(next));
        let after = timetable.next(next, anchor).expect("a slot after the next");
        prop_assert!(next < after);
        prop_assert_eq!(timetable.latest(after - Duration::from_micros(1), anchor), Some(next));
        let latest = timetable.latest(now, anchor).expect("a latest slot");
        prop_assert!(latest <= now);
        prop_assert_eq!(timetable.next(latest, anchor), Some(next));
        prop_assert_eq!(timetable.next(latest - Duration::from_micros(1), anchor), Some(latest));
    }

    #[test]
    fn counting_is_stepping_from_slot_to_slot(
        timetable in any_timetable(),
        now in any_instant(),
        steps in 0_u8..40,
    ) {
        let first = timetable.next(now, now).expect("a next slot");
        let mut last = first;
        let mut stepped = 1;
        // The rarest of them reach the end of the calendar before that.
        while let Some(slot) = timetable.next(last, first).filter(|_| stepped <= steps) {
            last = slot;
            stepped += 1;
        }
        prop_assert_eq!(timetable.count(first, last), i64::from(stepped));
    }
}
