//! The flags that run jobs: none, or `--job=X`.

use crate::{
    config::Config,
    control::{Answer, Claims, Happened},
    exit::Exit,
    pass::Pass,
    spec::JobName,
    view::{changes::Verb, legacy, subject, text::harmless},
};

use super::super::{
    Global,
    change::tell,
    fail::Failure,
    open::{self, View, block_on},
    reset, run, tick,
};

/// Everything that is due: a pass. A failed job is no failure of the pass, as crontabber has it.
pub(super) fn all(global: &Global, force: bool) -> Result<Exit, Failure> {
    if force {
        tracing::warn!("--force means nothing without --job: what is due is run, and nothing else");
    }
    tick::pass(global, |pass: &Pass| match pass.exit() {
        // A claim in doubt is no failed job: crontabber has no such thing, and somebody should look.
        Exit::Failed if pass.doubtful == 0 => Exit::Ok,
        exit => exit,
    })
}

/// One job if it is due, or by force. Not due, blocked, paused and failed are all 0, as crontabber has it; going on
/// elsewhere is 3 and a lost race 2, where crontabber dies with 1.
pub(super) fn one(global: &Global, description: &str, force: bool) -> Result<Exit, Failure> {
    let config = open::configuration(global)?;
    let name = named(&config, description)?;
    Ok(match run::one(global, config, &name, force)? {
        run::Ended::Ran(Exit::Failed | Exit::TimedOut) => Exit::Ok,
        run::Ended::Ran(exit) => exit,
        run::Ended::NotRun(Exit::NotDue, why) => {
            tracing::info!("not run: {}", harmless(&why));
            Exit::Ok
        }
        run::Ended::NotRun(exit, why) => {
            eprintln!("not run: {}", harmless(&why));
            exit
        }
    })
}

/// Forgets how a job has failed, and gives it its next slot. crontabber deletes the row, and with it the lock of
/// whoever is running the job; here a job that is running is refused, with its code for everything that went wrong.
pub(super) fn reset(global: &Global, description: &str) -> Result<Exit, Failure> {
    block_on(async {
        let view = View::open(global).await?;
        let name = named(&view.config, description)?;
        let plan = view.plan();
        let rows = subject::meant(&plan, name.as_str());
        let names: Vec<String> = rows.iter().map(|row| row.name().to_owned()).collect();
        let answer = reset::these(&view, &names, Claims::Respected, None).await?;
        if let Answer::Jobs(changes) = &answer {
            match changes.first().map(|change| &change.happened) {
                Some(Happened::Done) => eprintln!("App reset"),
                Some(Happened::NoRow) => {
                    eprintln!("App already reset");
                    return Ok(Exit::Ok);
                }
                _ => {}
            }
        }
        Ok(match tell(&view, Verb::Reset, answer, Vec::new(), false)? {
            Exit::Ongoing => Exit::Failed,
            exit => exit,
        })
    })
}

/// The job of this name or class, in crontabber's words if there is none.
pub(super) fn named(config: &Config, description: &str) -> Result<JobName, Failure> {
    let by_class = || {
        let mut jobs = config.graph.jobs().iter();
        jobs.find(|job| legacy::class(job).is_some_and(|class| class == description))
    };
    match open::job(config, description) {
        Ok(job) => Ok(job.name.clone()),
        Err(Failure::Usage(no_such)) => match by_class() {
            Some(job) => Ok(job.name.clone()),
            None => Err(Failure::JobNotFound(no_such)),
        },
        Err(failure) => Err(failure),
    }
}
