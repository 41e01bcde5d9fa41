//! `logs RUN|JOB`: what a run printed.

use std::{
    io::{self, Write},
    time::Duration,
};

use clap::Args;
use jiff::Timestamp;

use crate::{
    exit::Exit,
    plan::Plan,
    view::{
        Medium, Times,
        entry::{self, Entry, Prefix},
        logs,
        subject::{self, Subject},
        text::harmless,
    },
};

use super::{
    Global,
    cancel::wait,
    fail::Failure,
    follow,
    open::{self, View, block_on},
    print,
};

/// What a run printed
///
/// Of the run whose id begins so, or of the newest run of this job. Which run it was is told on stderr. On a terminal
/// control characters are shown as escapes; in a pipe the output is as it was recorded.
///
/// With --follow from any host while the run goes on, wherever it does: at once if the job says `stream_output = true`,
/// else at its end. Ctrl-C ends the following; the run goes on.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0; with --follow: 0 the run was a success, 1 it was not, 4 no run began within --wait.

Examples:
  crontabber logs report             its newest run
  crontabber logs 9b1deb4d           a run, by the beginning of its id as `history` shows it
  crontabber logs report --follow    its run that is going on, or the next one")]
pub(super) struct Logs {
    /// The beginning of a run's id, or a job
    #[arg(value_name = "RUN|JOB")]
    of: String,
    /// Print what comes until the run has ended; of a job that is not running, its next run
    #[arg(short, long)]
    follow: bool,
    /// With --follow: how long to wait for that next run [default: until Ctrl-C]
    #[arg(long, value_name = "TIME", requires = "follow", value_parser = wait)]
    wait: Option<Duration>,
}

/// How many runs are told apart for somebody whose prefix fits several.
const CANDIDATES: i64 = 6;

impl Logs {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        block_on(async {
            let view = open::View::open(global).await?;
            if self.follow {
                return self.follow(&view).await;
            }
            let entry = wanted(&view, &self.of).await?;
            let medium = Medium::of_stdout();
            let times = Times {
                now: view.now(),
                medium,
            };
            // The output is the answer; who has closed stderr does not want to know whose it is.
            let _ = writeln!(io::stderr(), "{}", logs::header(&entry, &times));
            // What has no record may have been streamed.
            let unrecorded = entry.run_id.filter(|_| logs::is_unrecorded(&entry));
            let is_told = match unrecorded {
                Some(run_id) => follow::so_far(&view, run_id).await?,
                None => false,
            };
            if let Some(remark) = logs::remark(&entry, is_told) {
                let _ = writeln!(io::stderr(), "{remark}");
            }
            print(&logs::output(&entry, medium))?;
            Ok(Exit::Ok)
        })
    }

    async fn follow(&self, view: &View) -> Result<Exit, Failure> {
        let plan = view.plan();
        let rows = subject::meant(&plan, &self.of);
        if !rows.is_empty() {
            let row = the_one(&rows, &self.of, view.now())?;
            return follow::follow_job(view, row.name(), self.wait).await;
        }
        let entry = run(view, &plan, &self.of).await?;
        let run_id = entry.run_id.expect("it was found by its id");
        follow::follow(view, run_id).await
    }
}

/// Whose run is followed: of a job that runs on each host the one that is running, or the one that is named.
fn the_one<'a>(rows: &[Subject<'a>], name: &str, now: Timestamp) -> Result<Subject<'a>, Failure> {
    let running = rows.iter().filter(|row| row.ongoing(now).is_some());
    match (running.collect::<Vec<_>>().as_slice(), rows) {
        ([one], _) => Ok(**one),
        (_, [one]) => Ok(*one),
        _ => {
            let names: Vec<&str> = rows.iter().map(Subject::name).collect();
            Err(Failure::Usage(format!(
                "`{name}` runs on several hosts; follow one of them: {}",
                names.join(", ")
            )))
        }
    }
}

/// The run that is meant. A name that is a job's is that job's, though it may look like the beginning of an id.
async fn wanted(view: &View, of: &str) -> Result<Entry, Failure> {
    let plan = view.plan();
    let rows: Vec<&str> = subject::meant(&plan, of)
        .iter()
        .map(Subject::name)
        .collect();
    if !rows.is_empty() {
        let client = view.connection().await?;
        let run = entry::newest_run(&client, &rows).await?;
        return run.ok_or_else(|| Failure::Usage(format!("`{}` has never run", harmless(of))));
    }
    run(view, &plan, of).await
}

/// The run whose id begins so.
pub(super) async fn run(view: &View, plan: &Plan<'_>, of: &str) -> Result<Entry, Failure> {
    let client = view.connection().await?;
    let mut runs = match Prefix::parse(of) {
        Some(prefix) => entry::runs_like(&client, prefix, CANDIDATES).await?,
        None => Vec::new(),
    };
    match (runs.pop(), runs.as_slice()) {
        (None, _) => Err(open::no_such(plan, "job or run", of)),
        (Some(run), []) => Ok(run),
        (Some(last), _) => {
            runs.push(last);
            Err(ambiguous(of, &runs))
        }
    }
}

fn ambiguous(prefix: &str, runs: &[Entry]) -> Failure {
    let candidates = runs
        .iter()
        .filter_map(|run| Some(format!("\n  {}  {}", run.run_id?, harmless(&run.name))));
    let candidates: String = candidates.collect();
    Failure::Usage(format!(
        "`{prefix}` is the beginning of several runs; type more of it:{candidates}"
    ))
}
