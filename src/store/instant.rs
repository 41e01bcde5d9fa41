//! Instants that others have written.

use std::error::Error;

use jiff::{Timestamp, civil::date, tz::TimeZone};
use tokio_postgres::types::{FromSql, Type, accepts};

use super::table::never;

/// An instant from a column that others write too.
///
/// PostgreSQL knows infinities, and years that no calendar of ours has. `next_run = 'infinity'` is how a person puts
/// a job to sleep; read strictly it would be an error of the whole table, and stop every job of every host. What is
/// too late is [`never()`] here, what is too early the first of January of the year 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Instant(pub(crate) Timestamp);

/// 2000-01-01, from which PostgreSQL counts, in microseconds since 1970.
const EPOCH: i64 = 946_684_800_000_000;

impl<'a> FromSql<'a> for Instant {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let micros = i64::from_be_bytes(raw.try_into()?).saturating_add(EPOCH);
        let instant = Timestamp::from_microsecond(micros);
        let first = first();
        Ok(Self(match instant {
            Ok(instant) => instant.clamp(first, never()),
            Err(_) if micros < 0 => first,
            Err(_) => never(),
        }))
    }

    accepts!(TIMESTAMPTZ);
}

fn first() -> Timestamp {
    let first = date(1, 1, 1).to_zoned(TimeZone::UTC);
    first.map_or(Timestamp::MIN, |first| first.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(since_2000: i64) -> Timestamp {
        let read = Instant::from_sql(&Type::TIMESTAMPTZ, &since_2000.to_be_bytes());
        read.expect("eight bytes").0
    }

    #[test]
    fn an_instant_is_what_it_is_to_the_microsecond() {
        assert_eq!(read(-EPOCH + 1), Timestamp::constant(0, 1_000));
        assert_eq!(read(0).to_string(), "2000-01-01T00:00:00Z");
    }

    #[test]
    fn the_infinities_are_the_ends_of_time() {
        assert_eq!(read(i64::MAX), never());
        assert_eq!(read(i64::MIN), first());
        assert_eq!(first().to_string(), "0001-01-01T00:00:00Z");
    }
}
