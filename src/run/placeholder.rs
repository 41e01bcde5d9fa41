//! `{slot}` and its like in the arguments and variables of a job.
//!
//! Never re-split, and not in `shell`, which reads the same things from its environment: a value cannot become
//! syntax.

use std::ops::Range;

use jiff::{Timestamp, fmt::strtime, tz::TimeZone};
use thiserror::Error;

use crate::{claim::Held, schedule};

/// What the placeholders of one run stand for.
#[derive(Debug)]
pub struct Values {
    slot: Timestamp,
    zone: TimeZone,
    job: String,
    attempt: String,
    run_id: String,
    host: String,
}

impl Values {
    /// The values for a run on a host.
    #[must_use]
    pub fn of(held: &Held, host: &str) -> Self {
        Self {
            slot: held.slot,
            zone: zone_of(held),
            job: held.job().to_string(),
            attempt: held.attempt.to_string(),
            run_id: held.run_id.to_string(),
            host: host.to_owned(),
        }
    }

    /// The text with every placeholder filled in; `{{` and `}}` are braces.
    pub fn fill(&self, text: &str) -> Result<String, BadPlaceholder> {
        expand(text, |name| self.value(name))
    }

    fn value(&self, name: &str) -> Result<String, String> {
        if let Some(format) = name.strip_prefix("slot:") {
            let local = self.slot.to_zoned(self.zone.clone());
            return strtime::format(format, &local).map_err(|error| error.to_string());
        }
        Ok(match name {
            "slot" => instant(self.slot),
            "job" => self.job.clone(),
            "attempt" => self.attempt.clone(),
            "run_id" => self.run_id.clone(),
            "host" => self.host.clone(),
            _ => return Err(format!("`{{{}}}` is no placeholder", name.escape_debug())),
        })
    }
}

/// What is wrong with the braces of a text, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}; {HELP}")]
pub struct BadPlaceholder {
    /// A lower-case fragment.
    pub message: String,
    /// The offending part, as bytes of the text.
    pub span: Range<usize>,
}

/// What to write instead.
pub const HELP: &str = "there are {slot}, {slot:FORMAT}, {job}, {attempt}, {run_id}, {host}; a brace itself is written twice";

/// The zone of the job; the configuration has refused those that are not known.
fn zone_of(held: &Held) -> TimeZone {
    let when = held.spec.timetable.as_ref();
    when.and_then(|when| schedule::zone(&when.timezone).ok())
        .unwrap_or(TimeZone::UTC)
}

/// Whether every placeholder of a text is known.
pub fn check(text: &str) -> Result<(), BadPlaceholder> {
    let sample = Values {
        slot: Timestamp::UNIX_EPOCH,
        zone: TimeZone::UTC,
        job: String::new(),
        attempt: String::new(),
        run_id: String::new(),
        host: String::new(),
    };
    sample.fill(text).map(drop)
}

/// An instant as everything of ours writes it: RFC 3339, UTC.
#[must_use]
pub fn instant(at: Timestamp) -> String {
    at.to_string()
}

fn expand(
    text: &str,
    value: impl Fn(&str) -> Result<String, String>,
) -> Result<String, BadPlaceholder> {
    let bad = |message: String, span| Err(BadPlaceholder { message, span });
    let mut filled = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(at) = text[from..].find(['{', '}']).map(|at| from + at) {
        filled.push_str(&text[from..at]);
        let (brace, after) = text[at..].split_at(1);
        if after.starts_with(brace) {
            filled.push_str(brace);
            from = at + 2;
            continue;
        }
        let Some(end) = after
            .find('}')
            .filter(|_| brace == "{")
            .map(|end| at + 1 + end)
        else {
            return bad(format!("a single `{brace}`"), at..at + 1);
        };
        match value(&text[at + 1..end]) {
            Ok(value) => filled.push_str(&value),
            Err(message) => return bad(message, at..end + 1),
        }
        from = end + 1;
    }
    filled.push_str(&text[from..]);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str) -> Result<String, BadPlaceholder> {
        let values = Values {
            slot: "2026-03-29T01:30:00Z".parse().expect("a timestamp"),
            zone: TimeZone::get("Europe/Berlin").expect("a zone"),
            job: "digest".into(),
            attempt: "2".into(),
            run_id: "id".into(),
            host: "web1".into(),
        };
        values.fill(text)
    }

    #[test]
    fn placeholders_are_filled_in_and_double_braces_are_braces() {
        assert_eq!(
            fill("{job}-{slot}").as_deref(),
            Ok("digest-2026-03-29T01:30:00Z")
        );
        assert_eq!(fill("{{job}} {attempt}").as_deref(), Ok("{job} 2"));
        assert_eq!(fill("no braces").as_deref(), Ok("no braces"));
    }

    #[test]
    fn a_format_writes_the_slot_in_the_zone_of_the_job() {
        assert_eq!(fill("{slot:%F %H:%M}").as_deref(), Ok("2026-03-29 03:30"));
    }

    #[test]
    fn what_is_no_placeholder_is_an_error_that_points_at_it() {
        let bad = fill("a {slto} b").expect_err("unknown");
        assert_eq!(
            (bad.message.as_str(), bad.span),
            ("`{slto}` is no placeholder", 2..8)
        );
        assert_eq!(fill("a {slot").expect_err("open").span, 2..3);
        assert_eq!(fill("slot} ä").expect_err("not opened").span, 4..5);
        assert!(check("{slot:%F} {{}} ü").is_ok());
        assert!(check("{slot:%!}").is_err());
    }
}
