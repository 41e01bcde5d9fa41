//! Planning anew what has changed: the jobs whose instant has come, and a job whose run has ended with its children.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

use super::Daemon;
use crate::{
    clock::Boottime,
    pass::Ran,
    plan::{Plan, Verdict, plan, plan_of},
    record::Recorded,
    spec::{JobName, JobSpec},
    store::table::JobState,
    work::Scope,
};

/// How long a job that has just run is left alone, unless its row is read before.
const UNTIL_READ: Duration = Duration::from_secs(10);

/// What a plan has found and this host cannot act upon by itself.
#[derive(Debug, Default)]
pub(super) struct Beyond {
    /// The jobs that wait for parents. Of those other hosts may know more.
    waiting: Vec<usize>,
    /// The jobs that are due, and not for this host.
    elsewhere: Vec<usize>,
}

impl Beyond {
    fn of(plan: &Plan<'_>) -> Self {
        let mut beyond = Self::default();
        for job in &plan.jobs {
            match job.verdict {
                Verdict::Blocked(_) | Verdict::AfterParents => beyond.waiting.push(job.index),
                Verdict::Elsewhere(_) => beyond.elsewhere.push(job.index),
                _ => {}
            }
        }
        beyond
    }
}

impl Daemon {
    /// Plans what is known of these jobs, and wants what is due by it. Returns what it cannot act upon by itself.
    pub(super) fn plan(&mut self, of: &Scope) -> Beyond {
        let here = Boottime::now();
        let (is_at_work, now) = (self.is_at_work(), self.clock.at(here));
        let (Some(table), Some(now)) = (&mut self.table, now) else {
            return Beyond::default();
        };
        let (engine, work) = (&self.engine, &mut self.work);
        table.now = table.now.max(now);
        let (graph, place) = (&engine.graph, &engine.host.place);
        let plan = match of {
            Scope::All => plan(graph, table, place),
            Scope::Jobs(jobs) => plan_of(graph, table, place, jobs.iter().copied()),
        };
        if is_at_work {
            work.want(engine, of, engine.in_order(&plan));
        }
        self.agenda
            .note(of, &plan, |job| work.is_under_way(&graph.jobs()[job].name));
        let of_others = plan.next_of_others(engine.terms.grace, |run| engine.heart.holds(run));
        let of_others = of_others.and_then(|at| self.clock.when(at));
        // What has passed was seen by this very reading.
        let is_ahead = |at: &Boottime| *at > here;
        let known = match of {
            Scope::All => engine.suspects.ripe_at().filter(is_ahead),
            // This was no reading: what has passed is still to be looked at.
            Scope::Jobs(_) => self.look_at,
        };
        let of_others = of_others.filter(is_ahead);
        self.look_at = [of_others, known].into_iter().flatten().min();
        Beyond::of(&plan)
    }

    /// A run has ended: its row is what its record has made of it, and its children may start.
    pub(super) fn goes_on_after(&mut self, job: &JobName, ran: &Ran) {
        let Recorded::Written(row) = &ran.recorded else {
            self.look_around(job);
            return self
                .work
                .leave_until_read(job.clone(), Instant::now() + UNTIL_READ);
        };
        let beyond = self.goes_on_from(job, row.clone());
        let graph = &self.engine.graph;
        let number = graph.number(job);
        let is_child = |other: &&usize| Some(**other) != number;
        let waits = beyond.waiting.iter().any(|child| is_child(&child));
        // Where both run on each host, what is due on others waits for a run of theirs.
        let is_on_each = graph.get(job).is_some_and(JobSpec::is_on_each);
        let waits_for_it = |other: &usize| !(is_on_each && graph.jobs()[*other].is_on_each());
        let mut elsewhere = beyond.elsewhere.iter().filter(is_child);
        let is_for_others = elsewhere.any(waits_for_it);
        if waits {
            self.look_around(job);
        }
        let starts_nothing = self.ending.is_some() || self.draining.is_some();
        if is_for_others || starts_nothing {
            self.tell_others(job);
        }
    }

    /// The row of a job is another one now, by a statement of this host's own.
    pub(super) fn goes_on_from(&mut self, job: &JobName, row: Box<JobState>) -> Beyond {
        let name = self.engine.row(job).to_string();
        if self.looking.is_asking() {
            // What comes back may be older.
            self.looking.want_rows(vec![name.clone()]);
        }
        if let Some(table) = &mut self.table {
            table.jobs.insert(name.into(), row);
        }
        self.plan(&Scope::Jobs(self.and_children([job])))
    }

    /// These jobs and those that wait for them, by their places in the graph.
    pub(super) fn and_children<'a>(
        &self,
        jobs: impl IntoIterator<Item = &'a JobName>,
    ) -> Vec<usize> {
        let graph = &self.engine.graph;
        let jobs = jobs.into_iter().filter_map(|job| graph.number(job));
        let family: BTreeSet<usize> = jobs
            .flat_map(|job| graph.children(job).iter().copied().chain([job]))
            .collect();
        family.into_iter().collect()
    }

    /// Wants the rows of a job, of those that wait for it, and of what else those wait for.
    pub(super) fn look_around(&mut self, job: &JobName) {
        let graph = &self.engine.graph;
        let mut jobs: BTreeSet<usize> = graph.number(job).into_iter().collect();
        for &child in graph.number(job).map_or(&[][..], |job| graph.children(job)) {
            jobs.extend(graph.parents(child));
            jobs.insert(child);
        }
        let rows = jobs.into_iter().flat_map(|job| self.rows_of(job));
        self.looking.want_rows(rows.collect());
    }

    /// The rows of a job, as far as they are known; this host's in any case.
    fn rows_of(&self, job: usize) -> Vec<String> {
        let spec = &self.engine.graph.jobs()[job];
        let mut rows = vec![spec.row(&self.engine.host.place.host).to_string()];
        if let Some(table) = self.table.as_ref().filter(|_| spec.is_on_each()) {
            let hosts = table.hosts_of(&spec.name);
            rows.extend(hosts.map(|host| spec.row(host).to_string()));
        }
        rows
    }
}
