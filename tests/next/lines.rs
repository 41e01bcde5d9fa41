//! What people are told on a terminal.

use crontabber::{
    config::{Config, Surroundings, load_in},
    duration,
    schedule::{Crontab, Rule, Timetable},
    view::{
        Medium,
        next::{Asked, Named, Next, Window},
        text::width,
    },
};
use jiff::Timestamp;

use super::program::JOBS;

fn config() -> Config {
    let directory = tempfile::tempdir().expect("/tmp takes directories");
    let file = directory.path().join("crontabber.toml");
    std::fs::write(&file, JOBS).expect("the directory is ours");
    load_in(Some(&file), &Surroundings::none()).unwrap_or_else(|report| panic!("{report}"))
}

/// Two days before the clocks of Berlin go forward.
fn window(number: usize) -> Window {
    let now: Timestamp = "2027-03-26T12:00:00Z".parse().expect("an instant");
    Window {
        now,
        counted_from: now,
        after: now,
        until: None,
        number,
    }
}

const fn terminal(width: usize) -> Medium {
    Medium::Terminal {
        width,
        colour: false,
    }
}

fn of_job(name: &str, number: usize) -> String {
    let config = config();
    let job = name.split('@').next().expect("a name");
    let spec = config.graph.get(&job.parse().expect("a name"));
    let spec = spec.expect("the job is there");
    let asked = Asked::Job(Named { name, spec });
    Next::of(asked, window(number)).text(terminal(100))
}

#[test]
fn a_job_is_told_with_its_zone_and_what_the_clocks_do() {
    let expected = "\
backup  30 2 * * * (Europe/Berlin)
  SLOT                            UTC                   WHEN
  Sat 2027-03-27 02:30:00 +01:00  2027-03-27 01:30:00Z  in 13h 30m
  Sun 2027-03-28 03:00:00 +02:00  2027-03-28 01:00:00Z  in 1d 13h
    02:30 does not exist that night (clocks go from 02:00 to 03:00): runs at 03:00
";
    assert_eq!(of_job("backup", 2), expected);
}

#[test]
fn jitter_is_shown_beside_the_slot() {
    let expected = "\
report  every 1d at 06:00, jitter 10m
  SLOT                            UTC                   WHEN    STARTS
  Sat 2027-03-27 06:00:00 +00:00  2027-03-27 06:00:00Z  in 18h  06:01:37.564 (+1m37s564ms)
";
    assert_eq!(of_job("report", 1), expected);
    let expected = "\
rotate  0 4 * * *, jitter 10m
  SLOT                            UTC                   WHEN    STARTS
  Sat 2027-03-27 04:00:00 +00:00  2027-03-27 04:00:00Z  in 16h  by host
rotate: each host starts at another moment of the 10m after the slot (name one: NAME@HOST)
";
    assert_eq!(of_job("rotate", 1), expected);
    assert!(of_job("rotate@web1", 1).contains("  04:04:24.26 (+4m24s260ms)\n"));
}

#[test]
fn a_period_says_what_it_is_counted_from() {
    let expected = "\
clean  every 1h
  SLOT                            UTC                   WHEN
  Fri 2027-03-26 13:00:00 +00:00  2027-03-26 13:00:00Z  in 1h
counted from 2027-03-26 12:00:00Z; the table knows the anchor (crontabber show clean)
";
    assert_eq!(of_job("clean", 1), expected);
}

#[test]
fn a_job_without_slots_says_what_starts_it() {
    assert_eq!(
        of_job("gateway", 9),
        "gateway: kept running: it has no slots, daemons start it whenever it does not run\n"
    );
    assert_eq!(
        of_job("backup_check", 9),
        "backup_check: no schedule: it runs when backup has succeeded anew\n"
    );
}

#[test]
fn all_jobs_share_a_table_that_a_narrow_terminal_holds() {
    let config = config();
    let next = Next::of(Asked::Jobs(config.graph.jobs()), window(40));
    let text = next.text(terminal(90));
    assert!(text.starts_with("  JOB "), "{text}");
    assert!(text.lines().all(|line| width(line) <= 90), "{text}");
    let after = |line: &str| text.split(line).nth(1).map(str::to_owned);
    let remark = after("Sun 2027-03-28 03:00:00 +02:00").unwrap_or_default();
    let below = remark.lines().nth(1).unwrap_or_default();
    assert!(
        below.starts_with("    02:30 does not exist that night"),
        "{text}"
    );
    for said in [
        "gateway: kept running",
        "backup_check: no schedule",
        "clean: counted from",
    ] {
        assert!(text.contains(&format!("\n{said}")), "{said}: {text}");
    }
}

fn of_schedule(rule: Rule, window: Window) -> String {
    let timetable = Timetable {
        rules: vec![rule],
        timezone: "Europe/Berlin".to_owned(),
        jitter: std::time::Duration::ZERO,
    };
    Next::of(Asked::Schedule(&timetable), window).text(terminal(100))
}

#[test]
fn a_schedule_of_no_job_is_told_alike() {
    let crontab = Rule::Crontab(Crontab::parse("0 12 * * *").expect("fields"));
    let expected = "\
0 12 * * * (Europe/Berlin)
  SLOT                            UTC                   WHEN
  Sat 2027-03-27 12:00:00 +01:00  2027-03-27 11:00:00Z  in 23h
";
    assert_eq!(of_schedule(crontab, window(1)), expected);
    let hourly = Rule::Every {
        period: duration::parse("1h").expect("a duration"),
        at: None,
    };
    let text = of_schedule(hourly, window(1));
    assert!(
        text.ends_with("\ncounted from 2027-03-26 12:00:00Z\n"),
        "{text}"
    );
}

#[test]
fn nothing_is_told_to_be_nothing() {
    let crontab = || Rule::Crontab(Crontab::parse("0 0 1 1 *").expect("fields"));
    let until = "2027-04-01T00:00:00Z".parse().ok();
    let soon = Window { until, ..window(3) };
    let text = of_schedule(crontab(), soon);
    assert!(
        text.ends_with("no slot until 2027-04-01 00:00:00Z\n"),
        "{text}"
    );
    let after = "2100-06-01T00:00:00Z".parse().expect("an instant");
    let late = Window { after, ..window(3) };
    let text = of_schedule(crontab(), late);
    assert!(text.ends_with("no slot before the year 2101\n"), "{text}");
}
