//! What is printed, whatever jobs have printed before.

use std::cell::RefCell;

use crontabber::{
    place::Seen,
    store::{hosts::Announced, table::JobState},
    view::check::{Status, failure, text},
};
use proptest::prelude::*;

use crate::{
    grammar::read,
    world::{World, announced, failed, minutes, paused, running, well},
};

const TWO: &str = "
[jobs.feeds]
every = '1h'
shell = 'true'
[jobs.mail]
every = '1h'
depends_on = ['feeds']
shell = 'true'
";

fn printed(world: &World) -> String {
    text(&world.checked(), world.limits())
}

#[test]
fn when_all_is_well_one_line_says_so() {
    let world = World::new(TWO)
        .row("feeds", running(-2, 2))
        .row("mail", well(7));
    assert_eq!(
        printed(&world),
        "CRONTABBER OK: 2 jobs, 1 ongoing | critical=0;;0 warning=0;0 jobs=2 ongoing=1 failing=0 overdue=0 blocked=0 held=0 \
         paused=0 ghosts=0 last_pass_age=60s;;900 longest_ongoing=120s oldest_success_age=360s\n"
    );
}

#[test]
fn the_worst_is_named_first_and_each_problem_has_a_line() {
    let world = World::new(TWO)
        .row(
            "feeds",
            JobState {
                success_slot: Some(minutes(-500)),
                ..failed(4, "exit 1: HTTP 503 | bad\tgateway\n", 7)
            },
        )
        .row("mail", well(-61))
        .row("old", well(7));
    let world = world.hosts(&[announced("web1", -20, 0.0)]);
    assert_eq!(
        printed(&world),
        "CRONTABBER CRITICAL: no pass for 20m; 1 of 2 jobs: feeds (4 errors); 2 warnings | critical=2;;0 warning=2;0 \
         jobs=2 ongoing=0 failing=1 overdue=0 blocked=1 held=0 paused=0 ghosts=1 last_pass_age=1200s;;900 longest_ongoing=0s \
         oldest_success_age=360s\n\
         CRITICAL no pass for 20m, the last was seen on web1 at 2031-05-05 11:40:00Z: is `crontabber tick` in a crontab or a \
         systemd timer, and does it reach this database?\n\
         CRITICAL feeds: 4 errors in a row, the last run 6m ago: exit 1: HTTP 503 ¦ bad gateway ; next run in 7m\n\
         WARNING  mail: blocked for 1h 1m: feeds is failing: exit 1: HTTP 503 ¦ bad gateway\n\
         WARNING  old: a row that no job of this configuration has\n"
    );
    let read = read(&printed(&world)).expect("it is an answer");
    assert_eq!(read.status, "CRITICAL");
    assert_eq!(read.figures["last_pass_age"], "1200s");
    assert_eq!(read.lines.len(), 4);
}

#[test]
fn warnings_alone_are_named_too() {
    let world = World::new(TWO).row("old", well(7)).row("older", well(7));
    let world = world.hosts(&[announced("web1", -1, 90.0)]);
    assert!(
        printed(&world).starts_with("CRONTABBER WARNING: clock of web1 off by 1m 30s; 2 ghosts | ")
    );
}

#[test]
fn many_problems_are_named_as_far_as_there_is_room_and_the_rest_is_counted() {
    let many = 500;
    let mut jobs = String::new();
    for number in 0..many {
        let job = format!(
            "[jobs.job_with_quite_a_long_name_{number:03}]\nevery = '1h'\nshell = 'true'\n"
        );
        jobs.push_str(&job);
    }
    let mut world = World::new(&jobs);
    for number in 0..many {
        let name = format!("job_with_quite_a_long_name_{number:03}");
        world = world.row(&name, failed(2, &"very bad news ".repeat(40), 7));
    }
    let answer = printed(&world);
    let read = read(&answer).unwrap_or_else(|wrong| panic!("{wrong}: {answer}"));
    assert!(
        read.text
            .starts_with("500 of 500 jobs: job_with_quite_a_long_name_000 (2 errors), "),
        "{answer}"
    );
    assert!(read.text.ends_with(" more"), "{answer}");
    let last = read.lines.last().expect("there are lines");
    assert_eq!(
        last,
        &format!(
            "and {} more: `crontabber check --json` tells all of them",
            many - (read.lines.len() - 1)
        )
    );
    assert!(answer.len() > 3_000, "the room is used");
}

#[test]
fn figures_as_large_as_they_come_leave_room_for_the_text() {
    let sections = format!(
        "[check]\nno_pass = {{ warning = '36499d23h59m59s999ms', critical = '36500d' }}\n{TWO}"
    );
    let far = "0001-01-01T00:00:00Z".parse().expect("a timestamp");
    let host = announced("web1", 0, 0.0);
    let row = JobState {
        last_success: Some(far),
        error_count: i32::MAX,
        ..running(-2, 2)
    };
    let world = World::new(&sections)
        .row(
            "feeds",
            JobState {
                ongoing: Some(far),
                ..row.clone()
            },
        )
        .row("mail", row)
        .hosts(&[Announced {
            seen: Seen {
                at: far,
                ..host.seen.clone()
            },
            ..host
        }]);
    let answer = printed(&world);
    let read = read(&answer).unwrap_or_else(|wrong| panic!("{wrong}: {answer}"));
    assert!(read.text.starts_with("no pass for "), "{answer}");
}

/// Any bytes, as the database hands them over, with what breaks plugins among them more often than chance has it.
pub(crate) fn any_text() -> impl Strategy<Value = String> {
    let nasty = prop_oneof![
        Just("|".to_owned()),
        Just(" | a=1;2;3".to_owned()),
        Just("\nCRONTABBER OK: all is well | x=1\n".to_owned()),
        Just("\r\n\t\u{b}\u{c}\u{85}\u{2028}\u{2029}".to_owned()),
        Just("\u{1b}[2J\u{9b}31m\u{7f}\u{0}".to_owned()),
        Just("\u{202e}\u{feff}'=;%$`\\n".to_owned()),
        Just("…¦é漢🦀".to_owned()),
        any::<Vec<u8>>().prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        any::<String>(),
        (any::<char>(), 0..500_usize).prop_map(|(c, times)| c.to_string().repeat(times)),
    ];
    prop::collection::vec(nasty, 0..4).prop_map(|parts| parts.concat())
}

thread_local! {
    /// A configuration is read once; the rows are what varies.
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_an_error_holds_the_answer_is_one_status_line_one_bar_and_figures_that_parse(
        error in any_text(), ghost in any_text(), host in any_text(), reason in any_text(), errors in 0..5_i32,
    ) {
        let world = WORLD.take().unwrap_or_else(|| World::new(TWO));
        let mut stuck = running(-20, -3);
        if let Some(claim) = &mut stuck.claim {
            claim.host.clone_from(&host);
        }
        let world = world
            .without_rows()
            .row("feeds", failed(errors, &error, 7))
            .row("mail", JobState { success_slot: Some(minutes(-900)), ..well(-61) })
            .row(&format!("{ghost}ghost"), stuck)
            .row(&ghost, paused(None, "on_lost", &reason))
            .hosts(&[announced(&host, -20, 90.0)]);
        let answer = printed(&world);
        let read = read(&answer);
        prop_assert!(read.is_ok(), "{}: {answer}", read.unwrap_err());
        let read = read.unwrap();
        prop_assert_eq!(read.status.as_str(), "CRITICAL");
        prop_assert_eq!(read.figures.len(), 13);
        prop_assert_eq!(answer.matches('|').count(), 1);
        let world = world.row("feeds", paused(None, "on_lost", &reason));
        let held = printed(&world);
        WORLD.set(Some(world));
        prop_assert!(self::read(&held).is_ok(), "{held}");

        let failed = failure(Status::Unknown, &error);
        let read = self::read(&failed);
        prop_assert!(read.is_ok(), "{}: {failed}", read.unwrap_err());
        prop_assert_eq!(failed.matches('|').count(), 0);
        prop_assert_eq!(failed.lines().count(), 1);
    }
}
