//! Until when, as people write it.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use thiserror::Error;

use crate::{duration, store::table::never};

/// An instant ahead, and how its text was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Until {
    /// The instant, in whole microseconds.
    pub at: Timestamp,
    /// The zone that was taken for a wall time; `None`: the text left nothing open.
    pub zone: Option<String>,
}

/// Why a text is no instant ahead.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadUntil {
    /// It is none of what is understood.
    #[error(
        "`{0}` is no instant: write how long from now (`2h`, `3d`), a local time (`2031-05-05T09:00`) or one with its \
         offset (`2031-05-05T09:00:00Z`)"
    )]
    Unknown(String),
    /// It has passed.
    #[error(
        "`{text}` is {at}, which has passed: it is {now}; name an instant ahead, or how long from now (`2h`)"
    )]
    Passed {
        /// What was written.
        text: String,
        /// What that means; with the zone, if one was taken.
        at: String,
        /// The database's clock.
        now: Timestamp,
    },
}

/// The instant that a text means: RFC 3339 with an offset, or a wall time in `zone`.
#[must_use]
pub fn instant(text: &str, zone: &TimeZone) -> Option<Until> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(Until {
            at: whole_micros(at),
            zone: None,
        });
    }
    let zoned = text.parse::<DateTime>().ok()?.to_zoned(zone.clone()).ok()?;
    let name = zone
        .iana_name()
        .map_or_else(|| zoned.offset().to_string(), str::to_owned);
    Some(Until {
        at: whole_micros(zoned.timestamp()),
        zone: Some(name),
    })
}

/// The instant, ahead or not, that a text means: as [`instant`], or a duration from `now`.
pub fn moment(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Until, BadUntil> {
    let text = text.trim();
    if let Some(moment) = instant(text, zone) {
        return Ok(moment);
    }
    let unknown = || {
        let shown: String = text.chars().take(60).collect();
        BadUntil::Unknown(shown.escape_debug().to_string())
    };
    let span = duration::parse(text).map_err(|_| unknown())?;
    let span = SignedDuration::try_from(span).map_err(|_| unknown())?;
    Ok(Until {
        at: now.checked_add(span).map_err(|_| unknown())?.min(never()),
        zone: None,
    })
}

/// The instant ahead that a text means: as [`moment`].
pub fn until(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Until, BadUntil> {
    let text = text.trim();
    let until = moment(text, now, zone)?;
    if until.at <= now {
        let zoned = until.zone.map(|zone| format!(" ({zone})"));
        return Err(BadUntil::Passed {
            text: text.to_owned(),
            at: format!("{}{}", until.at, zoned.unwrap_or_default()),
            now,
        });
    }
    Ok(until)
}

/// As the tables keep them; what lies beyond their calendar is for ever.
fn whole_micros(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond())
        .unwrap_or(at)
        .min(never())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2031-05-05T12:00:00Z".parse().unwrap()
    }

    fn paris() -> TimeZone {
        TimeZone::get("Europe/Paris").unwrap()
    }

    fn at(text: &str) -> (String, Option<String>) {
        let until = until(text, now(), &paris()).unwrap_or_else(|error| panic!("{text}: {error}"));
        (until.at.to_string(), until.zone)
    }

    #[test]
    fn an_instant_a_wall_time_and_a_duration_are_understood() {
        let local = Some("Europe/Paris".to_owned());
        assert_eq!(
            at("2031-05-05T14:00:00Z"),
            ("2031-05-05T14:00:00Z".into(), None)
        );
        assert_eq!(
            at("2031-05-05 14:30+02:00"),
            ("2031-05-05T12:30:00Z".into(), None)
        );
        assert_eq!(
            at("2031-05-05T14:30"),
            ("2031-05-05T12:30:00Z".into(), local.clone())
        );
        assert_eq!(
            at("2031-12-24 18:00:05"),
            ("2031-12-24T17:00:05Z".into(), local.clone())
        );
        assert_eq!(at("2031-05-06"), ("2031-05-05T22:00:00Z".into(), local));
        assert_eq!(at("1h30m"), ("2031-05-05T13:30:00Z".into(), None));
        assert_eq!(at(" 2d "), ("2031-05-07T12:00:00Z".into(), None));
    }

    #[test]
    fn a_wall_time_in_the_gap_of_a_spring_night_is_the_hour_after_it() {
        assert_eq!(at("2032-03-28T02:30").0, "2032-03-28T01:30:00Z");
    }

    #[test]
    fn what_has_passed_is_told_in_both_clocks() {
        let error = until("2031-05-05T14:00", now(), &paris()).unwrap_err();
        let expected = "`2031-05-05T14:00` is 2031-05-05T12:00:00Z (Europe/Paris), which has passed: it is \
                        2031-05-05T12:00:00Z; name an instant ahead, or how long from now (`2h`)";
        assert_eq!(error.to_string(), expected);
        assert!(matches!(
            until("0s", now(), &paris()),
            Err(BadUntil::Passed { .. })
        ));
    }

    #[test]
    fn anything_else_is_told_what_to_write() {
        for text in [
            "",
            "tomorrow",
            "2h30",
            "9 o'clock",
            "2031-13-01",
            "-2h",
            "\u{1b}[2J",
        ] {
            let error = until(text, now(), &paris()).unwrap_err();
            assert!(matches!(error, BadUntil::Unknown(_)), "{text}: {error}");
            assert!(!error.to_string().contains('\u{1b}'));
        }
    }

    #[test]
    fn what_lies_beyond_every_clock_is_for_ever() {
        assert_eq!(at("9999-06-01T00:00:00Z").0, never().to_string());
    }
}
