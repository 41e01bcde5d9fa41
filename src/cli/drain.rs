//! `drain HOST`: a host takes no more work.

use clap::Args;

use crate::{
    control::{self, Drained},
    exit::Exit,
    view::{
        Medium, Times, subject,
        text::{counted, harmless},
    },
};

use super::{
    Global,
    fail::Failure,
    open::{self, View, block_on},
    print,
    who::Author,
};

/// Lets a host take no more work, until this is undone
///
/// What it runs ends by itself; a daemon that is drained kills what has not ended after `[daemon] drain`. It stays, idle,
/// and a restart changes nothing: it is the host that is drained, and --undo ends it. The other hosts take over what is
/// due. A pass on that host takes nothing either.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 it is so now; 2 another session holds the row of the host; 64 no host has this name.

Examples:
  crontabber drain web1 --reason 'new disk'
  crontabber ongoing                             what it still runs
  crontabber drain web1 --undo")]
pub(super) struct Drain {
    /// The host, as `hosts` shows it
    // Not `host`: that is the name of a flag that every command has.
    #[arg(value_name = "HOST")]
    name: String,
    /// Let it take work again
    #[arg(long)]
    undo: bool,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Drain {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        block_on(async {
            let view = View::open(global).await?;
            let plan = view.plan();
            let known = open::host(&plan, &self.name)?;
            let author = Author::new(&view, self.reason.clone());
            let database = &view.database;
            let done = if self.undo {
                control::undrain(database, &author.by(), &self.name, None).await?
            } else {
                control::drain(database, &author.by(), &self.name, None).await?
            };
            let times = Times {
                now: plan.now,
                medium: Medium::of_stdout(),
            };
            let host = harmless(&self.name);
            let runs = subject::all(&plan).filter_map(|job| job.ongoing(plan.now));
            let runs = runs.filter(|run| run.host == self.name).count();
            let said = match (done, self.undo) {
                (Drained::Contended, _) => {
                    eprintln!("not changed: another session holds the row of {host}; try again");
                    return Ok(Exit::Contended);
                }
                (Drained::Done, false) => format!(
                    "{host} is drained: it takes no work until `crontabber drain {host} --undo`; {} end first",
                    counted(runs, "run")
                ),
                (Drained::Before, false) => {
                    let since = known.drained.map(|at| format!(" {}", times.both(at)));
                    format!("{host} was drained before{}", since.unwrap_or_default())
                }
                (Drained::Done, true) => format!("{host} takes work again"),
                (Drained::Before, true) => format!("{host} is not drained"),
            };
            print(&format!("{said}\n"))?;
            Ok(Exit::Ok)
        })
    }
}
