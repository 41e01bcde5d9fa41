//! `trigger JOB`: one run of a job, wherever it may run.

use std::{
    io::{self, Write},
    time::Duration,
};

use clap::Args;
use tokio::time::{Instant, sleep};

use crate::{
    control::{self, Answer, Change},
    duration::written,
    exit::Exit,
    plan::{self, Plan, no_host},
    view::{
        Medium, Times,
        entry::short,
        logs,
        subject::Subject,
        text::harmless,
        trigger::{Request, Trigger as Told, look_up},
    },
};

use super::{
    Global,
    cancel::wait,
    fail::Failure,
    open::{self, View, block_on},
    print,
    who::Author,
};

/// Asks for one run of a job, on whichever host may run it
///
/// The next host that looks claims it: a daemon at once, others with their next pass. It runs though it is not due,
/// paused, or blocked by a parent, but only where its `hosts` allow it, and after a run that is going on. The schedule is
/// left alone. A run that is lost is not repeated.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 it was asked for; 2 another session holds the row; 4 an earlier request waits for a host still, or somebody took it back; 78 no host of this version can run it.
With --follow those of the run: 0 success; 1 failed; 5 timed out; and 3 it has not ended within --wait.

Examples:
  crontabber trigger report                      ask, and go
  crontabber trigger report --follow             wait for its end, and print what it printed
  crontabber trigger report --follow --wait 10m  but not for longer
  crontabber cancel report                       take it back before a host claims it")]
pub(super) struct Trigger {
    /// The job, by its exact name
    #[arg(value_name = "JOB")]
    job: String,
    /// Wait for the run's end, print its output, and end as it did
    #[arg(long)]
    follow: bool,
    /// How long to follow it
    #[arg(long, value_name = "TIME", default_value = "12h", value_parser = wait, requires = "follow")]
    wait: Duration,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// As an object (docs/json.md)
    #[arg(long)]
    json: bool,
}

/// How often it is asked what has become of the request: at first, and when that has taken a while.
const ASK_EVERY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(1));
const A_WHILE: Duration = Duration::from_secs(10);

impl Trigger {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        block_on(async {
            let mut view = View::open(global).await?;
            if let Some(why) = unsupported(&view.plan(), &self.job) {
                eprintln!("not asked: {why}");
                return Ok(Exit::Configuration);
            }
            let known_by = known_by(&view, &self.job).await?;
            view.meet(std::slice::from_ref(&self.job)).await?;
            let mut told = self.ask(&view, &known_by).await?;
            if self.follow && told.is_asked() {
                self.follow(&view, &mut told).await?;
            }
            let medium = if self.json {
                Medium::Pipe
            } else {
                Medium::of_stdout()
            };
            self.tell(&told, &times(&view, medium))?;
            Ok(told.exit())
        })
    }

    async fn ask(&self, view: &View, known_by: &[String]) -> Result<Told, Failure> {
        let (plan, author) = (view.plan(), Author::new(view, self.reason.clone()));
        let subject = open::subject(&plan, &self.job)?;
        let (hosts, no_host) = who_may(&plan, &subject, known_by);
        let told = Told {
            name: self.job.clone(),
            ongoing: subject.ongoing(plan.now),
            hosts,
            no_host,
            ..Told::default()
        };
        let answer = control::trigger(&view.database, &author.by(), &self.job, None).await?;
        let Answer::Jobs(changes) = answer else {
            return Ok(told);
        };
        let change = changes.into_iter().next();
        let request = |change: &Change| Some(change.after.as_ref()?.triggered.as_deref()?.clone());
        Ok(Told {
            request: change.as_ref().and_then(request),
            happened: change.map(|change| change.happened),
            ..told
        })
    }

    /// Waits until a host claims the run, and then for its end.
    async fn follow(&self, view: &View, told: &mut Told) -> Result<(), Failure> {
        let Some(request) = told.request.clone() else {
            return Ok(());
        };
        eprint!("{}", told.text(&times(view, Medium::Pipe)));
        told.followed = Some(written(self.wait));
        let client = view.connection().await?;
        let since = Instant::now();
        let mut claimed = false;
        loop {
            match look_up(&client, &self.job, &request).await? {
                Request::Waits => {}
                Request::Gone => {
                    told.is_gone = true;
                    return Ok(());
                }
                Request::Run(run) => {
                    if !claimed {
                        claimed = true;
                        let host = harmless(run.host.as_deref().unwrap_or_default());
                        let id = run.run_id.map(short).unwrap_or_default();
                        eprintln!("claimed by {host}, run {id}, after {:.1?}", since.elapsed());
                    }
                    let is_over = run.outcome != "running";
                    told.run = Some(*run);
                    if is_over {
                        return Ok(());
                    }
                }
            }
            let left = self.wait.saturating_sub(since.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            let (soon, late) = ASK_EVERY;
            let pause = if since.elapsed() < A_WHILE {
                soon
            } else {
                late
            };
            sleep(pause.min(left)).await;
        }
    }

    /// What a run printed goes to stdout, and what became of it to stderr; of a request that nobody follows that is the
    /// answer.
    fn tell(&self, told: &Told, times: &Times) -> Result<(), Failure> {
        if self.json {
            return Ok(print(&told.json(times))?);
        }
        match &told.run {
            Some(run) => {
                print(&logs::output(run, times.medium))?;
                let _ = io::stderr().write_all(told.text(times).as_bytes());
            }
            None if told.exit() == Exit::Ok => print(&told.text(times))?,
            None => {
                let _ = io::stderr().write_all(told.text(times).as_bytes());
            }
        }
        Ok(())
    }
}

fn times(view: &View, medium: Medium) -> Times {
    Times {
        now: view.now(),
        medium,
    }
}

/// Of a row that this configuration does not know: the hosts that do. A job of ours is known here.
async fn known_by(view: &View, name: &str) -> Result<Vec<String>, Failure> {
    let plan = view.plan();
    let Subject::Ghost(..) = open::subject(&plan, name)? else {
        return Ok(Vec::new());
    };
    let client = view.connection().await?;
    let mut known = control::ghosts(&client, &[name], &view.place.host, None).await?;
    let mut hosts = known.remove(name).unwrap_or_default().known_by;
    let pythons = hosts.iter().any(|host| host == "python");
    hosts.retain(|host| host != "python");
    if !hosts.is_empty() {
        return Ok(hosts);
    }
    let name = harmless(name);
    Err(Failure::Usage(if pythons {
        format!("`{name}` is known to Python hosts only, which take no orders; nothing was asked")
    } else {
        format!(
            "`{name}` is a row that no host's configuration has, and nobody would run it (crontabber ghosts)"
        )
    }))
}

/// Why no host of this version can run the job.
fn unsupported(plan: &Plan<'_>, name: &str) -> Option<String> {
    let job = plan.get(name)?;
    let what = plan::unsupported(job.spec)?;
    Some(format!(
        "this version does not run `{what}` jobs yet, such as {name}"
    ))
}

/// The live hosts that may claim a run of it; or why there is none.
fn who_may(
    plan: &Plan<'_>,
    subject: &Subject<'_>,
    known_by: &[String],
) -> (Vec<String>, Option<String>) {
    let live = plan.hosts.iter().filter(|seen| seen.takes_work(plan.now));
    let may = live.filter(|seen| match subject {
        Subject::Job(job) => seen.place.matches(&job.spec.placement),
        Subject::Ghost(..) => known_by.contains(&seen.place.host),
    });
    let hosts: Vec<String> = may.map(|seen| seen.place.host.clone()).collect();
    if !hosts.is_empty() {
        return (hosts, None);
    }
    let placed = match subject {
        Subject::Job(job) => no_host(&job.spec.placement, plan.hosts, plan.now),
        Subject::Ghost(..) => None,
    };
    let why = placed.map_or_else(
        || "no live host that may run it".to_owned(),
        |no_host| no_host.sentence(|at| format!("since {at}")),
    );
    (hosts, Some(why))
}
