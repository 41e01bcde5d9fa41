//! The log: stderr, one event a transition; INFO reads as the history of the system.

mod journal;

use std::{
    io::{IsTerminal, stderr},
    os::{fd::AsFd, linux::fs::MetadataExt},
};

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use journal::Journal;

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
    Journal,
}

/// Whether the command that logs is one that says nothing when all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It tells its history.
    Talks,
    /// It tells what went wrong: cron mails the rest.
    Quiet,
}

/// Starts it. `RUST_LOG` wins; else `verbose` says how much, and without it a quiet command tells only what went
/// wrong. The journal is told the history in any case: it is made for it.
pub fn start(format: Option<LogFormat>, verbose: u8, manner: Manner) {
    let format = format.unwrap_or_else(of_stderr);
    let level = match (verbose, manner) {
        (0, Manner::Quiet) if format != LogFormat::Journal => LevelFilter::WARN,
        (0 | 1, _) => LevelFilter::INFO,
        (2, _) => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    // Our own events at that level; the libraries' only when something is wrong.
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(format!("warn,crontabber={level}")));
    if format == LogFormat::Journal
        && let Ok(journal) = Journal::connect()
    {
        return tracing_subscriber::registry()
            .with(filter)
            .with(journal)
            .init();
    }
    let colour =
        stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
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
        // A journal that cannot be reached directly still reads stderr.
        LogFormat::Line | LogFormat::Journal => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

/// What fits where stderr goes.
fn of_stderr() -> LogFormat {
    if stderr().is_terminal() {
        LogFormat::Human
    } else if is_journal(std::env::var("JOURNAL_STREAM").ok().as_deref(), stderr()) {
        LogFormat::Journal
    } else {
        LogFormat::Line
    }
}

/// Whether a stream is the one that systemd has connected to the journal: `$JOURNAL_STREAM` is its device and
/// inode, and is inherited by processes whose stderr goes elsewhere.
fn is_journal(journal_stream: Option<&str>, stream: impl AsFd) -> bool {
    let Ok(duplicate) = stream.as_fd().try_clone_to_owned() else {
        return false;
    };
    let Ok(metadata) = std::fs::File::from(duplicate).metadata() else {
        return false;
    };
    journal_stream == Some(&format!("{}:{}", metadata.st_dev(), metadata.st_ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_the_journal_only_if_it_is_the_one_that_systemd_names() {
        let stream = tempfile::tempfile().expect("a file");
        let metadata = stream.metadata().expect("it is open");
        let named = format!("{}:{}", metadata.st_dev(), metadata.st_ino());
        assert!(is_journal(Some(&named), &stream));
        assert!(!is_journal(Some("8:1"), &stream));
        assert!(!is_journal(None, &stream));
    }
}
