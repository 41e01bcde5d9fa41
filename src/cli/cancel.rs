//! `cancel RUN|JOB`: ends a run that is going on, or takes back the request for one.

use std::{
    io::{self, Write},
    time::Duration,
};

use clap::Args;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::{
    control::{self, Answer, Happened},
    duration::{self, written},
    exit::Exit,
    plan::Plan,
    view::{
        Medium, Times,
        cancel::Cancel as Told,
        entry::{self, Entry, Prefix},
        subject::{self, Subject},
        text::harmless,
    },
};

use super::{
    Global,
    fail::Failure,
    logs,
    open::{self, View, block_on},
    print,
    who::Author,
};

/// Ends a run that is going on, wherever it is
///
/// Its host is asked, and kills all its processes with its next heartbeat: SIGTERM, the job's grace, SIGKILL. A
/// cancelled slot is final: it is not tried again, and counts as no error. The job's next slot runs as ever (`crontabber
/// pause` keeps it from that). Of a job that is not running it takes back the run that somebody has asked for with
/// `trigger`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 it was cancelled (with --no-wait: asked to), or the request was taken back; 1 it ended otherwise before that; 2 another session holds the row; 3 it is still going on after the wait, or a Python host's, which cannot be cancelled; 4 it is not running.

Examples:
  crontabber cancel report                     its run
  crontabber cancel 9b1deb4d --wait 2m         a run, by the beginning of its id")]
pub(super) struct Cancel {
    /// The beginning of a run's id, or a job; of one that runs on each host all its runs, or that of one: JOB@HOST
    #[arg(value_name = "RUN|JOB")]
    of: String,
    /// How long to wait for its end
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = wait)]
    wait: Duration,
    /// Ask, and do not wait
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// As an object, or of a job that runs on each host an array of them (docs/json.md)
    #[arg(long)]
    json: bool,
}

/// How often it is asked whether the run has ended.
const ASK_EVERY: Duration = Duration::from_millis(200);

pub(super) fn wait(text: &str) -> Result<Duration, String> {
    duration::parse(text).map_err(|bad| match bad.help {
        Some(help) => format!("{}; {help}", bad.message),
        None => bad.message,
    })
}

impl Cancel {
    pub(super) fn answer(self, global: &Global) -> Result<Exit, Failure> {
        block_on(async {
            let view = View::open(global).await?;
            let medium = if self.json {
                Medium::Pipe
            } else {
                Medium::of_stdout()
            };
            let times = Times {
                now: view.now(),
                medium,
            };
            let plan = view.plan();
            let all = self.cancel(&view, &plan).await?;
            let exits = all.iter().map(|(_, exit)| *exit);
            let exit = exits.max_by_key(|exit| exit.code()).unwrap_or(Exit::Ok);
            if self.json {
                let objects: Vec<String> = all.iter().map(|(told, _)| told.json(&times)).collect();
                let subjects = subject::meant(&plan, &self.of);
                print(&open::together(&self.of, &subjects, &objects, true))?;
                return Ok(exit);
            }
            for (told, exit) in &all {
                if *exit == Exit::Ok {
                    print(&told.text(&times))?;
                } else {
                    let _ = io::stderr().write_all(told.text(&times).as_bytes());
                }
            }
            Ok(exit)
        })
    }

    /// Asks for the end of each run that is meant, and then waits for them together.
    async fn cancel(&self, view: &View, plan: &Plan<'_>) -> Result<Vec<(Told, Exit)>, Failure> {
        let mut asked = Vec::new();
        for told in self.wanted(view, plan).await? {
            asked.push(self.ask(view, told).await?);
        }
        let until = Instant::now() + self.wait;
        let mut ended = Vec::new();
        for (told, exit) in asked {
            ended.push(match exit {
                Some(exit) => (told, exit),
                None => wait_for(view, told, until).await?,
            });
        }
        Ok(ended)
    }

    /// Asks for the end of one; the exit code, if nothing is to be waited for.
    async fn ask(&self, view: &View, told: Told) -> Result<(Told, Option<Exit>), Failure> {
        if !told.is_live
            && let Some(request) = &told.request
        {
            let id = request.id;
            let (told, exit) = self.take_back(view, told, id).await?;
            return Ok((told, Some(exit)));
        }
        let Some(run_id) = told.run_id.filter(|_| told.is_live) else {
            let exit = if told.is_live {
                Exit::Ongoing
            } else {
                Exit::NotDue
            };
            return Ok((told, Some(exit)));
        };
        let author = Author::new(view, self.reason.clone());
        let answer =
            control::cancel(&view.database, &author.by(), &told.name, run_id, None).await?;
        let happened = match answer {
            Answer::Contended => {
                let told = Told {
                    is_contended: true,
                    ..told
                };
                return Ok((told, Some(Exit::Contended)));
            }
            Answer::Jobs(changes) => changes
                .into_iter()
                .next()
                .map_or(Happened::NoRow, |change| change.happened),
        };
        let told = Told {
            happened: Some(happened),
            ..told
        };
        if was_asked(&told) && self.no_wait {
            return Ok((told, Some(Exit::Ok)));
        }
        if was_asked(&told) {
            let host = harmless(told.host.as_deref().unwrap_or_default());
            let limit = written(self.wait);
            eprintln!("asked {host} to end it; waiting up to {limit}");
        }
        Ok((told, None))
    }

    /// Nothing runs, but somebody has asked for a run that no host has claimed yet.
    async fn take_back(&self, view: &View, told: Told, id: Uuid) -> Result<(Told, Exit), Failure> {
        let author = Author::new(view, self.reason.clone());
        let by = author.by();
        let answer = control::untrigger(&view.database, &by, &told.name, id, None).await?;
        let happened = match answer {
            Answer::Contended => None,
            Answer::Jobs(changes) => changes.into_iter().next().map(|change| change.happened),
        };
        let exit = match happened {
            Some(Happened::Done) => Exit::Ok,
            _ => Exit::Contended,
        };
        let told = Told {
            is_contended: happened.is_none(),
            happened,
            ..told
        };
        Ok((told, exit))
    }

    /// The runs that are meant: of a job that runs on each host all that are going on; where none is, those that
    /// somebody has asked for. A name that is a job's is that
    /// job's, though it may look like the beginning of an id.
    async fn wanted(&self, view: &View, plan: &Plan<'_>) -> Result<Vec<Told>, Failure> {
        let rows = subject::meant(plan, &self.of);
        if rows.is_empty() {
            let run = logs::run(view, plan, &self.of).await?;
            let told = Told {
                name: run.name.clone(),
                run_id: run.run_id,
                host: run.host.clone(),
                is_live: run.outcome == "running",
                ..Told::default()
            };
            return Ok(vec![if told.is_live { told } else { told.ended(run) }]);
        }
        let live = rows.iter().filter_map(|row| {
            let live = row.ongoing(view.now())?;
            Some(Told {
                name: row.name().to_owned(),
                run_id: live.run_id,
                host: Some(live.host),
                is_live: true,
                request: row.row().and_then(|row| row.triggered.as_deref().cloned()),
                ..Told::default()
            })
        });
        let live: Vec<Told> = live.collect();
        if !live.is_empty() {
            return Ok(live);
        }
        let asked = rows.iter().filter_map(|row| {
            Some(Told {
                name: row.name().to_owned(),
                request: Some(row.row()?.triggered.as_deref()?.clone()),
                ..Told::default()
            })
        });
        let asked: Vec<Told> = asked.collect();
        if !asked.is_empty() {
            return Ok(asked);
        }
        let names: Vec<&str> = rows.iter().map(Subject::name).collect();
        let newest = entry::newest_run(&*view.connection().await?, &names).await?;
        let told = Told {
            name: self.of.clone(),
            ..Told::default()
        };
        Ok(vec![match newest {
            Some(run) => told.ended(run),
            None => told,
        }])
    }
}

fn was_asked(told: &Told) -> bool {
    matches!(told.happened, Some(Happened::Done | Happened::AskedBefore))
}

/// Waits for the end of a run whose host was asked; one that was not going on any more has ended by now.
async fn wait_for(view: &View, told: Told, until: Instant) -> Result<(Told, Exit), Failure> {
    let Some(run_id) = told.run_id else {
        return Ok((told, Exit::NotDue));
    };
    let asked = was_asked(&told);
    let until = if asked { until } else { Instant::now() };
    Ok(match ended(view, run_id, until).await? {
        Some(run) => {
            let exit = match (asked, run.outcome.as_str()) {
                (_, "cancelled") => Exit::Ok,
                (true, _) => Exit::Failed,
                (false, _) => Exit::NotDue,
            };
            (told.ended(run), exit)
        }
        None => (told, Exit::Ongoing),
    })
}

/// The run as the log has it once it has ended, by then.
async fn ended(view: &View, run_id: Uuid, until: Instant) -> Result<Option<Entry>, Failure> {
    let Some(whole) = Prefix::parse(&run_id.to_string()) else {
        return Ok(None);
    };
    let client = view.connection().await?;
    loop {
        let run = entry::runs_like(&client, whole, 1).await?.pop();
        if let Some(run) = run.filter(|run| run.outcome != "running") {
            return Ok(Some(run));
        }
        if Instant::now() >= until {
            return Ok(None);
        }
        sleep(ASK_EVERY).await;
    }
}
