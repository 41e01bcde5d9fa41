//! When an episode came out, from what feeds write as dates.
//!
//! RSS has the dates of RFC 822 as RFC 2822 §3.3 and §4.3 read them, Atom and JSON Feed those of RFC 3339, `dc:date` the
//! W3C's profile of ISO 8601 (NOTE-datetime). Feeds mix them, and write each of them wrongly.

use std::borrow::Cow;

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time},
    tz::Offset,
};

/// Longer texts are no dates.
const LONGEST: usize = 100;

/// An instant that a feed names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dated {
    pub(super) at: Timestamp,
    /// Whether it was read as UTC because the zone has no one meaning.
    pub(super) is_zone_unknown: bool,
}

/// Reads a date of either kind; `None`: it is none.
pub(super) fn read(text: &str) -> Option<Dated> {
    let text = text.trim();
    if text.len() > LONGEST {
        return None;
    }
    numeric(text).or_else(|| in_words(text))
}

/// A date, a time of that day and a zone, as far as they have been found.
#[derive(Debug, Default)]
struct Parts {
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    clock: Option<Clock>,
    zone: Zone,
}

/// A time of day; 24:00 is the next midnight, and a leap second the second after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Clock {
    since_midnight: SignedDuration,
}

/// How far local time is from UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Zone {
    /// Nothing is said: UTC.
    #[default]
    Unsaid,
    /// So many seconds east.
    East(i32),
    /// A name that has no one meaning.
    Unknown,
}

impl Parts {
    fn instant(&self) -> Option<Dated> {
        let date = Date::new(self.year?, self.month?, self.day?).ok()?;
        let since_midnight = self
            .clock
            .map_or(SignedDuration::ZERO, |clock| clock.since_midnight);
        let local = date
            .to_datetime(Time::midnight())
            .checked_add(since_midnight);
        let east = match self.zone {
            Zone::East(seconds) => Offset::from_seconds(seconds).ok()?,
            Zone::Unsaid | Zone::Unknown => Offset::UTC,
        };
        Some(Dated {
            at: east.to_timestamp(local.ok()?).ok()?,
            is_zone_unknown: self.zone == Zone::Unknown,
        })
    }
}

/// `2026-01-31T12:00:00.5+01:00` and what is left when parts are missing from the end.
fn numeric(text: &str) -> Option<Dated> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '-');
    let (date, rest) = text.split_at(end.unwrap_or(text.len()));
    let mut parts = Parts::default();
    let (year, month, day) = match date.len() {
        8 if !date.contains('-') => (&date[..4], Some(&date[4..6]), Some(&date[6..])),
        _ => {
            let mut numbers = date.splitn(3, '-');
            (numbers.next()?, numbers.next(), numbers.next())
        }
    };
    if year.len() != 4 {
        return None;
    }
    parts.year = Some(year.parse().ok()?);
    parts.month = month.map_or(Some(1), small);
    parts.day = day.map_or(Some(1), small);
    let rest = rest.trim_start_matches(['T', 't']).trim_start();
    if !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.' | ','));
        let (time, after) = rest.split_at(end.unwrap_or(rest.len()));
        parts.clock = Some(clock(time)?);
        let mut words = after.split_whitespace();
        if let Some(word) = words.next() {
            parts.zone = zone(word)?;
        }
        if words.next().is_some() {
            return None;
        }
    }
    parts.instant()
}

/// One or two digits.
fn small(digits: &str) -> Option<i8> {
    let is_small = matches!(digits.len(), 1 | 2) && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| is_small)
}

/// `Sat, 31 Jan 2026 12:00:00 GMT`, with its parts in whatever order.
fn in_words(text: &str) -> Option<Dated> {
    let mut parts = Parts::default();
    let mut is_afternoon = None;
    let separated = separated(text);
    let words = separated.split(|c: char| c.is_whitespace() || c == ',');
    for word in words.filter(|word| !word.is_empty() && !word.starts_with('(')) {
        if word.contains(':') && word.starts_with(|c: char| c.is_ascii_digit()) {
            let end = word.find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.'));
            let (time, after) = word.split_at(end.unwrap_or(word.len()));
            parts.clock = Some(clock(time)?);
            match half_of_day(after) {
                _ if after.is_empty() => (),
                None => parts.zone = zone(after)?,
                half => is_afternoon = half,
            }
        } else if let Some(number) = number(word) {
            parts.place(number, word.len())?;
        } else if let Some(month) = name_in(word, &MONTHS).filter(|_| parts.month.is_none()) {
            parts.month = Some(month);
        } else if let Some(half) = half_of_day(word) {
            is_afternoon = Some(half);
        } else if parts.year.is_some() || parts.clock.is_some() {
            parts.zone = zone(word)?;
        } else if name_in(word, &WEEKDAYS).is_none() && parts.day.is_some() {
            return None;
        }
    }
    if let (Some(is_afternoon), Some(clock)) = (is_afternoon, &mut parts.clock) {
        clock.turn(is_afternoon);
    }
    parts.instant()
}

/// Whether `am` or `pm` is the second half.
fn half_of_day(word: &str) -> Option<bool> {
    let is = |half| word.eq_ignore_ascii_case(half);
    (is("am") || is("pm")).then(|| is("pm"))
}

/// `31-Jan-2026` as words of its own; the sign of a zone stays.
fn separated(text: &str) -> Cow<'_, str> {
    // As most dates are.
    if !text.contains('-') {
        return text.into();
    }
    let mut separated = String::with_capacity(text.len());
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let letters = |c: char| c.is_alphabetic();
        let is_between = (letters(before) && before != 'T')
            || characters.peek().is_some_and(|next| letters(*next));
        let parts_a_date = character == '-' && !before.is_whitespace() && is_between;
        separated.push(if parts_a_date { ' ' } else { character });
        before = character;
    }
    separated.into()
}

/// `31`, `31st`.
fn number(word: &str) -> Option<i16> {
    let end = word.find(|c: char| !c.is_ascii_digit());
    let (digits, after) = word.split_at(end.unwrap_or(word.len()));
    let endings = ["", ".", "st", "nd", "rd", "th"];
    let is_number = endings
        .iter()
        .any(|ending| after.eq_ignore_ascii_case(ending));
    digits
        .parse()
        .ok()
        .filter(|_| is_number && digits.len() <= 4)
}

impl Parts {
    /// A number is the day or, after it or if no month has so many, the year.
    fn place(&mut self, number: i16, digits: usize) -> Option<()> {
        if self.day.is_none() && (1..=31).contains(&number) {
            self.day = i8::try_from(number).ok();
            return self.day.map(|_| ());
        }
        if self.year.is_some() {
            return None;
        }
        // RFC 2822 §4.3: two digits are of 2000 to 2049 or of 1950 to 1999, three count from 1900.
        self.year = Some(match (digits, number) {
            (1 | 2, 0..=49) => 2_000 + number,
            (1..=3, _) => 1_900 + number,
            _ => number,
        });
        Some(())
    }
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// Which of the names it is, counted from 1: whole, or at least three letters of it.
fn name_in(word: &str, names: &[&str]) -> Option<i8> {
    let word = word.trim_end_matches('.');
    let begins = |name: &str| {
        let beginning = name.get(..word.len());
        beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(word))
    };
    let index = names
        .iter()
        .position(|name| word.len() >= 3 && begins(name))?;
    i8::try_from(index + 1).ok()
}

/// `12:00`, `12:00:00`, `12:00:00.5`.
fn clock(text: &str) -> Option<Clock> {
    let mut numbers = text.splitn(3, ':');
    let hours = small(numbers.next()?)?;
    let minutes = small(numbers.next()?)?;
    let seconds = numbers.next().unwrap_or("0");
    let (seconds, fraction) = seconds.split_once(['.', ',']).unwrap_or((seconds, ""));
    let seconds = small(seconds)?;
    let is_day = hours < 24 || (hours == 24 && minutes == 0 && seconds == 0);
    // 60 is a leap second.
    if !is_day || minutes > 59 || seconds > 60 {
        return None;
    }
    let whole = i64::from(hours) * 3_600 + i64::from(minutes) * 60 + i64::from(seconds);
    Some(Clock {
        since_midnight: SignedDuration::new(whole, nanoseconds(fraction)?),
    })
}

/// The digits after the point.
fn nanoseconds(fraction: &str) -> Option<i32> {
    if fraction.is_empty() {
        return Some(0);
    }
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{fraction:0<9.9}").parse().ok()
}

impl Clock {
    /// A time of the half of the day: 12 am is midnight.
    fn turn(&mut self, is_afternoon: bool) {
        const HALF: SignedDuration = SignedDuration::from_hours(12);
        let is_past_noon = self.since_midnight >= HALF;
        match (is_afternoon, is_past_noon) {
            (true, false) => self.since_midnight += HALF,
            (false, true) => self.since_midnight -= HALF,
            _ => (),
        }
    }
}

/// `+0100`, `+01:00`, `-08`, `Z`, `GMT`, `EST`, `GMT+1`; `None`: no zone at all.
fn zone(word: &str) -> Option<Zone> {
    let upper = word.to_ascii_uppercase();
    let name = upper.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, ':' | '+' | '-'));
    let offset = &upper[name.len()..];
    match (name, offset) {
        // RFC 2822 §4.3: the other letters of the military were specified the wrong way round, and mean nothing.
        ("" | "GMT" | "UTC" | "UT" | "Z", "") => Some(Zone::East(0)),
        ("" | "GMT" | "UTC" | "UT", offset) => distance(offset).map(Zone::East),
        (_, "") => Some(named(name)),
        _ => None,
    }
}

/// The zones of RFC 2822 §4.3, and those of the west that it left out.
fn named(name: &str) -> Zone {
    let hours = match name {
        "AST" | "EDT" => -4,
        "ADT" => -3,
        "EST" | "CDT" => -5,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" | "AKDT" => -8,
        "AKST" | "HDT" => -9,
        "HST" => -10,
        _ => return Zone::Unknown,
    };
    Zone::East(hours * 3_600)
}

/// Seconds east of UTC; not more than a day.
fn distance(offset: &str) -> Option<i32> {
    let sign = match offset.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = offset[1..].replace(':', "");
    if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: i32 = digits.parse().ok()?;
    let (hours, minutes) = if digits.len() > 2 {
        (number / 100, number % 100)
    } else {
        (number, 0)
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

#[cfg(test)]
mod tests;
