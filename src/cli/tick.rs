//! `tick`: one pass.

use std::io::{IsTerminal, stdout};

use clap::Args;

use crate::{
    exit::Exit,
    pass::Pass,
    plan::Verdict,
    stop::Stopper,
    tick::tick,
    view::{Medium, hosts, list::List},
};

use super::{
    Global,
    fail::Failure,
    open::{self, block_on},
    print,
};

/// Runs what is due, then exits.
///
/// Everything that is due and may run here, children as soon as their parents have succeeded. Silent when all is well, unless on a terminal or with -v: cron mails what it prints.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 all that was due ran well, or nothing was due; 1 a job failed; 2 another process held the row at
that instant; 3 what is due is going on elsewhere. For 2 and 3 nothing was run; a pass that ran something says 0 or 1.

Examples:
  * * * * *  crontabber tick         a line of a crontab
  crontabber tick --dry-run          what it would do, and why")]
pub(super) struct Tick {
    /// Print what would run and why the rest would not, and run nothing
    #[arg(long)]
    dry_run: bool,
}

impl Tick {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        if self.dry_run {
            return block_on(dry_run(global));
        }
        pass(global, Pass::exit)
    }
}

/// One pass, to the end of this process; `exit` says what its tally means.
pub(super) fn pass(global: &Global, exit: impl FnOnce(&Pass) -> Exit) -> Result<Exit, Failure> {
    let config = open::configuration(global)?;
    block_on(async {
        let engine = open::engine(global, config)?;
        engine.host.warn_of_refusals(&engine.graph);
        let mut stop = Stopper::listen()?;
        let pass = tick(&engine, &mut stop).await;
        if stdout().is_terminal() || global.verbose > 0 {
            summarize(&pass);
        }
        // Not by returning: to take the configuration of a thousand jobs apart takes longer than to read it.
        std::process::exit(exit(&pass).code().into())
    })
}

/// One line for people.
fn summarize(pass: &Pass) {
    let Pass {
        well,
        failed,
        contended,
        ongoing,
        changed,
        ..
    } = pass;
    tracing::info!(well, failed, contended, ongoing, changed, "pass over");
}

/// What would run, and the listing: the same plan that a pass makes.
async fn dry_run(global: &Global) -> Result<Exit, Failure> {
    let view = open::View::open(global).await?.of_a_pass();
    let plan = view.plan();
    let last_hosts = hosts::last_of_each(&*view.connection().await?).await?;
    let list = List {
        plan: &plan,
        last_hosts: &last_hosts,
        glob: None,
        states: &[],
    };
    let runs = plan
        .jobs
        .iter()
        .filter(|job| matches!(job.verdict, Verdict::Run(_)));
    let names: Vec<&str> = runs.map(|job| job.name.as_ref()).collect();
    let names = if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.join(", ")
    };
    let skips = plan.jobs.iter().filter_map(|job| match &job.verdict {
        Verdict::Skip(skip) => Some(format!("would skip slots of {}: {skip}\n", job.name)),
        _ => None,
    });
    print(&format!(
        "would run: {names}\n{}{}",
        skips.collect::<String>(),
        list.text(Medium::of_stdout())
    ))?;
    Ok(Exit::Ok)
}
