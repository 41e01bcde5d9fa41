//! Instants and spans in words, by the database's clock.

use std::time::Duration;

use jiff::Timestamp;

use crate::{duration, store::table::never};

use super::Medium;

/// How to say when something was or will be.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// The database's clock.
    pub now: Timestamp,
    /// For whom.
    pub medium: Medium,
}

impl Times {
    /// For people, whatever reads the text first: mail, a pager, a page.
    #[must_use]
    pub fn in_words(now: Timestamp) -> Self {
        let medium = Medium::Terminal {
            width: usize::MAX,
            colour: false,
        };
        Self { now, medium }
    }

    /// `in 4m 12s`, `6m ago`, `now`; RFC 3339 for programs.
    #[must_use]
    pub fn when(&self, at: Timestamp) -> String {
        if !self.medium.is_terminal() {
            return at.to_string();
        }
        let away = self.now.duration_since(at);
        match (away.unsigned_abs(), away.is_negative()) {
            (span, _) if span < Duration::from_secs(1) => "now".to_owned(),
            (span, true) => format!("in {}", words(span)),
            (span, false) => format!("{} ago", words(span)),
        }
    }

    /// The same; nothing for no instant, and for the one that means "not by the clock".
    #[must_use]
    pub fn when_any(&self, at: Option<Timestamp>) -> String {
        at.filter(|&at| at < never())
            .map(|at| self.when(at))
            .unwrap_or_default()
    }

    /// To the second: `2026-11-20 22:40:00Z`; RFC 3339 for programs.
    #[must_use]
    pub fn clock(&self, at: Timestamp) -> String {
        if self.medium.is_terminal() {
            at.strftime("%F %TZ").to_string()
        } else {
            at.to_string()
        }
    }

    /// Both: `2026-11-20 22:40:00Z (4m ago)`; RFC 3339 for programs.
    #[must_use]
    pub fn both(&self, at: Timestamp) -> String {
        if self.medium.is_terminal() {
            format!("{} ({})", self.clock(at), self.when(at))
        } else {
            at.to_string()
        }
    }

    /// How long ago: `1m 12s`, at least `0s`.
    #[must_use]
    pub fn since(&self, at: Timestamp) -> String {
        words(self.now.duration_since(at).try_into().unwrap_or_default())
    }

    /// From one instant to a later one: `0.8s`, `1m 12s`; seconds for programs.
    #[must_use]
    pub fn took(&self, from: Timestamp, until: Timestamp) -> String {
        // A clock that was set back between the two.
        let span: Duration = until.duration_since(from).try_into().unwrap_or_default();
        if self.medium.is_terminal() {
            duration::short(span)
        } else {
            seconds(span)
        }
    }
}

/// Two units at most, whole seconds, rounded down.
pub(crate) fn words(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..10 => format!("{seconds}s"),
        _ => duration::short(span),
    }
}

/// `72.345`: seconds with milliseconds.
fn seconds(span: Duration) -> String {
    format!("{}.{:03}", span.as_secs(), span.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2031-05-05T{text}Z").parse().unwrap()
    }

    fn terminal() -> Times {
        Times {
            now: at("12:00:00"),
            medium: Medium::Terminal {
                width: 80,
                colour: false,
            },
        }
    }

    #[test]
    fn people_read_how_far_away_it_is() {
        let times = terminal();
        assert_eq!(times.when(at("12:04:12.9")), "in 4m 12s");
        assert_eq!(times.when(at("11:54:00")), "6m ago");
        assert_eq!(times.when(at("11:59:51.5")), "8s ago");
        assert_eq!(times.when(at("12:00:00.9")), "now");
        assert_eq!(
            times.when("2031-05-07T14:30:00Z".parse().unwrap()),
            "in 2d 2h"
        );
        assert_eq!(times.both(at("11:54:00")), "2031-05-05 11:54:00Z (6m ago)");
        assert_eq!(times.when_any(Some(never())), "");
    }

    #[test]
    fn programs_read_the_instant() {
        let times = Times {
            medium: Medium::Pipe,
            ..terminal()
        };
        assert_eq!(times.when(at("12:04:12.9")), "2031-05-05T12:04:12.9Z");
        assert_eq!(times.both(at("12:04:12")), "2031-05-05T12:04:12Z");
        assert_eq!(times.took(at("11:00:00"), at("11:01:12.3456")), "72.345");
    }

    #[test]
    fn a_clock_that_went_back_makes_no_negative_span() {
        assert_eq!(terminal().took(at("12:00:01"), at("12:00:00")), "0.0s");
        assert_eq!(terminal().since(at("12:00:01")), "0s");
    }
}
