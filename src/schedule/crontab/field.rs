//! One field: from `mon-fri`, `*/10` or `1,15` to a set of numbers.

use std::ops::{Range, RangeInclusive};

use super::mistakes::{self, BadCrontab};

/// A set of numbers from 0 to 63.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Values(u64);

impl Values {
    // All minutes of an hour, all hours of a day, and so on.
    pub(super) const HOUR: Self = Self::all(0..=59);
    pub(super) const DAY: Self = Self::all(0..=23);
    pub(super) const MONTH: Self = Self::all(1..=31);
    pub(super) const YEAR: Self = Self::all(1..=12);
    pub(super) const WEEK: Self = Self::all(0..=6);

    const fn all(range: RangeInclusive<u8>) -> Self {
        Self((u64::MAX >> (63 - *range.end())) & (u64::MAX << *range.start()))
    }

    pub(super) fn contains(self, value: u8) -> bool {
        self.0 >> value & 1 == 1
    }

    pub(super) fn len(self) -> u32 {
        self.0.count_ones()
    }

    pub(super) fn iter(self) -> impl Iterator<Item = u8> {
        (0..64).filter(move |value| self.contains(*value))
    }
}

impl Extend<u8> for Values {
    fn extend<I: IntoIterator<Item = u8>>(&mut self, values: I) {
        for value in values {
            self.0 |= 1 << value;
        }
    }
}

/// A part of an expression, and where in it that part begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    at: usize,
}

impl<'a> Piece<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self {
            text: source,
            at: 0,
        }
    }

    /// The part as bytes of the expression.
    pub(super) fn span(self) -> Range<usize> {
        self.at..self.at + self.text.len()
    }

    /// What stands between spaces.
    pub(super) fn words(self) -> impl Iterator<Item = Self> {
        self.split(|c| c.is_ascii_whitespace())
            .filter(|word| !word.text.is_empty())
    }

    /// The parts between separators, each of them one byte long.
    fn split(self, separator: fn(char) -> bool) -> impl Iterator<Item = Self> {
        self.text.split(separator).scan(self.at, |next, text| {
            let at = *next;
            *next += text.len() + 1;
            Some(Self { text, at })
        })
    }

    fn split_once(self, separator: char) -> Option<(Self, Self)> {
        let (before, after) = self.text.split_once(separator)?;
        let at = self.at + before.len() + separator.len_utf8();
        Some((
            Self {
                text: before,
                ..self
            },
            Self { text: after, at },
        ))
    }
}

/// What one of the five fields counts.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) one: &'static str,
    pub(super) many: &'static str,
    pub(super) low: u8,
    pub(super) high: u8,
    /// Names of the values from `low`.
    pub(super) names: &'static [&'static str],
}

pub(super) const MINUTE: Unit = Unit {
    one: "minute",
    many: "minutes",
    low: 0,
    high: 59,
    names: &[],
};

pub(super) const HOUR: Unit = Unit {
    one: "hour",
    many: "hours",
    low: 0,
    high: 23,
    names: &[],
};

pub(super) const DAY: Unit = Unit {
    one: "day of the month",
    many: "days of the month",
    low: 1,
    high: 31,
    names: &[],
};

pub(super) const MONTH: Unit = Unit {
    one: "month",
    many: "months",
    low: 1,
    high: 12,
    names: &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
};

pub(super) const WEEKDAY: Unit = Unit {
    one: "day of the week",
    many: "days of the week",
    low: 0,
    high: SUNDAY_AGAIN,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

/// Sunday as the day after Saturday; only days of the week have it for a limit.
const SUNDAY_AGAIN: u8 = 7;

impl Unit {
    /// The values that a field allows.
    pub(super) fn values(&self, field: Piece<'_>) -> Result<Values, BadCrontab> {
        let mut values = Values(0);
        for item in field.split(|c| c == ',') {
            values.extend(self.item(item)?.map(|value| self.once(value)));
        }
        Ok(values)
    }

    /// The last value that is none of the earlier ones once more.
    pub(super) fn last(&self) -> u8 {
        match self.high {
            SUNDAY_AGAIN => SUNDAY_AGAIN - 1,
            high => high,
        }
    }

    fn once(&self, value: u8) -> u8 {
        if value > self.last() { 0 } else { value }
    }

    /// One entry of a list: `5`, `1-5`, `*`, `5/15`, `1-31/2` or `*/2`.
    fn item(&self, item: Piece<'_>) -> Result<impl Iterator<Item = u8> + use<>, BadCrontab> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (item, None),
        };
        let (low, high) = self.range(range, step)?;
        let step = match step {
            Some(step) => self.step(item, step, low..=high)?,
            None => 1,
        };
        Ok((low..=high).step_by(step))
    }

    fn range(&self, range: Piece<'_>, step: Option<Piece<'_>>) -> Result<(u8, u8), BadCrontab> {
        if range.text == "*" {
            return Ok((self.low, self.last()));
        }
        let Some((low, high)) = range.split_once('-') else {
            let value = self.number(range)?;
            return Ok((value, if step.is_some() { self.high } else { value }));
        };
        match (self.number(low)?, self.number(high)?) {
            // `fri-sun` and `5-0` run to the Sunday at the other end of the week.
            (low, 0) if self.high == SUNDAY_AGAIN && low > 0 => Ok((low, SUNDAY_AGAIN)),
            (low, high) if low <= high => Ok((low, high)),
            bounds => Err(mistakes::backwards(self, range, bounds, step)),
        }
    }

    fn number(&self, piece: Piece<'_>) -> Result<u8, BadCrontab> {
        let named = |name: &&str| name.eq_ignore_ascii_case(piece.text);
        if let Some(value) = (self.low..).zip(self.names).find(|(_, name)| named(name)) {
            return Ok(value.0);
        }
        if piece.text.is_empty() || !piece.text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(mistakes::no_number(self, piece));
        }
        match piece.text.parse() {
            Ok(value) if (self.low..=self.high).contains(&value) => Ok(value),
            _ => Err(mistakes::out_of_range(self, piece)),
        }
    }

    fn step(
        &self,
        item: Piece<'_>,
        step: Piece<'_>,
        range: RangeInclusive<u8>,
    ) -> Result<usize, BadCrontab> {
        if step.text.is_empty() || !step.text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(mistakes::no_step(step));
        }
        match step.text.parse() {
            Ok(0) => Err(mistakes::step_of_zero(step)),
            Ok(1) => Ok(1),
            Ok(number) if number <= usize::from(range.end() - range.start()) => Ok(number),
            _ => Err(mistakes::large_step(self, item, step, *range.start())),
        }
    }
}
