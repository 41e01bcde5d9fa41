//! The log: stderr, one event a transition; INFO reads as the history of the system.

use std::io::{IsTerminal, stderr};

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{EnvFilter, fmt};

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(
    missing_docs,
    reason = "words here become a line each in `--help`; the option says it in one"
)]
pub enum LogFormat {
    Human,
    Line,
    Json,
}

/// Starts it. `RUST_LOG` wins; else `verbose` says how much, and without it a `quiet` command tells only what
/// went wrong.
pub fn start(format: Option<LogFormat>, verbose: u8, quiet: bool) {
    let level = match (verbose, quiet) {
        (0, true) => LevelFilter::WARN,
        (0, false) | (1, _) => LevelFilter::INFO,
        (2, _) => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    // Our own events at that level; the libraries' only when something is wrong.
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(format!("warn,crontabber={level}")));
    let terminal = stderr().is_terminal();
    let format = format.unwrap_or(if terminal {
        LogFormat::Human
    } else {
        LogFormat::Line
    });
    let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let log = fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(colour)
        .with_target(false);
    match format {
        LogFormat::Human => log
            .with_timer(fmt::time::Uptime::default())
            .compact()
            .init(),
        LogFormat::Line => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}
