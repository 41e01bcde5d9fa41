//! The command line: what may be typed, and which command answers.

#[cfg(feature = "feeds")]
mod action;
mod audit;
mod backfill;
mod cancel;
mod change;
mod check;
mod config;
mod daemon;
mod db;
mod doctor;
mod drain;
mod fail;
mod follow;
mod ghosts;
mod graph;
mod history;
mod hosts;
mod import;
mod instant;
mod legacy;
mod list;
mod logs;
mod mark;
mod migrate;
mod names;
mod next;
mod ongoing;
mod open;
mod pause;
mod reset;
mod run;
mod server;
mod show;
mod simulate;
mod tick;
mod trigger;
mod who;
mod why;

use std::{
    ffi::OsString,
    io::{self, IsTerminal, Write},
    panic,
    path::PathBuf,
    process::ExitCode,
    time::SystemTime,
};

use clap::{Args, CommandFactory, Parser, Subcommand, error::ErrorKind};
use jiff::{Timestamp, tz::TimeZone};

use crate::{
    exit::Exit,
    log::{self, LogFormat, Manner},
    schedule, supervise,
    view::text::harmless,
};

use fail::Failure;

/// cron for several hosts, with one PostgreSQL table as the referee.
#[derive(Debug, Parser)]
#[command(name = "crontabber", version, max_term_width = 110, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  crontabber tick                    run what is due, then exit: for cron and systemd timers
  crontabber daemon                  stay, and run what falls due
  crontabber list                    every job, its state, and why
  crontabber next                    what runs next, and when
  crontabber why report              why a job runs or does not run now
  crontabber why report --at T       what became of a slot of it
  crontabber run report --force      run a job here and now
  crontabber trigger report          run a job wherever it may run
  crontabber check                   what needs a person, for Nagios and Icinga
  crontabber config check            every mistake in the configuration, at once
  crontabber doctor                  what a host stands on, and what is wrong with it

Exit codes: 0 well, 1 a job failed, 2 contended, 3 ongoing elsewhere, 64 usage, 69 no database, 78 configuration.";

/// What every command understands.
#[derive(Debug, Clone, Args)]
struct Global {
    /// The configuration [default: ./crontabber.toml, then /etc/crontabber/crontabber.toml]
    #[arg(long, global = true, value_name = "FILE", env = "CRONTABBER_CONFIG")]
    config: Option<PathBuf>,
    /// The name of this host [default: `[daemon] host`, then the machine's name]
    #[arg(long, global = true, value_name = "NAME", env = "CRONTABBER_HOST")]
    host: Option<String>,
    /// How the log is written: `human` on a terminal, `journal` under systemd, else `line` (key=value); or `json`
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        value_enum,
        env = "CRONTABBER_LOG_FORMAT"
    )]
    log_format: Option<LogFormat>,
    /// Say more: the history of this pass; twice: every decision
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    // Where a variant has no words of its own, those of its arguments are shown: one line here, all of it there.
    Tick(tick::Tick),
    Daemon(daemon::Daemon),
    List(list::List),
    Next(next::Next),
    Ongoing(ongoing::Ongoing),
    Show(show::Show),
    Simulate(simulate::Simulate),
    Why(why::Why),
    History(history::History),
    Logs(logs::Logs),
    Hosts(hosts::Hosts),
    Run(run::Run),
    Trigger(trigger::Trigger),
    Backfill(backfill::Backfill),
    Pause(pause::Pause),
    Resume(pause::Resume),
    Cancel(cancel::Cancel),
    Reset(reset::Reset),
    Mark(mark::Mark),
    Ghosts(ghosts::Ghosts),
    Drain(drain::Drain),
    Audit(audit::Audit),
    Graph(graph::Graph),
    Check(check::Check),
    Doctor(doctor::Doctor),
    #[command(subcommand)]
    Config(config::Config),
    Migrate(migrate::Migrate),
    #[command(subcommand)]
    Import(import::Import),
    #[command(subcommand)]
    Db(db::Db),
    #[cfg(feature = "feeds")]
    #[command(subcommand)]
    Action(action::Action),
    /// Guards runs; started by the other commands.
    #[command(hide = true)]
    Supervise,
}

/// Runs the command that was typed.
#[must_use]
pub fn main() -> ExitCode {
    // Before anything else: the supervisor shares neither arguments, nor log, nor runtime with the rest.
    if std::env::args_os().nth(1).as_deref() == Some("supervise".as_ref()) {
        return supervise::main();
    }
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let answered = panic::catch_unwind(|| answer(&arguments));
    answered
        .unwrap_or_else(|_| {
            // The panic's own message has been printed.
            eprintln!(
                "crontabber: this is a bug in crontabber; please report it with the lines above"
            );
            if check::is_meant(&arguments) {
                check::bug()
            } else {
                Exit::Software
            }
        })
        .into()
}

fn answer(arguments: &[OsString]) -> Exit {
    let typed = arguments.get(1..).unwrap_or_default();
    if legacy::is_meant(typed) {
        return legacy::answer(typed);
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) if check::is_meant(arguments) => return check::usage(&error),
        Err(error) => return usage(&error),
    };
    log::start(
        cli.global.log_format,
        cli.global.verbose,
        cli.command.manner(),
    );
    crate::faults::point("start");
    let outcome = match cli.command {
        Command::Tick(tick) => tick.answer(&cli.global),
        Command::Daemon(daemon) => daemon.answer(&cli.global),
        Command::List(list) => list.answer(&cli.global),
        Command::Next(next) => next.answer(&cli.global),
        Command::Ongoing(ongoing) => ongoing.answer(&cli.global),
        Command::Show(show) => show.answer(&cli.global),
        Command::Simulate(simulate) => simulate.answer(&cli.global),
        Command::Why(why) => why.answer(&cli.global),
        Command::History(history) => history.answer(&cli.global),
        Command::Logs(logs) => logs.answer(&cli.global),
        Command::Hosts(hosts) => hosts.answer(&cli.global),
        Command::Run(run) => run.answer(&cli.global),
        Command::Trigger(trigger) => trigger.answer(&cli.global),
        Command::Backfill(backfill) => backfill.answer(&cli.global),
        Command::Pause(pause) => pause.answer(&cli.global),
        Command::Resume(resume) => resume.answer(&cli.global),
        Command::Cancel(cancel) => cancel.answer(&cli.global),
        Command::Reset(reset) => reset.answer(&cli.global),
        Command::Mark(mark) => mark.answer(&cli.global),
        Command::Ghosts(ghosts) => ghosts.answer(&cli.global),
        Command::Drain(drain) => drain.answer(&cli.global),
        Command::Audit(audit) => audit.answer(&cli.global),
        Command::Graph(graph) => graph.answer(&cli.global),
        Command::Check(check) => Ok(check.answer(&cli.global)),
        Command::Doctor(doctor) => doctor.answer(&cli.global),
        Command::Config(config) => config.answer(&cli.global),
        Command::Migrate(migrate) => migrate.answer(&cli.global),
        Command::Import(import) => import.answer(),
        Command::Db(db) => db.answer(&cli.global),
        #[cfg(feature = "feeds")]
        Command::Action(action) => action.answer(),
        // Answered in `main`, before anything was parsed.
        Command::Supervise => Ok(Exit::Usage),
    };
    outcome.unwrap_or_else(|failure: Failure| failure.tell())
}

impl Command {
    /// A pass tells its history to people who look at it; to cron, which mails it, only what went wrong.
    fn manner(&self) -> Manner {
        match self {
            Self::Daemon(_) => Manner::Talks,
            Self::Tick(_) if io::stderr().is_terminal() => Manner::Talks,
            _ => Manner::Quiet,
        }
    }
}

/// The clock of this host: for what people compare and look ahead to, never for when something runs.
fn now() -> io::Result<Timestamp> {
    Timestamp::try_from(SystemTime::now()).map_err(io::Error::other)
}

/// The zone of a name that was typed, or what to type instead.
fn zone(name: &str) -> Result<TimeZone, Failure> {
    schedule::zone(name).map_err(|mut unknown| {
        unknown.name = harmless(name).into_owned();
        let help = unknown
            .help
            .as_deref()
            .unwrap_or("a name is like `Europe/Berlin`");
        Failure::Usage(format!("{unknown}; {help}"))
    })
}

/// Prints an answer; a reader that has gone away is no reason to panic.
fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Whether this program has the command of a line such as `crontabber resume report`.
fn understands(line: &str) -> bool {
    let name = line.split(' ').nth(1).unwrap_or_default();
    Cli::command().find_subcommand(name).is_some()
}

/// A wrong command line is 64; clap's own 2 means something else to crontabber's and Nagios' readers.
fn usage(error: &clap::Error) -> Exit {
    // To a closed pipe there is nothing to say.
    let _ = match error.kind() {
        // clap's own message names the hidden command, too.
        ErrorKind::MissingSubcommand => write!(io::stderr(), "{}", Cli::command().render_help()),
        _ => error.print(),
    };
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Ok,
        _ => Exit::Usage,
    }
}
