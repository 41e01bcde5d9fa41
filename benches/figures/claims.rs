//! Claim and record, again and again, beside pgbench with the very same statements.
//!
//! Our runs do nothing: the secret that each of them needs is nowhere, so no process is started, and what is left is
//! claim and record, each its own commit. They are recorded as failures, which writes no less than a success.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use crontabber::{
    claim::{Claimed, claim},
    config,
    dag::JobGraph,
    heartbeat::Heart,
    outcomes::Outcomes,
    place::Place,
    plan::{Due, Verdict, plan},
    record::{Recorded, Recorder, Records, record},
    run::{Means, run},
    spec::JobSpec,
    store::{Address, Database, Elsewhere, Environment, table, transaction},
    stream::Stream,
    supervise::Supervisor,
};
use futures_util::future::join_all;
use tokio_postgres::Client;

use super::{
    CRONTABBER, Effort,
    figure::{Bar, Figure, Spread, beside, rate},
    server::{Server, connect},
};

/// How many connections, on either side.
const CONNECTIONS: usize = 8;
/// How many runs on each of them in a round.
const RUNS: usize = 500;

/// The instant that all runs of a round are for.
const DUE: &str = "date_trunc('hour', clock_timestamp())";

/// What a run of ours fails with.
const WHY: &str = "secret `NEVER_SET`: it is nowhere, so nothing is started";

pub(crate) async fn figures(server: &Server, effort: Effort) -> Vec<Figure> {
    let url = server.database("claims").await;
    let file = server.directory().join("claims.toml");
    fs::write(&file, configuration(&url)).expect("the directory is ours");
    make_rows(&file);
    let client = connect(&url).await;
    let script = server.directory().join("claims.pgbench");
    fs::write(&script, pgbench_script()).expect("the directory is ours");
    let pgbench = server.program("pgbench").await;
    let configuration = config::load(Some(&file));
    let graph = configuration.expect("it was just written").graph;

    let (mut our_rates, mut pgbench_rates) = (Vec::new(), Vec::new());
    for round in 0..effort.rounds(20).max(3) {
        for turn in 0..2 {
            reset(&client).await;
            if (round + turn) % 2 == 0 {
                // Fresh connections, as pgbench's are: whatever has to be prepared is prepared in time that counts.
                our_rates.push(Ours::new(&graph, &url).await.rate().await);
            } else {
                let slot = slot(&client).await;
                pgbench_rates.push(pgbench_rate(&pgbench, &script, &url, slot));
            }
            all_ran(&client).await;
        }
    }
    vec![Figure {
        what: "claim + record, 8 connections: rate / pgbench -M prepared -c 8 -j 2, same statements",
        bar: Bar::AtLeast(1.2),
        measured: Spread::of_ratios(&our_rates, &pgbench_rates),
        here: beside(&our_rates, &pgbench_rates, rate),
    }]
}

/// Jobs named by numbers, because those are the only names that pgbench can make up.
fn configuration(url: &str) -> String {
    let mut text = format!(
        "[database]\nurl = \"{url}\"\n\n[defaults]\nevery = \"1h\"\ncommand = [\"/bin/true\"]\n\
         secrets = {{ NEVER_SET = {{ env = \"CRONTABBER_BENCH_NEVER_SET\" }} }}\n"
    );
    for job in 1..=CONNECTIONS * RUNS {
        writeln!(text, "[jobs.{job}]").expect("a text takes everything");
    }
    text
}

fn make_rows(file: &Path) {
    let made = Command::new(CRONTABBER)
        .args(["tick", "--host", "bench", "--config"])
        .arg(file)
        .env_clear()
        .status();
    assert!(made.expect("the program is built").success());
}

/// All jobs due, and a table as it was at the beginning.
async fn reset(client: &Client) {
    let due = format!(
        "UPDATE crontabber SET revision = revision + 1, next_run = {DUE}, slot = {DUE}, error_count = 0, last_error = '{{}}',
                first_run = NULL, last_run = NULL, last_success = NULL, success_slot = NULL"
    );
    for sql in [
        due.as_str(),
        "TRUNCATE crontabber_log",
        "VACUUM FULL ANALYZE crontabber",
        "CHECKPOINT",
    ] {
        client
            .batch_execute(sql)
            .await
            .expect("nobody else is here");
    }
}

async fn slot(client: &Client) -> f64 {
    let sql = format!("SELECT extract(epoch FROM {DUE})::float8");
    client
        .query_one(&sql, &[])
        .await
        .expect("it is there")
        .get(0)
}

/// That every job was claimed and recorded once, by whomever.
async fn all_ran(client: &Client) {
    let sql = "SELECT count(*) FROM crontabber_log WHERE outcome = 'failure' AND attempt = 1";
    let ran: i64 = client
        .query_one(sql, &[])
        .await
        .expect("it is there")
        .get(0);
    assert_eq!(
        usize::try_from(ran),
        Ok(CONNECTIONS * RUNS),
        "runs in the log"
    );
}

/// The library in this process, as a daemon has it.
struct Ours<'a> {
    graph: &'a JobGraph,
    database: Database,
    supervisor: Supervisor,
    heart: Heart,
    stream: Stream,
    records: Records,
}

impl<'a> Ours<'a> {
    async fn new(graph: &'a JobGraph, url: &str) -> Self {
        let address = Address::parse(url, &Environment::of_this_process()).expect("our own URL");
        let limit = Duration::from_secs(10);
        let database = Database::new(address, "crontabber bench", CONNECTIONS, limit);
        // Open before the first measurement, like pgbench's, which does not count that either.
        join_all((0..CONNECTIONS).map(|_| database.get())).await;
        Self {
            graph,
            heart: Heart::new(database.clone(), None),
            stream: Stream::new(database.clone(), None),
            records: Records::new(database.clone(), None),
            database,
            supervisor: Supervisor::with_program(CRONTABBER),
        }
    }

    /// Runs a second.
    async fn rate(&self) -> f64 {
        let due = self.due().await;
        let jobs = self.graph.jobs();
        assert_eq!(due.len(), jobs.len(), "jobs that are due");
        let since = Instant::now();
        join_all(due.chunks(RUNS).map(|mine| async move {
            for (job, due) in mine {
                self.run(&jobs[*job], due).await;
            }
        }))
        .await;
        count(due.len()) / since.elapsed().as_secs_f64()
    }

    /// What a pass would run: each job by its number.
    async fn due(&self) -> Vec<(usize, Due)> {
        let client = self.database.get().await.expect("the server runs");
        let table = table::read(&client, "bench", None).await;
        let table = table.expect("the tables are there");
        let plan = plan(self.graph, &table, &place());
        let due = plan.jobs.iter().filter_map(|job| match &job.verdict {
            Verdict::Run(due) => Some((job.index, due.clone())),
            _ => None,
        });
        due.collect()
    }

    async fn run(&self, job: &JobSpec, due: &Due) {
        let claimed = claim(&self.database, &place(), job, due, None).await;
        let claim = match claimed.expect("the server runs") {
            Claimed::Ours(claim) => *claim,
            other => panic!("{} was not ours: {other:?}", job.name),
        };
        let place = place();
        let elsewhere = Elsewhere::default();
        let means = Means {
            host: &place.host,
            supervisor: &self.supervisor,
            heart: &self.heart,
            stream: &self.stream,
            database: &self.database,
            elsewhere: &elsewhere,
        };
        let finished = run(claim, &means).await;
        let outcomes = Outcomes::nowhere();
        let to = Recorder {
            host: &place.host,
            database: &self.database,
            records: &self.records,
            outcomes: &outcomes,
            now: None,
        };
        let recorded = record(finished, to).await;
        let (_, recorded) = recorded.expect("the server runs");
        assert!(matches!(recorded, Recorded::Written(_)), "{recorded:?}");
    }
}

fn place() -> Place {
    Place {
        host: "bench".to_owned(),
        ..Place::default()
    }
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).expect("some thousands"))
}

/// The same statements, each on its own as a plain client sends them.
fn pgbench_script() -> String {
    let job = "array[:job::text]";
    let run_id = "array[lpad(:run::text, 32, '0')::uuid]";
    let slot = "array[to_timestamp(:slot::float8)]";
    let next = "array[to_timestamp(:slot::float8 + 3600)]";
    let no_times = "array[NULL::timestamptz]";
    let no_texts = "array[NULL::text]";
    let begin = transaction::BEGIN.replace("; ", ";\n");
    let lock = filled(include_str!("../../sql/claim_lock.sql"), &[job]);
    let claim = filled(
        include_str!("../../sql/claim.sql"),
        &[
            ":host::text",
            ":host::text",
            "NULL::timestamptz",
            job,
            run_id,
            slot,
            slot,
            no_times,
            "array[:none::int8]",
            no_texts,
            "array[:lease::float8]",
            "array[:trigger::text]",
            "array[:on_lost::text]",
            next,
            "array[:backoff::float8]",
            next,
            "array[:age::float8]",
            "array[NULL::uuid]",
            no_times,
            ":needs::text[]",
            ":needs::text[]",
            ":needs::timestamptz[]",
            ":needs::bool[]",
        ],
    );
    let (one_job, one_run) = (":job::text", "lpad(:run::text, 32, '0')::uuid");
    let record = filled(
        include_str!("../../sql/record.sql"),
        &[
            "NULL::timestamptz",
            one_job,
            one_run,
            ":fence::int8",
            ":outcome::text",
            ":reason::text",
            ":effect::text",
            ":last_error::text",
            "to_timestamp(:slot::float8)",
            "to_timestamp(:slot::float8 + 3600)",
            "false",
        ],
    );
    let log = filled(
        include_str!("../../sql/record_log.sql"),
        &[
            "NULL::timestamptz",
            one_run,
            ":outcome::text",
            ":reason::text",
            "NULL::int4",
            "NULL::int4",
            "NULL::text",
            ":effect::text",
            "false",
        ],
    );
    format!(
        "\\set k :k + 1\n\\set job :client_id * {RUNS} + :k\n\\set run random(1, 9000000000000000000)\n\
         {begin};\n{lock};\n{claim} \\gset\nCOMMIT;\n{begin};\n{record};\n{log};\nCOMMIT;\n"
    )
}

/// A statement with expressions of pgbench in the place of its parameters.
///
/// # Panics
/// If it has more parameters than that.
fn filled(sql: &str, parameters: &[&str]) -> String {
    let lines = sql
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"));
    // To some versions of pgbench `:00` is a variable.
    let mut text = lines
        .collect::<Vec<_>>()
        .join("\n")
        .replace(" 00:00+00'", "'");
    for (number, expression) in parameters.iter().enumerate().rev() {
        text = text.replace(&format!("${}", number + 1), expression);
    }
    assert!(!text.contains('$'), "not all of it is filled in:\n{text}");
    text.trim_end().to_owned()
}

fn pgbench_rate(pgbench: &PathBuf, script: &Path, url: &str, slot: f64) -> f64 {
    let last_error =
        format!("{{\"type\": \"failure\", \"value\": \"{WHY}\", \"traceback\": \"\"}}");
    let mut command = Command::new(pgbench);
    command.args(["--no-vacuum", "--protocol=prepared", "--jobs=2"]);
    command.arg(format!("--client={CONNECTIONS}"));
    command.arg(format!("--transactions={RUNS}"));
    for (name, value) in [
        ("k", "0"),
        ("none", "0"),
        ("slot", &slot.to_string()),
        ("host", "bench"),
        ("lease", "120"),
        ("trigger", "schedule"),
        ("on_lost", "retry"),
        ("backoff", "300"),
        ("needs", "{}"),
        ("age", "43200"),
        ("outcome", "failure"),
        ("reason", WHY),
        ("effect", "failed"),
        ("last_error", &last_error),
    ] {
        command.arg(format!("--define={name}={value}"));
    }
    let output = command.arg("--file").arg(script).arg(url).output();
    let output = output.expect("pgbench comes with the server");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout);
    // The last of them leaves out the time to connect, in every version.
    let rate = text
        .lines()
        .filter_map(|line| line.strip_prefix("tps = "))
        .next_back();
    let rate = rate.and_then(|rate| rate.split(' ').next()?.parse().ok());
    rate.unwrap_or_else(|| panic!("no rate in what pgbench says:\n{text}"))
}
