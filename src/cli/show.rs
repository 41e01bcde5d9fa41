//! `show JOB`: all of one job.

use clap::Args;

use crate::{
    exit::Exit,
    plan::Plan,
    view::{self, Medium, entry, subject::Subject},
};

use super::{
    Global,
    fail::Failure,
    open::{self, View, block_on},
    print,
};

/// One job: what it is, how it is, how it went
///
/// Its definition, its state and why, the next slots, the last runs, the end of the last output.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The job; of one that runs on each host all its rows, or one: JOB@HOST
    job: String,
    /// As an object, or of a job that runs on each host an array of them (docs/json.md)
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
            let subjects = open::subjects(&plan, &self.job)?;
            let mut shown = Vec::new();
            for &subject in &subjects {
                shown.push(self.one(&view, &plan, subject).await?);
            }
            print(&open::together(&self.job, &subjects, &shown, self.json))?;
            Ok(Exit::Ok)
        })
    }

    /// One row of it.
    async fn one(
        &self,
        view: &View,
        plan: &Plan<'_>,
        subject: Subject<'_>,
    ) -> Result<String, Failure> {
        let wanted = entry::Wanted {
            jobs: Some(&[subject.name()]),
            failed: false,
            entries: ENTRIES,
            output: OUTPUT,
        };
        let entries = entry::newest(&*view.connection().await?, &wanted).await?;
        let show = view::show::Show {
            plan,
            graph: &view.config.graph,
            subject,
            entries: &entries,
        };
        Ok(if self.json {
            show.json()
        } else {
            show.text(Medium::of_stdout())
        })
    }
}
