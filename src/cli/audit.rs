//! `audit [JOB]`: who changed what by hand.

use clap::Args;

use crate::{
    exit::Exit,
    view::{Medium, audit},
};

use super::{
    Global,
    fail::Failure,
    open::{self, block_on},
    print,
};

/// Who changed what by hand, when and why
///
/// Newest first: `pause`, `resume`, `reset`, `cancel`, `mark`, `remove_ghost`. With --json also what the row held before
/// and after.
#[derive(Debug, Args)]
#[command(after_help = "\
In a pipe the columns are: when, who, what, job, reason.

Examples:
  crontabber audit                   the last twenty changes
  crontabber audit report --json     those of one job, with every value")]
pub(super) struct Audit {
    /// Only this job; also one that is gone
    job: Option<String>,
    /// How many, at most
    #[arg(short, default_value_t = 20, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    n: u32,
    /// As an array of objects (docs/json.md)
    #[arg(long)]
    json: bool,
}

impl Audit {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        block_on(async {
            let view = open::View::open(global).await?;
            let plan = view.plan();
            let jobs = self.job.as_deref().map(|job| open::rows_of(&plan, job));
            let client = view.connection().await?;
            let audited = audit::newest(&client, jobs.as_deref(), self.n).await?;
            if let Some(job) = self.job.as_deref().filter(|_| audited.is_empty()) {
                open::subjects(&plan, job)?;
            }
            print(&if self.json {
                audit::json(&audited)
            } else {
                audit::text(&audited, view.now(), Medium::of_stdout())
            })?;
            Ok(Exit::Ok)
        })
    }
}
