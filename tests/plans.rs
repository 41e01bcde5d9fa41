//! The plan as a function of what it is given: who waits for whom and why, whatever order the files have.

mod common;

use std::{collections::BTreeMap, time::Duration};

use common::host::{after, every, job};
use crontabber::{
    dag::JobGraph,
    place::{Place, Seen},
    plan::{Verdict, plan},
    spec::{CatchUp, JobSpec, Placement},
    store::table::{JobState, LiveClaim, Table, never},
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

fn now() -> Timestamp {
    "2031-05-05T12:00:00Z".parse().expect("an instant")
}

fn hours(hours: i64) -> Timestamp {
    now() + SignedDuration::from_hours(hours)
}

/// A row whose slot lies so many hours from now.
fn row(slot: i64) -> JobState {
    JobState {
        slot: Some(hours(slot)),
        next_run: Some(hours(slot)),
        last_run: Some(hours(slot - 1)),
        success_slot: Some(hours(slot - 1)),
        ..JobState::default()
    }
}

/// What the child of such a parent is told.
fn told(parent: &JobSpec, parents_row: Option<JobState>, hosts: Vec<Seen>) -> String {
    let child = after(job("child", "true"), &["parent"]);
    let graph = JobGraph::resolve(vec![parent.clone(), child]).expect("a graph");
    let rows = [("child", Some(row(0))), ("parent", parents_row)];
    let rows = rows
        .into_iter()
        .filter_map(|(name, row)| Some((name.into(), Box::new(row?))));
    let table = Table {
        now: now(),
        jobs: rows.collect(),
        hosts,
        ..Table::default()
    };
    let plan = plan(&graph, &table, &Place::default());
    let child = plan.get("child").expect("it is there");
    assert!(matches!(child.verdict, Verdict::Blocked(_)), "{child:?}");
    child.reason()
}

fn claim() -> LiveClaim {
    LiveClaim {
        run_id: Uuid::nil(),
        slot: now(),
        trigger: "schedule".into(),
        attempt: 1,
        host: "web1".into(),
        lease_until: hours(1),
    }
}

#[test]
fn a_parent_gives_its_child_a_reason_of_its_own_for_each_way_of_not_being_done() {
    let parent = job("parent", "true");
    let running = JobState {
        ongoing: Some(hours(-1)),
        claim: Some(Box::new(claim())),
        ..row(0)
    };
    let failing = JobState {
        error_count: 2,
        last_error: Some("exit 1".into()),
        ..row(0)
    };
    let paused = JobState {
        paused_until: Some(never()),
        next_run: Some(never()),
        ..row(0)
    };
    let never_ran = JobState {
        success_slot: None,
        last_run: None,
        ..row(0)
    };
    let here = Seen {
        place: Place {
            host: "web1".into(),
            ..Place::default()
        },
        at: now(),
        drained: None,
    };
    let dead = Seen {
        place: Place {
            host: "db1".into(),
            ..Place::default()
        },
        at: hours(-5),
        drained: None,
    };
    let on_db1 = JobSpec {
        placement: Placement {
            hosts: vec!["db1".into()],
            on: crontabber::spec::On::One,
        },
        ..parent.clone()
    };
    let reasons = [
        told(&parent, Some(running), vec![]),
        told(&parent, Some(failing), vec![]),
        told(&parent, Some(paused), vec![]),
        told(&parent, Some(never_ran), vec![]),
        told(&parent, None, vec![]),
        told(&parent, Some(row(0)), vec![]),
        told(&on_db1, Some(row(0)), vec![here, dead]),
    ];
    let expected = [
        "parent is running",
        "parent is failing: exit 1",
        "parent is paused",
        "parent has never succeeded",
        "parent has never succeeded",
        "parent has not run its slot yet",
        "parent has no live host for hosts = [\"db1\"]: db1 silent since 2031-05-05T07:00:00Z",
    ];
    assert_eq!(reasons, expected);
}

#[test]
fn who_knows_which_hosts_are_live_foretells_what_a_pass_will_do_that_does_not() {
    let on_db1 = JobSpec {
        placement: Placement {
            hosts: vec!["db1".into()],
            on: crontabber::spec::On::One,
        },
        ..job("parent", "true")
    };
    let child = after(job("child", "true"), &["parent"]);
    let graph = JobGraph::resolve(vec![on_db1, child]).expect("a graph");
    let rows = [("child", row(-5)), ("parent", row(-5))];
    let dead = Seen {
        place: Place {
            host: "db1".into(),
            ..Place::default()
        },
        at: hours(-9),
        drained: None,
    };
    for hosts in [vec![], vec![dead]] {
        let table = Table {
            now: now(),
            jobs: rows
                .clone()
                .map(|(name, row)| (name.into(), Box::new(row)))
                .into(),
            hosts,
            ..Table::default()
        };
        let plan = plan(&graph, &table, &Place::default());
        let child = plan.get("child").expect("it is there");
        assert!(matches!(child.verdict, Verdict::Blocked(_)), "{child:?}");
    }
}

#[test]
fn a_blocked_job_runs_for_no_slot_beyond_the_limit_of_what_it_catches_up_on() {
    let child = JobSpec {
        catch_up: CatchUp::All,
        catch_up_limit: Some(2),
        ..after(job("child", "true"), &["parent"])
    };
    let graph = JobGraph::resolve(vec![job("parent", "true"), child]).expect("a graph");
    // The parent is done for the oldest of the child's slots, and not for the newest two.
    let parent = JobState {
        success_slot: Some(hours(-5)),
        ..row(0)
    };
    let table = Table {
        now: now(),
        jobs: [("child", row(-5)), ("parent", parent)]
            .map(|(name, row)| (name.into(), Box::new(row)))
            .into(),
        ..Table::default()
    };
    let plan = plan(&graph, &table, &Place::default());
    let child = plan.get("child").expect("it is there");
    assert!(matches!(child.verdict, Verdict::Blocked(_)), "{child:?}");
}

/// A handful of jobs, each after some of those before it, and a row of each.
fn worlds() -> impl Strategy<Value = Vec<(JobSpec, JobState)>> {
    let one = (
        1_u64..30,
        prop::collection::vec(any::<bool>(), 6),
        -40_i64..5,
        0_i32..3,
        any::<bool>(),
    );
    prop::collection::vec(one, 1..7).prop_map(|jobs| {
        let jobs = jobs.into_iter().enumerate();
        jobs.map(|(number, (period, parents, slot, errors, paused))| {
            let parents: Vec<String> = (0..number)
                .filter(|other| parents[*other])
                .map(|other| format!("job{other}"))
                .collect();
            let parents: Vec<&str> = parents.iter().map(String::as_str).collect();
            let spec = JobSpec {
                timetable: Some(every(Duration::from_hours(period))),
                ..after(job(&format!("job{number}"), "true"), &parents)
            };
            let row = JobState {
                error_count: errors,
                paused_until: paused.then(never),
                ..row(slot)
            };
            (spec, row)
        })
        .collect()
    })
}

proptest! {
    #[test]
    fn the_order_of_the_files_changes_no_verdict(world in worlds(), seed in any::<u64>()) {
        let verdicts = |jobs: Vec<JobSpec>| {
            let graph = JobGraph::resolve(jobs).expect("a graph");
            let rows = world.iter();
            let table = Table {
                now: now(),
                jobs: rows.map(|(spec, row)| (spec.name.as_str().into(), Box::new(row.clone()))).collect(),
                ..Table::default()
            };
            let plan = plan(&graph, &table, &Place::default());
            let verdicts = plan.jobs.iter();
            let verdicts = verdicts.map(|job| (job.name.to_string(), (job.verdict.clone(), plan.changes_at(job))));
            verdicts.collect::<BTreeMap<_, _>>()
        };
        let jobs: Vec<JobSpec> = world.iter().map(|(spec, _)| spec.clone()).collect();
        let mut shuffled = jobs.clone();
        let mut state = seed;
        for at in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(at, usize::try_from(state >> 33).expect("64 bits") % (at + 1));
        }
        prop_assert_eq!(verdicts(jobs), verdicts(shuffled));
    }
}
