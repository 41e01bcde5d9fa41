//! Fifty processes, one due job: rounds of the race that crontabber loses.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fmt, thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use nix::sys::signal::Signal;
use uuid::Uuid;

use super::{Crontabber, Database, Finished, Gate, Running, Site, until};

/// How the rounds of a race are run.
#[derive(Debug, Clone, Copy)]
pub struct Race {
    /// Processes let go in each round, each a host of its own.
    pub processes: usize,
    /// Rounds.
    pub rounds: usize,
    /// From where the processes of a round go on together.
    pub start: Start,
    /// Gives the process of this number what it has different from the others.
    pub disguise: fn(usize, Crontabber) -> Crontabber,
    /// The exit codes a process may end with.
    pub codes: &'static [i32],
}

/// From where the processes of a round go on together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// From their first instruction, as cron starts them.
    AtTheGate,
    /// From their first claim: all of them have found the job due, and the [`LATE`] last of them claim when the run of
    /// the others has come and gone. For builds with the feature `faults`; the disguise must hold `before-claim=stop`.
    AfterThePlan,
}

impl Race {
    /// Fifty equal processes, in so many rounds.
    pub fn of(rounds: usize) -> Self {
        Self {
            processes: 50,
            rounds,
            start: Start::AtTheGate,
            disguise: |_, command| command,
            codes: &[0, 2, 3],
        }
    }
}

/// What happened in all the rounds together.
#[derive(Debug, Default)]
pub struct Tally {
    /// Rounds run.
    pub rounds: usize,
    /// Processes by exit code.
    pub codes: BTreeMap<i32, usize>,
    /// Claims that found the row locked by another process.
    pub contended: usize,
    /// Processes that found the job running elsewhere, in the plan or under the lock.
    pub ongoing: usize,
    /// Claims that found, under the lock, that the run had come and gone since the plan.
    pub changed: usize,
    /// Slots that were not started at all.
    pub missed: Vec<Timestamp>,
    /// Slots that were started more than once.
    pub doubled: Vec<Timestamp>,
    /// How long the rounds took.
    pub took: Duration,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rounds,
            codes,
            contended,
            ongoing,
            changed,
            missed,
            doubled,
            took,
        } = self;
        let (missed, doubled) = (missed.len(), doubled.len());
        write!(
            f,
            "{rounds} rounds in {took:.1?}: {missed} missed, {doubled} doubled; {contended} contended, {ongoing} ongoing, \
             {changed} changed; exit codes {codes:?}"
        )
    }
}

const SOON: Duration = Duration::from_secs(30);

/// The two jobs of a race, by how long they take, in milliseconds.
const JOBS: [(&str, &str); 2] = [("instant", "0"), ("short", "0.08")];

/// Over how many milliseconds the processes of a round are let go.
const SPREADS: [u64; 3] = [0, 10, 100];

/// How many processes of a round that starts after the plan are let go only when the run is recorded: what they have
/// planned is over by then, and only the claim can tell.
const LATE: usize = 10;

/// Short rounds in CI, long ones on demand.
pub fn rounds(short: usize, long: usize) -> usize {
    if is_long() { long } else { short }
}

/// Whether the long form of the tests is wanted: `CRONTABBER_LONG=1`.
pub fn is_long() -> bool {
    env::var_os("CRONTABBER_LONG").is_some_and(|value| value == "1")
}

/// A site with the jobs of a race, that have rows and are not due for an hour.
pub async fn site(database: &Database) -> Site {
    let site = Site::with(database, |site| {
        let job = |(name, seconds): (&str, &str)| {
            site.job(name, "every = \"1h\"", &format!("exec sleep {seconds}"))
        };
        JOBS.map(job).concat()
    });
    let made = site.on("first", &["tick"]).run().await;
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    site
}

impl Race {
    /// Runs the rounds; every process must end with one of the codes.
    pub async fn run(&self, site: &Site, database: &Database) -> Tally {
        let gate = Gate::new(site.file("").as_path());
        let since = Instant::now();
        let mut tally = Tally::default();
        for round in 0..self.rounds {
            self.round(round, &gate, site, database, &mut tally).await;
        }
        tally.took = since.elapsed();
        tally
    }

    async fn round(
        &self,
        round: usize,
        gate: &Gate,
        site: &Site,
        database: &Database,
        tally: &mut Tally,
    ) {
        let (job, _) = JOBS[round % JOBS.len()];
        let spread = Duration::from_millis(SPREADS[round / JOBS.len() % SPREADS.len()]);
        let tick = |number: usize| {
            let host = format!("host{number}");
            (self.disguise)(
                number,
                site.on(&host, &["tick", "-v", "--log-format", "json"]),
            )
        };
        let waiting = gate.gather((0..self.processes).map(tick)).await;
        let slot = make_due(database, job).await;
        match self.start {
            Start::AtTheGate => gate.open(self.processes, spread),
            Start::AfterThePlan => {
                gate.open(self.processes, Duration::ZERO);
                until(SOON, "all processes have planned", async || {
                    waiting.iter().all(Running::is_stopped)
                })
                .await;
                let (first, late) = waiting.split_at(self.processes - LATE);
                go_on(first, spread);
                until(SOON, "the run is recorded", async || {
                    has_run(database, job, slot).await
                })
                .await;
                go_on(late, Duration::ZERO);
            }
        }
        for running in waiting {
            tally.count(&running.finished().await, self.codes);
        }
        tally.rounds += 1;
        let starts = site
            .ledger()
            .starts()
            .iter()
            .filter(|start| start.job == job && start.slot == slot)
            .count();
        match starts {
            0 => tally.missed.push(slot),
            1 => {}
            _ => tally.doubled.push(slot),
        }
    }
}

/// Lets these, which have stopped themselves, go on over this stretch of time.
fn go_on(all: &[Running], spread: Duration) {
    let step = spread / u32::try_from(all.len()).expect("a crowd, no nation");
    for running in all {
        running.signal(Signal::SIGCONT);
        thread::sleep(step);
    }
}

/// Whether a run of this slot is recorded.
async fn has_run(database: &Database, job: &str, slot: Timestamp) -> bool {
    let sql = format!(
        "SELECT EXISTS (SELECT FROM crontabber_log WHERE app_name = '{job}' AND slot = '{slot}' AND outcome = 'success')"
    );
    database.query_one(&sql).await
}

/// What an operator does in `psql`: the job is due now. Returns the slot that makes.
pub async fn make_due(database: &Database, job: &str) -> Timestamp {
    let sql = format!(
        "UPDATE crontabber SET next_run = clock_timestamp() WHERE app_name = '{job}' RETURNING next_run"
    );
    database.query_one(&sql).await
}

impl Tally {
    fn count(&mut self, finished: &Finished, codes: &[i32]) {
        let code = finished
            .code
            .unwrap_or_else(|| panic!("a pass died of {:?}: {}", finished.signal, finished.stderr));
        assert!(
            codes.contains(&code),
            "a pass ended with {code}: {}",
            finished.stderr
        );
        *self.codes.entry(code).or_default() += 1;
        let last = finished.stderr.lines().last().unwrap_or_default();
        let last: serde_json::Value =
            serde_json::from_str(last).unwrap_or_else(|error| panic!("`{last}`: {error}"));
        let counted = |what: &str| {
            let count = last[what]
                .as_u64()
                .unwrap_or_else(|| panic!("no `{what}` in {last}"));
            usize::try_from(count).expect("a handful")
        };
        self.contended += counted("contended");
        self.ongoing += counted("ongoing");
        self.changed += counted("changed");
    }
}

/// Holds the log against the ledger: every start has exactly one row, every row of a run a start, none is still
/// `running`, and the fences of a job grow from run to run.
pub async fn log_agrees(site: &Site, database: &Database) {
    let starts = site.ledger().starts();
    let started: BTreeSet<Uuid> = starts.iter().map(|start| start.run_id).collect();
    assert_eq!(started.len(), starts.len(), "a run id was started twice");
    let rows = database
        .rows("SELECT run_id FROM crontabber_log WHERE run_id IS NOT NULL")
        .await;
    let logged: BTreeSet<Uuid> = rows
        .iter()
        .map(|row| row[0].parse().expect("a uuid"))
        .collect();
    assert_eq!(logged.len(), rows.len(), "a run has two rows");
    assert_eq!(
        logged, started,
        "the log and the ledger know different runs"
    );
    let rest: i64 = database
        .query_one("SELECT count(*) FROM crontabber_log WHERE outcome = 'running' OR finished_at < started_at")
        .await;
    assert_eq!(rest, 0, "runs that have not ended in the log");
    let live: i64 = database
        .query_one("SELECT count(*) FROM crontabber WHERE ongoing IS NOT NULL")
        .await;
    assert_eq!(live, 0, "claims that nobody gave up");
    let back: i64 = database
        .query_one(
            "SELECT count(*) FROM (SELECT fence <= lag(fence) OVER (PARTITION BY app_name ORDER BY started_at, id) AS back \
             FROM crontabber_log WHERE run_id IS NOT NULL) AS f WHERE back",
        )
        .await;
    assert_eq!(back, 0, "a fence that did not grow");
}
