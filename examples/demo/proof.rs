//! The figures, the SQL they come from, and whether everything was seen.

use std::{collections::HashMap, fs};

use crontabber::{
    config,
    place::Place,
    plan::plan,
    store::{Connection, error::DatabaseError, table},
};
use tokio_postgres::Row;

use crate::{
    DemoError, database,
    ledger::Ledger,
    narrator::Races,
    processes,
    stage::Stage,
    timeline::{Timeline, Tone},
};

/// The figures by SQL.
const PROOF: &str = include_str!("proof.sql");

/// Those about feeds.
const FEEDS: &str = include_str!("feeds.sql");

/// What became of each job.
const JOBS: &str = include_str!("jobs.sql");

/// Everything there is to say at the end.
#[derive(Debug)]
pub(crate) struct Proof {
    jobs: Vec<Job>,
    log: Vec<Figure>,
    elsewhere: Vec<Figure>,
    races: Races,
}

/// A line of the table of jobs.
#[derive(Debug)]
struct Job {
    name: String,
    state: &'static str,
    alpha: i64,
    beta: i64,
    retries: i64,
    lost: i64,
}

/// A number, and what it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Figure {
    name: String,
    /// 0: it must not happen; otherwise so many times at least.
    wanted: i64,
    seen: i64,
}

impl Proof {
    /// Asks the database, the ledger and the kernel.
    pub(crate) fn take(stage: &Stage, races: Races) -> Result<Self, DemoError> {
        let questions = async |client: &Connection| Answers::of(stage, client).await;
        let Answers {
            jobs,
            log,
            outcomes,
        } = database::ask(&stage.url(), questions)?;
        let path = stage.ledger();
        let notes = fs::read_to_string(&path).map_err(DemoError::io("read", path))?;
        let ledger = Ledger::read(&notes, &outcomes);
        let left = processes::with(processes::MARK, &processes::mark());
        let elsewhere = vec![
            Figure::new("runs that the jobs noted", 1, ledger.starts),
            Figure::new("of them begun twice", 0, ledger.twice),
            Figure::new("of them overlapping", 0, ledger.overlaps),
            Figure::new("of them unknown to the log", 0, ledger.strangers),
            Figure::new("processes left over", 0, left.len()),
        ];
        Ok(Self {
            jobs,
            log,
            elsewhere,
            races,
        })
    }

    /// Whether all was seen that should be, and nothing that should not.
    pub(crate) fn is_complete(&self) -> bool {
        self.figures().iter().all(Figure::is_as_wanted)
    }

    fn figures(&self) -> Vec<Figure> {
        let contended = Figure::new(
            "claims that were contended",
            1,
            self.races.contended as usize,
        );
        let parts = [self.log.as_slice(), &[contended], &self.elsewhere];
        parts.concat()
    }

    /// Prints the table of jobs, the figures, where they come from and where to look further.
    pub(crate) fn print(&self, stage: &Stage, timeline: &Timeline) -> Result<(), DemoError> {
        self.print_jobs(timeline)?;
        self.print_figures(stage, timeline)?;
        print_hints(stage, timeline)?;
        let wrong: Vec<_> = self
            .figures()
            .into_iter()
            .filter(|figure| !figure.is_as_wanted())
            .collect();
        for figure in &wrong {
            timeline.line(&figure.complaint(), Tone::Bad)?;
        }
        if wrong.is_empty() {
            timeline.line("all of it was seen, and nothing ran twice", Tone::Good)?;
        }
        Ok(())
    }

    fn print_jobs(&self, timeline: &Timeline) -> Result<(), DemoError> {
        timeline.say("")?;
        let heading = format!(
            "  {:<13} {:<10} {:>5} {:>6} {:>6} {:>8} {:>5}",
            "JOB", "STATE", "RUNS", "alpha", "beta", "RETRIES", "LOST"
        );
        timeline.line(&heading, Tone::Striking)?;
        for Job {
            name,
            state,
            alpha,
            beta,
            retries,
            lost,
        } in &self.jobs
        {
            let runs = alpha + beta;
            timeline.say(&format!(
                "  {name:<13} {state:<10} {runs:>5} {alpha:>6} {beta:>6} {retries:>8} {lost:>5}"
            ))?;
        }
        Ok(())
    }

    fn print_figures(&self, stage: &Stage, timeline: &Timeline) -> Result<(), DemoError> {
        let Races {
            contended,
            ongoing,
            done,
        } = self.races;
        timeline.say("")?;
        timeline.line(
            "proof, by SQL over crontabber_log and the tables of the feeds:",
            Tone::Striking,
        )?;
        print_all(&self.log, timeline)?;
        timeline.line(
            "by what the hosts said, the jobs noted, and the kernel knows:",
            Tone::Striking,
        )?;
        timeline.say(&format!(
            "  {:>5}  races lost politely: {contended} contended, {ongoing} ongoing elsewhere, {done} just run",
            self.races.sum()
        ))?;
        print_all(&self.elsewhere, timeline)?;
        timeline.say("")?;
        let program = stage.short(stage.program());
        let configuration = stage.short(&stage.configuration());
        timeline.line("the SQL, to run it yourself:", Tone::Striking)?;
        timeline.say(&format!(
            "  psql \"$({program} --config {configuration} db url)\" <<'END'"
        ))?;
        timeline.line(PROOF.trim_end(), Tone::Faint)?;
        timeline.line(FEEDS.trim_end(), Tone::Faint)?;
        timeline.say("END")
    }
}

impl Figure {
    fn new(name: &str, wanted: i64, seen: usize) -> Self {
        Self {
            name: name.into(),
            wanted,
            seen: i64::try_from(seen).unwrap_or(i64::MAX),
        }
    }

    fn is_as_wanted(&self) -> bool {
        if self.wanted == 0 {
            self.seen == 0
        } else {
            self.seen >= self.wanted
        }
    }

    fn complaint(&self) -> String {
        let Self { name, wanted, seen } = self;
        match wanted {
            0 => format!("WRONG: {name}: {seen}, and there must be none"),
            _ => format!("MISSING: {name}: {seen}, and there must be {wanted} at least"),
        }
    }
}

/// What the database says.
struct Answers {
    jobs: Vec<Job>,
    log: Vec<Figure>,
    /// The outcome of each run, by run id.
    outcomes: HashMap<String, String>,
}

impl Answers {
    async fn of(stage: &Stage, client: &Connection) -> Result<Self, DemoError> {
        let figure = |row: &Row| Figure {
            name: row.get(0),
            wanted: row.get::<_, i32>(1).into(),
            seen: row.get(2),
        };
        let (log, feeds) = (query(client, PROOF).await?, query(client, FEEDS).await?);
        let log = log.iter().chain(&feeds).map(figure).collect();
        let rows = query(
            client,
            "SELECT run_id::text, outcome FROM crontabber_log WHERE run_id IS NOT NULL",
        )
        .await?;
        let outcomes = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        Ok(Self {
            jobs: jobs(stage, client).await?,
            log,
            outcomes,
        })
    }
}

async fn query(client: &Connection, sql: &str) -> Result<Vec<Row>, DatabaseError> {
    Ok(client.query(sql, &[]).await?)
}

/// The table of jobs; their states are those of the plan, as `crontabber list` shows them.
async fn jobs(stage: &Stage, client: &Connection) -> Result<Vec<Job>, DemoError> {
    let config = config::load(Some(&stage.configuration()))
        .map_err(|report| DemoError::Mistakes(report.to_string()))?;
    let table = table::read(client, "", None).await?;
    let plan = plan(&config.graph, &table, &Place::default());
    let states = plan.states();
    let rows = query(client, JOBS).await?;
    let job = |row: &Row| {
        let name: String = row.get(0);
        let state = states
            .get(name.as_str())
            .map_or("ghost", |state| state.as_str());
        Job {
            name,
            state,
            alpha: row.get(1),
            beta: row.get(2),
            retries: row.get(3),
            lost: row.get(4),
        }
    };
    Ok(rows.iter().map(job).collect())
}

fn print_all(figures: &[Figure], timeline: &Timeline) -> Result<(), DemoError> {
    for figure in figures {
        let tone = if figure.is_as_wanted() {
            Tone::Plain
        } else {
            Tone::Bad
        };
        timeline.line(&format!("  {:>5}  {}", figure.seen, figure.name), tone)?;
    }
    Ok(())
}

fn print_hints(stage: &Stage, timeline: &Timeline) -> Result<(), DemoError> {
    let program = stage.short(stage.program());
    let configuration = stage.short(&stage.configuration());
    timeline.say("")?;
    timeline.line(
        "see it (the server is stopped; each of these starts it again):",
        Tone::Striking,
    )?;
    timeline.say(&format!(
        "  {program} --config {configuration} list | why report | history flaky"
    ))?;
    timeline.say(&format!(
        "  psql \"$({program} --config {configuration} db url)\""
    ))?;
    timeline.say(&format!("  {program} --config {configuration} db stop"))?;
    timeline.say("")
}
