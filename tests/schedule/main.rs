//! When a job is wanted: what a timetable says of nights in which clocks jump, of outages and of
//! the ends of time.

mod other_cron;
mod properties;
mod zones;

use std::time::Duration;

use crontabber::{
    schedule::{Crontab, Rule, Timetable},
    spec::Start,
};
use jiff::{SignedDuration, Timestamp, civil::Time};
use serde::Deserialize;

fn crontab(fields: &str, zone: &str) -> Timetable {
    timetable(vec![rule(fields)], zone)
}

fn rule(fields: &str) -> Rule {
    Rule::Crontab(Crontab::parse(fields).expect(fields))
}

fn every(period: &str, at: Option<&str>, zone: &str) -> Timetable {
    let period = crontabber::duration::parse(period).expect(period);
    let at = at.map(|at| at.parse::<Time>().expect(at));
    timetable(vec![Rule::Every { period, at }], zone)
}

fn timetable(rules: Vec<Rule>, zone: &str) -> Timetable {
    Timetable {
        rules,
        timezone: zone.to_owned(),
        jitter: Duration::ZERO,
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

/// The slots after an instant, as text.
fn slots(timetable: &Timetable, after: &str, anchor: &str, number: usize) -> Vec<String> {
    let anchor = at(anchor);
    let next = |after: &Timestamp| timetable.next(*after, anchor);
    let slots = std::iter::successors(timetable.next(at(after), anchor), next);
    slots.take(number).map(|slot| slot.to_string()).collect()
}

/// The slots before an instant, latest first, as text.
fn slots_back(timetable: &Timetable, until: &str, anchor: &str, number: usize) -> Vec<String> {
    let anchor = at(anchor);
    let before = |slot: &Timestamp| {
        let before = *slot - SignedDuration::from_micros(1);
        timetable.latest(before, anchor)
    };
    let slots = std::iter::successors(timetable.latest(at(until), anchor), before);
    slots.take(number).map(|slot| slot.to_string()).collect()
}

#[derive(Deserialize)]
struct Vector {
    crontab: String,
    zone: String,
    after: String,
    /// The first four slots; `None`: refused.
    slots: Option<Vec<String>>,
}

#[test]
fn fifty_three_crontabs_have_the_slots_that_cron_gives_them() {
    let vectors = include_str!("data/crontab_vectors.json");
    let vectors: Vec<Vector> = serde_json::from_str(vectors).expect("vectors");
    assert_eq!(vectors.len(), 53);
    for Vector {
        crontab: fields,
        zone,
        after,
        slots: expected,
    } in vectors
    {
        let found = Crontab::parse(&fields).ok().map(|_| {
            let timetable = crontab(&fields, &zone);
            slots(&timetable, &after, &after, 4)
        });
        assert_eq!(found, expected, "{fields} in {zone} after {after}");
    }
}

#[test]
fn a_weekday_job_at_seven_follows_the_clock_on_the_wall_through_the_year() {
    let weekdays = crontab("0 7 * * 1-5", "Europe/Berlin");
    let spring = slots(&weekdays, "2026-03-26T12:00:00Z", "2026-01-01T00:00:00Z", 2);
    assert_eq!(spring, ["2026-03-27T06:00:00Z", "2026-03-30T05:00:00Z"]);
}

#[test]
fn a_daily_job_runs_once_in_the_night_that_has_its_hour_twice() {
    let daily = every("1d", Some("02:30"), "Europe/Berlin");
    let autumn = slots(&daily, "2026-10-24T12:00:00Z", "2026-01-01T00:00:00Z", 2);
    assert_eq!(autumn, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
}

#[test]
fn a_daily_job_runs_at_the_jump_in_the_night_that_has_no_such_hour() {
    let daily = every("1d", Some("02:30"), "Europe/Berlin");
    let spring = slots(&daily, "2026-03-28T12:00:00Z", "2026-01-01T00:00:00Z", 2);
    assert_eq!(spring, ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
}

#[test]
fn a_daily_job_at_midnight_runs_once_where_midnight_is_jumped_over() {
    let daily = every("1d", Some("00:00"), "America/Sao_Paulo");
    let spring = slots(&daily, "2018-11-03T12:00:00Z", "2018-01-01T00:00:00Z", 2);
    assert_eq!(spring, ["2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"]);
}

#[test]
fn an_hourly_job_runs_every_hour_of_every_night() {
    for hourly in [
        every("1h", None, "Europe/Berlin"),
        crontab("0 * * * *", "Europe/Berlin"),
    ] {
        for night in ["2026-03-28T20:00:00Z", "2026-10-24T20:00:00Z"] {
            let hours: Vec<Timestamp> = slots(&hourly, night, night, 12)
                .iter()
                .map(|slot| at(slot))
                .collect();
            for pair in hours.windows(2) {
                assert_eq!(
                    pair[1].duration_since(pair[0]),
                    SignedDuration::from_hours(1)
                );
            }
        }
    }
}

#[test]
fn a_period_does_not_drift_however_late_its_runs_are() {
    let hourly = every("1h", None, "UTC");
    let late = slots(&hourly, "2026-01-01T09:59:59.9Z", "2026-01-01T00:07:00Z", 2);
    assert_eq!(late, ["2026-01-01T10:07:00Z", "2026-01-01T11:07:00Z"]);
}

#[test]
fn a_period_counts_backwards_from_its_anchor_too() {
    let hourly = every("1h", None, "UTC");
    let early = slots(&hourly, "2025-12-31T21:30:00Z", "2026-01-01T00:07:00Z", 2);
    assert_eq!(early, ["2025-12-31T22:07:00Z", "2025-12-31T23:07:00Z"]);
    let back = slots_back(&hourly, "2026-01-01T00:06:59Z", "2026-01-01T00:07:00Z", 2);
    assert_eq!(back, ["2025-12-31T23:07:00Z", "2025-12-31T22:07:00Z"]);
}

#[test]
fn a_job_every_three_days_keeps_its_days_over_months_and_jumping_clocks() {
    let third = every("3d", Some("03:45"), "Europe/Berlin");
    let anchor = "2026-03-23T02:45:00Z";
    let spring = slots(&third, anchor, anchor, 4);
    let expected = [
        "2026-03-26T02:45:00Z",
        "2026-03-29T01:45:00Z",
        "2026-04-01T01:45:00Z",
        "2026-04-04T01:45:00Z",
    ];
    assert_eq!(spring, expected);
    let back = slots_back(&third, expected[3], anchor, 4);
    assert!(back.iter().rev().eq(expected.iter()), "{back:?}");
}

#[test]
fn days_are_counted_from_the_day_a_slot_was_for_when_a_jump_put_it_off_past_midnight() {
    // Samoa had no 30 December 2011: noon of that day is served at the midnight it was left out.
    let every_other = every("2d", Some("12:00"), "Pacific/Apia");
    let anchor = "2011-12-28T22:00:00Z";
    let new_year = slots(&every_other, anchor, anchor, 2);
    assert_eq!(new_year, ["2011-12-30T10:00:00Z", "2011-12-31T22:00:00Z"]);
    let from_the_jump = slots(&every_other, &new_year[0], &new_year[0], 1);
    assert_eq!(from_the_jump, ["2011-12-31T22:00:00Z"]);
    // At midnight the slot of the 31st is that same instant, and is its own day's.
    let midnight = every("2d", Some("00:00"), "Pacific/Apia");
    let from_the_31st = slots(&midnight, &new_year[0], &new_year[0], 1);
    assert_eq!(from_the_31st, ["2012-01-01T10:00:00Z"]);
}

#[test]
fn a_midnight_on_the_day_before_which_clocks_are_set_back_is_served_once() {
    // Newfoundland went from 00:01 on 7 November 2010 to 23:01 on the 6th.
    let midnight = every("1d", Some("00:00"), "America/St_Johns");
    let the_6th_again = "2010-11-07T02:40:00Z";
    let back = slots_back(&midnight, the_6th_again, the_6th_again, 2);
    assert_eq!(back, ["2010-11-07T02:30:00Z", "2010-11-06T02:30:00Z"]);
    let on = slots(&midnight, the_6th_again, the_6th_again, 1);
    assert_eq!(on, ["2010-11-08T03:30:00Z"]);
}

#[test]
fn a_day_and_a_week_day_are_alternatives_unless_one_of_them_begins_with_an_asterisk() {
    let either = crontab("0 0 13 * 5", "UTC");
    let from = "2026-01-01T00:00:00Z";
    assert_eq!(slots(&either, from, from, 3)[2], "2026-01-13T00:00:00Z");
    let both = crontab("0 0 */2 * 1", "UTC");
    assert_eq!(slots(&both, from, from, 2)[1], "2026-01-19T00:00:00Z");
}

#[test]
fn several_rules_are_served_in_one_row() {
    let two = timetable(vec![rule("0 7 * * 1-5"), rule("0 9 * * *")], "UTC");
    let weekend = slots(&two, "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", 4);
    let expected = [
        "2026-01-02T07:00:00Z",
        "2026-01-02T09:00:00Z",
        "2026-01-03T09:00:00Z",
        "2026-01-04T09:00:00Z",
    ];
    assert_eq!(weekend, expected);
    let back = slots_back(&two, expected[3], expected[3], 4);
    assert!(back.iter().rev().eq(expected.iter()), "{back:?}");
    assert_eq!(two.count(at(expected[0]), at(expected[3])), 4);
}

#[test]
fn a_slot_that_two_rules_share_is_one_slot() {
    let two = timetable(vec![rule("0 9 * * *"), rule("0 9 * * 1-5")], "UTC");
    assert_eq!(
        two.count(at("2026-01-05T09:00:00Z"), at("2026-01-11T09:00:00Z")),
        7
    );
}

#[test]
fn a_slot_of_another_rule_does_not_move_a_period() {
    let hourly = Rule::Every {
        period: Duration::from_hours(1),
        at: None,
    };
    let two = timetable(vec![hourly, rule("30 4 * * *")], "UTC");
    let anchor = "2026-01-01T04:30:00Z";
    assert_eq!(slots(&two, anchor, anchor, 1), ["2026-01-01T05:00:00Z"]);
}

#[test]
fn a_new_job_waits_for_its_next_slot_unless_it_is_to_start_now() {
    let now = at("2026-01-01T10:20:30.123456789Z");
    let first = |timetable: Timetable, start| timetable.first(now, start).map(|at| at.to_string());
    let hourly = every("1h", None, "UTC");
    let in_an_hour = "2026-01-01T11:20:30.123456Z";
    assert_eq!(
        first(hourly.clone(), Start::Next).as_deref(),
        Some(in_an_hour)
    );
    let this_moment = "2026-01-01T10:20:30.123456Z";
    assert_eq!(first(hourly, Start::Now).as_deref(), Some(this_moment));
    let later_today = first(every("2d", Some("23:00"), "UTC"), Start::Next);
    assert_eq!(later_today.as_deref(), Some("2026-01-01T23:00:00Z"));
    let half_past = first(crontab("30 * * * *", "UTC"), Start::Next);
    assert_eq!(half_past.as_deref(), Some("2026-01-01T10:30:00Z"));
}

#[test]
fn a_year_of_outage_of_a_minute_job_is_counted_exactly_and_at_once() {
    let (from, until) = (at("2026-01-01T00:00:00Z"), at("2026-12-31T23:59:00Z"));
    for minutely in [
        crontab("* * * * *", "Europe/Berlin"),
        every("1m", None, "UTC"),
    ] {
        assert_eq!(minutely.count(from, until), 525_600, "{minutely}");
    }
    let both = timetable(vec![rule("* * * * *"), rule("@daily")], "UTC");
    assert_eq!(both.count(from, until), Timetable::COUNTED);
}

#[test]
fn the_end_of_a_zones_table_in_2037_is_counted_across() {
    let minutely = crontab("* * * * *", "Australia/Lord_Howe");
    let (from, until) = (at("2037-12-31T00:00:00Z"), at("2038-02-01T00:00:00Z"));
    assert_eq!(minutely.count(from, until), 32 * 1_440 + 1);
}

#[test]
fn one_slot_is_one_and_a_range_that_ends_before_it_begins_has_none() {
    let (early, late) = (at("2026-01-05T03:45:00Z"), at("2026-01-06T03:45:00Z"));
    for daily in [
        crontab("45 3 * * *", "UTC"),
        every("1d", None, "UTC"),
        every("1d", Some("03:45"), "UTC"),
    ] {
        assert_eq!(daily.count(early, early), 1, "{daily}");
        assert_eq!(daily.count(early, late), 2, "{daily}");
        assert_eq!(daily.count(late, early), 0, "{daily}");
    }
}

#[test]
fn the_29th_of_february_is_found_across_1900_to_2100() {
    let leap = crontab("0 0 29 2 *", "Europe/Berlin");
    let from = "2026-01-01T00:00:00Z";
    assert_eq!(slots(&leap, from, from, 1), ["2028-02-28T23:00:00Z"]);
    assert_eq!(slots_back(&leap, from, from, 1), ["2024-02-28T23:00:00Z"]);
    let sunday = crontab("0 0 29 2 */6", "UTC");
    assert_eq!(slots(&sunday, from, from, 2)[1], "2048-02-29T00:00:00Z");
}

#[test]
fn before_the_calendar_of_crontabs_there_is_no_slot_and_after_it_there_is_none() {
    for zone in ["UTC", "Europe/Berlin"] {
        let daily = crontab("@daily", zone);
        let (first, last) = (at("1970-01-01T00:00:00Z"), at("2100-12-31T00:00:00Z"));
        let long_ago = daily.next(Timestamp::MIN, first).expect("a first slot");
        assert!(first.duration_since(long_ago).abs() <= SignedDuration::from_hours(24));
        assert_eq!(
            daily.latest(long_ago - Duration::from_micros(1), first),
            None
        );
        let far_off = daily.latest(Timestamp::MAX, first).expect("a last slot");
        assert!(last.duration_since(far_off).abs() <= SignedDuration::from_hours(24));
        assert_eq!(daily.next(far_off, first), None);
        let days = daily.count(Timestamp::MIN, Timestamp::MAX);
        assert_eq!(days, 131 * 365 + 32, "one for each day from 1970 to 2100");
    }
}

#[test]
fn the_ends_of_time_are_no_reason_to_panic() {
    let ends = [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX];
    let endless = Rule::Every {
        period: Duration::MAX,
        at: None,
    };
    let endless_days = Rule::Every {
        period: Duration::MAX,
        at: Some(Time::MAX),
    };
    let rules = [endless, endless_days, rule("* * * * *")];
    let timetables = rules.map(|rule| timetable(vec![rule], "America/New_York"));
    let often = [
        every("1s", None, "UTC"),
        every("1d", Some("00:00"), "Europe/Berlin"),
    ];
    for timetable in timetables.into_iter().chain(often) {
        for instant in ends {
            for anchor in ends {
                let next = timetable.next(instant, anchor);
                assert!(next.is_none_or(|slot| slot > instant), "{timetable}");
                let latest = timetable.latest(instant, anchor);
                assert!(latest.is_none_or(|slot| slot <= instant), "{timetable}");
                assert!(timetable.count(anchor, instant) >= 0, "{timetable}");
            }
        }
    }
    assert_eq!(
        every("1s", None, "UTC").next(Timestamp::MAX, Timestamp::MIN),
        None
    );
}

#[test]
fn what_makes_no_sense_has_no_slots() {
    let now = at("2026-01-01T00:00:00Z");
    let zero = Rule::Every {
        period: Duration::ZERO,
        at: None,
    };
    let half_a_day = Rule::Every {
        period: Duration::from_hours(12),
        at: Some(Time::MIN),
    };
    for timetable in [
        timetable(vec![zero], "UTC"),
        timetable(vec![half_a_day], "UTC"),
        crontab("* * * * *", "Europe/Atlantis"),
    ] {
        assert_eq!(timetable.next(now, now), None, "{timetable}");
        assert_eq!(timetable.latest(now, now), None, "{timetable}");
        assert_eq!(timetable.count(now, now), 0, "{timetable}");
    }
}

#[test]
fn the_jitter_of_a_job_is_the_same_everywhere_and_less_than_its_limit() {
    let mut hourly = every("1h", None, "UTC");
    assert_eq!(hourly.offset("feeds"), Duration::ZERO);
    hourly.jitter = Duration::from_mins(5);
    // `printf feeds | sha256sum` begins with eacacfab74cf6c8d.
    let known = Duration::from_millis(0xeaca_cfab_74cf_6c8d % 300_000);
    assert_eq!(hourly.offset("feeds"), known);
    let offsets: Vec<Duration> = (0..1_000)
        .map(|number| hourly.offset(&format!("job-{number}")))
        .collect();
    assert!(offsets.iter().all(|offset| *offset < hourly.jitter));
    let mean = offsets.iter().sum::<Duration>() / 1_000;
    assert!((130..170).contains(&mean.as_secs()), "the mean is {mean:?}");
}

#[test]
fn a_listing_shows_the_rule_and_a_zone_that_matters() {
    let shown = |timetable: Timetable| timetable.to_string();
    assert_eq!(shown(every("1h", None, "Europe/Berlin")), "every 1h");
    assert_eq!(shown(every("90s", None, "UTC")), "every 1m30s");
    assert_eq!(
        shown(every("1d", Some("03:45"), "UTC")),
        "every 1d at 03:45"
    );
    let seconds = every("1w", Some("03:45:30"), "Asia/Tokyo");
    assert_eq!(shown(seconds), "every 7d at 03:45:30 (Asia/Tokyo)");
    assert_eq!(shown(crontab("*/10 * * * *", "UTC")), "*/10 * * * *");
    let berlin = crontab("0 7 * * 1-5", "Europe/Berlin");
    assert_eq!(shown(berlin), "0 7 * * 1-5 (Europe/Berlin)");
    let two = timetable(vec![rule("@daily"), rule("0 7 * * *")], "UTC");
    assert_eq!(shown(two), "@daily; 0 7 * * *");
}

#[test]
fn a_timetable_is_written_down_as_its_owner_wrote_it() {
    let weekdays = crontab("0 7 * * mon-fri", "UTC");
    let _ = weekdays.next(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
    let json = serde_json::to_string(&weekdays.rules).expect("JSON");
    assert_eq!(json, r#"[{"crontab":"0 7 * * mon-fri"}]"#);
}
