//! `pause JOB... | --all` and `resume JOB... | --all`.

use clap::Args;
use jiff::tz::TimeZone;

use crate::{
    control::{self, Target},
    exit::Exit,
    plan::ON_LOST,
    store::table::never,
    view::changes::Verb,
};

use super::{
    Global,
    change::tell,
    fail::Failure,
    names::{Among, NamesOrAll, refuse_others, resolve, targets},
    open::{View, block_on},
    who::Author,
};

/// Starts no run of a job before an instant, or until it is resumed
///
/// On no host, Python's included. A run that is going on goes on (`crontabber cancel` ends it). A job that no host has
/// met yet gets its row, so that it can be paused before its first run. A job that is paused already gets the new end
/// and reason.
#[derive(Debug, Args)]
#[command(after_help = "\
T is how long from now (`2h`, `3d`), a local time of this machine (`2031-05-05T09:00`, in the zone of TZ or of /etc/localtime, which is told), or one with its offset (`2031-05-05T09:00:00Z`). With --all, jobs that are held after a lost run are left alone: they wait for a person to name them.

In a pipe: one line a job: paused, its name, until when.
Exit codes: 0 paused; 2 another session holds a row, nothing was changed; 64 a name is wrong, nothing was changed.

Examples:
  crontabber pause report                                  until it is resumed
  crontabber pause report --until 2h --reason 'disk swap'
  crontabber pause 'feed-*' --yes                          all that begin so
  crontabber pause --all --until 2031-05-05T09:00")]
pub(super) struct Pause {
    #[command(flatten)]
    names: NamesOrAll,
    /// Until when [default: until it is resumed]
    #[arg(long, value_name = "T")]
    until: Option<String>,
    /// Why, for those who wonder: `list` and `why` show it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// As an array of objects (docs/json.md)
    #[arg(long)]
    json: bool,
}

/// Ends the pause of a job, or its hold after a lost run
///
/// If its slot has passed meanwhile, the job is due at once and runs once. A slot without a clock of its own, whose last
/// run failed, is tried again.
#[derive(Debug, Args)]
#[command(after_help = "\
With --all, every pause ends, whoever began it; a job that is held after a lost run waits for a person to name it.

In a pipe: one line a job: resumed or not_paused, its name, when it runs next.
Exit codes: 0 it is not paused now; 2 another session holds a row, nothing was changed; 64 a name is wrong, nothing was changed.

Examples:
  crontabber resume report
  crontabber resume --all")]
pub(super) struct Resume {
    #[command(flatten)]
    names: NamesOrAll,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// As an array of objects (docs/json.md)
    #[arg(long)]
    json: bool,
}

impl Pause {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        block_on(async {
            let mut view = View::open(global).await?;
            let until = match &self.until {
                None => never(),
                Some(text) => instant(text, &view)?,
            };
            let names = meant(&view, &self.names, |target| !is_held(target, &view))?;
            refuse_others(&view, &names).await?;
            view.meet(&names).await?;
            let (plan, author) = (view.plan(), Author::new(&view, self.reason));
            let targets = targets(&plan, &names);
            let answer = control::pause(
                &view.database,
                &author.by(),
                &targets,
                until,
                view.now(),
                None,
            )
            .await?;
            if self.names.all {
                tell_of_held(&view);
            }
            tell(&view, Verb::Pause, answer, Vec::new(), self.json)
        })
    }
}

impl Resume {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        block_on(async {
            let view = View::open(global).await?;
            let names = meant(&view, &self.names, |target| {
                is_paused(target, &view) && !is_held(target, &view)
            })?;
            refuse_others(&view, &names).await?;
            let (plan, author) = (view.plan(), Author::new(&view, self.reason));
            let targets = targets(&plan, &names);
            let answer =
                control::resume(&view.database, &author.by(), &targets, view.now(), None).await?;
            if self.names.all {
                tell_of_held(&view);
                if names.is_empty() {
                    eprintln!("no job of this configuration is paused");
                }
            }
            tell(&view, Verb::Resume, answer, Vec::new(), self.json)
        })
    }
}

/// The names that were typed; or of all jobs of this configuration those that fit.
fn meant(
    view: &View,
    names: &NamesOrAll,
    fits: impl Fn(&Target<'_>) -> bool,
) -> Result<Vec<String>, Failure> {
    if !names.all {
        return resolve(view, &names.jobs, names.yes, Among::All);
    }
    Ok(of_configuration(view, fits))
}

fn of_configuration(view: &View, fits: impl Fn(&Target<'_>) -> bool) -> Vec<String> {
    let plan = view.plan();
    let jobs = plan.jobs.iter().map(|job| Target {
        name: &job.name,
        spec: Some(job.spec),
        row: job.row,
    });
    jobs.filter(fits)
        .map(|target| target.name.to_owned())
        .collect()
}

fn is_paused(target: &Target<'_>, view: &View) -> bool {
    let until = target.row.and_then(|row| row.paused_until);
    until.is_some_and(|until| until > view.now())
}

fn is_held(target: &Target<'_>, view: &View) -> bool {
    let by = target.row.and_then(|row| row.paused_by.as_deref());
    is_paused(target, view) && by == Some(ON_LOST)
}

/// Which jobs `--all` has left out.
fn tell_of_held(view: &View) {
    let held = of_configuration(view, |target| is_held(target, view));
    if !held.is_empty() {
        eprintln!("left alone, held after a lost run: {}", held.join(", "));
    }
}

/// The instant that was typed; which zone was taken for a wall time is told.
fn instant(text: &str, view: &View) -> Result<jiff::Timestamp, Failure> {
    let until = control::until(text, view.now(), &TimeZone::system())
        .map_err(|error| Failure::Usage(error.to_string()))?;
    if let Some(zone) = &until.zone {
        eprintln!("--until {text} is {} ({zone})", until.at);
    }
    Ok(until.at)
}
