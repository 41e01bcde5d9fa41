//! When the server wants to be asked again: `Retry-After` (RFC 9110, section 10.2.3).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, fmt::strtime, tz::TimeZone};

/// The forms of a date (RFC 9110, section 5.6.7): the one that is sent, and two that were.
const DATES: [&str; 3] = [
    "%a, %d %b %Y %H:%M:%S GMT",
    "%A, %d-%b-%y %H:%M:%S GMT",
    "%a %b %e %H:%M:%S %Y",
];

/// No date is longer: `Wednesday, 09-Nov-94 08:49:37 GMT`.
const LONGEST: usize = 40;

/// How long to wait: seconds, or until a date, and zero if that is past. `None`: it is neither.
///
/// ```
/// use crontabber::http::retry_after::wait;
/// use std::time::Duration;
///
/// let now = "1994-11-06T08:49:07Z".parse().unwrap();
/// assert_eq!(wait("120", now), Some(Duration::from_secs(120)));
/// assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(30)));
/// assert_eq!(wait("soon", now), None);
/// ```
#[must_use]
pub fn wait(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if value.is_empty() || value.len() > LONGEST {
        return None;
    }
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = date(value, now)?;
    Some(Duration::try_from(now.duration_until(date)).unwrap_or_default())
}

/// An `HTTP-date`.
fn date(value: &str, now: Timestamp) -> Option<Timestamp> {
    let (form, civil) = DATES
        .iter()
        .enumerate()
        .find_map(|(form, format)| Some((form, strtime::parse(format, value).ok()?)))?;
    let civil = civil.to_datetime().ok()?;
    let date = TimeZone::UTC.to_timestamp(civil).ok()?;
    // Two digits of a year that seem to be more than 50 years ahead are of the century before: RFC 9110, as above.
    let fifty_years = SignedDuration::from_hours(24 * 365 * 50 + 24 * 12);
    if form == 1 && now.duration_until(date) > fifty_years {
        let before = civil.with().year(civil.year() - 100).build().ok()?;
        return TimeZone::UTC.to_timestamp(before).ok();
    }
    Some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "1994-11-06T08:48:37Z";

    fn seconds(value: &str) -> Option<u64> {
        Some(wait(value, NOW.parse().unwrap())?.as_secs())
    }

    #[test]
    fn seconds_and_all_three_forms_of_a_date_are_read() {
        for (value, expected) in [
            ("0", 0),
            (" 7 ", 7),
            ("99999999999999999999999", u64::MAX),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 60),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 60),
            ("Sun Nov  6 08:49:37 1994", 60),
            // It is past.
            ("Sun, 06 Nov 1994 08:47:37 GMT", 0),
            ("Thursday, 01-Jan-70 00:00:00 GMT", 0),
        ] {
            assert_eq!(seconds(value), Some(expected), "{value}");
        }
    }

    #[test]
    fn what_is_neither_is_nothing() {
        let long = "1".repeat(1 << 20);
        for value in [
            "",
            " ",
            "soon",
            "-5",
            "1.5",
            "+1",
            "1e3",
            "٣",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            &long,
        ] {
            assert_eq!(seconds(value), None, "{value:.40}");
        }
    }

    #[test]
    fn a_year_of_two_digits_is_never_more_than_fifty_years_ahead() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let far = wait("Monday, 01-Jan-68 00:00:00 GMT", now);
        assert!(
            far.is_some_and(|wait| wait > Duration::from_hours(24 * 365 * 40))
                || far == Some(Duration::ZERO)
        );
        let past = "Saturday, 01-Jan-77 00:00:00 GMT";
        assert_eq!(wait(past, now), Some(Duration::ZERO));
    }
}
