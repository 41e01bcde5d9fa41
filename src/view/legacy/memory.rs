//! What the row of a job remembers of its last failure, all of it.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::store::{Connection, error::DatabaseError, limited, transaction};

/// What crontabber prints besides what a pass reads.
#[derive(Debug)]
pub struct Memory {
    /// The zone of the session, in which crontabber shows instants; UTC if we do not know it.
    pub zone: TimeZone,
    errors: HashMap<String, LastError>,
}

/// A last error as `last_error` has it: `type`, `value`, `traceback`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LastError {
    /// Python: the exception's class; a run of ours: its outcome.
    #[serde(rename = "type")]
    pub kind: String,
    /// The message.
    pub value: String,
    /// Python: the stack; a run of ours: the end of what it printed.
    pub traceback: String,
}

/// Reads it; one statement, nothing locked.
pub async fn read(client: &Connection) -> Result<Memory, DatabaseError> {
    let query = client.query_typed(include_str!("../../../sql/read_last_errors.sql"), &[]);
    let rows = limited(transaction::LIMIT, client.fuse(), query).await?;
    let mut memory = Memory {
        zone: TimeZone::UTC,
        errors: HashMap::new(),
    };
    for row in &rows {
        memory.zone = TimeZone::get(row.try_get("zone")?).unwrap_or(TimeZone::UTC);
        if let Some(name) = row.try_get::<_, Option<String>>("app_name")? {
            memory
                .errors
                .insert(name, LastError::read(row.try_get("last_error")?));
        }
    }
    Ok(memory)
}

impl Memory {
    /// The last error of a job, if its row holds one.
    #[must_use]
    pub fn of(&self, job: &str) -> Option<&LastError> {
        self.errors.get(job)
    }
}

impl LastError {
    /// What is no JSON of ours or Python's is shown as it is written.
    fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|_| Self {
            value: text.to_owned(),
            ..Self::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_as_it_should_be_is_shown_all_the_same() {
        let error = |kind: &str, value: &str, traceback: &str| LastError {
            kind: kind.into(),
            value: value.into(),
            traceback: traceback.into(),
        };
        for (text, read) in [
            (
                r#"{"type": "<type 'exceptions.KeyError'>", "value": "'x'", "traceback": "  File\n"}"#,
                error("<type 'exceptions.KeyError'>", "'x'", "  File\n"),
            ),
            (r#"{"value": "alone", "more": 1}"#, error("", "alone", "")),
            (r#"{"type": 3}"#, error("", r#"{"type": 3}"#, "")),
            ("[1]", error("", "[1]", "")),
            (
                r#"{"value": "\ud83d"}"#,
                error("", r#"{"value": "\ud83d"}"#, ""),
            ),
        ] {
            assert_eq!(LastError::read(text), read, "{text}");
        }
    }
}
