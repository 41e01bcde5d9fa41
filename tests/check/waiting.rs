//! Jobs that wait for their parents: for how long, and who is to blame.

use crontabber::store::table::JobState;

use crate::world::{World, failed, minutes, paused, well};

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
        let job =
            format!("[jobs.j{number}]\nevery = '1h'\ndepends_on = ['j{parent}']\nshell = 'true'\n");
        jobs.push_str(&job);
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
