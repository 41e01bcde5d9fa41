//! Instants on the command line.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::control;

use super::fail::Failure;

/// The instant that was typed for an option; which zone was taken for a wall time is told.
pub(super) fn typed(option: &str, text: &str) -> Result<Timestamp, Failure> {
    control::instant(text, &TimeZone::system())
        .map(|instant| {
            if let Some(zone) = &instant.zone {
                eprintln!("{option} {text} is {} ({zone})", instant.at);
            }
            instant.at
        })
        .ok_or_else(|| {
            Failure::Usage(format!(
                "`{}` is no instant: write one with its offset (`2031-05-05T09:00:00Z`) or a local time \
                 (`2031-05-05T09:00`)",
                text.escape_debug()
            ))
        })
}

/// The instant that was typed, or how long it is from `now`; wall time is of `zone`.
pub(super) fn moment(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, Failure> {
    control::moment(text, now, zone)
        .map(|moment| moment.at)
        .map_err(|error| Failure::Usage(error.to_string()))
}

/// The day that was typed, if it is one and no instant of it. A text with a time is a date, too, for those who read no
/// further.
pub(super) fn day(text: &str) -> Option<Date> {
    let text = text.trim();
    let is_plain = text.chars().all(|c| c.is_ascii_digit() || c == '-');
    text.parse().ok().filter(|_| is_plain)
}
