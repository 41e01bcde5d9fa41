//! Hosts of the test process, and plans of tables that were never stored.

use crontabber::{
    dag::JobGraph,
    place::{Place, Seen},
    plan::{Verdict, plan},
    spec::{JobSpec, On, Placement},
    store::table::{JobState, Table},
};
use jiff::Timestamp;

use super::common::{
    Database,
    host::{Host, minutes, noon},
};

/// The same job on each of these hosts.
pub(crate) fn on_each(job: JobSpec, hosts: &[&str]) -> JobSpec {
    let placement = Placement {
        hosts: hosts.iter().map(|&host| host.into()).collect(),
        on: On::Each,
    };
    JobSpec { placement, ..job }
}

/// These hosts, all with these jobs.
pub(crate) fn hosts<const N: usize>(
    names: [&str; N],
    database: &Database,
    jobs: &[JobSpec],
) -> [Host; N] {
    names.map(|name| Host::new(name, database, jobs))
}

/// The names of the rows.
pub(crate) async fn rows(database: &Database) -> Vec<String> {
    let names = "SELECT app_name FROM crontabber ORDER BY app_name COLLATE \"C\"";
    database.rows(names).await.concat()
}

/// What has run, as `row on host`, in the order of the claims.
pub(crate) async fn ran(database: &Database) -> Vec<String> {
    let runs =
        "SELECT app_name || ' on ' || host FROM crontabber_log WHERE attempt > 0 ORDER BY id";
    database.rows(runs).await.concat()
}

/// A table that was never stored, at noon.
pub(crate) struct Scene {
    graph: JobGraph,
    table: Table,
}

impl Scene {
    pub(crate) fn of(jobs: &[JobSpec]) -> Self {
        Self {
            graph: JobGraph::resolve(jobs.to_vec()).expect("a graph"),
            table: Table {
                now: noon(),
                ..Table::default()
            },
        }
    }

    /// A host that passed so many minutes ago.
    pub(crate) fn host(mut self, name: &str, ago: i64) -> Self {
        self.table.hosts.push(Seen {
            place: place(name),
            at: noon() - minutes(ago),
            drained: None,
        });
        self
    }

    /// Somebody has drained that host.
    pub(crate) fn drains(mut self, name: &str) -> Self {
        let mut hosts = self.table.hosts.iter_mut();
        let host = hosts.find(|seen| seen.place.host == name);
        host.expect("there is such a host").drained = Some(noon());
        self
    }

    /// The host that came last is drained.
    pub(crate) fn drained(mut self) -> Self {
        let host = self.table.hosts.last_mut().expect("a host");
        host.drained = Some(noon());
        self
    }

    /// A row that has this pending slot, and has succeeded for that one; both in minutes from noon.
    pub(crate) fn row(mut self, name: &str, pending: i64, success: Option<i64>) -> Self {
        let success = success.map(|minute| noon() + minutes(minute));
        let row = JobState {
            slot: Some(noon() + minutes(pending)),
            next_run: Some(noon() + minutes(pending)),
            success_slot: success,
            last_run: success,
            ..JobState::default()
        };
        self.table.jobs.insert(name.into(), Box::new(row));
        self
    }

    /// A row that has failed so often.
    pub(crate) fn fails(mut self, name: &str, errors: i32) -> Self {
        let row = self.table.jobs.get_mut(name).expect("there is such a row");
        row.error_count = errors;
        self
    }

    /// The same for a job that its parents start: what it has handled.
    pub(crate) fn handled(mut self, name: &str, slot: i64) -> Self {
        let row = JobState {
            slot: Some(noon() + minutes(slot)),
            next_run: Some(crontabber::store::table::never()),
            ..JobState::default()
        };
        self.table.jobs.insert(name.into(), Box::new(row));
        self
    }

    /// What is planned on a host for a row.
    pub(crate) fn verdict(&self, host: &str, row: &str) -> Verdict {
        let plan = plan(&self.graph, &self.table, &place(host));
        let planned = plan.jobs.iter().find(|job| job.name == row);
        let planned = planned.unwrap_or_else(|| panic!("no `{row}` is planned: {plan:?}"));
        planned.verdict.clone()
    }

    /// The same in words: `run`, or why not.
    pub(crate) fn words(&self, host: &str, row: &str) -> String {
        match self.verdict(host, row) {
            Verdict::Run(_) => "run".into(),
            Verdict::Blocked(blocks) => {
                let blocks: Vec<String> = blocks.iter().map(ToString::to_string).collect();
                blocks.join("; ")
            }
            Verdict::NoHost(no_host) => no_host.sentence(ago),
            other => format!("{other:?}"),
        }
    }

    /// The rows that no job has.
    pub(crate) fn ghosts(&self, host: &str) -> Vec<String> {
        let plan = plan(&self.graph, &self.table, &place(host));
        let names = plan.ghosts.iter().map(|(name, _)| (*name).to_owned());
        names.collect()
    }

    /// The rows that jobs have.
    pub(crate) fn planned(&self, host: &str) -> Vec<String> {
        let plan = plan(&self.graph, &self.table, &place(host));
        plan.jobs.iter().map(|job| job.name.to_string()).collect()
    }
}

fn ago(at: Timestamp) -> String {
    format!("for {}m", noon().duration_since(at).as_mins())
}

fn place(host: &str) -> Place {
    Place {
        host: host.into(),
        ..Place::default()
    }
}
