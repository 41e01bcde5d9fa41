//! `mark JOB... --success`: a slot that counts as succeeded without a run.

use clap::Args;

use crate::{
    control::{self, Change, Decision, Happened},
    exit::Exit,
    spec::RowName,
    view::changes::Verb,
};

use super::{
    Global,
    change::tell,
    fail::Failure,
    instant::typed,
    names::{Among, NamesOrAll, resolve, targets},
    open::{View, block_on},
    who::Author,
};

/// Counts a slot of a job as succeeded, without running it
///
/// The newest slot there is, with those that have gone by before it; or the one that --slot names. Its failures are
/// over, the job waits for its next slot, and children that wait for this one may run. For work that was done by hand,
/// or a first deploy on which nothing old shall fire. Not while the job is running.
#[derive(Debug, Args)]
#[command(after_help = "\
A job that no host has met yet gets its row. A job without a schedule counts what its parents did last as handled.

In a pipe: one line a job: marked (or succeeded: there was nothing to do), its name, which slot.
Exit codes: 0 it has succeeded now; 2 another session held the row, or changed it at that moment; 3 it is running; 64 a name or the slot is wrong, nothing was changed.

Examples:
  crontabber mark report --success --reason 'sent by hand'
  crontabber mark report --success --slot 2031-05-05T07:00:00Z
  crontabber mark --all --success                              on the first deploy")]
pub(super) struct Mark {
    #[command(flatten)]
    names: NamesOrAll,
    /// As succeeded: the only verdict a person can give
    #[arg(long, required = true)]
    success: bool,
    /// The slot, a past one: with its offset, or in local time [default: the newest there is]
    #[arg(long, value_name = "T", conflicts_with = "all")]
    slot: Option<String>,
    /// Why, for the log and the audit
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// As an array of objects (docs/json.md)
    #[arg(long)]
    json: bool,
}

impl Mark {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        block_on(async {
            let mut view = View::open(global).await?;
            let slot = self.slot.as_deref();
            let slot = slot.map(|text| typed("--slot", text)).transpose()?;
            let names = if self.names.all {
                let plan = view.plan();
                plan.jobs.iter().map(|job| job.name.to_string()).collect()
            } else {
                resolve(&view, &self.names.jobs, self.names.yes, Among::Jobs)?
            };
            view.meet(&names).await?;
            let wanted = |row: &RowName| names.iter().any(|name| name == row.as_str());
            let graph = &view.config.graph;
            let decisions = control::markings(graph, view.table(), &view.place, wanted, slot);
            let (mut markings, mut others) = (Vec::new(), Vec::new());
            let plan = view.plan();
            for (name, decision) in decisions {
                let happened = match decision {
                    Decision::Mark(marking) => {
                        markings.push(*marking);
                        continue;
                    }
                    Decision::Succeeded(slot) => Happened::Succeeded(slot),
                    Decision::NoSlot => Happened::NoSlot,
                    Decision::NoRow => Happened::NoRow,
                    Decision::Ahead | Decision::NotASlot { .. } => {
                        return Err(wrong_slot(&name, &decision));
                    }
                };
                let name = [name.to_string()];
                let target = targets(&plan, &name);
                others.extend(
                    target
                        .iter()
                        .map(|target| Change::refused(target, happened.clone())),
                );
            }
            let author = Author::new(&view, self.reason);
            let answer = control::mark(&view.database, &author.by(), &markings, None).await?;
            tell(&view, Verb::Mark, answer, others, self.json)
        })
    }
}

fn wrong_slot(name: &RowName, decision: &Decision) -> Failure {
    let Decision::NotASlot { before, after } = decision else {
        return Failure::Usage(format!(
            "the slot lies ahead; to leave it out, pause {name} until it is over: crontabber pause {name} --until T; \
             nothing was changed"
        ));
    };
    let near: Vec<String> = [before, after]
        .into_iter()
        .flatten()
        .map(|slot| format!("`{slot}`"))
        .collect();
    Failure::Usage(format!(
        "that is no slot of {name}; those around it: {}; nothing was changed",
        near.join(" and ")
    ))
}
