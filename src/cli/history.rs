//! `history [JOB]`: the runs there were.

use clap::Args;

use crate::{
    exit::Exit,
    view::{Medium, counts, entry, history},
};

use super::{
    Global,
    fail::Failure,
    open::{self, block_on},
    print,
};

/// The runs there were
///
/// Newest first; and the slots that did not run, with the reason.
#[derive(Debug, Args)]
#[command(after_help = "\
In a pipe the columns are: run, job, started, took (seconds), attempt, outcome, trigger, host, why, what it has
counted (JSON; docs/actions.md).

Examples:
  crontabber history report -n 5     the last five of one job
  crontabber history --failed        what went wrong lately, of all jobs")]
pub(super) struct History {
    /// Only this job, on all its hosts, or only JOB@HOST; also one that only the history knows
    job: Option<String>,
    /// How many, at most
    #[arg(short, default_value_t = 20, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    n: u32,
    /// Only failures, timeouts and losses
    #[arg(long)]
    failed: bool,
    /// As an array of objects (docs/json.md)
    #[arg(long)]
    json: bool,
}

impl History {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        block_on(async {
            let view = open::View::open(global).await?;
            let plan = view.plan();
            let jobs = self.job.as_deref().map(|job| open::rows_of(&plan, job));
            let wanted = entry::Wanted {
                jobs: jobs.as_deref(),
                failed: self.failed,
                entries: self.n,
                output: counts::LONGEST.into(),
            };
            let entries = entry::newest(&*view.connection().await?, &wanted).await?;
            if let Some(job) = self.job.as_deref().filter(|_| entries.is_empty()) {
                open::subjects(&plan, job)?;
            }
            print(&if self.json {
                history::json(&entries)
            } else {
                history::text(&entries, view.now(), Medium::of_stdout())
            })?;
            Ok(Exit::Ok)
        })
    }
}
