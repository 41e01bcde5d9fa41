//! A job's life under a clock of the model's: looks, runs and outages of any length, and what becomes of each slot.
//!
//! The plan and [`after()`](super::after) are the real ones; the claim is re-enacted, as `claim.sql` has it.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{Effect, after};
use crate::{
    claim::Held,
    dag::JobGraph,
    ended::{Ended, How},
    output::Output,
    place::Place,
    plan::{
        Due, Verdict,
        catch_up::{Reason, Skipped},
        plan,
    },
    run::Finished,
    schedule::{Rule, Timetable},
    spec::{
        CatchUp, JobSpec, Kind, Lease, On, OnDbLoss, OnLost, Origin, Overlap, Placement, Retry,
        RunAs, Start,
    },
    store::table::{JobState, Table},
};

/// A job without anything special, once a minute.
pub(super) fn job() -> JobSpec {
    JobSpec {
        name: "a".parse().expect("a name"),
        origin: Origin::default(),
        description: None,
        kind: Kind::Shell("true".into()),
        class: None,
        timetable: Some(Timetable {
            rules: vec![Rule::Every {
                period: Duration::from_mins(1),
                at: None,
            }],
            timezone: "UTC".into(),
            jitter: Duration::ZERO,
        }),
        start: Start::Now,
        depends_on: Vec::new(),
        timeout: Duration::from_hours(12),
        lease: Lease::of(Duration::from_mins(2)),
        retry: Retry {
            first: Duration::from_secs(90),
            factor: 2.0,
            max: Duration::from_mins(10),
            jitter: 0.0,
            attempts: 0,
        },
        on_lost: OnLost::Retry,
        catch_up: CatchUp::Latest,
        catch_up_limit: None,
        start_deadline: None,
        overlap: Overlap::Skip,
        placement: Placement {
            hosts: Vec::new(),
            on: On::One,
        },
        keep_running: false,
        on_db_loss: OnDbLoss::Kill,
        stream_output: false,
        run_as: RunAs::default(),
        env: Vec::new(),
        secrets: Vec::new(),
        cwd: None,
        temporary_exit_codes: vec![75],
        fatal_exit_codes: vec![64],
        tags: Vec::new(),
    }
}

pub(super) fn noon() -> Timestamp {
    "2031-05-05T12:00:00Z".parse().expect("a timestamp")
}

/// A run of this job, claimed at noon after so many failures, that has ended so after so long.
pub(super) fn finished(spec: &JobSpec, error_count: i32, how: How, after: Duration) -> Finished {
    let held = Held::of_a_test(spec, error_count, noon());
    Finished {
        at: held.since + SignedDuration::try_from(after).expect("a short one"),
        held,
        ended: Ended {
            how,
            stopped: None,
            output: Output::default(),
        },
        cut: None,
        effects: None,
    }
}

/// What has become of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdicted {
    Ran,
    Skipped(Reason),
}

struct World {
    spec: JobSpec,
    graph: JobGraph,
    row: JobState,
    now: Timestamp,
    slots: BTreeMap<Timestamp, Verdicted>,
}

impl World {
    fn new(spec: JobSpec) -> Self {
        let first = Some(noon());
        Self {
            graph: JobGraph::resolve(vec![spec.clone()]).expect("one job"),
            spec,
            row: JobState {
                slot: first,
                next_run: first,
                ..JobState::default()
            },
            now: noon(),
            slots: BTreeMap::new(),
        }
    }

    fn when(&self) -> &Timetable {
        self.spec.timetable.as_ref().expect("it has one")
    }

    fn offset(&self) -> SignedDuration {
        let offset = self.when().offset(self.spec.name.as_str());
        SignedDuration::try_from(offset).expect("a short one")
    }

    fn verdict(&self) -> Verdict {
        let table = Table {
            now: self.now,
            jobs: [("a".into(), Box::new(self.row.clone()))].into(),
            ..Table::default()
        };
        let plan = plan(&self.graph, &table, &Place::default());
        plan.jobs[0].verdict.clone()
    }

    fn due(&self) -> Option<Due> {
        match self.verdict() {
            Verdict::Run(due) => Some(due),
            _ => None,
        }
    }

    /// What a pass does: it runs what is due for so long, to this end, or leaves slots behind.
    fn pass(&mut self, how: How, length: Duration) {
        match self.verdict() {
            Verdict::Run(due) => self.run(&due, how, length),
            Verdict::Skip(skip) => {
                self.skip_tried(&skip.skipped);
                self.row.slot = skip.slot;
                self.row.next_run = skip.slot.map(|slot| slot + self.offset());
            }
            _ => {}
        }
        self.is_complete();
    }

    /// The range gets its verdict, as the statements have it: a pending slot that has run has one.
    fn skip_tried(&mut self, skipped: &Skipped) {
        let slots = skipped.slots;
        let tried = self.slots.get(&slots.first) == Some(&Verdicted::Ran);
        let count = usize::try_from(slots.count).expect("some") - usize::from(tried);
        let first = if tried {
            self.next(slots.first)
        } else {
            slots.first
        };
        let before = self.slots.len();
        self.skip(
            first,
            slots.last,
            &Verdicted::Skipped(skipped.reason.clone()),
        );
        assert_eq!(self.slots.len() - before, count, "{skipped:?}");
    }

    /// Each of these slots gets a verdict that says that it did not run; none has one so far.
    fn skip(&mut self, first: Timestamp, last: Timestamp, as_what: &Verdicted) {
        let mut slot = first;
        while slot <= last {
            let before = self.slots.insert(slot, as_what.clone());
            assert_eq!(before, None, "{slot} is {as_what:?} too");
            slot = self.next(slot);
        }
    }

    fn next(&self, slot: Timestamp) -> Timestamp {
        self.when().next(slot, slot).expect("it has no end")
    }

    /// Claims what is due, and runs it for so long, to this end.
    fn run(&mut self, due: &Due, how: How, length: Duration) {
        if let Some(skipped) = &due.skipped {
            self.skip_tried(skipped);
        }
        let before = self.slots.insert(due.slot, Verdicted::Ran);
        assert!(
            matches!(before, None | Some(Verdicted::Ran)),
            "{} has run, and was {before:?} before",
            due.slot
        );
        let mut finished = finished(&self.spec, self.row.error_count, how, length);
        finished.held.slot = due.slot;
        finished.held.since = self.now;
        self.now += SignedDuration::try_from(length).expect("a short one");
        finished.at = self.now;
        let after = after(&finished);
        if let Some(passed) = after.passed {
            self.skip(
                passed.first,
                passed.last,
                &Verdicted::Skipped(Reason::Missed),
            );
        }
        self.row.slot = Some(after.slot);
        self.row.next_run = Some(after.next_run);
        self.row.error_count = match after.effect {
            Effect::Well => 0,
            Effect::Failed => self.row.error_count + 1,
            Effect::FailedAnew => 1,
            Effect::Neither => self.row.error_count,
        };
    }

    /// No slot before the pending one is without a verdict.
    fn is_complete(&self) {
        let pending = self.row.slot.expect("it has one");
        let mut slot = noon();
        while slot < pending {
            assert!(self.slots.contains_key(&slot), "{slot} has no verdict");
            slot = self.next(slot);
        }
    }
}

/// So many seconds without a look, so many of a run, and how that ends.
fn lives() -> impl Strategy<Value = Vec<(u32, u32, i32)>> {
    let exit = prop_oneof![4 => Just(0), 1 => Just(1), 1 => Just(64), 1 => Just(75)];
    prop::collection::vec((0_u32..300, 1_u32..400, exit), 1..40)
}

/// A job by any of the policies.
fn policies() -> impl Strategy<Value = JobSpec> {
    let catch_up = prop_oneof![
        Just(CatchUp::None),
        Just(CatchUp::Latest),
        Just(CatchUp::All)
    ];
    let limit = prop::option::of(1_u32..5);
    let deadline = prop::option::of(1_u64..600);
    let when = (20_u64..150, 0_u64..200);
    (catch_up, limit, deadline, any::<bool>(), when).prop_map(
        |(catch_up, limit, deadline, queues, (period, jitter))| {
            let mut spec = job();
            spec.catch_up = catch_up;
            spec.catch_up_limit = limit;
            spec.start_deadline = deadline.map(Duration::from_secs);
            spec.overlap = if queues {
                Overlap::QueueOne
            } else {
                Overlap::Skip
            };
            let when = spec.timetable.as_mut().expect("it has one");
            when.rules = vec![Rule::Every {
                period: Duration::from_secs(period),
                at: None,
            }];
            when.jitter = Duration::from_secs(jitter);
            spec
        },
    )
}

proptest! {
    #[test]
    fn every_slot_has_one_verdict_whatever_the_policy_and_however_long_runs_and_outages_are(
        lives in lives(),
        spec in policies(),
    ) {
        let mut world = World::new(spec);
        for (gap, length, exit) in lives {
            world.now += SignedDuration::from_secs(gap.into());
            world.pass(How::Exited(exit), Duration::from_secs(length.into()));
        }
    }

    #[test]
    fn a_retry_is_never_later_than_the_next_slot_unless_that_has_passed(
        spec in policies(),
        errors in 0..20_i32,
        length in 0_u64..400,
    ) {
        let when = spec.timetable.clone().expect("it has one");
        let offset = SignedDuration::try_from(when.offset(spec.name.as_str())).expect("a short one");
        let failed = finished(&spec, errors, How::Exited(1), Duration::from_secs(length));
        let after = after(&failed);
        let next = when.next(noon(), noon()).expect("it has no end");
        let (start, now) = (next + offset, failed.at);
        match spec.catch_up {
            // Its slot goes first, and those behind it wait.
            CatchUp::All => prop_assert_eq!(after.slot, noon()),
            CatchUp::None | CatchUp::Latest => {
                prop_assert!(after.next_run <= start || start <= now);
                prop_assert_eq!(after.slot == next, after.next_run >= start || start <= now);
            }
        }
    }

    #[test]
    fn no_run_starts_after_its_deadline(lives in lives(), spec in policies()) {
        let deadline = spec.start_deadline.unwrap_or(Duration::from_mins(1));
        let spec = JobSpec { start_deadline: Some(deadline), ..spec };
        let mut world = World::new(spec);
        for (gap, length, exit) in lives {
            world.now += SignedDuration::from_secs(gap.into());
            if let Some(due) = world.due() {
                let late = world.now.duration_since(due.slot + world.offset());
                prop_assert!(late <= SignedDuration::try_from(deadline).expect("a short one"));
            }
            world.pass(How::Exited(exit), Duration::from_secs(length.into()));
        }
    }

    #[test]
    fn a_job_that_catches_up_on_all_runs_them_all_oldest_first(
        lives in lives(),
        spec in policies(),
    ) {
        let spec = JobSpec {
            catch_up: CatchUp::All,
            catch_up_limit: None,
            start_deadline: None,
            ..spec
        };
        let mut world = World::new(spec);
        let mut newest = None;
        for (gap, length, exit) in lives {
            world.now += SignedDuration::from_secs(gap.into());
            if let Some(due) = world.due() {
                prop_assert!(newest <= Some(due.slot));
                newest = Some(due.slot);
            }
            world.pass(How::Exited(exit), Duration::from_secs(length.into()));
        }
        prop_assert!(world.slots.values().all(|verdict| *verdict == Verdicted::Ran));
    }

    #[test]
    fn no_more_slots_are_caught_up_on_than_the_limit_says(
        outage in 0_u32..100_000,
        limit in 1_u32..5,
        spec in policies(),
    ) {
        let spec = JobSpec {
            catch_up: CatchUp::All,
            catch_up_limit: Some(limit),
            start_deadline: None,
            ..spec
        };
        let mut world = World::new(spec);
        world.now += SignedDuration::from_secs(outage.into());
        let mut runs = 0;
        while let Some(due) = world.due() {
            world.run(&due, How::Exited(0), Duration::ZERO);
            runs += 1;
        }
        world.is_complete();
        prop_assert!(runs <= limit);
    }

    #[test]
    fn a_job_that_catches_up_on_nothing_runs_for_no_slot_of_an_outage(
        outage in 601_u32..100_000,
        spec in policies(),
    ) {
        let spec = JobSpec {
            catch_up: CatchUp::None,
            start_deadline: None,
            ..spec
        };
        let mut world = World::new(spec);
        world.now += world.offset() + SignedDuration::from_secs(outage.into());
        let in_time = world.now - world.offset() - SignedDuration::from_mins(10);
        if let Some(due) = world.due() {
            prop_assert!(due.slot >= in_time);
        }
        world.pass(How::Exited(0), Duration::ZERO);
        prop_assert!(world.row.slot > Some(noon()));
    }

    #[test]
    fn of_the_slots_that_fell_due_during_a_run_the_latest_runs_right_after_it(
        length in 1_u32..2_000,
        jitter in 0_u64..200,
    ) {
        let mut spec = job();
        spec.overlap = Overlap::QueueOne;
        spec.timetable.as_mut().expect("it has one").jitter = Duration::from_secs(jitter);
        let mut world = World::new(spec);
        world.now += world.offset();
        let due = world.due().expect("its time has come");
        world.run(&due, How::Exited(0), Duration::from_secs(length.into()));
        let latest = world.when().latest(world.now - world.offset(), noon()).expect("noon at least");
        let queued = world.due().map(|due| due.slot);
        prop_assert_eq!(queued, (latest > noon()).then_some(latest));
        prop_assert!(world.slots.values().all(|verdict| *verdict == Verdicted::Ran));
    }
}
