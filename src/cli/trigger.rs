//! `trigger JOB`: one run of a job, wherever it may run.

use std::{
    io::{self, Write},
    time::Duration,
};

use clap::Args;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    control::{self, Answer, Change},
    duration::written,
    exit::Exit,
    plan::{Plan, no_host},
    store::Connection,
    view::{
        Medium, Times,
        entry::{Entry, short},
        subject::{self, Subject},
        text::harmless,
        trigger::{Request, Trigger as Told, look_up},
    },
};

use super::{
    Global,
    cancel::wait,
    fail::Failure,
    follow::{self, ask, tell},
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
Exit codes: 0 it was asked for; 2 another session holds the row; 4 an earlier request waits for a host still, somebody took this one back, or the job is kept running; 78 no host of this version can run it.
With --follow those of the run: 0 success; 1 failed; 5 timed out; and 3 it has not ended within --wait.

Examples:
  crontabber trigger report                      ask, and go
  crontabber trigger report --follow             wait for its end, and print what it printed
  crontabber trigger report --follow --wait 10m  but not for longer
  crontabber cancel report                       take it back before a host claims it")]
pub(super) struct Trigger {
    /// The job, by its exact name; JOB@HOST, if it runs on each host
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
            let row = row(&view, &self.job)?;
            if let Some((why, exit)) = not_to_be_asked_for(&view.plan(), &row) {
                tell(&format!("not asked: {why}"));
                return Ok(exit);
            }
            let known_by = known_by(&view, &row).await?;
            view.meet(std::slice::from_ref(&row)).await?;
            let mut told = self.ask(&view, row, &known_by).await?;
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

    async fn ask(&self, view: &View, row: String, known_by: &[String]) -> Result<Told, Failure> {
        let (plan, author) = (view.plan(), Author::new(view, self.reason.clone()));
        let subject =
            subject::named(&plan, &row).ok_or_else(|| open::no_such(&plan, "job", &row))?;
        let (hosts, no_host) = who_may(&plan, &subject, known_by);
        let answer = control::trigger(&view.database, &author.by(), &row, None).await?;
        let told = Told {
            ongoing: subject.ongoing(plan.now),
            name: row,
            hosts,
            no_host,
            ..Told::default()
        };
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

    /// Waits until a host claims the run, and then for its end. People see what it prints as `logs --follow` does.
    async fn follow(&self, view: &View, told: &mut Told) -> Result<(), Failure> {
        let Some(request) = told.request.clone() else {
            return Ok(());
        };
        let _ = io::stderr().write_all(told.text(&times(view, Medium::Pipe)).as_bytes());
        told.followed = Some(written(self.wait));
        let since = Instant::now();
        let left = || self.wait.saturating_sub(since.elapsed());
        let (name, mut is_claimed) = (told.name.clone(), false);
        loop {
            let look = async |client: &Connection| look_up(client, &name, &request).await;
            match ask(view, look).await? {
                Request::Waits => {}
                Request::Gone => {
                    told.is_gone = true;
                    return Ok(());
                }
                Request::Run(run) => {
                    if !is_claimed {
                        is_claimed = true;
                        self.claimed(view, &run, since, left()).await?;
                    }
                    let is_over = run.outcome != "running";
                    told.run = Some(*run);
                    if is_over {
                        return Ok(());
                    }
                }
            }
            if left().is_zero() {
                return Ok(());
            }
            let (soon, late) = ASK_EVERY;
            let pause = if since.elapsed() < A_WHILE {
                soon
            } else {
                late
            };
            sleep(pause.min(left())).await;
        }
    }

    /// Names the host, and tells the run to its end, within this time.
    async fn claimed(
        &self,
        view: &View,
        run: &Entry,
        since: Instant,
        limit: Duration,
    ) -> Result<(), Failure> {
        let host = run.host.as_deref().unwrap_or_default();
        let id = run.run_id.map(short).unwrap_or_default();
        tell(&format!(
            "claimed by {host}, run {id}, after {:.1?}",
            since.elapsed()
        ));
        if let Some(run_id) = run.run_id.filter(|_| !self.json) {
            // Its own exit code knows of no timeouts.
            if let Ok(followed) = timeout(limit, follow::follow(view, run_id)).await {
                followed?;
            }
        }
        Ok(())
    }

    /// The answer; of a run that was told to its end there is no more to say.
    fn tell(&self, told: &Told, times: &Times) -> Result<(), Failure> {
        let is_told = told
            .run
            .as_ref()
            .is_some_and(|run| run.outcome != "running");
        match told.exit() {
            _ if self.json => print(&told.json(times))?,
            _ if is_told => {}
            Exit::Ok => print(&told.text(times))?,
            _ => {
                let _ = io::stderr().write_all(told.text(times).as_bytes());
            }
        }
        Ok(())
    }
}

/// The row that is meant: of a job that runs on each host it has to be said whose.
fn row(view: &View, name: &str) -> Result<String, Failure> {
    let plan = view.plan();
    match open::subjects(&plan, name)?.as_slice() {
        [one] => Ok(one.name().to_owned()),
        rows => {
            let rows: Vec<_> = rows.iter().map(|row| harmless(row.name())).collect();
            Err(Failure::Usage(format!(
                "`{name}` runs on each host; say on which: {}",
                rows.join(", ")
            )))
        }
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
    let Some(Subject::Ghost(..)) = subject::named(&plan, name) else {
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

/// Why nobody would run it by request.
fn not_to_be_asked_for(plan: &Plan<'_>, row: &str) -> Option<(String, Exit)> {
    let spec = plan.get(row)?.spec;
    spec.keep_running.then(|| {
        let why = format!(
            "{row} is kept running by daemons; `crontabber cancel {row}` starts it anew where it runs"
        );
        (why, Exit::NotDue)
    })
}

/// The live hosts that may claim a run of it; or why there is none.
fn who_may(
    plan: &Plan<'_>,
    subject: &Subject<'_>,
    known_by: &[String],
) -> (Vec<String>, Option<String>) {
    let live = plan.hosts.iter().filter(|seen| seen.takes_work(plan.now));
    let may = live.filter(|seen| match subject {
        Subject::Job(job) => {
            seen.place.matches(&job.spec.placement)
                && job.host().is_none_or(|host| host == seen.place.host)
        }
        Subject::Ghost(..) => known_by.contains(&seen.place.host),
    });
    let hosts: Vec<String> = may.map(|seen| seen.place.host.clone()).collect();
    if !hosts.is_empty() {
        return (hosts, None);
    }
    let placed = match subject {
        Subject::Job(job) if job.host().is_none() => {
            no_host(&job.spec.placement, plan.hosts, plan.now)
        }
        Subject::Job(_) | Subject::Ghost(..) => None,
    };
    let why = placed.map_or_else(
        || "no live host that may run it".to_owned(),
        |no_host| no_host.sentence(|at| format!("since {at}")),
    );
    (hosts, Some(why))
}
