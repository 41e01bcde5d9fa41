//! `why JOB`: why it runs or does not run now.

use clap::Args;

use crate::{
    exit::Exit,
    view::{
        Medium, Times,
        why::{Known, explain},
    },
};

use super::{
    Global,
    fail::Failure,
    open::{self, block_on},
    print, understands,
};

/// Why a job runs or does not run now
///
/// The answer in a sentence, then everything a pass asks, one by one, then what to type next.
#[derive(Debug, Args)]
#[command(after_help = "\
In a pipe: the sentence, then one line a check: yes, no or - (not asked), the check, why.")]
pub(super) struct Why {
    /// The job; of one that runs on each host all its rows, or one: JOB@HOST
    job: String,
    /// As an object, or of a job that runs on each host an array of them (docs/json.md)
    #[arg(long)]
    json: bool,
}

impl Why {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        block_on(async {
            let view = open::View::open(global).await?;
            let plan = view.plan();
            let subjects = open::subjects(&plan, &self.job)?;
            let medium = if self.json {
                Medium::Pipe
            } else {
                Medium::of_stdout()
            };
            let times = Times {
                now: view.now(),
                medium,
            };
            let known = Known {
                plan: &plan,
                graph: &view.config.graph,
                place: &view.place,
                times,
            };
            let explained = subjects.iter().map(|subject| {
                let mut why = explain(subject, &known);
                why.commands.retain(|next| understands(&next.command));
                if self.json {
                    why.json()
                } else {
                    why.text(medium)
                }
            });
            let explained: Vec<String> = explained.collect();
            print(&open::together(&self.job, &subjects, &explained, self.json))?;
            Ok(Exit::Ok)
        })
    }
}
