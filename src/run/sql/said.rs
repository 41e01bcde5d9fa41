//! What the server says of a job's SQL, in words: notices, what was changed, errors.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_postgres::{
    Row,
    error::{DbError, ErrorPosition},
};

use crate::{
    output::{Capture, Listener, Output},
    store::{DatabaseError, Ear, Said, error::one_line},
};

/// Of how many tables the output tells what was changed in them.
const TABLES: usize = 50;

/// Rows inserted, updated and deleted, by table.
pub(super) type Counts = BTreeMap<String, [i64; 3]>;

/// The rows of `execute_counts.sql`.
pub(super) fn counts(rows: &[Row]) -> Result<Counts, tokio_postgres::Error> {
    rows.iter()
        .map(|row| {
            let counts = [
                row.try_get("inserted")?,
                row.try_get("updated")?,
                row.try_get("deleted")?,
            ];
            Ok((row.try_get("name")?, counts))
        })
        .collect()
}

/// A line for each table in which something was changed, for the first of them.
pub(super) fn changes(before: &Counts, after: &Counts) -> String {
    let mut lines = String::new();
    let changed = after.iter().filter_map(|(table, counts)| {
        let known = before.get(table).copied().unwrap_or_default();
        let words = ["inserted", "updated", "deleted"];
        let new = counts.iter().zip(known).zip(words);
        let new: Vec<String> = new
            .map(|((count, known), word)| (count - known, word))
            .filter(|&(count, _)| count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        (!new.is_empty()).then(|| format!("{table}: {}", new.join(", ")))
    });
    for text in changed.take(TABLES) {
        line(&mut lines, &text);
    }
    lines
}

fn line(lines: &mut String, text: &str) {
    writeln!(lines, "{text}").expect("a String takes everything");
}

/// What the server said, in one line; all of it goes to the output.
pub(super) fn refusal(error: tokio_postgres::Error, heard: &Heard) -> String {
    let Some(said) = error.as_db_error() else {
        return DatabaseError::from(error).to_string();
    };
    let at = line_of(said).map_or_else(String::new, |line| format!(" (line {line})"));
    let mut lines = format!("{}: {}{at}\n", said.severity(), said.message());
    let context = said.where_().map(own_context);
    let details = [
        ("DETAIL", said.detail()),
        ("HINT", said.hint()),
        ("CONTEXT", context.filter(|context| !context.is_empty())),
    ];
    for (what, text) in details {
        if let Some(text) = text {
            line(&mut lines, &format!("{what}: {text}"));
        }
    }
    heard.say(&lines);
    one_line(&format!("{}: {}{at}", said.code().code(), said.message()))
}

pub(super) fn unsure(error: &DatabaseError) -> String {
    if error.is_unknown_outcome() {
        format!("the connection was lost at its commit, it may have taken effect: {error}")
    } else {
        format!("its commit was refused: {error}")
    }
}

/// The line of the job's own text that the server points at, from 1.
fn line_of(said: &DbError) -> Option<usize> {
    let (position, text) = match said.position()? {
        ErrorPosition::Internal { position, query } => (*position, query.as_str()),
        // Only the text itself was sent like this, and the server counts in it; ours has one line in most cases.
        ErrorPosition::Original(_) => return None,
    };
    let before = text.chars().take(usize::try_from(position).ok()?);
    Some(before.filter(|&c| c == '\n').count() + 1)
}

/// The context without what every job's has: how we carry out its text, which is the last line, and the text itself.
fn own_context(context: &str) -> &str {
    let (before, last) = context.rsplit_once('\n').unwrap_or(("", context));
    // What is checked after the text, and what is carried out without a transaction, has been through nothing of ours.
    if !["crontabber_execute()", "inline_code_block"]
        .iter()
        .any(|ours| last.contains(ours))
    {
        return context;
    }
    // Not there where the text is not understood; and only this half is in the server's language.
    let text = before.rfind("SQL statement \"");
    before[..text.unwrap_or(before.len())].trim_end()
}

/// What the server says while it works, bounded like every run's output.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    capture: Arc<Mutex<Capture>>,
    /// Who is told while the server says it.
    listener: Option<Arc<dyn Listener>>,
}

impl Heard {
    pub(super) fn told_to(listener: Option<Arc<dyn Listener>>) -> Self {
        Self {
            capture: Arc::default(),
            listener,
        }
    }

    pub(super) fn ear(&self) -> Ear {
        let heard = self.clone();
        Arc::new(move |said: Said<'_>| {
            if let Said::Notice(notice) = said {
                heard.say(&format!("{}: {}\n", notice.severity(), notice.message()));
            }
        })
    }

    pub(super) fn say(&self, text: &str) {
        let mut capture = self.capture();
        if let Some(listener) = &self.listener {
            listener.hear(capture.total(), text.as_bytes());
        }
        capture.push(text.as_bytes());
    }

    pub(super) fn output(&self) -> Output {
        self.capture().output()
    }

    fn capture(&self) -> MutexGuard<'_, Capture> {
        // Nothing that holds this lock can panic half-way through a change.
        self.capture.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
