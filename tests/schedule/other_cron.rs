//! The same crontabs, asked of croner: another parser, another calendar, another search.

use crontabber::schedule::Crontab;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use proptest::{prelude::*, sample::select};

use super::crontab;

/// Zones that jump by an hour and by half an hour, at midnight, a minute after it and at two, and that do not jump.
///
/// croner looks at most two hours beyond a gap, so none of those that have skipped a day.
const ZONES: [&str; 8] = [
    "UTC",
    "Asia/Kathmandu",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
];

/// The first two of them.
const WITHOUT_JUMPS: usize = 2;

/// A number, several, a range, every so many of a range; of names those that this field has.
fn some_of(low: u8, high: u8, names: &'static [&'static str]) -> BoxedStrategy<String> {
    let range = (low..high, low..=high)
        .prop_map(|(one, other)| (one.min(other), one.max(other)))
        .prop_filter("a range of two at least", |(from, to)| from < to);
    let stepped = range.clone().prop_flat_map(|(from, to)| {
        (1..=to - from).prop_map(move |step| format!("{from}-{to}/{step}"))
    });
    let mut kinds = vec![
        (low..=high).prop_map(|value| value.to_string()).boxed(),
        range.prop_map(|(from, to)| format!("{from}-{to}")).boxed(),
        stepped.boxed(),
    ];
    if !names.is_empty() {
        kinds.push(select(names).prop_map(str::to_owned).boxed());
    }
    let item = proptest::strategy::Union::new(kinds);
    prop::collection::vec(item, 1..4)
        .prop_map(|items| items.join(","))
        .boxed()
}

/// All of a field, or every so many: what begins with an asterisk.
fn every_so_many(low: u8, high: u8) -> BoxedStrategy<String> {
    let stepped = (1..=high - low).prop_map(|step| format!("*/{step}"));
    prop_oneof![Just("*".to_owned()), stepped].boxed()
}

const MONTHS: &[&str] = &["jan", "Feb", "MAY", "oct"];
const WEEKDAYS: &[&str] = &["sun", "Mon", "FRI"];

/// Minute and hour, and whether both mean the same by them in a night in which clocks jump.
fn any_time() -> impl Strategy<Value = (String, bool)> {
    let (minute, hour) = (0_u8..60, 0_u8..24);
    let fixed = (minute, hour).prop_map(|(minute, hour)| (format!("{minute} {hour}"), true));
    let follows = prop_oneof![
        (every_so_many(0, 59), some_of(0, 23, &[])),
        (some_of(0, 59, &[]), every_so_many(0, 23)),
        (every_so_many(0, 59), every_so_many(0, 23)),
    ];
    let follows = follows.prop_map(|(minute, hour)| (format!("{minute} {hour}"), true));
    let several = (some_of(0, 59, &[]), some_of(0, 23, &[]));
    let several = several.prop_map(|(minute, hour)| (format!("{minute} {hour}"), false));
    prop_oneof![fixed, follows, several]
}

/// Day of the month and of the week. An asterisk with a step is beside an asterisk only.
fn any_day() -> impl Strategy<Value = (String, String)> {
    let all = || Just("*".to_owned());
    prop_oneof![
        (every_so_many(1, 31), all()),
        (all(), every_so_many(0, 6)),
        (some_of(1, 31, &[]), all()),
        (all(), some_of(0, 7, WEEKDAYS)),
        (some_of(1, 31, &[]), some_of(0, 7, WEEKDAYS)),
    ]
}

/// Five fields, and a zone in which both mean the same by them.
fn any_crontab() -> impl Strategy<Value = (String, &'static str)> {
    let month = prop_oneof![every_so_many(1, 12), some_of(1, 12, MONTHS)];
    let fields = (any_time(), any_day(), month);
    let fields = fields.prop_flat_map(|((time, jumps), (day, weekday), month)| {
        let zones = if jumps {
            &ZONES[..]
        } else {
            &ZONES[..WITHOUT_JUMPS]
        };
        (
            Just(format!("{time} {day} {month} {weekday}")),
            select(zones),
        )
    });
    fields.prop_filter("a date that comes", |(fields, _)| {
        Crontab::parse(fields).is_ok()
    })
}

/// Half of them within two days of a jump, where the zone has one.
fn any_start(zone: &'static str) -> impl Strategy<Value = Timestamp> {
    let first: Timestamp = "1990-01-01T00:00:00Z".parse().expect("an instant");
    let last: Timestamp = "2036-01-01T00:00:00Z".parse().expect("an instant");
    let about = SignedDuration::from_hours(48).as_secs();
    (
        first.as_second()..last.as_second(),
        any::<bool>(),
        -about..about,
    )
        .prop_map(move |(second, is_about_a_jump, distance)| {
            let instant = Timestamp::from_second(second).expect("an instant");
            let zone = TimeZone::get(zone).expect("a zone of the tz database");
            let jump = zone.following(instant).next().filter(|_| is_about_a_jump);
            let instant = jump.map_or(instant, |jump| {
                jump.timestamp() + SignedDuration::from_secs(distance)
            });
            instant.min(last)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Left out is what croner is known to mean something else by than cronie:
    ///
    /// - `*/2` in one of the day fields while the other is restricted: an alternative there, both here;
    /// - lists and ranges in minute and hour, with no asterisk in either, where clocks jump: croner takes only one minute
    ///   of one hour for a fixed time, and repeats or leaves out the others;
    /// - gaps of more than two hours, beyond which it does not look;
    /// - what is refused here: `5/15` (there too), steps of which no second value follows, ranges that run backwards,
    ///   `?`, `L`, `W`, `#`, seconds, years, and dates that never come.
    #[test]
    fn croner_has_the_same_next_five_slots(
        ((fields, zone), start) in any_crontab().prop_flat_map(|(fields, zone)| (Just((fields, zone)), any_start(zone))),
    ) {
        let ours = crontab(&fields, zone);
        let theirs: croner::Cron = fields.parse().expect("croner takes what is left");
        let mut at = start.in_tz(zone).expect("a zone of the tz database");
        let mut slot = start;
        for _ in 0..5 {
            at = theirs.find_next_occurrence(&at, false).expect("croner finds one");
            slot = ours.next(slot, slot).expect("there is one before 2101");
            prop_assert_eq!(slot, at.timestamp(), "{} after {}", ours, start);
        }
    }
}
