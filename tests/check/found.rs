//! What is a problem of a job, how bad, and in which words.

use crate::world::{World, announced, failed, minutes, paused, running, running_in_python, well};
use crontabber::store::table::{JobState, never};

const ONE: &str = "[jobs.feeds]\nevery = '1h'\nshell = 'true'\n";

/// What is said of one hourly job with this row, `[check]` as given.
fn said(check: &str, row: JobState) -> Vec<String> {
    World::new(&format!("{check}\n{ONE}"))
        .row("feeds", row)
        .problems()
}

#[test]
fn a_job_that_is_well_not_yet_due_or_never_met_is_no_problem() {
    assert_eq!(said("", well(20)), [""; 0]);
    assert_eq!(World::new(ONE).problems(), [""; 0]);
    let never_run = JobState {
        last_run: None,
        last_success: None,
        first_run: None,
        ..well(20)
    };
    assert_eq!(said("", never_run), [""; 0]);
}

#[test]
fn one_error_is_critical_as_it_was_in_crontabber() {
    assert_eq!(
        said("", failed(1, "exit 1: 503", 7)),
        ["critical feeds: failed 6m ago: exit 1: 503; next run in 7m"]
    );
    assert_eq!(
        said("", failed(4, "exit 1: 503", 7)),
        ["critical feeds: 4 errors in a row, the last run 6m ago: exit 1: 503; next run in 7m"]
    );
}

#[test]
fn of_a_job_that_catches_up_on_every_slot_one_error_is_a_warning_and_two_are_critical() {
    let world = World::new("[jobs.feeds]\nevery = '1h'\ncatch_up = 'all'\nshell = 'true'\n");
    let world = world.row("feeds", failed(1, "exit 1", 7));
    assert_eq!(
        world.problems(),
        ["warning feeds: failed 6m ago: exit 1; next run in 7m"]
    );
    let world = world.row("feeds", failed(2, "exit 1", 7));
    assert!(world.problems()[0].starts_with("critical feeds: 2 errors"));
}

#[test]
fn thresholds_of_errors_are_counted_from_and_can_be_switched_off() {
    let check = "[check]\nerrors = { warning = 2, critical = 4 }";
    let severity = |errors| said(check, failed(errors, "exit 1", 7)).first().cloned();
    assert_eq!(severity(1), None);
    assert!(severity(2).is_some_and(|said| said.starts_with("warning")));
    assert!(severity(3).is_some_and(|said| said.starts_with("warning")));
    assert!(severity(4).is_some_and(|said| said.starts_with("critical")));
    let never = "[check]\nerrors = { warning = 'never', critical = 'never' }";
    assert_eq!(said(never, failed(900, "exit 1", 7)), [""; 0]);
}

#[test]
fn a_job_is_overdue_when_it_is_due_for_longer_than_the_threshold() {
    assert_eq!(said("", well(-10)), [""; 0]);
    assert_eq!(
        said("", well(-11)),
        ["warning feeds: overdue since 2031-05-05 11:49:00Z (11m ago)"]
    );
    assert_eq!(
        said("", well(-61)),
        ["critical feeds: overdue since 2031-05-05 10:59:00Z (1h 1m ago)"]
    );
}

#[test]
fn a_retry_that_does_not_come_is_overdue_since_the_retry_and_failing_besides() {
    let row = JobState {
        slot: Some(minutes(-500)),
        ..failed(1, "exit 1", -20)
    };
    assert_eq!(
        said("", row),
        [
            "critical feeds: failed 6m ago: exit 1",
            "warning feeds: overdue since 2031-05-05 11:40:00Z (20m ago)"
        ]
    );
}

#[test]
fn a_job_for_other_hosts_is_overdue_with_that_reason() {
    let world = World::new("[jobs.feeds]\nevery = '1h'\nhosts = ['db*']\nshell = 'true'\n");
    let world = world.hosts(&[announced("db1", -1, 0.0)]);
    assert_eq!(
        world.row("feeds", well(-61)).problems(),
        [
            "critical feeds: overdue since 2031-05-05 10:59:00Z (1h 1m ago): runs on hosts = [\"db*\"], not here"
        ]
    );
}

#[test]
fn a_job_that_has_been_due_for_long_and_has_never_run_says_so() {
    let row = JobState {
        last_run: None,
        last_success: None,
        ..well(-30)
    };
    assert_eq!(
        said("", row.clone()),
        ["warning feeds: never run, due since 2031-05-05 11:30:00Z (30m ago)"]
    );
    let check = "[check]\nnever_run = { critical = 'never', warning = 'never' }";
    assert_eq!(said(check, row), [""; 0]);
}

#[test]
fn a_run_is_too_long_after_its_timeout_and_its_grace_and_what_the_thresholds_add() {
    let world = |since| {
        World::new("[jobs.feeds]\nevery = '1h'\ntimeout = '30m'\nshell = 'true'\n")
            .row("feeds", running(since, 2))
            .problems()
    };
    assert_eq!(world(-31), [""; 0]);
    assert_eq!(
        world(-32),
        ["warning feeds: running on web1 for 32m, and its timeout is 30m"]
    );
    assert_eq!(
        world(-41),
        ["critical feeds: running on web1 for 41m, and its timeout is 30m"]
    );
}

#[test]
fn a_run_of_a_python_host_is_a_warning_from_half_of_the_time_for_which_it_is_respected() {
    assert_eq!(said("", running_in_python(-360)), [""; 0]);
    assert_eq!(
        said("", running_in_python(-361)),
        ["warning feeds: run by a Python host for 6h 1m; after 12h another host may take it over"]
    );
    // Nobody respects it any more: then it is simply due.
    assert_eq!(
        said("", running_in_python(-721)),
        ["critical feeds: overdue since 2031-05-04 23:59:00Z (12h 1m ago)"]
    );
}

#[test]
fn a_run_is_stuck_a_lease_and_a_grace_after_its_lease_has_ended() {
    assert_eq!(said("", running(-20, -2)), [""; 0]);
    let stuck = "its run on web1 lost its lease 3m ago, and no pass has counted it as lost: does any host pass, or does somebody hold the row?";
    assert_eq!(
        said("", running(-20, -3)),
        [format!("critical feeds: {stuck}")]
    );
    let check = "[check]\nstuck = 'ok'";
    assert_eq!(said(check, running(-20, -3)), [""; 0]);
    // In a row that nobody knows it hurts as much.
    let ghost = World::new(ONE).row("old", running(-20, -3)).problems();
    assert_eq!(
        ghost,
        [
            format!("critical old: {stuck}"),
            "warning old: a row that no job of this configuration has".to_owned()
        ]
    );
}

#[test]
fn a_job_that_waits_for_a_person_is_critical_and_its_errors_are_part_of_that() {
    let row = paused(None, "on_lost", "its run on web2 was lost");
    assert_eq!(
        said("", row.clone()),
        ["critical feeds: held for a person: its run on web2 was lost"]
    );
    let warning = said("[check]\nheld = 'warning'", row);
    assert!(warning[0].starts_with("warning feeds: held"));
}

#[test]
fn a_job_that_somebody_has_paused_is_left_alone_until_the_pause_is_over() {
    assert_eq!(said("", paused(Some(60), "anna", "new disks")), [""; 0]);
    let over = said("", paused(Some(-1), "anna", "new disks"));
    assert!(over[0].starts_with("critical feeds: 3 errors in a row"));
}

#[test]
fn a_job_that_nobody_starts_is_never_overdue() {
    let world = World::new("[jobs.adhoc]\nshell = 'true'\n");
    let row = JobState {
        next_run: Some(never()),
        ..well(-500)
    };
    assert_eq!(world.row("adhoc", row).problems(), [""; 0]);
}
