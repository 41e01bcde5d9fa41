//! The rows of jobs: one of most; of a job that runs on each host one a host, and who waits for which of them.

use std::collections::HashMap;

use jiff::Timestamp;

use super::NoHost;
use crate::{
    dag::JobGraph,
    place::{Place, Seen},
    spec::{EVERY_HOST, JobSpec, RowName, on_host},
    store::table::{JobState, Table},
};

/// A row of a job, whether it is in the table or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Node<'a> {
    /// The number of the job in the graph.
    pub(crate) job: usize,
    /// Whose row it is; `None`: the job has one for all hosts.
    pub(crate) host: Option<&'a str>,
}

/// A table, and perhaps those of its rows that are one job's each, looked up before: by name it takes longer than all
/// else that most verdicts need.
#[derive(Clone, Copy)]
pub(super) struct Found<'f, 'a> {
    pub(super) table: &'a Table,
    /// By the number of the job; none, where only some jobs are planned.
    pub(super) by_number: &'f [Option<&'a JobState>],
}

impl<'a> Found<'_, 'a> {
    /// The row of a job that has one for all hosts.
    pub(super) fn row(&self, number: usize, spec: &JobSpec) -> Option<&'a JobState> {
        let found = self.by_number.get(number).copied();
        found.unwrap_or_else(|| self.table.row(spec.name.as_str()))
    }
}

/// The rows of a graph, as one reading of the table and one place have them.
pub(crate) struct Rows<'a> {
    pub(crate) graph: &'a JobGraph,
    pub(crate) table: &'a Table,
    pub(crate) place: &'a Place,
    found: Found<'a, 'a>,
    /// The hosts that have a row of a job, by the number of the job.
    of_each: HashMap<usize, Vec<&'a str>>,
}

/// Whether it is what stands for the rows of the live hosts where there are none: nothing ever succeeds there.
pub(super) fn is_nobodys(row: &RowName) -> bool {
    on_host(row.as_str()).is_some_and(|(_, host)| host == EVERY_HOST)
}

impl<'a> Rows<'a> {
    pub(crate) fn of(graph: &'a JobGraph, table: &'a Table, place: &'a Place) -> Self {
        let by_number = &[];
        Self::among(graph, Found { table, by_number }, place)
    }

    pub(super) fn among(graph: &'a JobGraph, found: Found<'a, 'a>, place: &'a Place) -> Self {
        let mut rows = Self {
            graph,
            table: found.table,
            place,
            found,
            of_each: HashMap::new(),
        };
        if graph.jobs().iter().any(JobSpec::is_on_each) {
            rows.find();
        }
        rows
    }

    fn find(&mut self) {
        let here = self.place.host.as_str();
        let jobs = self.graph.jobs().iter().enumerate();
        for (job, spec) in jobs.filter(|(_, spec)| spec.is_on_each()) {
            let hosts = self.table.hosts_of(&spec.name).chain([here]);
            let may = |host: &&str| may_have_a_row(spec, host, self.table, self.place);
            let mut hosts: Vec<_> = hosts.filter(may).collect();
            hosts.sort_unstable();
            hosts.dedup();
            self.of_each.insert(job, hosts);
        }
    }

    /// The rows of a job. None: it runs on each host, and no host is known that it might run on.
    pub(crate) fn of_job(&self, job: usize) -> impl Iterator<Item = Node<'a>> {
        let is_on_each = self.graph.jobs()[job].is_on_each();
        let one = (!is_on_each).then_some(Node { job, host: None });
        let hosts = is_on_each.then(|| self.of_each.get(&job)).flatten();
        let each = hosts.into_iter().flatten().map(move |&host| Node {
            job,
            host: Some(host),
        });
        one.into_iter().chain(each)
    }

    /// What it is called in the table.
    pub(crate) fn name(&self, node: Node<'_>) -> RowName {
        self.spec(node).row(node.host.unwrap_or_default())
    }

    /// The row of this name.
    pub(super) fn node<'n>(&self, name: &'n RowName) -> Option<Node<'n>> {
        let (job, host) = match on_host(name.as_str()) {
            Some((job, host)) => (job, Some(host)),
            None => (name.as_str(), None),
        };
        let job = self.graph.number(&job.parse().ok()?)?;
        Some(Node { job, host })
    }

    pub(crate) fn spec(&self, node: Node<'_>) -> &'a JobSpec {
        &self.graph.jobs()[node.job]
    }

    /// What the table has of it.
    pub(crate) fn row(&self, node: Node<'_>) -> Option<&'a JobState> {
        match node.host {
            None => self.found.row(node.job, self.spec(node)),
            Some(_) => self.table.row(self.name(node).as_str()),
        }
    }

    /// Whether this host is the one that would run it, as far as its name tells.
    pub(crate) fn is_here(&self, node: Node<'_>) -> bool {
        node.host.is_none_or(|host| host == self.place.host)
    }

    /// Why nobody runs it: its host has announced itself, and that was long ago, or it takes no work.
    pub(crate) fn silent(&self, node: Node<'_>) -> Option<NoHost> {
        let seen = seen(self.table, node.host?)?;
        let host = || seen.place.host.clone();
        let is_live = seen.is_live(self.table.now);
        (!seen.takes_work(self.table.now)).then(|| NoHost {
            patterns: Vec::new(),
            silent: (!is_live).then(|| (host(), seen.at)).into_iter().collect(),
            drained: is_live.then(host).into_iter().collect(),
        })
    }

    /// The rows that a row waits for, a group for each parent, none of them empty: the same host's, where both run on
    /// each host; and of such a parent of a job that runs once in the cluster those of all live hosts.
    pub(crate) fn parents(&self, node: Node<'a>) -> Vec<Vec<Node<'a>>> {
        let parents = self.graph.parents(node.job).iter();
        parents
            .map(|&job| {
                let is_on_each = self.graph.jobs()[job].is_on_each();
                match node.host {
                    _ if !is_on_each => vec![Node { job, host: None }],
                    Some(host) => vec![Node {
                        job,
                        host: Some(host),
                    }],
                    None => self.live(job),
                }
            })
            .collect()
    }

    fn live(&self, job: usize) -> Vec<Node<'a>> {
        let rows = self.of_job(job);
        let mut rows: Vec<_> = rows.filter(|&row| self.silent(row).is_none()).collect();
        if rows.is_empty() {
            rows.push(Node {
                job,
                host: Some(EVERY_HOST),
            });
        }
        rows
    }

    /// Leaves out of a group the rows of hosts that have come since: they have never run, and their first slot lies
    /// after the one that is waited for. A host that joins at noon must not keep the fleet waiting for the next night.
    pub(crate) fn leave_out_newcomers(
        &self,
        group: &mut Vec<Node<'a>>,
        wanted: impl Fn(Node<'a>) -> Option<Timestamp>,
    ) {
        if group.len() < 2 {
            return;
        }
        let is_newcomer = |&node: &Node<'a>| {
            wanted(node).is_some_and(|wanted| {
                self.row(node)
                    .is_some_and(|row| begins_after(row, self.spec(node), wanted))
            })
        };
        if !group.iter().all(is_newcomer) {
            group.retain(|node| !is_newcomer(node));
        }
    }
}

fn begins_after(row: &JobState, spec: &JobSpec, wanted: Timestamp) -> bool {
    let is_untouched =
        row.last_run.is_none() && row.success_slot.is_none() && row.ongoing.is_none();
    is_untouched
        && match spec.timetable {
            Some(_) => row.pending().is_some_and(|first| first > wanted),
            // What its parents had done when it came, it has handled.
            None => row.slot.is_some_and(|handled| handled >= wanted),
        }
}

/// Whether a row of a job on this host can be run: a host that is known to be there, and that the job may run on.
/// Where nobody has asked for the hosts, each is taken for known.
fn may_have_a_row(spec: &JobSpec, host: &str, table: &Table, place: &Place) -> bool {
    match seen(table, host) {
        // Its own tags a host knows better than the table.
        _ if host == place.host && !place.matches(&spec.placement) => false,
        Some(seen) => host == place.host || seen.place.matches(&spec.placement),
        None => table.hosts.is_empty(),
    }
}

fn seen<'a>(table: &'a Table, host: &str) -> Option<&'a Seen> {
    table.hosts.iter().find(|seen| seen.place.host == host)
}
