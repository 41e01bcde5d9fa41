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
    view::{
        Medium, Times,
        cancel::Cancel as Told,
        entry::{self, Entry, Prefix},
        subject,
        text::harmless,
    },
};

use super::{
    Global,
    fail::Failure,
    logs,
    open::{View, block_on},
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
    /// The beginning of a run's id, or a job
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
    /// As an object (docs/json.md)
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
            let (told, exit) = self.cancel(&view).await?;
            if self.json {
                print(&told.json(&times))?;
            } else if exit == Exit::Ok {
                print(&told.text(&times))?;
            } else {
                let _ = io::stderr().write_all(told.text(&times).as_bytes());
            }
            Ok(exit)
        })
    }

    async fn cancel(&self, view: &View) -> Result<(Told, Exit), Failure> {
        let told = self.wanted(view).await?;
        if !told.is_live
            && let Some(request) = &told.request
        {
            let id = request.id;
            return self.take_back(view, told, id).await;
        }
        let Some(run_id) = told.run_id.filter(|_| told.is_live) else {
            let exit = if told.is_live {
                Exit::Ongoing
            } else {
                Exit::NotDue
            };
            return Ok((told, exit));
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
                return Ok((told, Exit::Contended));
            }
            Answer::Jobs(changes) => changes
                .into_iter()
                .next()
                .map_or(Happened::NoRow, |change| change.happened),
        };
        let told = Told {
            happened: Some(happened.clone()),
            ..told
        };
        let asked = matches!(happened, Happened::Done | Happened::AskedBefore);
        if asked && self.no_wait {
            return Ok((told, Exit::Ok));
        }
        let limit = if asked { self.wait } else { Duration::ZERO };
        if asked {
            let host = harmless(told.host.as_deref().unwrap_or_default());
            eprintln!("asked {host} to end it; waiting up to {}", written(limit));
        }
        match ended(view, run_id, limit).await? {
            Some(run) => {
                let exit = match (asked, run.outcome.as_str()) {
                    (_, "cancelled") => Exit::Ok,
                    (true, _) => Exit::Failed,
                    (false, _) => Exit::NotDue,
                };
                Ok((told.ended(run), exit))
            }
            None => Ok((told, Exit::Ongoing)),
        }
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

    /// The run that is meant. A name that is a job's is that job's, though it may look like the beginning of an id.
    async fn wanted(&self, view: &View) -> Result<Told, Failure> {
        let plan = view.plan();
        if let Some(job) = subject::named(&plan, &self.of) {
            let live = job.ongoing(view.now());
            let newest = match &live {
                Some(_) => None,
                None => entry::newest_run(&*view.connection().await?, job.name()).await?,
            };
            let told = Told {
                name: job.name().to_owned(),
                run_id: live.as_ref().and_then(|run| run.run_id),
                host: live.as_ref().map(|run| run.host.clone()),
                is_live: live.is_some(),
                request: job.row().and_then(|row| row.triggered.as_deref().cloned()),
                ..Told::default()
            };
            return Ok(match newest {
                Some(run) => told.ended(run),
                None => told,
            });
        }
        let run = logs::run(view, &plan, &self.of).await?;
        let told = Told {
            name: run.name.clone(),
            run_id: run.run_id,
            host: run.host.clone(),
            is_live: run.outcome == "running",
            ..Told::default()
        };
        Ok(if told.is_live { told } else { told.ended(run) })
    }
}

/// The run as the log has it once it has ended, within this time.
async fn ended(view: &View, run_id: Uuid, limit: Duration) -> Result<Option<Entry>, Failure> {
    let Some(whole) = Prefix::parse(&run_id.to_string()) else {
        return Ok(None);
    };
    let client = view.connection().await?;
    let until = Instant::now() + limit;
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
