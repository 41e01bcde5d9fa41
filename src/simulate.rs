//! What would happen: the real plan on a virtual clock.
//!
//! A loop around the pure core, and little else. What runs is decided by `plan_of`, what follows a run by
//! the same function as its record, and what a claim, a record and a skip make of a row is written down once more in `rows`,
//! as the statements have it; a test holds the two together.
//!
//! ```text
//! Agenda ─ the jobs of the next instant ─▶ plan_of ─▶ Verdict ─▶ rows ─ when next ─▶ Agenda
//! ```

mod agenda;
mod happening;
mod hosts;
pub(crate) mod rows;

use std::{collections::HashMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::{
    dag::JobGraph,
    ended::How,
    plan::{
        Due, Plan, Skip, Trigger, Verdict,
        catch_up::{Reason, Skipped},
        plan_of,
    },
    record::{End, Outcome, next},
    store::table::{Table, never},
};
use agenda::{Agenda, What};
use hosts::Hosts;

pub use happening::{Happening, Ran, Summary};
pub use hosts::{Down, Host};

/// What is thought up.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its first instant. Everything is taken to be well until then.
    pub from: Timestamp,
    /// The first instant that is not looked at any more.
    pub to: Timestamp,
    /// The hosts, and when they are down.
    pub hosts: Vec<Host>,
    /// How long the runs of a job take, by its name.
    pub took: HashMap<String, Duration>,
    /// How long those of the others take.
    pub took_else: Duration,
    /// Whose first run from an instant on fails.
    pub fails: Vec<(String, Timestamp)>,
}

/// Plays it through, and tells what happens.
pub fn simulate(
    graph: &JobGraph,
    scenario: &Scenario,
    tell: impl FnMut(&Happening<'_>),
) -> Summary {
    let mut world = World::new(graph, scenario, tell);
    while let Some(at) = world.agenda.next_at().filter(|at| *at < scenario.to) {
        world.table.now = at;
        world.instant();
    }
    world.close();
    world.summary
}

struct World<'a, T> {
    graph: &'a JobGraph,
    scenario: &'a Scenario,
    tell: T,
    table: Table,
    hosts: Hosts,
    agenda: Agenda,
    /// By the name of the row.
    runs: HashMap<String, UnderWay>,
    /// Of each row the slot that was tried last, and how often.
    tried: HashMap<String, (Timestamp, i32)>,
    /// The failures still to come.
    fails: Vec<(String, Timestamp)>,
    claims: u64,
    summary: Summary,
}

/// A run under way.
struct UnderWay {
    job: usize,
    host: usize,
    run_id: Uuid,
    slot: Timestamp,
    trigger: Trigger,
    attempt: i32,
    since: Timestamp,
    how: How,
    outcome: Outcome,
}

impl<'a, T: FnMut(&Happening<'_>)> World<'a, T> {
    fn new(graph: &'a JobGraph, scenario: &'a Scenario, tell: T) -> Self {
        let hosts = Hosts::new(&scenario.hosts);
        let mut world = Self {
            table: rows::all_well(graph, hosts.places(), scenario.from),
            graph,
            scenario,
            tell,
            hosts,
            agenda: Agenda::default(),
            runs: HashMap::new(),
            tried: HashMap::new(),
            fails: scenario.fails.clone(),
            claims: 0,
            summary: Summary {
                peak: 0,
                peak_at: scenario.from,
                longest_wait: None,
            },
        };
        for job in 0..graph.jobs().len() {
            world.agenda.add(scenario.from, What::Look(job));
        }
        for host in &scenario.hosts {
            for down in &host.down {
                world.agenda.add(down.from, What::HostsChange);
                world.agenda.add(down.to, What::HostsChange);
            }
        }
        world
    }

    /// Everything that happens at this instant.
    fn instant(&mut self) {
        let now = self.table.now;
        let mut jobs = Vec::new();
        let mut is_room_new = false;
        while let Some(what) = self.agenda.take(now) {
            match what {
                What::Look(job) => jobs.push(job),
                What::End(row, run_id) => {
                    let is_it = |run: &UnderWay| run.run_id == run_id;
                    if self.runs.get(&row).is_some_and(is_it)
                        && let Some(run) = self.runs.remove(&row)
                    {
                        self.hosts.leave(run.host, self.is_kept(run.job));
                        jobs.extend(self.after(&row, &run));
                        is_room_new = true;
                    }
                }
                What::HostsChange => {
                    self.lose();
                    is_room_new = true;
                }
            }
        }
        if is_room_new {
            self.decide_waiting();
        }
        // Parents first.
        jobs.sort_unstable();
        jobs.dedup();
        self.decide(jobs);
    }

    /// Of those that wait, as many as there is room for, each asked once: not all of them run.
    fn decide_waiting(&mut self) {
        let mut waiting = self.hosts.take_waiting();
        while !waiting.is_empty() {
            let room = self.hosts.room(self.table.now);
            if room == 0 {
                break;
            }
            let rest = waiting.split_off(room.min(waiting.len()));
            self.decide(waiting);
            waiting = rest;
        }
        self.hosts.wait(waiting);
    }

    fn is_kept(&self, job: usize) -> bool {
        self.graph.jobs()[job].keep_running
    }

    /// What the hosts that are up make of these jobs.
    fn decide(&mut self, mut jobs: Vec<usize>) {
        let now = self.table.now;
        let mut waiting = Vec::new();
        for host in self.hosts.up(now) {
            if jobs.is_empty() {
                break;
            }
            let place = self.hosts.place(host);
            let plan = plan_of(self.graph, &self.table, place, jobs.iter().copied());
            let found = found(&plan);
            jobs.clear();
            waiting.clear();
            for Found { job, row, decision } in found {
                match decision {
                    Decision::Run(due) if self.hosts.has_room(host, self.is_kept(job)) => {
                        self.claim(job, row, host, &due);
                    }
                    Decision::Skip(skip) => self.skip(job, &row, &skip),
                    Decision::Wait(at) => self.agenda.add(at, What::Look(job)),
                    Decision::Run(_) | Decision::Elsewhere => {
                        jobs.push(job);
                        waiting.push(job);
                    }
                    Decision::OfAnother => jobs.push(job),
                }
            }
            jobs.dedup();
        }
        if self.hosts.up(now).is_empty() {
            waiting = jobs;
        }
        // Nobody has room for them, or is there for them.
        self.hosts.wait(waiting);
    }

    fn claim(&mut self, job: usize, name: String, host: usize, due: &Due) {
        let (spec, now) = (&self.graph.jobs()[job], self.table.now);
        if let Some(skipped) = &due.skipped {
            self.told_skipped(&name, skipped);
        }
        let tried = self.tried.get(&name).filter(|(slot, _)| *slot == due.slot);
        let attempt = 1 + tried.map_or(0, |(_, attempts)| *attempts);
        self.tried.insert(name.clone(), (due.slot, attempt));
        self.claims += 1;
        let run_id = rows::run_id(self.claims);
        let fails = |(job, at): &(String, Timestamp)| *job == spec.name.as_str() && *at <= now;
        let failed = self.fails.iter().position(fails);
        if let Some(failed) = failed {
            self.fails.swap_remove(failed);
        }
        let took = self.scenario.took.get(spec.name.as_str());
        let took = *took.unwrap_or(&self.scenario.took_else);
        let (how, outcome, took) = match failed {
            Some(_) => (How::Exited(1), Outcome::Failure, took),
            None if took > spec.timeout => (How::Signaled(9), Outcome::Timeout, spec.timeout),
            None => (How::Exited(0), Outcome::Success, took),
        };
        if let Some(row) = self.table.jobs.get_mut(name.as_str()) {
            let due_since = row.next_run().min(now).max(due.slot);
            let waited = Duration::try_from(now.duration_since(due_since)).unwrap_or_default();
            let longest = self.summary.longest_wait.as_ref();
            if waited > longest.map_or(Duration::ZERO, |(_, longest)| *longest) {
                self.summary.longest_wait = Some((name.clone(), waited));
            }
            let claimed = rows::Claimed {
                run_id,
                host: &self.hosts.place(host).host,
                attempt,
                lease: spec.lease.lease,
            };
            rows::claim(row, due, &claimed, now);
        }
        self.hosts.enter(host, spec.keep_running);
        let at_once = self.hosts.taken();
        if at_once > self.summary.peak {
            (self.summary.peak, self.summary.peak_at) = (at_once, now);
        }
        if !spec.keep_running || outcome != Outcome::Success {
            let end = later(now, took);
            self.agenda.add(end, What::End(name.clone(), run_id));
        }
        self.runs.insert(
            name,
            UnderWay {
                job,
                host,
                run_id,
                slot: due.slot,
                trigger: due.trigger,
                attempt,
                since: now,
                how,
                outcome,
            },
        );
    }

    /// A run has ended: its row is written, and its job and those that wait for it are looked at.
    fn after(&mut self, name: &str, run: &UnderWay) -> Vec<usize> {
        let (graph, now) = (self.graph, self.table.now);
        self.told_ran(name, run, Some(run.outcome));
        let spec = &graph.jobs()[run.job];
        let Some(row) = self.table.jobs.get_mut(name) else {
            return Vec::new();
        };
        let next = next(&End {
            spec,
            row: name,
            run_id: run.run_id,
            slot: run.slot,
            trigger: run.trigger,
            attempt: run.attempt,
            error_count: row.error_count,
            since: run.since,
            how: &run.how,
            cut: None,
            outcome: run.outcome,
            at: now,
        });
        rows::record(row, run.outcome, &next);
        if let Some(slots) = next.passed {
            let reason = Reason::Missed;
            self.told_skipped(name, &Skipped { slots, reason });
        }
        let children = graph.children(run.job).iter().copied();
        children.chain([run.job]).collect()
    }

    fn skip(&mut self, job: usize, name: &str, skip: &Skip) {
        let spec = &self.graph.jobs()[job];
        if let Some(row) = self.table.jobs.get_mut(name) {
            rows::skip(row, spec, name, skip);
        }
        self.told_skipped(name, &skip.skipped);
        self.agenda.add(self.table.now, What::Look(job));
    }

    /// The runs of hosts that have gone down: lost, when somebody else sees that their leases are over.
    fn lose(&mut self) {
        let now = self.table.now;
        for (name, run) in &mut self.runs {
            if self.hosts.is_up(run.host, now) || run.outcome == Outcome::Lost {
                continue;
            }
            let lease = self.graph.jobs()[run.job].lease;
            run.outcome = Outcome::Lost;
            // The end that it would have had is another run's, as far as its name tells.
            run.run_id = rows::run_id(u64::MAX - self.claims);
            self.claims += 1;
            let over = later(now, lease.lease + lease.grace);
            self.agenda.add(over, What::End(name.clone(), run.run_id));
        }
    }

    /// What is still going on when nobody looks any more.
    fn close(&mut self) {
        let runs = std::mem::take(&mut self.runs);
        let mut open: Vec<_> = runs.into_iter().collect();
        open.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        self.table.now = self.scenario.to;
        for (name, run) in &open {
            self.told_ran(name, run, None);
        }
    }

    fn told_ran(&mut self, name: &str, run: &UnderWay, outcome: Option<Outcome>) {
        (self.tell)(&Happening::Ran(Ran {
            row: name,
            job: run.job,
            host: &self.hosts.place(run.host).host,
            slot: run.slot,
            attempt: run.attempt,
            started_at: run.since,
            finished_at: self.table.now,
            outcome,
        }));
    }

    /// A pending slot that was tried has its verdict.
    fn told_skipped(&mut self, row: &str, skipped: &Skipped) {
        let first = skipped.slots.first;
        let is_tried = self.tried.get(row).is_some_and(|(slot, _)| *slot == first);
        let rest = rows::untried(self.graph, row, skipped, is_tried);
        let Some(rest) = rest else { return };
        (self.tell)(&Happening::Skipped {
            row,
            skipped: &rest,
            at: self.table.now,
        });
    }
}

/// What a host has found for a row that is its own to run.
struct Found {
    job: usize,
    row: String,
    decision: Decision,
}

enum Decision {
    Run(Due),
    Skip(Box<Skip>),
    /// Nothing before then.
    Wait(Timestamp),
    /// Another host may.
    Elsewhere,
    /// It is another host's row.
    OfAnother,
}

fn found(plan: &Plan<'_>) -> Vec<Found> {
    let found = plan.jobs.iter().filter_map(|job| {
        let decision = match &job.verdict {
            _ if !job.is_here => Decision::OfAnother,
            Verdict::Run(due) => Decision::Run(due.clone()),
            Verdict::Skip(skip) => Decision::Skip(skip.clone()),
            Verdict::Elsewhere(_) | Verdict::Refused(_) => Decision::Elsewhere,
            _ => Decision::Wait(plan.changes_at(job).filter(|at| *at > plan.now)?),
        };
        Some(Found {
            job: job.index,
            row: job.name.to_string(),
            decision,
        })
    });
    found.collect()
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.saturating_add(by).unwrap_or(at).min(never())
}
