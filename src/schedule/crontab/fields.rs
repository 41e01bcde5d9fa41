//! The five fields together: which wall times match.

use jiff::civil::{Date, date};

use super::{
    field::{DAY, HOUR, MINUTE, MONTH, Piece, Values, WEEKDAY},
    mistakes::{self, BadCrontab},
    walls::LAST,
};

/// The values that five fields allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fields {
    pub(super) minutes: Values,
    pub(super) hours: Values,
    pub(super) days: Values,
    pub(super) months: Values,
    /// 0 to 6, Sunday is 0.
    pub(super) weekdays: Values,
    /// Whether a day of the month *or* of the week is enough: neither field begins with `*`.
    pub(super) either_day: bool,
    /// Whether the minute or the hour field begins with `*`.
    pub(super) follow_real_time: bool,
}

/// The nicknames and what they are short for.
pub(super) const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

impl Fields {
    pub(super) fn parse(source: &str) -> Result<Self, BadCrontab> {
        let words: Vec<Piece<'_>> = Piece::new(source).words().collect();
        match words[..] {
            [nickname, ..] if nickname.text.starts_with('@') => {
                let known = |(name, _): &&(&str, _)| nickname.text.eq_ignore_ascii_case(name);
                match NICKNAMES.iter().find(known) {
                    Some((_, fields)) if words.len() == 1 => Self::parse(fields),
                    _ => Err(mistakes::nickname(nickname, &words[1..])),
                }
            }
            [minute, hour, day, month, weekday] => Self::of([minute, hour, day, month, weekday]),
            _ => Err(mistakes::number_of_fields(source, &words)),
        }
    }

    fn of([minute, hour, day, month, weekday]: [Piece<'_>; 5]) -> Result<Self, BadCrontab> {
        let starred = |field: Piece<'_>| field.text.starts_with('*');
        let fields = Self {
            minutes: MINUTE.values(minute)?,
            hours: HOUR.values(hour)?,
            days: DAY.values(day)?,
            months: MONTH.values(month)?,
            weekdays: WEEKDAY.values(weekday)?,
            either_day: !starred(day) && !starred(weekday),
            follow_real_time: starred(minute) || starred(hour),
        };
        if !fields.either_day && fields.days.iter().next() > Some(fields.longest_month()) {
            return Err(mistakes::never(&fields, day, month));
        }
        Ok(fields)
    }

    /// How many days the longest of the months has, in the longest of years.
    pub(super) fn longest_month(&self) -> u8 {
        let days = |month| match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        self.months.iter().map(days).max().unwrap_or(0)
    }

    /// How many wall times from `first` to `last` match, in seconds since 1970 as if the zone were
    /// UTC: whole days by multiplication, the first and the last minute by minute.
    pub(super) fn count(&self, first: i64, last: i64) -> i64 {
        let first = first.max(0).div_euclid(60) + i64::from(first.max(0) % 60 != 0);
        let last = last.min(LAST).div_euclid(60);
        (first.div_euclid(MINUTES_OF_A_DAY)..=last.div_euclid(MINUTES_OF_A_DAY))
            .filter(|day| self.match_day(*day))
            .map(|day| {
                let midnight = day * MINUTES_OF_A_DAY;
                self.count_in_day(first - midnight, last - midnight)
            })
            .sum()
    }

    /// How many minutes of a day match, from `first` to `last` where those lie in it.
    fn count_in_day(&self, first: i64, last: i64) -> i64 {
        if first <= 0 && last >= MINUTES_OF_A_DAY - 1 {
            return i64::from(self.hours.len()) * i64::from(self.minutes.len());
        }
        let matches = |minute: &i64| {
            self.hours.contains(small(minute / 60)) && self.minutes.contains(small(minute % 60))
        };
        let minutes = first.max(0)..=last.min(MINUTES_OF_A_DAY - 1);
        minutes.map(|minute| i64::from(matches(&minute))).sum()
    }

    /// Whether a day matches, by its number since 1970.
    fn match_day(&self, number: i64) -> bool {
        let Some(date) = date_of(number) else {
            return false;
        };
        let day = self.days.contains(date.day().unsigned_abs());
        let weekday = date.weekday().to_sunday_zero_offset().unsigned_abs();
        let weekday = self.weekdays.contains(weekday);
        let enough = if self.either_day {
            day || weekday
        } else {
            day && weekday
        };
        enough && self.months.contains(date.month().unsigned_abs())
    }
}

const MINUTES_OF_A_DAY: i64 = 1_440;

fn date_of(number: i64) -> Option<Date> {
    let hours = jiff::SignedDuration::try_from_hours(number.checked_mul(24)?)?;
    date(1970, 1, 1).checked_add(hours).ok()
}

fn small(number: i64) -> u8 {
    u8::try_from(number).expect("an hour or a minute")
}
