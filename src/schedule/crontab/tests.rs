//! What is refused, where it is pointed at, and what is said.

use super::*;

#[track_caller]
fn refuses(source: &str, pointed_at: &str, message: &str, label: &str, help: &str) {
    let bad = Crontab::parse(source).expect_err(source);
    assert_eq!(bad.message, message, "{source}");
    assert_eq!(&source[bad.span.clone()], pointed_at, "{source}");
    assert_eq!(bad.label, label, "{source}");
    assert_eq!(bad.help.as_deref().unwrap_or_default(), help, "{source}");
}

#[test]
fn a_number_that_no_clock_shows_is_pointed_at() {
    let minutes = "minutes are 0-59";
    refuses("61 * * * *", "61", "minute 61 is out of range", minutes, "");
    let full_hour = "the full hour is minute 0";
    refuses(
        "0,60 * * * *",
        "60",
        "minute 60 is out of range",
        minutes,
        full_hour,
    );
    let midnight = "midnight is hour 0";
    refuses(
        "0 24 * * *",
        "24",
        "hour 24 is out of range",
        "hours are 0-23",
        midnight,
    );
    let days = "days of the month are 1-31";
    refuses(
        "0 0 0 * *",
        "0",
        "day of the month 0 is out of range",
        days,
        "",
    );
    let months = "months are 1-12 or jan-dec";
    refuses("0 0 1 1-13 *", "13", "month 13 is out of range", months, "");
    let weekdays = "days of the week are 0-7 or sun-sat";
    refuses(
        "0 0 * * 8",
        "8",
        "day of the week 8 is out of range",
        weekdays,
        "",
    );
    let endless = "99999999999999999999";
    let message = format!("hour {endless} is out of range");
    refuses(
        &format!("0 {endless} * * *"),
        endless,
        &message,
        "hours are 0-23",
        "",
    );
}

#[test]
fn a_name_that_is_none_gets_the_one_that_was_meant() {
    let weekdays = "days of the week are 0-7 or sun-sat";
    let meant = "did you mean `mon`?";
    refuses(
        "0 0 * * mno",
        "mno",
        "`mno` is no day of the week",
        weekdays,
        meant,
    );
    refuses(
        "0 0 * * tue,Monday",
        "Monday",
        "`Monday` is no day of the week",
        weekdays,
        meant,
    );
    let months = "months are 1-12 or jan-dec";
    refuses("0 0 1 xyz *", "xyz", "`xyz` is no month", months, "");
    refuses(
        "0 mon * * *",
        "mon",
        "`mon` is no hour",
        "hours are 0-23",
        "",
    );
    refuses("0 -1 * * *", "", "a value is missing", "hours are 0-23", "");
    refuses(
        "1,,2 * * * *",
        "",
        "a value is missing",
        "minutes are 0-59",
        "",
    );
}

#[test]
fn an_asterisk_with_a_number_is_a_step_without_its_slash() {
    let minutes = "minutes are 0-59";
    refuses(
        "*5 * * * *",
        "*5",
        "`*5` is no minute",
        minutes,
        "did you mean `*/5`?",
    );
    let alone = "`*` stands alone or before a step, as in `*/5`";
    refuses("** * * * *", "**", "`**` is no minute", minutes, alone);
    refuses("*-5 * * * *", "*", "`*` is no minute", minutes, alone);
}

#[test]
fn a_range_that_runs_backwards_is_written_forwards() {
    let label = "the first is after the last";
    let case = |source: &str, range: &str, help: &str| {
        let message = format!("the range {range} runs backwards");
        refuses(source, range, &message, label, help);
    };
    case("5-1 * * * *", "5-1", "write `5-59,0-1`");
    case("0 22-2 * * *", "22-2", "write `22-23,0-2`");
    case("0 22-2/2 * * *", "22-2", "write `22,0,2`");
    case("0 23-0 * * *", "23-0", "write `23,0`");
    case("0 0 * * 6-1", "6-1", "write `6,0-1`");
    case("0 0 * * sat-mon", "sat-mon", "write `sat,sun-mon`");
    case("0 0 1 nov-feb *", "nov-feb", "write `nov-dec,jan-feb`");
    case("0 0 * * 7-2", "7-2", "write `0-2`");
}

#[test]
fn a_step_that_no_second_value_follows_is_refused() {
    refuses(
        "*/0 * * * *",
        "0",
        "a step of 0 goes nowhere",
        "steps are 1 and more",
        "",
    );
    let whole = "steps are whole numbers";
    refuses("*/ * * * *", "", "a step is missing", whole, "");
    refuses("*/x * * * *", "x", "`x` is not a step", whole, "");
    refuses("*/5/2 * * * *", "5/2", "`5/2` is not a step", whole, "");
    let case = |source: &str, step: &str, label: &str, help: &str| {
        let message = format!("step {step} is larger than its range");
        refuses(source, step, &message, label, help);
    };
    case(
        "*/61 * * * *",
        "61",
        "only minute 0 matches",
        "write `0` in place of `*/61`",
    );
    case(
        "0 */24 * * *",
        "24",
        "only hour 0 matches",
        "write `0` in place of `*/24`",
    );
    case(
        "10-15/6 * * * *",
        "6",
        "only minute 10 matches",
        "write `10` in place of `10-15/6`",
    );
    case(
        "0 0 * * */7",
        "7",
        "only day of the week 0 matches",
        "write `0` in place of `*/7`",
    );
    assert!(Crontab::parse("*/59 */23 */30 */11 */6").is_ok());
    assert!(Crontab::parse("5-5/1 * * * *").is_ok());
}

#[test]
fn a_date_that_never_comes_is_refused() {
    let never = "this date never comes";
    let february = "the last day that comes is 29";
    refuses("0 0 30 2 *", "30 2", never, "feb has no day 30", february);
    let thirty = "the last day that comes is 30";
    let label = "none of these months has a day 31";
    refuses("0 0 31 feb,4,6 */2", "31 feb,4,6", never, label, thirty);
    assert!(Crontab::parse("0 0 29 2 *").is_ok());
    assert!(
        Crontab::parse("0 0 30 2 1").is_ok(),
        "the Mondays of February come"
    );
}

#[test]
fn five_fields_are_counted() {
    let names = "minute, hour, day of the month, month, day of the week";
    let example = "write for example `0 7 * * 1-5` for 07:00 from Monday to Friday";
    refuses("", "", "a schedule is missing", names, example);
    refuses("5", "5", "1 field, a schedule has 5", names, example);
    refuses(
        "* * * *",
        "* * * *",
        "4 fields, a schedule has 5",
        names,
        example,
    );
    let six = "6 fields, a schedule has 5";
    let seven = "7 fields, a schedule has 5";
    let seconds = "there is no field for seconds";
    let instead = "write `*/5 * * * *`; for seconds there is `every = \"15s\"`";
    refuses("0 */5 * * * *", "0", six, seconds, instead);
    refuses("0 */5 * * * * 2026", "0", seven, seconds, instead);
    let command = "write `0 7 * * 1`; what is run goes into `command` or `shell`";
    refuses(
        "0 7 * * 1 df -h",
        "df -h",
        seven,
        "after the fifth field",
        command,
    );
    let zone = "the zone of a job is its key `timezone`";
    refuses("TZ=UTC 0 7 * * 1", "TZ=UTC", six, "not a field", zone);
    let spaced = "write lists without spaces, as in `0,30 * * * *`";
    refuses("0, 30 * * * *", "0,", six, "a space ends the field", spaced);
}

#[test]
fn what_only_other_schedulers_know_is_translated() {
    let days = "days of the month are 1-31";
    refuses(
        "0 0 ? * 1",
        "?",
        "`?` is no day of the month",
        days,
        "write `*`",
    );
    let list = "`L`, `W` and `#` are other schedulers'; write the days, as in `1-7`";
    refuses("0 0 L * *", "L", "`L` is no day of the month", days, list);
    refuses(
        "0 0 15W * *",
        "15W",
        "`15W` is no day of the month",
        days,
        list,
    );
    let weekdays = "days of the week are 0-7 or sun-sat";
    refuses(
        "0 0 * * 5#3",
        "5#3",
        "`5#3` is no day of the week",
        weekdays,
        list,
    );
    let jitter = "write one value: the key `jitter` spreads jobs";
    refuses(
        "H * * * *",
        "H",
        "`H` is no minute",
        "minutes are 0-59",
        jitter,
    );
    refuses(
        "0~30 * * * *",
        "0~30",
        "`0~30` is no minute",
        "minutes are 0-59",
        jitter,
    );
}

#[test]
fn nicknames_are_known_in_any_case_and_stand_alone() {
    for nickname in [
        "@daily",
        "@MIDNIGHT",
        " @Hourly ",
        "@annually",
        "@yearly",
        "@weekly",
    ] {
        assert!(Crontab::parse(nickname).is_ok(), "{nickname}");
    }
    let label = "not a nickname";
    refuses(
        "@dayly",
        "@dayly",
        "`@dayly` is unknown",
        label,
        "did you mean `@daily`?",
    );
    let all = "nicknames are @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly";
    refuses("@teatime", "@teatime", "`@teatime` is unknown", label, all);
    let every = "write `every = \"5m\"` in place of `schedule`";
    refuses("@every 5m", "@every", "`@every` is unknown", label, every);
    let boot = "what a host does at boot belongs in its own systemd unit";
    let shared = "several hosts share one schedule";
    refuses(
        "@reboot",
        "@reboot",
        "`@reboot` is not supported",
        shared,
        boot,
    );
    let whole = "`@daily` is a whole schedule";
    refuses("@daily df -h", "df -h", whole, "nothing can follow it", "");
}

#[test]
fn spans_count_bytes_of_the_expression_as_it_was_written() {
    let bad = Crontab::parse("  0\t*  1,x  * *").expect_err("x is no day");
    assert_eq!(bad.span, 9..10);
    let bad = Crontab::parse("0 é * * *").expect_err("é is no hour");
    assert_eq!(bad.span, 2..4);
}

#[test]
fn parsing_builds_no_schedules() {
    let crontab = Crontab::parse("*/10 * * * *").expect("a schedule");
    assert!(crontab.walls.get().is_none());
    let midnight = Timestamp::UNIX_EPOCH;
    assert!(crontab.next(midnight, &TimeZone::UTC).is_some());
    assert!(crontab.walls.get().is_some());
}

proptest::proptest! {
    #[test]
    fn no_text_is_too_odd_to_answer(text in "[0-9a-zLW@é~#?*/, -]{0,20}") {
        if let Err(bad) = Crontab::parse(&text) {
            proptest::prop_assert!(text.get(bad.span).is_some());
        }
    }

    #[test]
    fn no_field_is_too_odd_to_answer(fields in "([0-9sunJAN*/,-]{1,5} ){4}[0-9a-z*/,-]{1,5}") {
        if let Err(bad) = Crontab::parse(&fields) {
            proptest::prop_assert!(fields.get(bad.span).is_some());
        }
    }
}
