//! The table that a job hands to the action, as it is meant.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

use super::probe::Probe;
use crate::{duration, http::Network, memory};

/// What to do, how, and where to keep it.
#[derive(Debug, Clone)]
pub struct Table {
    /// Feeds to have, beside those that the tables have already.
    pub feeds: Vec<String>,
    /// An OPML file with more of them, read at each pass.
    pub opml: Option<String>,
    /// A query for the addresses of more of them, asked at each pass.
    pub query: Option<String>,
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
    /// How files are probed whose feeds do not say how long they are; `None`: they are not.
    pub probe: Option<Probe>,
    /// How long it is kept that a feed was fetched.
    pub keep_fetches: Duration,
}

/// Why a table makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the table of this job: {0}")]
pub struct BadTable(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    feeds: Vec<String>,
    opml: Option<String>,
    query: Option<String>,
    every: String,
    parallel: usize,
    gap: String,
    timeout: String,
    max_body: String,
    contact: Option<String>,
    allow: Vec<String>,
    fail_above: String,
    probe: Vec<String>,
    probe_timeout: String,
    probe_parallel: usize,
    probes: usize,
    keep_fetches: String,
}

impl Default for Written {
    fn default() -> Self {
        Self {
            feeds: Vec::new(),
            opml: None,
            query: None,
            every: "1h".to_owned(),
            parallel: 8,
            gap: "1s".to_owned(),
            timeout: "3m".to_owned(),
            max_body: "15M".to_owned(),
            contact: None,
            allow: Vec::new(),
            fail_above: "20%".to_owned(),
            probe: Vec::new(),
            probe_timeout: "1m".to_owned(),
            probe_parallel: 2,
            probes: 50,
            keep_fetches: "30d".to_owned(),
        }
    }
}

fn bad(key: &str, text: &str, why: &str) -> BadTable {
    BadTable(format!("`{key} = \"{text}\"`: {why}"))
}

fn long(key: &str, text: &str) -> Result<Duration, BadTable> {
    duration::parse(text).map_err(|_| bad(key, text, "write a duration such as 1h30m"))
}

impl Written {
    fn probe(&self) -> Result<Option<Probe>, BadTable> {
        let timeout = long("probe_timeout", &self.probe_timeout)?;
        if !(Duration::from_secs(1)..=Duration::from_mins(30)).contains(&timeout) {
            let why = "from 1s to 30m";
            return Err(bad("probe_timeout", &self.probe_timeout, why));
        }
        for (key, number, most) in [
            ("probe_parallel", self.probe_parallel, 64),
            ("probes", self.probes, 10_000),
        ] {
            if !(1..=most).contains(&number) {
                return Err(BadTable(format!("`{key}` is from 1 to {most}")));
            }
        }
        let program = self.probe.first();
        if program.is_some_and(String::is_empty) {
            let why =
                "`probe` is a program and its arguments, such as [\"ffprobe\", \"-v\", \"error\"]";
            return Err(BadTable(why.to_owned()));
        }
        Ok(program.is_some().then(|| Probe {
            argv: self.probe.clone(),
            timeout,
            parallel: self.probe_parallel,
            most: self.probes,
        }))
    }

    fn keep_fetches(&self) -> Result<Duration, BadTable> {
        let keep = long("keep_fetches", &self.keep_fetches)?;
        if keep < Duration::from_hours(1) {
            return Err(bad("keep_fetches", &self.keep_fetches, "an hour at least"));
        }
        Ok(keep)
    }
}

impl Table {
    /// Reads it from JSON.
    pub fn parse(json: &str) -> Result<Self, BadTable> {
        let json: Map<String, Value> =
            serde_json::from_str(json).map_err(|error| BadTable(error.to_string()))?;
        let written = Written::deserialize(Value::Object(json));
        let written = written.map_err(|error| BadTable(error.to_string()))?;
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
            probe: written.probe()?,
            keep_fetches: written.keep_fetches()?,
            feeds: written.feeds,
            opml: written.opml,
            query: written.query,
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
        assert_eq!(table.probe, None);
        assert_eq!(table.keep_fetches, Duration::from_hours(30 * 24));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (json, why) in [
            (
                r#"{"evry": "1h"}"#,
                "unknown field `evry`, expected one of `feeds`, `opml`",
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
            (
                r#"{"probe": "ffprobe"}"#,
                "invalid type: string \"ffprobe\", expected a sequence",
            ),
            (r#"{"probe": [""]}"#, "`probe` is a program and its"),
            (r#"{"probe_timeout": "1h"}"#, "from 1s to 30m"),
            (
                r#"{"probe_parallel": 0}"#,
                "`probe_parallel` is from 1 to 64",
            ),
            (r#"{"probes": 0}"#, "`probes` is from 1 to 10000"),
            (r#"{"keep_fetches": "1m"}"#, "an hour at least"),
            ("[]", "invalid type: sequence, expected a map"),
        ] {
            let error = Table::parse(json).unwrap_err().to_string();
            assert!(error.contains(why), "{json}: {error}");
        }
    }
}
