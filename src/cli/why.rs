//! `why JOB`: why it runs or does not run now; `--at T`: what became of a slot.

use clap::Args;
use jiff::Timestamp;

use crate::{
    exit::Exit,
    view::{
        Medium, Times, entry,
        subject::Subject,
        why::{Known, at::explain_at, explain},
    },
};

use super::{
    Global,
    fail::Failure,
    instant::typed,
    open::{self, View, block_on},
    print, understands,
};

/// Why a job runs or does not run now
///
/// The answer in a sentence, then everything a pass asks, one by one, then what to type next.
///
/// With --at, what became of one slot: the verdict in a sentence, then each attempt at it. An instant that is no slot means
/// the latest slot before it. Of a slot that is pending, or lies ahead, all that is said without --at is said, too.
#[derive(Debug, Args)]
#[command(after_help = "\
In a pipe: the sentence, then one line a check: yes, no or - (not asked), the check, why. With --at one line an attempt
before them: its outcome, which, where and when.

Examples:
  crontabber why report
  crontabber why report --at 2031-05-05T07:00:00Z
  crontabber why report --at 2031-05-05T09:00          in local time")]
pub(super) struct Why {
    /// The job; of one that runs on each host all its rows, or one: JOB@HOST
    job: String,
    /// What became of the slot of this instant: with its offset, or in local time
    #[arg(long, value_name = "T")]
    at: Option<String>,
    /// As an object, or of a job that runs on each host an array of them (docs/json.md)
    #[arg(long)]
    json: bool,
}

impl Why {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        block_on(async {
            let at = self.at.as_deref();
            let at = at.map(|text| typed("--at", text)).transpose()?;
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
            let mut explained = Vec::new();
            for subject in &subjects {
                explained.push(match at {
                    None => self.now(subject, &known),
                    Some(at) => self.then(subject, at, &view, &known).await?,
                });
            }
            print(&open::together(&self.job, &subjects, &explained, self.json))?;
            Ok(Exit::Ok)
        })
    }

    /// Why a row runs or does not run now.
    fn now(&self, subject: &Subject<'_>, known: &Known<'_>) -> String {
        let mut why = explain(subject, known);
        why.commands.retain(|next| understands(&next.command));
        if self.json {
            why.json()
        } else {
            why.text(known.times.medium)
        }
    }

    /// What became of a slot of it.
    async fn then(
        &self,
        subject: &Subject<'_>,
        at: Timestamp,
        view: &View,
        known: &Known<'_>,
    ) -> Result<String, Failure> {
        let log = entry::of_slot(&*view.connection().await?, subject.name(), at).await?;
        let mut at = explain_at(subject, at, &log, known);
        let of_why = at.why.iter_mut().map(|why| &mut why.commands);
        for commands in of_why.chain([&mut at.commands]) {
            commands.retain(|next| understands(&next.command));
        }
        Ok(if self.json {
            at.json()
        } else {
            at.text(&known.times)
        })
    }
}
