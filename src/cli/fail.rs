//! Why a command could not do what it was asked: one message, one exit code.

use std::io::{self, Write};

use thiserror::Error;

use crate::{config, exit::Exit, store::error::DatabaseError};

/// What kept a command from its answer.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// The configuration is wrong; every mistake is in the report.
    #[error("{0}")]
    Configuration(config::Report),
    /// The configuration is right, and names no database, or not one that can be had.
    #[error("error: {0}")]
    NoDatabase(String),
    /// What was typed names something that is not there.
    #[error("error: {0}")]
    Usage(String),
    /// What was typed is right, and there is no such thing.
    #[cfg(feature = "feeds")]
    #[error("error: {0}")]
    NotFound(String),
    /// A schedule that was typed is wrong; every mistake in it is pointed at.
    #[error("{}", .0.trim_end())]
    Schedule(String),
    /// The configuration is crontabber's own, and nobody has imported it.
    #[error("error: {0}")]
    NotImported(String),
    /// A line of crontabber's names a job that is not there: told by its exception, and 1 as there.
    #[error("error: JobNotFoundError: {0}")]
    JobNotFound(String),
    /// The database.
    #[error("error: {0}")]
    Database(#[from] DatabaseError),
    /// A stream or a file.
    #[error("error: {0}")]
    Io(#[from] io::Error),
}

impl Failure {
    /// Tells it on stderr, once.
    pub(super) fn tell(&self) -> Exit {
        if self.is_reader_gone() {
            return Exit::Ok;
        }
        // The exit code still tells a caller whose stderr is gone or full.
        let _ = writeln!(io::stderr(), "{self}");
        self.exit()
    }

    /// The exit code that says it.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Configuration(_) | Self::NoDatabase(_) | Self::NotImported(_) => {
                Exit::Configuration
            }
            Self::JobNotFound(_) => Exit::Failed,
            #[cfg(feature = "feeds")]
            Self::NotFound(_) => Exit::Failed,
            Self::Usage(_) | Self::Schedule(_) => Exit::Usage,
            Self::Database(error) => error.exit(),
            Self::Io(_) => Exit::Io,
        }
    }

    /// Its words as a part of something else.
    pub(super) fn bare(&self) -> String {
        let text = self.to_string();
        text.strip_prefix("error: ").unwrap_or(&text).to_owned()
    }

    /// Whether somebody has simply read enough, as `head` does.
    fn is_reader_gone(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl From<config::Report> for Failure {
    fn from(report: config::Report) -> Self {
        Self::Configuration(report)
    }
}
