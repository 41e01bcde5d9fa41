//! `{slot}` and its like in the arguments and variables of a job.
//!
//! Never re-split, and not in `shell`, which reads the same things from its environment: a value cannot become
//! syntax.

use jiff::{Timestamp, tz::TimeZone};

use crate::{claim::Held, schedule};

/// The names, for messages and documentation.
pub const NAMES: [&str; 6] = ["slot", "slot:FORMAT", "job", "attempt", "run_id", "host"];

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
    pub fn fill(&self, text: &str) -> Result<String, String> {
        expand(text, |name| self.value(name))
    }

    fn value(&self, name: &str) -> Result<String, String> {
        if let Some(format) = name.strip_prefix("slot:") {
            let local = self.slot.to_zoned(self.zone.clone());
            return jiff::fmt::strtime::format(format, &local)
                .map_err(|error| format!("`{{{name}}}`: {error}"));
        }
        Ok(match name {
            "slot" => instant(self.slot),
            "job" => self.job.clone(),
            "attempt" => self.attempt.clone(),
            "run_id" => self.run_id.clone(),
            "host" => self.host.clone(),
            _ => return Err(unknown(name)),
        })
    }
}

/// The zone of the job; the configuration has refused those that are not known.
fn zone_of(held: &Held) -> TimeZone {
    let when = held.spec.timetable.as_ref();
    when.and_then(|when| schedule::zone(&when.timezone).ok())
        .unwrap_or(TimeZone::UTC)
}

/// Whether every placeholder of a text is known; the message says what to write instead.
pub fn check(text: &str) -> Result<(), String> {
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

fn unknown(name: &str) -> String {
    let names = NAMES.map(|name| format!("{{{name}}}")).join(", ");
    format!("`{{{name}}}` is no placeholder; there are {names}; a brace itself is written twice")
}

/// An instant as everything of ours writes it: RFC 3339, UTC.
#[must_use]
pub fn instant(at: Timestamp) -> String {
    at.to_string()
}

fn expand(text: &str, value: impl Fn(&str) -> Result<String, String>) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        filled.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            filled.push_str(brace);
            rest = after;
        } else if brace == "{" {
            let end = rest
                .find('}')
                .ok_or_else(|| "`{` without `}`; a brace itself is written `{{`".to_owned())?;
            filled.push_str(&value(&rest[..end])?);
            rest = &rest[end + 1..];
        } else {
            return Err("`}` without `{`; a brace itself is written `}}`".to_owned());
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str) -> Result<String, String> {
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
    fn what_is_no_placeholder_is_an_error_that_says_what_there_is() {
        assert!(fill("{slto}").expect_err("unknown").contains("{slot}"));
        assert!(fill("{slot").is_err());
        assert!(fill("slot}").is_err());
    }
}
