//! Instants on the command line.

use jiff::{Timestamp, tz::TimeZone};

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
