//! `check`: what needs a person, for Nagios, Icinga and their kin.

use std::{ffi::OsString, num::NonZero, sync::mpsc, thread, time::Duration};

use clap::{Args, CommandFactory, error::ErrorKind};
use futures_util::join;

use crate::{
    check::{self, Known, Limits, Scope},
    duration,
    exit::Exit,
    plan::Plan,
    store::hosts,
    view::{
        check::{self as answer, Status},
        hosts::Agreement,
        subject,
        text::counted,
    },
};

use super::{
    Cli, Global,
    fail::Failure,
    open::{self, block_on},
    print,
};

/// What needs a person, as a check of Nagios or Icinga
///
/// Sees jobs that fail, are overdue, run for too long, wait for a parent or a person, rows of no job, runs whose host
/// is gone, and that no host passes any more. From where on each is a warning or critical stands in `[check]`
/// (docs/monitoring.md). One line with figures, then a line a problem, all on standard output.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 OK, 1 WARNING, 2 CRITICAL (also: the database does not answer, or has no tables that
fit), 3 UNKNOWN (also: wrong usage, this help, a configuration that does not fit, a missing right).

Examples:
  crontabber check                                  everything, for one service of the monitoring
  crontabber check --job 'feed_*' --tag eu          these jobs alone, and not the fleet
  crontabber check -w 1 -c 3                        three errors in a row ring, one is a warning
  crontabber check --json | jq -r '.problems[].sentence'")]
pub(super) struct Check {
    /// Only these jobs; `*` stands for any text; can be repeated
    #[arg(long, value_name = "GLOB")]
    job: Vec<String>,
    /// Only jobs with this tag; can be repeated: with any of them
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Errors in a row that are a warning [default: `[check] errors` and `errors_backfill`]
    #[arg(short, long, value_name = "N")]
    warning: Option<NonZero<u32>>,
    /// Errors in a row that are critical; likewise
    #[arg(short, long, value_name = "N")]
    critical: Option<NonZero<u32>>,
    /// As an object (docs/json.md)
    #[arg(long)]
    json: bool,
    /// How long the answer may take, in seconds or as `1m30s`; no answer is critical
    #[arg(short, long, value_name = "TIME", default_value = "10s", value_parser = seconds_or_duration)]
    timeout: Duration,
}

/// Nagios' own plugins count in seconds.
fn seconds_or_duration(text: &str) -> Result<Duration, String> {
    let length = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => duration::parse(text).map_err(|bad| bad.to_string())?,
    };
    if length.is_zero() {
        return Err("no time at all".to_owned());
    }
    Ok(length)
}

const BUG: &str = "this is a bug in crontabber; its standard error says more";

/// An answer: how bad, and what to print.
type Answer = (Status, String);

impl Check {
    /// Answers in any case, and in time: whatever hangs is left behind with its thread.
    pub(super) fn answer(self, global: &Global) -> Exit {
        let (timeout, is_json, global) = (self.timeout, self.json, global.clone());
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            // After the time nobody listens.
            let _ = tell.send(self.look(&global));
        });
        let (status, text) = told.recv_timeout(timeout).unwrap_or_else(|end| match end {
            mpsc::RecvTimeoutError::Timeout => {
                let within = duration::written(timeout);
                let message = format!("no answer from the database within {within}");
                failed(is_json, Status::Critical, &message)
            }
            // A panic, whose message is on standard error.
            mpsc::RecvTimeoutError::Disconnected => failed(is_json, Status::Unknown, BUG),
        });
        tell_monitoring(status, &text)
    }

    fn look(&self, global: &Global) -> Answer {
        block_on(self.find(global)).unwrap_or_else(|failure| {
            let (status, message) = meaning(&failure);
            failed(self.json, status, &message)
        })
    }

    async fn find(&self, global: &Global) -> Result<Answer, Failure> {
        let view = open::View::open(global).await?;
        let plan = view.plan();
        let live = plan.hosts.iter().filter(|seen| seen.is_live(plan.now));
        let live: Vec<&str> = live.map(|seen| seen.place.host.as_str()).collect();
        let client = view.connection().await?;
        let (announced, meanings) =
            join!(hosts::announced(&client), hosts::meanings(&client, &live));
        let limits = self.limits(&view.config.check)?;
        let scope = self.scope(&plan)?;
        let known = Known {
            plan: &plan,
            hosts: &announced?,
            disagreements: &Agreement::of(meanings?).disagreements,
            limits: &limits,
            lease: view.config.daemon.lease,
            max_ongoing_age: view.place.max_ongoing_age,
        };
        let checked = check::check(&known, &scope);
        let text = if self.json {
            answer::json(&checked)
        } else {
            answer::text(&checked, &limits)
        };
        Ok((Status::of(&checked), text))
    }

    /// Those of the configuration, with the numbers of the command line in place of its own.
    fn limits(&self, configured: &Limits) -> Result<Limits, Failure> {
        let mut limits = configured.clone();
        for errors in [&mut limits.errors, &mut limits.errors_backfill] {
            errors.warning = self.warning.map(NonZero::get).or(errors.warning);
            errors.critical = self.critical.map(NonZero::get).or(errors.critical);
            if let (Some(warning), Some(critical), false) =
                (errors.warning, errors.critical, errors.is_sound())
            {
                return Err(Failure::Usage(format!(
                    "{} would be a warning and {} critical: give both, `-w {critical} -c {warning}`",
                    counted(warning as usize, "error"),
                    counted(critical as usize, "error"),
                )));
            }
        }
        Ok(limits)
    }

    /// What is asked for. A pattern or tag that nothing has would be well for ever.
    fn scope(&self, plan: &Plan<'_>) -> Result<Scope, Failure> {
        for name in &self.job {
            if name.contains('*') {
                if !subject::all(plan).any(|subject| subject.is_called(name)) {
                    return Err(open::no_such(plan, "job", name));
                }
            } else {
                open::subjects(plan, name)?;
            }
        }
        let tags = plan.jobs.iter().flat_map(|job| &job.spec.tags);
        let tags: Vec<&str> = tags.map(String::as_str).collect();
        for tag in &self.tag {
            if !tags.contains(&tag.as_str()) {
                return Err(open::nothing_named(
                    tags.iter().copied(),
                    "tag",
                    tag,
                    "config show",
                ));
            }
        }
        Ok(Scope {
            jobs: self.job.clone(),
            tags: self.tag.clone(),
        })
    }
}

/// What a failure means to monitoring. A database that cannot be used is not a question that could not be asked: no
/// host can run anything with it. All else is this check's own trouble.
fn meaning(failure: &Failure) -> Answer {
    match failure {
        Failure::Database(error) => {
            let status = match error.exit() {
                Exit::Unavailable | Exit::Configuration => Status::Critical,
                _ => Status::Unknown,
            };
            (status, error.to_string())
        }
        Failure::Configuration(report) => {
            let first = report.first_error().unwrap_or_default();
            let all = "`crontabber config check` tells all of it";
            let message = format!("the configuration does not fit: {first} ({all})");
            (Status::Unknown, message)
        }
        Failure::NoDatabase(message)
        | Failure::Usage(message)
        | Failure::Schedule(message)
        | Failure::NotImported(message)
        | Failure::JobNotFound(message) => (Status::Unknown, message.clone()),
        #[cfg(feature = "feeds")]
        Failure::NotFound(message) => (Status::Unknown, message.clone()),
        Failure::Io(error) => (Status::Unknown, error.to_string()),
    }
}

fn failed(is_json: bool, status: Status, message: &str) -> Answer {
    let text = if is_json {
        answer::failure_json(status, message)
    } else {
        answer::failure(status, message)
    };
    (status, text)
}

fn tell_monitoring(status: Status, text: &str) -> Exit {
    // The exit code decides, and reaches a caller who reads nothing.
    let _ = print(text);
    match status {
        Status::Ok => Exit::Ok,
        Status::Warning => Exit::Warning,
        Status::Critical => Exit::Critical,
        Status::Unknown => Exit::Unknown,
    }
}

/// Whether a command line means this command: monitoring wants its own codes even for a line that cannot be parsed.
pub(super) fn is_meant(arguments: &[OsString]) -> bool {
    let command = Cli::command();
    let takes_value = |word: &str| {
        command.get_arguments().any(|argument| {
            let long = argument
                .get_long()
                .is_some_and(|long| word.strip_prefix("--") == Some(long));
            long && argument.get_action().takes_values()
        })
    };
    let mut words = arguments.iter().skip(1).map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        if takes_value(&word) {
            words.next();
        } else if !word.starts_with('-') {
            return word == "check";
        }
    }
    false
}

/// A panic.
pub(super) fn bug() -> Exit {
    tell_monitoring(Status::Unknown, &answer::failure(Status::Unknown, BUG))
}

/// A command line that is wrong, or that asks for help: both are no answer.
pub(super) fn usage(error: &clap::Error) -> Exit {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return tell_monitoring(Status::Unknown, &error.to_string());
    }
    let text = error.to_string();
    let mut lines = text.lines().map(str::trim);
    let first = lines.next().unwrap_or_default();
    let what = first.strip_prefix("error: ").unwrap_or(first);
    let tip = lines.find(|line| line.starts_with("tip: "));
    let message = [what].into_iter().chain(tip).collect::<Vec<_>>().join("; ");
    let message = format!("{message}; `crontabber help check` explains it");
    tell_monitoring(Status::Unknown, &answer::failure(Status::Unknown, &message))
}
