//! When the server wants to be asked again: `Retry-After` (RFC 9110, section 10.2.3).

use std::time::Duration;

use jiff::{Timestamp, civil::DateTime, fmt::strtime, tz::TimeZone};

/// The forms of a date (RFC 9110, section 5.6.7), after its day of the week: the one that is sent, and two that were.
const DATES: [&str; 3] = [
    "%d %b %Y %H:%M:%S GMT",
    "%d-%b-%y %H:%M:%S GMT",
    "%b %e %H:%M:%S %Y",
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

/// An `HTTP-date`. Its day of the week says nothing that the rest does not, and is not compared with it.
fn date(value: &str, now: Timestamp) -> Option<Timestamp> {
    let rest = value
        .split_once(", ")
        .or_else(|| value.split_once(' '))
        .map(|(_, rest)| rest)?;
    let (form, civil) = DATES
        .iter()
        .enumerate()
        .find_map(|(form, format)| Some((form, strtime::parse(format, rest).ok()?)))?;
    let civil = civil.to_datetime().ok()?;
    let civil = if form == 1 {
        in_its_century(civil, now)?
    } else {
        civil
    };
    TimeZone::UTC.to_timestamp(civil).ok()
}

/// The date of a year of two digits: of this century, or of the one before if that is more than 50 years ahead
/// (RFC 9110, section 5.6.7).
fn in_its_century(date: DateTime, now: Timestamp) -> Option<DateTime> {
    let this_year = TimeZone::UTC.to_datetime(now).year();
    let year = this_year - this_year % 100 + date.year() % 100;
    let year = if year > this_year + 50 {
        year - 100
    } else {
        year
    };
    date.with().year(year).build().ok()
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
        let year = |digits: &str, now: &str| {
            let now: Timestamp = now.parse().unwrap();
            let text = format!("Monday, 01-Mar-{digits} 00:00:00 GMT");
            let date = date(&text, now).unwrap();
            TimeZone::UTC.to_datetime(date).year()
        };
        for (digits, now, expected) in [
            ("26", "2026-01-01T00:00:00Z", 2026),
            ("76", "2026-01-01T00:00:00Z", 2076),
            ("77", "2026-01-01T00:00:00Z", 1977),
            ("68", "2010-01-01T00:00:00Z", 1968),
            ("94", "1994-11-06T08:49:07Z", 1994),
        ] {
            assert_eq!(year(digits, now), expected, "{digits} in {now}");
        }
    }
}
