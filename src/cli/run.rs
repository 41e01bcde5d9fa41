//! `run JOB`: one job, here, now.

use std::{io::Write, sync::Arc};

use clap::Args;

use crate::{
    attended::{Attended, Waited},
    claim::{Claim, Claimed, claim},
    config::Config,
    engine::Engine,
    exit::Exit,
    pass::Ran,
    plan::{Due, Plan, Planned, Trigger, Verdict, plan},
    record::{Outcome, Recorded},
    rights::{Rights, refusal},
    spec::{JobName, on_host},
    stop::{Stop, Stopper},
    view::text::harmless,
};

use super::{
    Global,
    fail::Failure,
    open::{self, block_on},
};

/// Runs one job here, now.
///
/// Its pending slot if it is due, or with --force a run of its own that leaves the schedule alone.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 success; 1 failed; 2 another process held the row at that instant; 3 it is going on elsewhere;
4 not due, blocked or paused; 5 timed out.

Examples:
  crontabber run report              if it is due
  crontabber run report --force      in any case, unless it is running already")]
pub(super) struct Run {
    /// The job; of one that runs on each host the row of this one
    job: String,
    /// Run it though it is not due, blocked or paused; never while it is running
    #[arg(long)]
    force: bool,
}

impl Run {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        let config = open::configuration(global)?;
        let name = self.name(global, &config)?;
        Ok(match one(global, config, &name, self.force)? {
            Ended::Ran(exit) => exit,
            Ended::NotRun(exit, why) => {
                eprintln!("not run: {}", harmless(&why));
                exit
            }
        })
    }
}

impl Run {
    /// The job. `JOB@HOST` is understood where it can be done: on that host.
    fn name(&self, global: &Global, config: &Config) -> Result<JobName, Failure> {
        let row = on_host(&self.job).and_then(|(job, host)| {
            let job = open::job(config, job).ok()?;
            job.is_on_each().then_some((job, host))
        });
        let Some((job, host)) = row else {
            return Ok(open::job(config, &self.job)?.name.clone());
        };
        if open::place(global, config)?.host == host {
            return Ok(job.name.clone());
        }
        Err(Failure::Usage(format!(
            "`{}` is the row of another host; type `crontabber run {}` on {}",
            harmless(&self.job),
            job.name,
            harmless(host)
        )))
    }
}

/// What came of asking for one job.
pub(super) enum Ended {
    /// It was run, and what it printed was printed.
    Ran(Exit),
    /// It was not; why, beginning with its name.
    NotRun(Exit, String),
}

/// Runs one job of the configuration if it is due, or by force.
pub(super) fn one(
    global: &Global,
    config: Config,
    name: &JobName,
    force: bool,
) -> Result<Ended, Failure> {
    block_on(async {
        let engine = open::engine(global, config)?;
        let table = engine.look().await?;
        let plan = plan(&engine.graph, &table, &engine.host.place);
        let number = engine.graph.number(name);
        let number = number.expect("the graph holds the job that was looked up in it");
        let Some(job) = plan.here(number) else {
            let hosts = &engine.graph.jobs()[number].placement.hosts;
            let why = format!("{name} runs on each of hosts = {hosts:?}, and this is none of them");
            return Ok(Ended::NotRun(Exit::NotDue, why));
        };
        match wanted(&plan, job, &engine.host.place.rights, force) {
            Ok(due) => run(&engine, job, &due).await,
            Err((why, exit)) => Ok(Ended::NotRun(exit, format!("{} {why}", job.name))),
        }
    })
}

/// What to claim, or why nothing and with which exit code.
fn wanted(
    plan: &Plan<'_>,
    job: &Planned<'_>,
    rights: &Rights,
    force: bool,
) -> Result<Due, (String, Exit)> {
    if let Verdict::Ongoing(live) = &job.verdict {
        let host = live.host.as_deref().unwrap_or("a Python host");
        return Err((
            format!("is running on {host} since {}", live.since),
            Exit::Ongoing,
        ));
    }
    if job.spec.keep_running {
        // By hand it would end with the terminal, and keep the daemons off until then.
        let why = "is kept running by daemons; `crontabber cancel` starts it anew where it runs";
        return Err((why.to_owned(), Exit::NotDue));
    }
    if let Some(why) = refusal(job.spec, rights) {
        return Err((format!("cannot run here: {why}"), Exit::Configuration));
    }
    if force {
        let failures = job.row.map_or(0, |row| row.error_count);
        return Ok(Due {
            pending: None,
            slot: plan.now,
            skipped: None,
            start_by: None,
            trigger: Trigger::Manual,
            needs: Vec::new(),
            failures: u32::try_from(failures).unwrap_or(0),
            asked: None,
        });
    }
    let hint = "; --force runs it all the same";
    match &job.verdict {
        Verdict::Run(due) => Ok(due.clone()),
        Verdict::NotYet(at) => Err((format!("is not due before {at}{hint}"), Exit::NotDue)),
        Verdict::AfterParents => Err((
            format!("waits for its parents to succeed anew{hint}"),
            Exit::NotDue,
        )),
        _ => Err((
            format!("is {}: {}{hint}", job.state(plan.now), job.reason()),
            Exit::NotDue,
        )),
    }
}

async fn run(engine: &Arc<Engine>, job: &Planned<'_>, due: &Due) -> Result<Ended, Failure> {
    let name = &job.name;
    // Before the claim: a signal that came between the two would leave the job claimed and not run.
    let mut stop = Stopper::listen()?;
    let claimed = claim(
        &engine.database,
        &engine.host.place,
        job.spec,
        due,
        engine.now,
    )
    .await?;
    let (exit, why) = match claimed {
        Claimed::Ours(claim) => return attend(engine, *claim, &mut stop).await.map(Ended::Ran),
        Claimed::Contended => (
            Exit::Contended,
            "is in the hands of another process at this moment; try again".to_owned(),
        ),
        Claimed::Ongoing(live) => {
            let host = live.host.as_deref().unwrap_or("a Python host");
            (Exit::Ongoing, format!("has just been started on {host}"))
        }
        Claimed::Changed | Claimed::Gone => (Exit::NotDue, "is not due any more".to_owned()),
        Claimed::Doubtful(why) => (Exit::Failed, format!("is in doubt: {why}")),
    };
    Ok(Ended::NotRun(exit, format!("{name} {why}")))
}

/// Waits for the run, and says what a request to stop does to it.
async fn attend(engine: &Arc<Engine>, claim: Claim, stop: &mut Stopper) -> Result<Exit, Failure> {
    let limit = engine.drain;
    let tell_request = |request| {
        if request == Stop::Drain {
            eprintln!("asked to stop: waiting {limit:?} for the run; ask again to kill it");
        }
    };
    let run = Attended::start(engine, claim);
    let Waited { ran, asked } = run.wait(stop, Some(limit), tell_request).await?;
    let exit = if let Some(ran) = &ran {
        tell(ran)?
    } else {
        eprintln!("{UNRECORDED}");
        Exit::Failed
    };
    Ok(match asked {
        Some(Stop::Kill(signal)) => Exit::of_signal(signal),
        Some(Stop::Drain) | None => exit,
    })
}

/// What becomes of a run that was killed while the database was away.
const UNRECORDED: &str =
    "the run was killed and could not be recorded; it is `lost` when its lease is over";

/// What the run printed, how it ended, and the exit code.
fn tell(ran: &Ran) -> Result<Exit, Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(ran.output.as_bytes())?;
    stdout.flush()?;
    let unrecorded = match ran.recorded {
        Recorded::Fenced => Some("fenced: another host holds the job"),
        Recorded::Forgotten => Some("forgotten: the database has lost the claim"),
        Recorded::Written(_) | Recorded::Already => None,
    };
    if let Some(why) = unrecorded {
        eprintln!("{}: {why}; the outcome was not recorded", ran.held.job());
        return Ok(Exit::Failed);
    }
    if ran.after.outcome != Outcome::Success {
        let how = ran.after.summary();
        eprintln!("{}: {}", ran.held.job(), harmless(&how));
    }
    Ok(match ran.after.outcome {
        Outcome::Success => Exit::Ok,
        Outcome::Timeout => Exit::TimedOut,
        Outcome::Failure | Outcome::Cancelled | Outcome::Lost => Exit::Failed,
    })
}
