//! What can go wrong with the database, in words to act on.

use std::{error::Error as _, fmt, io, time::Duration};

use deadpool::managed::{PoolError, TimeoutType};
use thiserror::Error;
use tokio_postgres::error::{DbError, SqlState};

use crate::exit::Exit;

/// The longest text of one error, in bytes; a job's SQL can raise megabytes.
const MAX_TEXT: usize = 4096;

/// What went wrong with the database.
///
/// `Display` is complete: what happened, with the server's SQLSTATE, detail and hint, and what to do
/// next, in one line. There is no `source` behind it, so nothing is printed twice.
#[derive(Debug, Clone, Error)]
pub enum DatabaseError {
    /// No server answered, or it went away, or it is starting, stopping or full.
    #[error("{0}; {next}", next = next_if_unreachable(.0))]
    Unreachable(Report),
    /// A server answered and there is no session: role, password, `pg_hba.conf`, database, certificate.
    #[error("{0}; {next}", next = next_if_refused(.0))]
    Refused(Report),
    /// The role may not do this (SQLSTATE 42501).
    #[error("{0}; grant it to the role, or connect as the owner of the tables")]
    Permission(Report),
    /// A schema, table or column is missing (3F000, 42P01, 42703).
    #[error(
        "{0}; `crontabber migrate` creates and widens the tables, `schema` says where they are"
    )]
    MissingTables(Report),
    /// A limit of ours has passed.
    #[error("{doing} took longer than {limit:?}; {}", .doing.next())]
    TimedOut {
        /// What was being done.
        doing: Doing,
        /// The limit.
        limit: Duration,
    },
    /// The server takes no writes (25006, or not the session that was wanted).
    #[error(
        "{0}; if it is a standby, name the primary or list all servers with target_session_attrs=read-write"
    )]
    ReadOnly(Report),
    /// The tables are not of a version this program can use.
    #[error("{0}")]
    Schema(String),
    /// Anything else.
    #[error("{0}")]
    Other(Report),
}

/// What was being done when a limit passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doing {
    /// Waiting for another borrower to give back a pooled connection.
    Waiting,
    /// Opening a connection to this address.
    Connecting(String),
    /// A statement or a transaction: what became of it is not known.
    Working,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting => f.write_str("waiting for a free connection of the pool"),
            Self::Connecting(address) => write!(f, "connecting to {address}"),
            Self::Working => f.write_str("the database's work"),
        }
    }
}

impl Doing {
    fn next(&self) -> &'static str {
        match self {
            Self::Waiting => "all of them are in use",
            Self::Connecting(_) => "is PostgreSQL running there, and not stopped or overloaded?",
            Self::Working => "it was cancelled, and what became of it has to be looked up",
        }
    }
}

/// What is known about a failure.
#[derive(Debug, Clone)]
pub struct Report {
    /// The address or server it is about, as it may be shown.
    place: Option<String>,
    /// Every error of the chain, outermost first.
    text: String,
    /// What the server said, if it was the server.
    server: Option<Box<DbError>>,
    stage: Stage,
}

/// How far a connection had come when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The two sides did not agree on encryption.
    Handshake,
    /// Nothing had been sent that could have had an effect.
    Opening,
    /// Statements may have been under way.
    Open,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

fn next_if_unreachable(report: &Report) -> &'static str {
    match (code(report), report.stage) {
        (Some("53300"), _) => "close some, or raise max_connections",
        (Some("57P03"), _) => "it should take connections soon",
        (_, Stage::Handshake | Stage::Opening) => "is PostgreSQL running there?",
        (_, Stage::Open) => "the connection was lost, and what was under way has to be looked up",
    }
}

fn next_if_refused(report: &Report) -> &'static str {
    match code(report) {
        Some("28P01") => "is the password right? (PGPASSWORD, ~/.pgpass, the URL)",
        Some("28000") => "does the role exist, and does pg_hba.conf let it in from here?",
        Some("3D000") => "create the database, or name another",
        Some(_) => "the server does not let us in",
        None if report.stage == Stage::Handshake => {
            "check sslmode and sslrootcert (require encrypts and verifies nobody)"
        }
        None => "is there a password for it? (PGPASSWORD, ~/.pgpass, the URL)",
    }
}

fn code(report: &Report) -> Option<&str> {
    report.server.as_ref().map(|server| server.code().code())
}

/// One server that was tried in vain.
#[derive(Debug)]
pub(super) struct Attempt {
    /// The server, and how it was tried, as it may be shown.
    pub(super) place: String,
    pub(super) error: DatabaseError,
}

impl Attempt {
    fn line(&self) -> String {
        format!("{}: {}", self.place, self.error.brief())
    }
}

impl DatabaseError {
    /// The server's SQLSTATE, if it was the server that said no.
    #[must_use]
    pub fn sql_state(&self) -> Option<&SqlState> {
        self.server().map(DbError::code)
    }

    /// All that the server said (the constraint, for one), if it was the server that said no.
    #[must_use]
    pub fn server(&self) -> Option<&DbError> {
        self.report()?.server.as_deref()
    }

    /// Whether what was sent may have been committed all the same: the connection was lost, or the
    /// server stopped, before it had answered. Only a look at the rows can tell.
    #[must_use]
    pub fn is_unknown_outcome(&self) -> bool {
        match self {
            Self::TimedOut { doing, .. } => *doing == Doing::Working,
            Self::Unreachable(report) => report.stage == Stage::Open,
            _ => self.sql_state() == Some(&SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN),
        }
    }

    /// Whether the database has no tables of ours at all.
    #[must_use]
    pub fn is_missing_tables(&self) -> bool {
        matches!(self, Self::MissingTables(_))
    }

    /// The exit code that tells it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Permission(_) => Exit::Permission,
            Self::Refused(report) if matches!(code(report), Some("28000" | "28P01")) => {
                Exit::Permission
            }
            Self::MissingTables(_) | Self::Schema(_) => Exit::Configuration,
            Self::Unreachable(_) | Self::Refused(_) | Self::TimedOut { .. } | Self::ReadOnly(_) => {
                Exit::Unavailable
            }
            Self::Other(_) if self.is_transient() => Exit::Unavailable,
            Self::Other(_) => Exit::Software,
        }
    }

    /// Whether the same thing may well succeed a little later, with nobody doing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            // Read-only too: a failover moves the primary to another server.
            Self::Unreachable(_) | Self::TimedOut { .. } | Self::ReadOnly(_) => true,
            Self::Refused(_) | Self::Permission(_) | Self::MissingTables(_) | Self::Schema(_) => {
                false
            }
            Self::Other(_) => self.sql_state().is_some_and(|state| {
                let code = state.code();
                matches!(code, "55P03" | "55006" | "57014" | "25P03")
                    || ["40", "53"].iter().any(|class| code.starts_with(class))
            }),
        }
    }

    /// An error of a connection that was not yet open.
    pub(super) fn opening(error: &tokio_postgres::Error) -> Self {
        // tokio-postgres tells its kinds apart by their words only; and a server that does not like our
        // certificate says so when the handshake is over, as data that is none.
        let in_handshake = error.to_string() == "error performing TLS handshake"
            || transport(error).is_some_and(|cause| cause.kind() == io::ErrorKind::InvalidData);
        if in_handshake {
            return Self::handshake(&text(error));
        }
        Self::of(error, Stage::Opening)
    }

    /// A handshake that failed, or could not even begin.
    pub(super) fn handshake(text: &str) -> Self {
        Self::Refused(Report::new(text, Stage::Handshake))
    }

    /// A server that was not found.
    pub(super) fn unreachable(text: &str) -> Self {
        Self::Unreachable(Report::new(text, Stage::Opening))
    }

    /// A session that does not take the writes that are wanted.
    pub(super) fn read_only(text: &str) -> Self {
        Self::ReadOnly(Report::new(text, Stage::Opening))
    }

    /// A session that takes writes where none are wanted.
    pub(super) fn unsuitable(text: &str) -> Self {
        Self::Other(Report::new(text, Stage::Opening))
    }

    /// Whether a session with encryption instead of without, or the other way round, may be had.
    pub(super) fn is_about_encryption(&self) -> bool {
        match self {
            Self::Refused(report) => {
                report.stage == Stage::Handshake || code(report) == Some("28000")
            }
            _ => false,
        }
    }

    /// One error for all the servers of `address` that were tried: the most telling of them, with the
    /// words of all. `limit` is what each of them had.
    pub(super) fn of_attempts(address: &str, limit: Duration, attempts: Vec<Attempt>) -> Self {
        let text = match attempts.as_slice() {
            [one] => one.error.brief(),
            all => {
                let lines: Vec<_> = all.iter().map(Attempt::line).collect();
                lines.join("; ")
            }
        };
        let nobody_answered = Self::TimedOut {
            doing: Doing::Connecting(address.to_owned()),
            limit,
        };
        let mut telling = attempts.into_iter().map(|attempt| attempt.error).fold(
            nobody_answered,
            |best, next| {
                if next.tells() > best.tells() {
                    next
                } else {
                    best
                }
            },
        );
        if let Some(report) = telling.report_mut() {
            report.place = Some(address.to_owned());
            report.text = one_line(&text);
        }
        telling
    }

    /// How much it tells: an answer more than none, and a refusal most.
    fn tells(&self) -> u8 {
        match self {
            Self::TimedOut { .. } => 0,
            Self::Unreachable(_) => 1,
            _ => 2,
        }
    }

    /// The words of one attempt, without advice.
    fn brief(&self) -> String {
        match self.report() {
            Some(report) => report.text.clone(),
            None => "no answer in time".to_owned(),
        }
    }

    fn of(error: &tokio_postgres::Error, stage: Stage) -> Self {
        let report = Report {
            place: None,
            text: text(error),
            server: error.as_db_error().cloned().map(Box::new),
            stage,
        };
        match code(&report) {
            Some(code) => Self::by_code(code)(report),
            None if error.is_closed() || transport(error).is_some() => Self::Unreachable(report),
            None if stage == Stage::Opening => Self::Refused(report),
            None => Self::Other(report),
        }
    }

    fn by_code(code: &str) -> fn(Report) -> Self {
        match code {
            "25006" => Self::ReadOnly,
            "42501" => Self::Permission,
            "3F000" | "42P01" | "42703" => Self::MissingTables,
            "3D000" => Self::Refused,
            "53300" | "57P01" | "57P02" | "57P03" | "57P05" => Self::Unreachable,
            _ if code.starts_with("08") => Self::Unreachable,
            _ if code.starts_with("28") => Self::Refused,
            _ => Self::Other,
        }
    }

    fn report(&self) -> Option<&Report> {
        match self {
            Self::Unreachable(report)
            | Self::Refused(report)
            | Self::Permission(report)
            | Self::MissingTables(report)
            | Self::ReadOnly(report)
            | Self::Other(report) => Some(report),
            Self::TimedOut { .. } | Self::Schema(_) => None,
        }
    }

    fn report_mut(&mut self) -> Option<&mut Report> {
        match self {
            Self::Unreachable(report)
            | Self::Refused(report)
            | Self::Permission(report)
            | Self::MissingTables(report)
            | Self::ReadOnly(report)
            | Self::Other(report) => Some(report),
            Self::TimedOut { .. } | Self::Schema(_) => None,
        }
    }
}

impl Report {
    fn new(text: &str, stage: Stage) -> Self {
        Self {
            place: None,
            text: one_line(text),
            server: None,
            stage,
        }
    }
}

impl From<tokio_postgres::Error> for DatabaseError {
    /// An error of an open connection.
    fn from(error: tokio_postgres::Error) -> Self {
        Self::of(&error, Stage::Open)
    }
}

impl DatabaseError {
    /// The pool's error, with the limit that it was given.
    pub(super) fn of_pool(error: PoolError<Self>, limit: Duration) -> Self {
        match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(TimeoutType::Wait) => Self::TimedOut {
                doing: Doing::Waiting,
                limit,
            },
            other => Self::unreachable(&format!("the pool of connections: {other}")),
        }
    }
}

/// What the socket said, if it was the socket that failed.
fn transport(error: &tokio_postgres::Error) -> Option<&io::Error> {
    error.source()?.downcast_ref::<io::Error>()
}

/// All that an error says: the server's own words, or those of the whole chain.
fn text(error: &tokio_postgres::Error) -> String {
    if let Some(server) = error.as_db_error() {
        return one_line(&server_text(server));
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Many an error repeats the one below it.
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    one_line(&text)
}

fn server_text(server: &DbError) -> String {
    let mut parts = vec![format!(
        "{}: {} (SQLSTATE {})",
        server.severity(),
        server.message(),
        server.code().code()
    )];
    parts.extend(server.detail().map(|detail| format!("detail: {detail}")));
    parts.extend(server.hint().map(|hint| format!("hint: {hint}")));
    parts.join("; ")
}

/// One line of at most [`MAX_TEXT`] bytes, without control characters: a log line, not a terminal's.
pub(crate) fn one_line(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_TEXT);
    text[..end].replace(char::is_control, " ")
}
