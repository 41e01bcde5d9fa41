//! Hosts of crontabber 0.18.1 beside ours, let go in one instant at one due job, round after round.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use jiff::SignedDuration;

use super::{
    Crontabber, Database, Finished, Gate, Ledger, Running, Site, drop_guard,
    python::{Job, Python, Real, Stop, Turn, exit},
    tables,
};

/// Hosts of each kind.
const HOSTS: usize = 4;
/// By how many seconds the clocks of crontabber's hosts are ahead.
const CLOCKS: [i64; HOSTS] = [0, -2, 2, 0];
/// Over how many milliseconds they come, and how many one may be held up between two of its transactions, as by a
/// network or a busy machine.
const SPREAD: u64 = 60;
const HELD_UP: u64 = 25;
/// How long the job takes.
const WORK: Duration = Duration::from_millis(60);

/// Which hosts of crontabber's there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Its statements, in this process.
    Reenacted,
    /// The same, and some of their operators are busy: one forces the job, one resets it.
    Meddling,
    /// The program.
    Real,
}

/// Four hosts of crontabber's and four of ours, with one job.
#[derive(Debug)]
pub struct Fleet {
    pub database: Database,
    site: Site,
    kind: Kind,
    guarded: bool,
    real: Option<Real>,
}

/// What happened in all rounds together.
#[derive(Debug, Default)]
pub struct Tally {
    pub rounds: usize,
    /// Starts of ours and of Python's.
    pub ours: usize,
    pub pythons: usize,
    /// Rounds with more starts than one and one for each reset that deleted the row.
    pub doubled: usize,
    /// Resets that deleted the row.
    pub resets: Cell<usize>,
    /// Rounds that needed one pass more.
    pub late: usize,
    /// Rounds after which Python's `ongoing` stood there though its job had ended: crontabber gives up a record where
    /// somebody has the row locked in that instant, and nothing in the table can help that.
    pub unrecorded: usize,
    /// Processes by exit code, ours and Python's.
    pub our_codes: BTreeMap<i32, usize>,
    pub python_codes: BTreeMap<i32, usize>,
    pub took: Duration,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} rounds in {:.1?}: {} doubled, {} late, {} resets; {} starts of ours, {} of Python's, {} of them unrecorded; \
             exit codes of ours {:?}, of Python's {:?}",
            self.rounds,
            self.took,
            self.doubled,
            self.late,
            self.resets.get(),
            self.ours,
            self.pythons,
            self.unrecorded,
            self.our_codes,
            self.python_codes
        )
    }
}

impl Fleet {
    /// `None`: there is no Python 2 with crontabber here.
    pub async fn new(kind: Kind, guarded: bool) -> Option<Self> {
        let database = tables().await;
        if !guarded {
            drop_guard(&database).await;
        }
        let site = Site::with(&database, |site| {
            // At once where there is no row: after a reset it starts over, on whichever kind of host.
            site.job(
                "it",
                "every = \"1h\"\nstart = \"now\"",
                &format!("exec sleep {}", WORK.as_secs_f32()),
            )
        });
        let real = match kind {
            Kind::Reenacted | Kind::Meddling => None,
            Kind::Real => {
                let body = format!("import time; time.sleep({})", WORK.as_secs_f32());
                Some(Real::find(&database, &site.file(""), site.ledger())?.job(
                    "it",
                    "1h",
                    &[],
                    "",
                    &body,
                ))
            }
        };
        Some(Self {
            database,
            site,
            kind,
            guarded,
            real,
        })
    }

    pub fn ledger(&self) -> &Ledger {
        self.site.ledger()
    }

    /// So many rounds.
    pub async fn run(&self, rounds: usize) -> Tally {
        let made = self.site.on("first", &["tick"]).run().await;
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        let gate = Gate::new(&self.site.file(""));
        let since = Instant::now();
        let mut tally = Tally {
            rounds,
            ..Tally::default()
        };
        for round in 0..u32::try_from(rounds).expect("a night's work") {
            self.round(round, &gate, &mut tally).await;
        }
        tally.took = since.elapsed();
        tally
    }

    async fn round(&self, round: u32, gate: &Gate, tally: &mut Tally) {
        let before = (self.ledger().starts().len(), tally.resets.get());
        let ours = gate
            .gather((0..HOSTS).map(|number| self.tick(number)))
            .await;
        // Early enough for the host whose clock is behind.
        let due = "UPDATE crontabber SET revision = revision + 1, slot = NULL, ongoing = NULL, next_run = clock_timestamp() - interval '3 seconds'";
        let codes = if let Some(real) = &self.real {
            let python = |number| process(real, gate, number);
            let pythons = gate.assemble((0..HOSTS).map(python)).await;
            self.database.execute(due).await;
            gate.open(2 * HOSTS, Duration::ZERO);
            codes(pythons).await
        } else {
            let pythons = self.pythons().await;
            self.database.execute(due).await;
            // Each kind is the first one in some rounds.
            let open = async {
                tokio::time::sleep(Duration::from_millis(HELD_UP) * (round % 4)).await;
                gate.open(HOSTS, Duration::ZERO);
            };
            let turn = |(number, python)| self.turn(python, number, (round, number), tally);
            let turns = join_all(pythons.iter().enumerate().map(turn));
            tokio::join!(open, turns).1
        };
        for code in codes {
            *tally.python_codes.entry(code).or_default() += 1;
        }
        for running in ours {
            *tally
                .our_codes
                .entry(code(&running.finished().await))
                .or_default() += 1;
        }
        self.count(before, tally).await;
    }

    async fn count(&self, (before, resets): (usize, usize), tally: &mut Tally) {
        if self.ledger().starts().len() == before {
            tally.late += 1;
            let pass = self.site.on("last", &["tick"]).run().await;
            // Without the guard it may take longer.
            assert!(!self.guarded || pass.code == Some(0), "{}", pass.stderr);
        }
        let starts = self.ledger().starts().split_off(before);
        assert!(
            !self.guarded || !starts.is_empty(),
            "nobody has run the slot, and nobody will"
        );
        let asked = 1 + tally.resets.get() - resets;
        tally.doubled += usize::from(starts.len() > asked);
        let pythons = starts.iter().filter(|start| start.is_pythons()).count();
        tally.pythons += pythons;
        tally.ours += starts.len() - pythons;
        let unrecorded = "SELECT count(*) FROM crontabber j WHERE ongoing IS NOT NULL AND run_id IS NULL
                             AND EXISTS (SELECT FROM crontabber_log l WHERE l.app_name = j.app_name AND l.run_id IS NULL AND l.log_time > j.ongoing)";
        tally.unrecorded += usize::from(self.database.query_one::<i64>(unrecorded).await > 0);
    }

    async fn pythons(&self) -> Vec<Python> {
        let mut pythons = Vec::new();
        for ahead in CLOCKS {
            let python = Python::on(&self.database).await;
            pythons.push(python.ahead(SignedDuration::from_secs(ahead)));
        }
        pythons
    }

    fn tick(&self, number: usize) -> Crontabber {
        self.site.on(&format!("host{number}"), &["tick"])
    }

    /// What a re-enacted host does: the exit code.
    async fn turn(&self, python: &Python, number: usize, seed: (u32, usize), tally: &Tally) -> i32 {
        held_up(seed, "its start", SPREAD).await;
        match (self.kind, number) {
            (Kind::Meddling, 2) => alone(&self.force(python, seed).await),
            (Kind::Meddling, 3) => alone(&self.reset(python, tally).await),
            _ => exit(&self.pass(python, seed).await),
        }
    }

    async fn pass(&self, python: &Python, seed: (u32, usize)) -> Result<(), Stop> {
        let job = Job::hourly("it");
        match python.look(&job).await? {
            Some(turn) => self.carry_out(turn, seed).await,
            None => Ok(()),
        }
    }

    /// `--job=it --force`
    async fn force(&self, python: &Python, seed: (u32, usize)) -> Result<(), Stop> {
        let job = Job::hourly("it");
        let turn = python.force(&job).await?;
        self.carry_out(turn, seed).await
    }

    /// `--reset-job=it`
    async fn reset(&self, python: &Python, tally: &Tally) -> Result<(), Stop> {
        if python.contains("it").await? {
            python.pop("it").await?;
            tally.resets.set(tally.resets.get() + 1);
        }
        Ok(())
    }

    async fn carry_out(&self, mut turn: Turn<'_>, seed: (u32, usize)) -> Result<(), Stop> {
        held_up(seed, "T3", HELD_UP).await;
        turn.read().await?;
        held_up(seed, "T4", HELD_UP).await;
        turn.start().await?;
        self.ledger().enter("it");
        tokio::time::sleep(WORK).await;
        turn.end(Ok(())).await
    }
}

/// The exit code where crontabber was asked for one job: it catches nothing there.
fn alone(done: &Result<(), Stop>) -> i32 {
    i32::from(done.is_err())
}

fn process(real: &Real, gate: &Gate, number: usize) -> Crontabber {
    let command = real.with(&[]).env("FLEET_GATE", gate.path()).env(
        "FLEET_DELAY",
        format!("{}", Duration::from_millis(SPREAD).as_secs_f32()),
    );
    match CLOCKS[number] {
        0 => command,
        ahead => command.clock(&format!("{ahead:+}s")),
    }
}

async fn codes(all: Vec<Running>) -> Vec<i32> {
    let mut codes = Vec::new();
    for running in all {
        codes.push(code(&running.finished().await));
    }
    codes
}

fn code(finished: &Finished) -> i32 {
    finished
        .code
        .unwrap_or_else(|| panic!("it died of {:?}: {}", finished.signal, finished.stderr))
}

/// A while, the same for the same host and step of the same round.
async fn held_up(seed: (u32, usize), step: &str, limit: u64) {
    let mut hasher = DefaultHasher::new();
    (seed, step).hash(&mut hasher);
    tokio::time::sleep(Duration::from_millis(hasher.finish() % limit)).await;
}
