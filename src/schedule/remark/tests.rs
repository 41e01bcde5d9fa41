use std::time::Duration;

use super::{super::Crontab, *};

fn rule(text: &str) -> Rule {
    match text.strip_prefix("at ") {
        Some(at) => Rule::Every {
            period: Duration::from_hours(24),
            at: Some(at.parse().unwrap()),
        },
        None => Rule::Crontab(Crontab::parse(text).unwrap()),
    }
}

/// The remarks on the slots between two instants, each after its slot.
fn remarks(rules: &[&str], zone: &str, from: &str, until: &str) -> Vec<String> {
    let timetable = Timetable {
        rules: rules.iter().map(|text| rule(text)).collect(),
        timezone: zone.to_owned(),
        jitter: Duration::ZERO,
    };
    let [from, until] = [from, until].map(|text| text.parse::<Timestamp>().unwrap());
    let next = |after: &Timestamp| timetable.next(*after, from);
    std::iter::successors(next(&from), next)
        .take_while(|slot| *slot <= until)
        .filter_map(|slot| Some(format!("{slot} {}", timetable.remark(slot)?)))
        .collect()
}

fn year(rules: &[&str], zone: &str, year: i16) -> Vec<String> {
    let until = year + 1;
    remarks(
        rules,
        zone,
        &format!("{year}-01-01T00:00:00Z"),
        &format!("{until}-01-01T00:00:00Z"),
    )
}

#[test]
fn a_fixed_time_that_does_not_exist_runs_at_the_jump() {
    let expected = "2026-03-08T07:00:00Z 02:30 does not exist that night (clocks go from 02:00 to 03:00): runs at 03:00";
    for rules in ["30 2 * * *", "at 02:30", "30 2 8 3 *"] {
        assert_eq!(
            year(&[rules], "America/New_York", 2026),
            [expected],
            "{rules}"
        );
    }
}

#[test]
fn a_fixed_time_that_comes_twice_runs_the_first_time() {
    let expected = "2026-11-01T05:30:00Z 01:30 comes twice that night (clocks go back from 02:00 to 01:00): runs the first time only";
    for rules in ["30 1 * * *", "at 01:30"] {
        assert_eq!(
            year(&[rules], "America/New_York", 2026),
            [expected],
            "{rules}"
        );
    }
}

#[test]
fn in_berlin_one_time_does_both() {
    assert_eq!(
        year(&["30 2 * * *"], "Europe/Berlin", 2027),
        [
            "2027-03-28T01:00:00Z 02:30 does not exist that night (clocks go from 02:00 to 03:00): runs at 03:00",
            "2027-10-31T00:30:00Z 02:30 comes twice that night (clocks go back from 03:00 to 02:00): runs the first time only",
        ]
    );
}

#[test]
fn the_ends_of_a_jump_are_no_part_of_it() {
    for fine in ["0 1 * * *", "59 1 * * *", "0 3 * * *", "at 03:00"] {
        assert_eq!(year(&[fine], "Europe/Berlin", 2027), [""; 0], "{fine}");
    }
    assert_eq!(year(&["0 2 * * *"], "Europe/Berlin", 2027).len(), 2);
    assert_eq!(year(&["at 02:00"], "Europe/Berlin", 2027).len(), 2);
}

#[test]
fn half_an_hour_is_enough_on_lord_howe() {
    assert_eq!(
        year(&["15 2 * * *"], "Australia/Lord_Howe", 2026),
        [
            "2026-10-03T15:30:00Z 02:15 does not exist that night (clocks go from 02:00 to 02:30): runs at 02:30"
        ]
    );
    assert_eq!(
        year(&["at 01:45"], "Australia/Lord_Howe", 2026),
        [
            "2026-04-04T14:45:00Z 01:45 comes twice that night (clocks go back from 02:00 to 01:30): runs the first time only"
        ]
    );
    let both = year(&["*/15 * * * *"], "Australia/Lord_Howe", 2026);
    let expected = ["14:30", "14:45", "15:00", "15:15"].map(|slot| {
        format!(
            "2026-04-04T{slot}:00Z clocks go back from 02:00 to 01:30: this half hour comes twice, runs in both"
        )
    });
    assert_eq!(both, expected);
}

#[test]
fn in_sao_paulo_it_was_midnight() {
    for rules in ["0 0 * * *", "@daily", "at 00:00"] {
        assert_eq!(
            year(&[rules], "America/Sao_Paulo", 2018),
            [
                "2018-11-04T03:00:00Z 00:00 does not exist that night (clocks go from 00:00 to 01:00): runs at 01:00"
            ],
            "{rules}"
        );
    }
    assert_eq!(
        year(&["30 23 * * *"], "America/Sao_Paulo", 2018),
        [
            "2018-02-18T01:30:00Z 23:30 comes twice that night (clocks go back from 00:00 to 23:00): runs the first time only"
        ]
    );
}

#[test]
fn a_schedule_that_follows_real_time_runs_in_both_hours() {
    let expected = ["00:00", "00:30", "01:00", "01:30"].map(|slot| {
        format!(
            "2026-10-25T{slot}:00Z clocks go back from 03:00 to 02:00: this hour comes twice, runs in both"
        )
    });
    assert_eq!(year(&["*/30 * * * *"], "Europe/Berlin", 2026), expected);
}

#[test]
fn a_schedule_that_follows_real_time_leaves_out_hours_that_do_not_exist() {
    let spring = |rules| {
        let (from, until) = ("2027-03-27T00:00:00Z", "2027-04-02T00:00:00Z");
        remarks(&[rules], "Europe/Berlin", from, until)
    };
    assert_eq!(
        spring("*/30 2 * * *"),
        [
            "2027-03-29T00:00:00Z 02:00 to 02:30 did not exist on 2027-03-28 (clocks go from 02:00 to 03:00): left out"
        ]
    );
    assert_eq!(
        spring("0 */2 * * *"),
        [
            "2027-03-28T02:00:00Z 02:00 did not exist on 2027-03-28 (clocks go from 02:00 to 03:00): left out"
        ]
    );
    assert_eq!(spring("*/10 * * * *"), [""; 0]);
}

#[test]
fn several_times_that_do_not_exist_run_once() {
    assert_eq!(
        remarks(
            &["0,20,40 2 * * *"],
            "Europe/Berlin",
            "2027-03-27T00:00:00Z",
            "2027-03-29T00:00:00Z"
        ),
        [
            "2027-03-28T01:00:00Z 02:00 to 02:40 do not exist that night (clocks go from 02:00 to 03:00): runs once, at 03:00"
        ]
    );
}

#[test]
fn a_remark_is_about_the_rule_that_the_slot_is_of() {
    let spring = |rules: &[&str]| {
        let (from, until) = ("2027-03-27T23:00:00Z", "2027-03-28T03:00:00Z");
        remarks(rules, "Europe/Berlin", from, until)
    };
    assert_eq!(spring(&["*/30 * * * *", "5 0 * * *"]), [""; 0]);
    assert_eq!(spring(&["*/30 * * * *", "15 2 * * *"]).len(), 1);
    let (from, until) = ("2026-10-25T00:15:00Z", "2026-10-25T00:45:00Z");
    let autumn = remarks(
        &["15 12 * * *", "*/30 * * * *"],
        "Europe/Berlin",
        from,
        until,
    );
    assert!(
        autumn.len() == 1 && autumn[0].ends_with("runs in both"),
        "{autumn:?}"
    );
}

#[test]
fn a_day_that_does_not_exist_is_named() {
    assert_eq!(
        year(&["0 12 30 12 *"], "Pacific/Apia", 2011),
        [
            "2011-12-30T10:00:00Z 2011-12-30 12:00 does not exist that night (clocks go from 2011-12-30 00:00 to 2011-12-31 00:00): runs at 2011-12-31 00:00"
        ]
    );
}

#[test]
fn zones_jump_beyond_the_end_of_their_tables_too() {
    assert_eq!(year(&["30 2 * * *"], "Europe/Berlin", 2050).len(), 2);
    assert_eq!(year(&["30 2 * * *"], "Europe/Berlin", 2037).len(), 2);
    assert_eq!(year(&["30 2 * * *"], "Europe/Berlin", 2038).len(), 2);
}

#[test]
fn without_wall_times_or_jumps_there_is_nothing_to_say() {
    assert_eq!(year(&["30 2 * * *"], "UTC", 2026), [""; 0]);
    assert_eq!(year(&["30 2 * * *"], "Asia/Kolkata", 2026), [""; 0]);
    assert_eq!(
        year(&["30 2 * * *"], "Middle-earth/Hobbiton", 2026),
        [""; 0]
    );
}

fn moved(text: &str, zone: &str) -> Vec<String> {
    let [from, until] =
        ["2027-01-01T00:00:00Z", "2028-01-02T00:00:00Z"].map(|text| text.parse().unwrap());
    let remarks = rule(text).moved(zone, from, until);
    remarks
        .iter()
        .map(|remark| format!("{} {}", remark.wall(), remark.said_of("then")))
        .collect()
}

#[test]
fn what_will_be_moved_is_known_without_its_slots() {
    let spring = "2027-03-28T02:30:00 02:30 does not exist then (clocks go from 02:00 to 03:00): runs at 03:00";
    let autumn = "2027-10-31T02:30:00 02:30 comes twice then (clocks go back from 03:00 to 02:00): runs the first time only";
    assert_eq!(moved("30 2 * * *", "Europe/Berlin"), [spring, autumn]);
    assert_eq!(moved("at 02:30", "Europe/Berlin"), [spring, autumn]);
    assert_eq!(moved("30 2 28 * *", "Europe/Berlin"), [spring]);
    assert_eq!(moved("30 2 1 * *", "Europe/Berlin"), [""; 0]);
    assert_eq!(moved("*/30 2 * * *", "Europe/Berlin"), [""; 0]);
    assert_eq!(moved("30 2 * * *", "UTC"), [""; 0]);
}
