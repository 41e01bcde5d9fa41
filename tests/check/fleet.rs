//! What is a problem of the fleet, what is looked at, and what is counted.

use crontabber::store::{hosts::Announced, table::JobState};

use crate::world::{World, announced, failed, minutes, paused, running, well};

const ONE: &str = "[jobs.feeds]\nevery = '1h'\nshell = 'true'\n";

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
fn a_live_host_that_cannot_read_its_new_configuration_is_a_warning() {
    let broken = |at| Announced {
        config_error: Some("jobs/feeds.toml:3:1: unknown key `evry`".into()),
        ..announced("web1", at, 0.0)
    };
    let problems = |check: &str, at| {
        let world = World::new(&format!("{check}\n{ONE}"));
        world
            .hosts(&[broken(at), announced("web2", -1, 0.0)])
            .problems()
    };
    assert_eq!(
        problems("", -1),
        [
            "warning: web1 goes on with an older configuration than its files have, until they are mended and it is reloaded: jobs/feeds.toml:3:1: unknown key `evry`"
        ]
    );
    assert_eq!(problems("", -16), [""; 0], "it is silent, and has no say");
    let critical = problems("[check]\nconfig_error = 'critical'", -1);
    assert!(critical[0].starts_with("critical: web1 goes on"));
    assert_eq!(problems("[check]\nconfig_error = 'ok'", -1), [""; 0]);
}

#[test]
fn two_daemons_of_one_name_are_a_warning_as_long_as_the_other_is_seen() {
    let problems = |check: &str, seen| {
        let host = Announced {
            other: Some(("b0071d 4026531836 4712 950".into(), minutes(seen))),
            ..announced("web1", -1, 0.0)
        };
        World::new(&format!("{check}\n{ONE}"))
            .hosts(&[host])
            .problems()
    };
    assert_eq!(
        problems("", -15),
        [
            "warning: two daemons use the name web1, the other is b0071d 4026531836 4712 950: give one of them another, in `[daemon] host`"
        ]
    );
    assert_eq!(problems("", -16), [""; 0], "it has stopped");
    assert_eq!(problems("[check]\nsame_name = 'ok'", -1), [""; 0]);
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
