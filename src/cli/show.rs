//! `show JOB`: all of one job.

use clap::Args;

use crate::{
    exit::Exit,
    view::{self, Medium, entry},
};

use super::{
    Global,
    fail::Failure,
    open::{self, block_on},
    print,
};

/// One job: what it is, how it is, how it went
///
/// Its definition, its state and why, the next slots, the last runs, the end of the last output.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The job
    job: String,
    /// As an object (docs/json.md)
    #[arg(long)]
    json: bool,
}

/// How many entries of the log are looked at.
const ENTRIES: u32 = 20;
/// How many characters of the end of each output.
const OUTPUT: u32 = 2_000;

impl Show {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        block_on(async {
            let view = open::View::open(global).await?;
            let plan = view.plan();
            let subject = open::subject(&plan, &self.job)?;
            let wanted = entry::Wanted {
                job: Some(subject.name()),
                failed: false,
                entries: ENTRIES,
                output: OUTPUT,
            };
            let entries = entry::newest(&*view.connection().await?, &wanted).await?;
            let show = view::show::Show {
                plan: &plan,
                graph: &view.config.graph,
                subject,
                entries: &entries,
            };
            print(&if self.json {
                show.json()
            } else {
                show.text(Medium::of_stdout())
            })?;
            Ok(Exit::Ok)
        })
    }
}
