//! This host: its name and identity, what it announces, and the rows it makes for jobs nobody has met.

mod changed;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use futures_util::join;
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use crate::{
    dag::JobGraph,
    instance::Instance,
    place::{ANNOUNCE_EVERY, LIVE_FOR, Place, Seen},
    plan::{Plan, Planned, Verdict},
    rights::refusal,
    spec::{CatchUp, EVERY_HOST, JobSpec, RowName, on_host},
    store::{
        Connection, Database,
        error::DatabaseError,
        hosts,
        table::{self, Announcement, JobState, Table, never},
        transaction,
    },
};

pub use changed::Replanned;
use changed::{Changed, define};

/// A host process: who it is, and the configuration it goes by.
#[derive(Debug)]
pub struct Host {
    /// Its name and tags.
    pub place: Place,
    /// Hash of the files the configuration was read from.
    pub configuration: String,
    /// Whether this process has looked at the table before.
    has_looked: AtomicBool,
    /// What a daemon says of itself; `None`: this process is a pass.
    said: Option<Arc<Mutex<Said>>>,
}

/// What a daemon says of itself.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// What it is doing, in a line.
    pub status: String,
    /// Why it goes on with an older configuration than its files have.
    pub config_error: Option<String>,
    /// Another daemon that was heard of under the same name.
    pub other: Option<Instance>,
}

/// How old the announcement of a daemon may get.
const DAEMON_EVERY: SignedDuration = SignedDuration::from_mins(1);

impl Host {
    /// This host, by name.
    #[must_use]
    pub fn new(place: Place, configuration: String) -> Self {
        Self {
            place,
            configuration,
            has_looked: AtomicBool::new(false),
            said: None,
        }
    }

    /// The same for a daemon, which says this of itself whenever it announces itself.
    #[must_use]
    pub fn that_stays(self, said: Arc<Mutex<Said>>) -> Self {
        Self {
            place: Place {
                stays: true,
                ..self.place
            },
            said: Some(said),
            ..self
        }
    }

    /// Says which jobs are for this host and yet not for this process, that may not run them as they ask. To be called
    /// once, when it starts to work: other hosts may be able to, but nobody should find out by waiting.
    pub fn warn_of_refusals(&self, graph: &JobGraph) {
        let here = |spec: &&JobSpec| self.place.matches(&spec.placement);
        for spec in graph.jobs().iter().filter(here) {
            if let Some(why) = refusal(spec, &self.place.rights) {
                tracing::warn!(job = %spec.name, "left to other hosts: {why}");
            }
        }
    }

    /// Reads the table; with the hosts in the same round trip, where a job waits for those of another. This one is
    /// live, whatever it has announced, and for as long as anybody goes by this reading.
    pub async fn read(
        &self,
        graph: &JobGraph,
        client: &Connection,
        now: Option<Timestamp>,
    ) -> Result<Table, DatabaseError> {
        let table = table::read(client, &self.place.host, now);
        if !graph.waits_for_hosts() {
            return table.await;
        }
        let (table, seen) = join!(table, hosts::seen(client));
        let mut table = table?;
        table.hosts = seen?;
        table
            .hosts
            .retain(|seen| seen.place.host != self.place.host);
        table.hosts.push(Seen {
            place: self.place.clone(),
            at: Timestamp::MAX,
            drained: table.drained,
        });
        Ok(table)
    }

    /// To be called after this process's first look, which is the last one to announce another configuration than
    /// the table has: from then on that is a newer process's, and a pass that waits for a long run must not
    /// undo an edit each minute. Unless that process is not heard of any more.
    pub fn has_looked(&self) {
        self.has_looked.store(true, Ordering::Relaxed);
    }

    /// To be called when it says something else than before: it is announced with the next look.
    pub(crate) fn says_something_new(&self) {
        self.has_looked.store(false, Ordering::Relaxed);
    }

    /// Whether the table says that this host should announce itself again.
    #[must_use]
    pub fn is_due(&self, table: &Table) -> bool {
        let is_first = !self.has_looked.load(Ordering::Relaxed);
        let every = match self.said {
            Some(_) => DAEMON_EVERY,
            None => ANNOUNCE_EVERY,
        };
        table.announced.as_ref().is_none_or(|before| {
            let age = table.now.duration_since(before.at);
            if before.configuration == self.configuration {
                age > every || (is_first && self.said.is_some())
            } else {
                is_first || age > ANNOUNCE_EVERY * 2
            }
        })
    }

    /// Announces this host, and gives the jobs whose definition it has changed their next slot from the new one.
    ///
    /// Only jobs whose definition changed since *this host* last announced it: two hosts that disagree would
    /// otherwise move a row to and fro for ever, and the job would never run.
    pub async fn announce(
        &self,
        graph: &JobGraph,
        table: &Table,
        database: &Database,
        now: Option<Timestamp>,
    ) -> Result<Replanned, DatabaseError> {
        // Before anything else takes time: the table's clock was read a moment ago.
        let skew = skew(table);
        let mut definitions = definitions(graph);
        let mut configuration = self.configuration.as_str();
        let changed = match &table.announced {
            Some(before) if before.configuration != self.configuration => {
                self.changed(graph, &definitions, database).await?
            }
            _ => Vec::new(),
        };
        let rows = changed.iter().filter_map(|changed| {
            let name = own_row(changed.spec, &self.place)?;
            let row = table.row(name.as_str())?;
            Some((changed, name, row))
        });
        let rows: Vec<_> = rows.collect();
        let moves = rows
            .iter()
            .filter_map(|(changed, name, row)| moved(changed.spec, name.clone(), row, table.now));
        let moved = replan(graph, moves, database, now).await?;
        let defined = rows
            .iter()
            .map(|(changed, name, _)| (name.as_str(), changed.now.as_str()));
        let defined = define(defined.collect(), database).await?;
        for (left_out, ..) in rows
            .iter()
            .filter(|(_, name, _)| !defined.contains(name.as_str()))
        {
            // Somebody holds its row: it is announced as it was, so that the next announcement finds it changed again.
            definitions.insert(left_out.spec.name.to_string(), left_out.before.clone());
            if let Some(before) = &table.announced {
                configuration = &before.configuration;
            }
        }
        let before = table.announced.as_ref();
        let other = before.and_then(|before| self.other(before, table.now));
        self.write(configuration, &definitions, skew, other, (database, now))
            .await?;
        Ok(Replanned {
            is_written: !defined.is_empty(),
            moved,
        })
    }

    async fn changed<'a>(
        &self,
        graph: &'a JobGraph,
        definitions: &HashMap<String, String>,
        database: &Database,
    ) -> Result<Vec<Changed<'a>>, DatabaseError> {
        let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&self.place.host, Type::TEXT)];
        let rows = transaction::run(
            database,
            include_str!("../sql/read_definitions.sql"),
            &parameters,
        )
        .await?;
        let Some(row) = rows.first() else {
            return Ok(Vec::new());
        };
        let before: serde_json::Value = row.try_get("definitions")?;
        let changed = graph.jobs().iter().filter_map(|spec| {
            let before = before.get(spec.name.as_str())?.as_str()?;
            let now = definitions.get(spec.name.as_str())?;
            (now != before).then(|| Changed {
                spec,
                before: before.to_owned(),
                now: now.clone(),
            })
        });
        Ok(changed.collect())
    }

    /// The other daemon that goes by this name, as far as can be told: one that was heard of lately, and has not ended
    /// under our eyes.
    fn other(&self, before: &Announcement, now: Timestamp) -> Option<Instance> {
        let said = self.said.as_ref()?;
        let own = &self.place.instance;
        let other = before.instance.as_ref().filter(|other| *other != own)?;
        let has_ended = own.can_see(other) && !other.is_running();
        if has_ended || now.duration_since(before.at) > LIVE_FOR {
            return None;
        }
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.other.as_ref() != Some(other) {
            tracing::warn!(host = %self.place.host, instance = %other, "another daemon goes by this name: give each a name of its own (`[daemon] host`, or `--host`); until then each keeps its own leases");
        }
        said.other = Some(other.clone());
        Some(other.clone())
    }

    async fn write(
        &self,
        configuration: &str,
        definitions: &HashMap<String, String>,
        skew: f64,
        other: Option<Instance>,
        (database, now): (&Database, Option<Timestamp>),
    ) -> Result<(), DatabaseError> {
        let definitions = serde_json::json!(definitions);
        let pid_namespace = self.place.instance.pid_namespace.to_string();
        let said = self.said.as_ref().map(|said| {
            let said = said.lock().unwrap_or_else(PoisonError::into_inner);
            said.clone()
        });
        let instance = said.as_ref().map(|_| self.place.instance.to_string());
        let status = said.as_ref().map(|said| said.status.as_str());
        let config_error = said.as_ref().and_then(|said| said.config_error.as_deref());
        let other = other.map(|other| other.to_string());
        let parameters: [(&(dyn ToSql + Sync), Type); 13] = [
            (&self.place.host, Type::TEXT),
            (&self.place.instance.boot_id, Type::TEXT),
            (&pid_namespace, Type::TEXT),
            (&env!("CARGO_PKG_VERSION"), Type::TEXT),
            (&self.place.tags, Type::TEXT_ARRAY),
            (&configuration, Type::TEXT),
            (&definitions, Type::JSONB),
            (&skew, Type::FLOAT8),
            (&now, Type::TIMESTAMPTZ),
            (&instance, Type::TEXT),
            (&status, Type::TEXT),
            (&config_error, Type::TEXT),
            (&other, Type::TEXT),
        ];
        transaction::run(
            database,
            include_str!("../sql/announce_host.sql"),
            &parameters,
        )
        .await?;
        Ok(())
    }

    /// Says that the daemon behind this name has ended in good order.
    pub(crate) async fn take_leave(&self, database: &Database) -> Result<(), DatabaseError> {
        let instance = self.place.instance.to_string();
        let parameters: [(&(dyn ToSql + Sync), Type); 2] =
            [(&self.place.host, Type::TEXT), (&instance, Type::TEXT)];
        let sql = include_str!("../sql/take_leave.sql");
        transaction::run(database, sql, &parameters).await?;
        Ok(())
    }
}

/// How far this host's clock is ahead of the database's, in seconds; and by how long ago the table was read.
fn skew(table: &Table) -> f64 {
    Timestamp::try_from(SystemTime::now())
        .map_or(0.0, |here| here.duration_since(table.now).as_secs_f64())
}

fn definitions(graph: &JobGraph) -> HashMap<String, String> {
    graph
        .jobs()
        .iter()
        .map(|spec| (spec.name.to_string(), spec.definition()))
        .collect()
}

/// A pending slot, as it was read, and the one that takes its place; `None`: no clock starts the job.
struct Move<'a> {
    spec: &'a JobSpec,
    name: RowName,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

/// Gives the jobs that have a schedule, or are kept running, but have no clock in their row, their next slot: their parents started them before,
/// or somebody has taken away the claim of a Python host's first run, which leaves no `next_run` at all.
/// Every host does so, not only the one that has met an old definition: nothing would ever start them.
pub async fn wind_up(
    graph: &JobGraph,
    table: &Table,
    place: &Place,
    database: &Database,
    now: Option<Timestamp>,
) -> Result<Vec<String>, DatabaseError> {
    let moves = graph.jobs().iter().filter_map(|spec| {
        let name = own_row(spec, place)?;
        let row = table.row(name.as_str())?;
        let has_no_clock = match (row.slot, row.next_run) {
            (Some(_), Some(at)) => at >= never(),
            (None, None) => true,
            // Without a slot it is somebody else who has put the job to sleep.
            (None, Some(_)) | (Some(_), None) => false,
        };
        let is_paused = row.paused_until.is_some_and(|until| until > table.now);
        if !has_no_clock || is_paused || row.ongoing.is_some() {
            return None;
        }
        let from = row.slot;
        let to = Some(next_slot(spec, table.now, from.unwrap_or(table.now))?);
        Some(Move {
            spec,
            name,
            from,
            to,
        })
    });
    replan(graph, moves, database, now).await
}

/// Finds the slots that a Python host has left behind in jobs that catch up on every one of them: their row says when
/// to look again, and only `last_success` how far they have come.
pub async fn take_up_backfills(
    graph: &JobGraph,
    table: &Table,
    place: &Place,
    database: &Database,
) -> Result<Vec<String>, DatabaseError> {
    let (mut names, mut next_runs, mut successes, mut slots) = (vec![], vec![], vec![], vec![]);
    for spec in graph.jobs() {
        let (CatchUp::All, Some(when)) = (spec.catch_up, &spec.timetable) else {
            continue;
        };
        let Some(name) = own_row(spec, place) else {
            continue;
        };
        let row = table.row(name.as_str());
        let Some(row) = row.filter(|row| row.slot.is_none() && row.ongoing.is_none()) else {
            continue;
        };
        let (Some(next_run), Some(success)) = (row.next_run, row.last_success) else {
            continue;
        };
        if let Some(slot) = when.next(success, success).filter(|&slot| slot < next_run) {
            names.push(name.to_string());
            next_runs.push(next_run);
            successes.push(success);
            slots.push(slot);
        }
    }
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
        (&names, Type::TEXT_ARRAY),
        (&next_runs, Type::TIMESTAMPTZ_ARRAY),
        (&successes, Type::TIMESTAMPTZ_ARRAY),
        (&slots, Type::TIMESTAMPTZ_ARRAY),
    ];
    let sql = include_str!("../sql/take_up_backfills.sql");
    names_of(&transaction::run(database, sql, &parameters).await?)
}

/// Moves pending slots to where the definitions want them.
async fn replan(
    graph: &JobGraph,
    moves: impl Iterator<Item = Move<'_>>,
    database: &Database,
    now: Option<Timestamp>,
) -> Result<Vec<String>, DatabaseError> {
    let mut columns = Columns::default();
    let mut read = Vec::new();
    for Move {
        spec,
        name,
        from,
        to,
    } in moves
    {
        read.push(from);
        columns.push(graph, spec, name.as_str(), to);
    }
    if read.is_empty() {
        return Ok(Vec::new());
    }
    let parameters: [(&(dyn ToSql + Sync), Type); 7] = [
        (&columns.names, Type::TEXT_ARRAY),
        (&read, Type::TIMESTAMPTZ_ARRAY),
        (&columns.slots, Type::TIMESTAMPTZ_ARRAY),
        (&columns.next_runs, Type::TIMESTAMPTZ_ARRAY),
        (&columns.hashes, Type::TEXT_ARRAY),
        (&columns.parents, Type::TEXT_ARRAY),
        (&now, Type::TIMESTAMPTZ),
    ];
    let rows = transaction::run(
        database,
        include_str!("../sql/replan_jobs.sql"),
        &parameters,
    )
    .await?;
    names_of(&rows)
}

/// The jobs that a statement has returned.
fn names_of(rows: &[Row]) -> Result<Vec<String>, DatabaseError> {
    let names = rows.iter().map(|row| row.try_get("app_name"));
    Ok(names.collect::<Result<_, _>>()?)
}

/// From where to where a changed definition moves a pending slot; one that is due stays, and is run.
fn moved<'a>(spec: &'a JobSpec, name: RowName, row: &JobState, now: Timestamp) -> Option<Move<'a>> {
    let from = row
        .pending()
        .filter(|&pending| pending > now && row.error_count == 0)?;
    let to = next_slot(spec, now, from);
    if spec.timetable.is_some() && to.is_none() {
        return None;
    }
    let from = Some(from);
    (to != from).then_some(Move {
        spec,
        name,
        from,
        to,
    })
}

/// The next slot that the definition gives a job, `anchor` being a known one; one that is kept running is due at once.
fn next_slot(spec: &JobSpec, now: Timestamp, anchor: Timestamp) -> Option<Timestamp> {
    match &spec.timetable {
        Some(when) => when.next(now, anchor),
        None => spec.keep_running.then_some(now),
    }
}

/// Makes the rows of the jobs that no row knows yet; returns their names.
pub async fn adopt(
    plan: &Plan<'_>,
    graph: &JobGraph,
    database: &Database,
) -> Result<Vec<String>, DatabaseError> {
    adopt_jobs(&plan.jobs, graph, database).await
}

/// The same for some of them.
pub async fn adopt_jobs<'a: 'b, 'b>(
    jobs: impl IntoIterator<Item = &'b Planned<'a>>,
    graph: &JobGraph,
    database: &Database,
) -> Result<Vec<String>, DatabaseError> {
    let mut columns = Columns::default();
    for job in jobs {
        if let Verdict::New(first) = job.verdict {
            columns.push(graph, job.spec, &job.name, first);
        }
    }
    if columns.names.is_empty() {
        return Ok(columns.names);
    }
    let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
        (&columns.names, Type::TEXT_ARRAY),
        (&columns.slots, Type::TIMESTAMPTZ_ARRAY),
        (&columns.next_runs, Type::TIMESTAMPTZ_ARRAY),
        (&columns.hashes, Type::TEXT_ARRAY),
        (&columns.parents, Type::TEXT_ARRAY),
    ];
    transaction::run(database, include_str!("../sql/adopt_jobs.sql"), &parameters).await?;
    Ok(columns.names)
}

/// The arrays that `adopt_jobs` and `replan_jobs` unnest, one entry a job.
#[derive(Default)]
struct Columns {
    names: Vec<String>,
    slots: Vec<Option<Timestamp>>,
    next_runs: Vec<Timestamp>,
    hashes: Vec<String>,
    parents: Vec<String>,
}

impl Columns {
    fn push(&mut self, graph: &JobGraph, spec: &JobSpec, name: &str, slot: Option<Timestamp>) {
        let next_run = slot.map_or_else(never, |slot| spec.start_of(name, slot));
        self.names.push(name.to_owned());
        self.slots.push(slot);
        self.next_runs.push(next_run);
        self.hashes.push(spec.definition());
        self.parents.push(parents(graph, spec, name));
    }
}

/// The rows that a row waits for, comma-separated; `name@*`: those of every live host.
fn parents(graph: &JobGraph, spec: &JobSpec, name: &str) -> String {
    let host = on_host(name).map_or(EVERY_HOST, |(_, host)| host);
    let parents = spec.depends_on.iter();
    let parents = parents.filter_map(|parent| graph.get(&parent.job));
    let names: Vec<String> = parents.map(|parent| parent.row(host).to_string()).collect();
    names.join(",")
}

/// The row of a job that this host would run; `None`: its `hosts` do not allow that. Of a job that runs once everybody
/// looks after the row.
fn own_row(spec: &JobSpec, place: &Place) -> Option<RowName> {
    (!spec.is_on_each() || place.matches(&spec.placement)).then(|| spec.row(&place.host))
}
