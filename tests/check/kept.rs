//! Jobs that are kept running: for how long is no problem, that they fail or do not run is.

use crontabber::store::table::JobState;

use crate::world::{World, failed, running, well};

const RELAY: &str = "[jobs.relay]\nkeep_running = true\nshell = 'true'\n";

fn said(row: JobState) -> Vec<String> {
    World::new(RELAY).row("relay", row).problems()
}

/// Since ten days.
const LONG_AGO: i64 = -14_400;

#[test]
fn one_that_runs_for_days_is_well() {
    let world = World::new(RELAY).row("relay", running(LONG_AGO, 1));
    assert_eq!(world.problems(), [""; 0]);
    let figures = world.checked().figures;
    assert_eq!((figures.ongoing, figures.longest_ongoing), (1, 0));
}

#[test]
fn one_that_runs_longer_than_a_timeout_it_names_is_not() {
    let world = World::new(&format!("{RELAY}timeout = '1d'\n"));
    let problems = world.row("relay", running(LONG_AGO, 1)).problems();
    assert!(
        problems[0].starts_with("critical relay: running on web1 for 10d"),
        "{problems:?}"
    );
}

#[test]
fn one_that_fails_again_and_again_is_told_while_it_runs_and_while_it_waits() {
    let again = JobState {
        error_count: 3,
        last_error: Some("exit 1".into()),
        ..running(-1, 1)
    };
    assert_eq!(
        said(again),
        ["critical relay: 3 errors in a row, the last run 6m ago: exit 1; it is running again now"]
    );
    assert_eq!(
        said(failed(3, "exit 1", 1)),
        ["critical relay: 3 errors in a row, the last run 6m ago: exit 1; next run in 1m"]
    );
}

#[test]
fn one_that_no_daemon_starts_is_overdue_and_the_sentence_says_who_should() {
    assert_eq!(said(well(-5)), [""; 0]);
    assert_eq!(
        said(well(-20)),
        [
            "warning relay: overdue since 2031-05-05 11:40:00Z (20m ago): kept running by daemons: no pass runs it"
        ]
    );
}

#[test]
fn one_whose_host_is_gone_is_stuck_like_any_other() {
    let problems = said(running(LONG_AGO, -30));
    assert!(
        problems[0].contains("its run on web1 lost its lease"),
        "{problems:?}"
    );
}
