//! The table that a job hands to the action, as it is meant.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::{duration, http::Network, memory};

/// What to do, how, and where to keep it.
#[derive(Debug, Clone)]
pub struct Table {
    /// Feeds to have, beside those that the tables have already.
    pub feeds: Vec<String>,
    /// How often new ones are fetched.
    pub every: Duration,
    /// How many are fetched at once.
    pub parallel: usize,
    /// How long a host is left alone between two requests.
    pub gap: Duration,
    /// How long a fetch may take, with redirects and retries; from a second to 10 minutes.
    pub timeout: Duration,
    /// The longest body, in bytes after decompression.
    pub max_body: usize,
    /// How to reach who asks.
    pub contact: Option<String>,
    /// Networks that are asked although they are not of the world.
    pub allow: Vec<Network>,
    /// Beyond this share of failures, from 0 to 1, the run has failed itself.
    pub fail_above: f64,
}

/// Why a table makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the table of this job: {0}")]
pub struct BadTable(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    feeds: Vec<String>,
    every: String,
    parallel: usize,
    gap: String,
    timeout: String,
    max_body: String,
    contact: Option<String>,
    allow: Vec<String>,
    fail_above: String,
}

impl Default for Written {
    fn default() -> Self {
        Self {
            feeds: Vec::new(),
            every: "1h".to_owned(),
            parallel: 8,
            gap: "1s".to_owned(),
            timeout: "3m".to_owned(),
            max_body: "15M".to_owned(),
            contact: None,
            allow: Vec::new(),
            fail_above: "20%".to_owned(),
        }
    }
}

impl Table {
    /// Reads it from JSON.
    pub fn parse(json: &str) -> Result<Self, BadTable> {
        let json: Map<String, Value> =
            serde_json::from_str(json).map_err(|error| BadTable(error.to_string()))?;
        let written = Written::deserialize(Value::Object(json));
        let written = written.map_err(|error| BadTable(error.to_string()))?;
        let bad =
            |key: &str, text: &str, why: &str| BadTable(format!("`{key} = \"{text}\"`: {why}"));
        let long = |key: &str, text: &str| {
            duration::parse(text).map_err(|_| bad(key, text, "write a duration such as 1h30m"))
        };
        if !(1..=256).contains(&written.parallel) {
            return Err(BadTable("`parallel` is from 1 to 256".to_owned()));
        }
        let every = long("every", &written.every)?;
        if every < Duration::from_mins(1) {
            return Err(bad("every", &written.every, "a minute at least"));
        }
        let timeout = long("timeout", &written.timeout)?;
        if !(Duration::from_secs(1)..=Duration::from_mins(10)).contains(&timeout) {
            return Err(bad("timeout", &written.timeout, "from 1s to 10m"));
        }
        let allow = written.allow.iter().map(|text| {
            let network = text.parse();
            network.map_err(|error| BadTable(format!("`allow`: {error}")))
        });
        let max_body =
            memory::parse(&written.max_body).and_then(|bytes| usize::try_from(bytes).ok());
        let max_body = max_body
            .ok_or_else(|| bad("max_body", &written.max_body, "write a size such as 15M"))?;
        let percent = written
            .fail_above
            .strip_suffix('%')
            .and_then(|text| text.trim().parse::<f64>().ok());
        let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
        let percent = percent.ok_or_else(|| {
            bad(
                "fail_above",
                &written.fail_above,
                "write a share such as 20%",
            )
        })?;
        Ok(Self {
            feeds: written.feeds,
            every,
            parallel: written.parallel,
            gap: long("gap", &written.gap)?,
            timeout,
            max_body,
            contact: written.contact,
            allow: allow.collect::<Result<_, _>>()?,
            fail_above: percent / 100.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_table_has_sensible_values() {
        let table = Table::parse("{}").unwrap();
        assert_eq!((table.every, table.parallel), (Duration::from_hours(1), 8));
        assert_eq!((table.max_body, table.fail_above), (15 << 20, 0.2));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (json, why) in [
            (
                r#"{"evry": "1h"}"#,
                "unknown field `evry`, expected one of `feeds`, `every`",
            ),
            (
                r#"{"every": "soon"}"#,
                "`every = \"soon\"`: write a duration such as 1h30m",
            ),
            (r#"{"every": "10s"}"#, "a minute at least"),
            (r#"{"timeout": "1h"}"#, "`timeout = \"1h\"`: from 1s to 10m"),
            (r#"{"parallel": 0}"#, "`parallel` is from 1 to 256"),
            (r#"{"max_body": "much"}"#, "write a size such as 15M"),
            (r#"{"fail_above": "120%"}"#, "write a share such as 20%"),
            (r#"{"allow": ["here"]}"#, "`here` is no network"),
            ("[]", "invalid type: sequence, expected a map"),
        ] {
            let error = Table::parse(json).unwrap_err().to_string();
            assert!(error.contains(why), "{json}: {error}");
        }
    }
}
