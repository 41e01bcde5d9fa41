//! What is a problem, how bad, and in which words.

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
fn a_due_job_that_no_live_host_may_run_is_critical_at_once_and_one_that_is_not_due_is_well() {
    let hourly = "[jobs.feeds]\nevery = '1h'\nhosts = ['db*']\nshell = 'true'\n";
    let hosts = [announced("web1", -1, 0.0), announced("db1", -40, 0.0)];
    let world = World::new(hourly).hosts(&hosts);
    assert_eq!(
        world.row("feeds", well(-1)).problems(),
        [
            "critical feeds: due since 2031-05-05 11:59:00Z (1m ago), no live host for hosts = [\"db*\"]: db1 silent for 40m"
        ]
    );
    let world = World::new(hourly).hosts(&hosts);
    assert_eq!(world.row("feeds", well(1)).problems(), [""; 0]);
    let check = format!("[check]\nno_host = 'warning'\n{hourly}");
    let problems = World::new(&check)
        .hosts(&hosts)
        .row("feeds", well(-1))
        .problems();
    assert!(problems[0].starts_with("warning feeds: due since"));
}

#[test]
fn a_job_by_which_live_hosts_mean_different_things_is_a_warning() {
    let world = |check: &str| {
        World::new(&format!("{check}\n{ONE}"))
            .row("feeds", well(7))
            .meaning("feeds", "a1b2c3d4e5f60718", &["web1", "web2"])
            .meaning("feeds", "9f3c5e6a01020304", &["db1"])
            .meaning("mail", "0000000000000000", &["db1"])
    };
    assert_eq!(
        world("").problems(),
        [
            "warning feeds: live hosts mean different things by it: web1, web2 mean a1b2c3d4 · db1 means 9f3c5e6a; a deploy that has not reached all of them?"
        ]
    );
    assert_eq!(world("").only(&["mail"], &[]).problems(), [""; 0]);
    assert_eq!(world("[check]\ndisagreement = 'ok'").problems(), [""; 0]);
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

const CHAIN: &str = "
[check]
overdue = { warning = 'never', critical = 'never' }
[jobs.fetch]
every = '1h'
shell = 'true'
[jobs.index]
every = '1h'
depends_on = ['fetch']
shell = 'true'
[jobs.report]
every = '1h'
depends_on = ['index']
shell = 'true'
";

#[test]
fn a_block_that_lasts_names_the_parent_and_the_one_at_the_root() {
    let late = || JobState {
        success_slot: Some(minutes(-500)),
        ..well(-120)
    };
    let fetch = JobState {
        success_slot: Some(minutes(-500)),
        ..failed(2, "exit 1: 503", 3)
    };
    let world = World::new(CHAIN)
        .row("fetch", fetch)
        .row("index", late())
        .row("report", late());
    assert_eq!(
        world.problems(),
        [
            "critical fetch: 2 errors in a row, the last run 6m ago: exit 1: 503; next run in 3m",
            "warning index: blocked for 2h: fetch is failing: exit 1: 503",
            "warning report: blocked for 2h: it waits for index, which waits in the end for fetch: fetch is failing: exit 1: 503",
        ]
    );
    // And the words of the pause that is at the root of it.
    let held = JobState {
        success_slot: Some(minutes(-500)),
        ..paused(None, "on_lost", "its run on web2 was lost")
    };
    let problems = world.row("fetch", held).problems();
    assert_eq!(
        problems[2],
        "warning report: blocked for 2h: it waits for index, which waits in the end for fetch: fetch is held: its run on web2 was lost"
    );
}

#[test]
fn a_short_block_is_no_problem_and_one_of_a_day_is_critical() {
    let world = |since: i64| {
        let row = JobState {
            success_slot: Some(minutes(-50_000)),
            ..well(since)
        };
        World::new(CHAIN)
            .row(
                "fetch",
                JobState {
                    success_slot: Some(minutes(-50_000)),
                    ..well(-1)
                },
            )
            .row("index", row)
            .row("report", well(20))
            .problems()
    };
    assert_eq!(world(-60), [""; 0]);
    assert!(world(-1441)[0].starts_with("critical index: blocked for 1d"));
}

#[test]
fn a_chain_of_many_jobs_is_walked_once() {
    let many = 3_000;
    let mut jobs = "[jobs.j0]\nevery = '1h'\nshell = 'true'\n".to_owned();
    for number in 1..many {
        let parent = number - 1;
        jobs.push_str(&format!(
            "[jobs.j{number}]\nevery = '1h'\ndepends_on = ['j{parent}']\nshell = 'true'\n"
        ));
    }
    let long_ago = |row| JobState {
        success_slot: Some(minutes(-5_000)),
        ..row
    };
    let row = long_ago(well(-120));
    let mut world = World::new(&jobs).row("j0", long_ago(failed(1, "exit 1", 3)));
    for number in 1..many {
        world = world.row(&format!("j{number}"), row.clone());
    }
    let problems = world.problems();
    assert_eq!(problems.len(), many);
    assert!(problems[many - 1].ends_with("which waits in the end for j0: j0 is failing: exit 1"));
}

#[test]
fn a_row_that_no_job_has_is_a_warning() {
    let world = World::new(ONE).row("old", well(-500));
    let ghost = "warning old: a row that no job of this configuration has";
    assert_eq!(world.problems(), [ghost]);
    let world = World::new(&format!("[check]\nghost = 'ok'\n{ONE}")).row("old", well(-500));
    assert_eq!(world.problems(), [""; 0]);
}

#[test]
fn that_no_host_passes_is_critical_after_a_quarter_of_an_hour() {
    let problems = |hosts: &[_]| World::new(ONE).hosts(hosts).problems();
    assert_eq!(
        problems(&[announced("web1", -15, 0.0), announced("web2", -900, 0.0)]),
        [""; 0]
    );
    assert_eq!(
        problems(&[announced("web1", -16, 0.0), announced("web2", -900, 0.0)]),
        [
            "critical: no pass for 16m, the last was seen on web1 at 2031-05-05 11:44:00Z: is `crontabber tick` in a crontab or a systemd timer, and does it reach this database?"
        ]
    );
    assert_eq!(
        problems(&[]),
        [
            "critical: no host has ever passed: is `crontabber tick` in a crontab or a systemd timer, and does it reach this database?"
        ]
    );
    let never = format!("[check]\nno_pass = {{ critical = 'never' }}\n{ONE}");
    assert_eq!(World::new(&never).hosts(&[]).problems(), [""; 0]);
}

#[test]
fn the_clock_of_a_live_host_that_is_off_is_a_warning() {
    let hosts = [
        announced("web1", -1, 30.0),
        announced("web2", -1, -125.0),
        announced("web3", -900, 4_000.0),
        announced("web4", -1, 31.0),
    ];
    assert_eq!(
        World::new(ONE).hosts(&hosts).problems(),
        [
            "warning: the clock of web2 is 2m 5s behind the database's, which alone decides when jobs run: the times in its log mislead",
            "warning: the clock of web4 is 31s ahead of the database's, which alone decides when jobs run: the times in its log mislead",
        ]
    );
}

#[test]
fn who_asks_for_some_jobs_hears_of_these_and_not_of_the_fleet() {
    let jobs = "
[jobs.feeds]
every = '1h'
tags = ['eu', 'web']
shell = 'true'
[jobs.feed_index]
every = '1h'
tags = ['us']
shell = 'true'
[jobs.mail]
every = '1h'
tags = ['eu']
shell = 'true'
";
    let found = |jobs_asked: &[&str], tags: &[&str]| {
        let world = ["feeds", "feed_index", "mail", "feed_old"]
            .iter()
            .fold(World::new(jobs), |world, name| {
                world.row(name, failed(1, "exit 1", 7))
            });
        let checked = world.hosts(&[]).only(jobs_asked, tags).checked();
        let names = checked.problems.into_iter();
        names
            .map(|problem| problem.name.unwrap_or_default())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        found(&[], &[]),
        ["", "feed_index", "feeds", "mail", "feed_old"]
    );
    assert_eq!(found(&["feed*"], &[]), ["feed_index", "feeds", "feed_old"]);
    assert_eq!(found(&["mail", "feeds"], &[]), ["feeds", "mail"]);
    assert_eq!(found(&[], &["eu"]), ["feeds", "mail"]);
    assert_eq!(found(&["feed*"], &["eu", "us"]), ["feed_index", "feeds"]);
    assert_eq!(found(&["feed*"], &["eu"]), ["feeds"]);
}

#[test]
fn the_figures_count_what_a_graph_should_show() {
    let jobs = "
[jobs.fails]
every = '1h'
shell = 'true'
[jobs.late]
every = '1h'
shell = 'true'
[jobs.runs]
every = '1h'
shell = 'true'
[jobs.waits]
every = '1h'
depends_on = ['fails']
shell = 'true'
[jobs.sleeps]
every = '1h'
shell = 'true'
[jobs.gave_up]
every = '1h'
shell = 'true'
[jobs.new]
every = '1h'
shell = 'true'
";
    let old = |minutes_ago: i64, row: JobState| JobState {
        last_success: Some(minutes(-minutes_ago)),
        success_slot: Some(minutes(-minutes_ago)),
        ..row
    };
    let world = World::new(jobs)
        .row("fails", old(70, failed(1, "x", 7)))
        .row("late", old(80, well(-20)))
        .row("runs", old(90, running(-12, 2)))
        .row("waits", old(100, well(-5)))
        .row("sleeps", old(9_000, paused(Some(9), "anna", "")))
        .row("gave_up", old(60, paused(None, "on_lost", "lost")))
        .row("ghost", well(9));
    let figures = world.checked().figures;
    assert_eq!(
        (
            figures.jobs,
            figures.ongoing,
            figures.failing,
            figures.overdue
        ),
        (7, 1, 2, 1)
    );
    assert_eq!(
        (
            figures.blocked,
            figures.held,
            figures.paused,
            figures.ghosts
        ),
        (1, 1, 1, 1)
    );
    assert_eq!(figures.last_pass_age, Some(60));
    assert_eq!(figures.longest_ongoing, 12 * 60);
    assert_eq!(figures.oldest_success_age, Some(100 * 60));
    let none = World::new(ONE).hosts(&[]).checked().figures;
    assert_eq!((none.last_pass_age, none.oldest_success_age), (None, None));
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
