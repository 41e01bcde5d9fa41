//! What the commands say a pass would do is what a pass does: for tables in any state.
//!
//! The states are random, the tables, the claims and the runs are real. The runs wait at a gate until everything that the
//! pass has planned is under way, so that nothing which follows from their end is taken for a part of it.

#[path = "../common/mod.rs"]
mod common;

mod states;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::OpenOptions,
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use common::{Database, host::Host, tables, until};
use crontabber::{
    engine::Engine,
    plan::{Plan, Planned, Verdict, plan},
    stop::Stopper,
    store::{hosts, table},
    tick::tick,
    view::{
        Medium, Times,
        list::List,
        subject::Subject,
        why::{Known, explain},
    },
};
use nix::{sys::stat::Mode, unistd::mkfifo};
use proptest::{
    array::uniform16,
    collection::vec,
    prelude::any,
    test_runner::{Config, TestRunner},
};
use serde_json::Value;
use tokio::time::timeout;

use states::{Draw, now, specs, write};

const SOON: Duration = Duration::from_secs(5);
const STATES: u32 = 24;
const JOBS: usize = 12;

#[test]
fn a_pass_does_what_the_dry_run_the_list_and_why_say_and_nothing_else() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let directory = tempfile::tempdir().expect("/tmp takes directories");
    let gate = directory.path().join("gate");
    mkfifo(&gate, Mode::S_IRWXU).expect("the directory is ours");
    let database = runtime.block_on(tables());
    let seen = RefCell::new(BTreeSet::new());
    let config = Config {
        cases: STATES,
        max_shrink_iters: 0,
        failure_persistence: None,
        ..Config::default()
    };
    let states = vec(uniform16(any::<u8>()), JOBS);
    let outcome = TestRunner::new(config).run(&states, |draws| {
        let words = runtime.block_on(one(&database, &gate, &draws));
        seen.borrow_mut().extend(words);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    let seen = seen.into_inner();
    for word in [
        "run",
        "not yet",
        "blocked",
        "ongoing",
        "paused",
        "elsewhere",
        "coalesced",
        "missed",
        "late",
    ] {
        assert!(seen.contains(word), "no state led to `{word}`: {seen:?}");
    }
}

/// One state: what is said of it, then what a pass does. Returns which verdicts and reasons occurred.
async fn one(database: &Database, gate: &Path, draws: &[Draw]) -> BTreeSet<String> {
    let specs = specs(draws, gate);
    write(database, &specs, draws).await;
    let host = Host::new("alpha", database, &specs).at(now());
    // What a host does once, before it plans: it announces itself, and takes up rows that Python has left.
    host.table().await;
    let engine = roomy(&host);
    let expected = said(&engine).await;
    let before = rows(database).await;
    let known: i64 = database
        .query_one("SELECT coalesce(max(id), 0) FROM crontabber_log")
        .await;
    let done = async || written(database, known).await;
    let mut stop = Stopper::listen().expect("signals can be listened for");
    let flag = stop.flag();
    let does_run = expected.written.iter().any(|line| line.contains(" runs "));
    let pass = tick(&engine, &mut stop);
    let look = async {
        if !does_run {
            return None;
        }
        let all = until(2 * SOON, "all is written down", async || {
            done().await.len() >= expected.written.len()
        });
        // What is missing after that is told by what is compared below.
        let _ = timeout(SOON, all).await;
        // Whatever else the pass has planned asked for its turn before this.
        let _turn = engine.turns.acquire().await;
        let found = (done().await, rows(database).await);
        flag.store(true, Ordering::SeqCst);
        Some((found, OpenOptions::new().read(true).write(true).open(gate)))
    };
    let (pass, looked) = tokio::join!(pass, look);
    assert!(pass.error.is_none(), "{:?}", pass.error);
    let (written, after) = match looked {
        Some((found, _gate)) => found,
        None => (done().await, rows(database).await),
    };
    let missing: Vec<_> = expected.written.difference(&written).collect();
    let more: Vec<_> = written.difference(&expected.written).collect();
    assert!(
        missing.is_empty() && more.is_empty(),
        "not done: {missing:#?}, and done unsaid: {more:#?}"
    );
    for (name, row) in &before {
        let is_meant = expected.changed.contains(name);
        assert_eq!(
            after[name] != *row,
            is_meant,
            "{name}: is its row another one?"
        );
    }
    expected.words
}

/// A host that has room for all jobs at once.
fn roomy(host: &Host) -> Arc<Engine> {
    let mut engine = Arc::into_inner(host.engine()).expect("it was just made");
    engine.max_parallel = JOBS;
    Arc::new(engine)
}

/// What the commands say.
#[derive(Default)]
struct Said {
    /// The lines that a pass would write into the log.
    written: BTreeSet<String>,
    /// The rows that it would change.
    changed: BTreeSet<String>,
    /// Verdicts and reasons.
    words: BTreeSet<String>,
}

/// Reads as the commands do, and holds what they say against each other.
async fn said(engine: &Engine) -> Said {
    let place = &engine.host.place;
    let client = engine.database.get().await.expect("a connection");
    let table = table::read(&client, &place.host, engine.now).await;
    let mut table = table.expect("the table can be read");
    table.hosts = hosts::seen(&client).await.expect("the hosts can be read");
    let plan = plan(&engine.graph, &table, place);
    let listed = listed(&plan);
    let known = Known {
        plan: &plan,
        graph: &engine.graph,
        place,
        times: Times {
            now: plan.now,
            medium: Medium::Pipe,
        },
    };
    let mut said = Said::default();
    for job in &plan.jobs {
        agrees(job, &listed[job.name.as_ref()], &known);
        said.add(job);
    }
    said
}

impl Said {
    fn add(&mut self, job: &Planned<'_>) {
        let name = &job.name;
        self.words.insert(word(&job.verdict).to_owned());
        let (runs, skipped) = match &job.verdict {
            Verdict::Run(due) => {
                let (slot, trigger) = (due.slot, due.trigger.as_str());
                let run = format!("{name} runs {} {trigger}", slot.as_microsecond());
                (Some(run), due.skipped.as_deref())
            }
            Verdict::Skip(skip) => (None, Some(&skip.skipped)),
            _ => return,
        };
        self.changed.insert(name.to_string());
        self.written.extend(runs);
        if let Some(skipped) = skipped {
            let (slots, reason) = (&skipped.slots, skipped.reason.to_string());
            self.words
                .extend(reason.split(' ').next().map(str::to_owned));
            let (first, last) = (slots.first.as_microsecond(), slots.last.as_microsecond());
            let line = format!("{name} skips {first} {last} {} {reason}", slots.count);
            self.written.insert(line);
        }
    }
}

/// The states that `list` prints.
fn listed(plan: &Plan<'_>) -> HashMap<String, String> {
    let list = List {
        plan,
        last_hosts: &HashMap::new(),
        glob: None,
        states: &[],
    };
    let list: Vec<Value> = serde_json::from_str(&list.json()).expect("an array");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    list.iter()
        .map(|job| (text(&job["name"]), text(&job["state"])))
        .collect()
}

/// `list` and `why` say the same of a job, and what its verdict says.
fn agrees(job: &Planned<'_>, listed: &str, known: &Known<'_>) {
    let why = explain(&Subject::Job(job), known);
    assert_eq!(why.state.as_str(), listed, "{}", job.name);
    let told = &why.conclusion;
    let starts = told.contains(" is about to run: ") || told.contains(" should be running: ");
    let is_run = matches!(job.verdict, Verdict::Run(_));
    assert_eq!(starts, is_run, "{told} But: {:?}", job.verdict);
    let fails = why.checks.iter().find(|check| check.passed == Some(false));
    assert!(!(is_run && fails.is_some()), "{told} But: {fails:?}");
    let words = match &job.verdict {
        Verdict::Skip(skip) if skip.blocks.is_empty() => "the next pass writes that down",
        Verdict::Skip(_) | Verdict::Blocked(_) => "is due, but waits for",
        Verdict::Ongoing(_) => "on ",
        Verdict::Paused(_) => "is not running because it is paused",
        Verdict::Held => "it waits for a person",
        Verdict::NotYet(_) => "runs",
        _ => "",
    };
    assert!(told.contains(words), "{told} But: {:?}", job.verdict);
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Run(_) => "run",
        Verdict::Skip(_) => "skip",
        Verdict::NotYet(_) => "not yet",
        Verdict::AfterParents => "after parents",
        Verdict::Blocked(_) => "blocked",
        Verdict::Ongoing(_) => "ongoing",
        Verdict::Paused(_) | Verdict::Held => "paused",
        Verdict::NoHost(_) | Verdict::Elsewhere(_) => "elsewhere",
        Verdict::New(_) | Verdict::Refused(_) | Verdict::ForDaemons => "else",
    }
}

/// What was written into the log after this entry of it.
async fn written(database: &Database, after: i64) -> BTreeSet<String> {
    let micros = |column: &str| format!("(extract(epoch FROM {column}) * 1000000)::int8");
    let (slot, until) = (micros("slot"), micros("slot_until"));
    let sql = format!(
        "SELECT CASE WHEN run_id IS NULL THEN concat_ws(' ', app_name, 'skips', {slot}, {until}, slots, reason)
                     ELSE concat_ws(' ', app_name, 'runs', {slot}, trigger) END
           FROM crontabber_log WHERE id > {after} AND slot IS NOT NULL"
    );
    let rows = database.rows(&sql).await;
    rows.into_iter().map(|mut row| row.remove(0)).collect()
}

/// Which version of each row there is.
async fn rows(database: &Database) -> BTreeMap<String, String> {
    let rows = database.rows("SELECT app_name, xmin FROM crontabber").await;
    rows.into_iter()
        .map(|mut row| (row.remove(0), row.remove(0)))
        .collect()
}
