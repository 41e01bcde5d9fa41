//! How long, as people write it: `90s`, `1h30m`, `1d12h`.
//!
//! Whole numbers, each with its unit, the largest unit first. A day is 24 hours and a week is seven
//! of them, whatever the clocks of a zone do; months and years have no fixed length and no unit.

use std::{fmt::Write as _, ops::Range, time::Duration};

use thiserror::Error;

/// What is wrong with the text of a duration, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct BadDuration {
    /// A lower-case fragment: "unit `x` is unknown".
    pub message: String,
    /// The offending part, as bytes of the text.
    pub span: Range<usize>,
    /// A few words for under the caret: `units are w, d, h, m, s and ms`.
    pub label: String,
    /// What to write instead, if that can be said.
    pub help: Option<String>,
}

/// The longest duration: 100 years of 365 days.
pub const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

/// The units and their milliseconds, in the order in which they are written.
const UNITS: [(&str, u64); 6] = [
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The duration that a text means; zero is one, longer than [`LONGEST`] is none.
///
/// ```
/// use crontabber::duration::parse;
/// use std::time::Duration;
///
/// assert_eq!(parse("1d12h"), Ok(Duration::from_secs(36 * 3600)));
/// assert_eq!(parse("1.5h").unwrap_err().help.as_deref(), Some("write `1h30m`"));
/// ```
pub fn parse(text: &str) -> Result<Duration, BadDuration> {
    let mut total = 0_u64;
    let mut allowed = 0; // the first of `UNITS` that may still follow
    let mut rest = Cursor { text, at: 0 };
    rest.skip(|c| c == ' ');
    if rest.peek().is_none() {
        let message = "a duration is missing".to_owned();
        let help = "write for example `90s`, `5m`, `1h30m` or `1d`";
        return Err(bad(
            message,
            0..text.len(),
            "nothing here",
            Some(help.into()),
        ));
    }
    while rest.peek().is_some() {
        let part = Part::read(&mut rest)?;
        if part.unit < allowed {
            return Err(out_of_order(text, &part, allowed));
        }
        allowed = part.unit + 1;
        total = part
            .millis()
            .and_then(|millis| total.checked_add(millis))
            .filter(|&total| u128::from(total) <= LONGEST.as_millis())
            .ok_or_else(|| too_long(part.span))?;
        rest.skip(|c| c == ' ');
    }
    Ok(Duration::from_millis(total))
}

/// The duration in full, as [`parse`] reads it: `1h30m`, `7d`, `250ms`, `0s`. Less than a
/// millisecond is dropped.
#[must_use]
pub fn written(duration: Duration) -> String {
    let mut text = String::new();
    let mut rest = duration.as_millis();
    for (unit, millis) in &UNITS[1..] {
        let number = rest / u128::from(*millis);
        rest %= u128::from(*millis);
        if number > 0 {
            write!(text, "{number}{unit}").expect("a String takes all it is given");
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

/// The duration for people in a hurry, rounded down: `0.8s`, `12s`, `1h 30m`, `2d`.
///
/// Below ten seconds with one decimal, else the largest unit and the one below it.
#[must_use]
pub fn short(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 10 {
        return format!("{seconds}.{}s", duration.subsec_millis() / 100);
    }
    let (large, small) = match seconds {
        86_400.. => ((seconds / 86_400, "d"), (seconds / 3_600 % 24, "h")),
        3_600.. => ((seconds / 3_600, "h"), (seconds / 60 % 60, "m")),
        60.. => ((seconds / 60, "m"), (seconds % 60, "s")),
        _ => ((seconds, "s"), (0, "")),
    };
    match small {
        (0, _) => format!("{}{}", large.0, large.1),
        (number, unit) => format!("{}{} {number}{unit}", large.0, large.1),
    }
}

/// What is still to be read of a text.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    /// Passes over what `wanted` accepts and returns it.
    fn skip(&mut self, wanted: fn(char) -> bool) -> &'a str {
        let rest = &self.text[self.at..];
        let length = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }
}

/// One number with its unit, as an index of [`UNITS`].
struct Part<'a> {
    number: &'a str,
    unit: usize,
    span: Range<usize>,
}

impl<'a> Part<'a> {
    fn read(rest: &mut Cursor<'a>) -> Result<Self, BadDuration> {
        let start = rest.at;
        let number = rest.skip(|c| c.is_ascii_digit());
        match rest.peek() {
            Some('-' | '+') if number.is_empty() => return Err(signed(rest, start)),
            Some('.' | ',') if !number.is_empty() => return Err(fraction(rest, start)),
            Some(':') => return Err(clock_time(rest)),
            _ => {}
        }
        let at = rest.at;
        let unit = rest.skip(char::is_alphabetic);
        if number.is_empty() {
            return Err(no_number(rest, start));
        }
        if unit.is_empty() {
            return Err(no_unit(number, start));
        }
        match UNITS.iter().position(|(name, _)| *name == unit) {
            Some(index) => Ok(Self {
                number,
                unit: index,
                span: start..rest.at,
            }),
            None => Err(unknown_unit(number, unit, at..rest.at)),
        }
    }

    /// `None`: more than any clock shows.
    fn millis(&self) -> Option<u64> {
        let number: u64 = self.number.parse().ok()?;
        number.checked_mul(UNITS[self.unit].1)
    }
}

fn bad(message: String, span: Range<usize>, label: &str, help: Option<String>) -> BadDuration {
    BadDuration {
        message,
        span,
        label: label.to_owned(),
        help,
    }
}

const UNIT_NAMES: &str = "units are w, d, h, m, s and ms";

fn signed(rest: &Cursor<'_>, start: usize) -> BadDuration {
    let message = "a duration has no sign".to_owned();
    let help = format!("write `{}`", rest.text[start + 1..].trim());
    bad(message, start..start + 1, "not a digit", Some(help))
}

fn no_number(rest: &Cursor<'_>, start: usize) -> BadDuration {
    let end = match rest.peek() {
        Some(odd) if rest.at == start => start + odd.len_utf8(),
        _ => rest.at,
    };
    let message = format!("a number is missing before `{}`", &rest.text[start..end]);
    let help = "write for example `5m` or `1h30m`";
    bad(message, start..end, "not a digit", Some(help.into()))
}

fn no_unit(number: &str, start: usize) -> BadDuration {
    let message = format!("`{number}` has no unit");
    let help = format!("write `{number}s` for seconds, `{number}m` for minutes");
    bad(message, start..start + number.len(), UNIT_NAMES, Some(help))
}

fn unknown_unit(number: &str, unit: &str, span: Range<usize>) -> BadDuration {
    let lower = unit.to_lowercase();
    let help = match lower.as_str() {
        "mo" | "mon" | "month" | "months" | "y" | "yr" | "year" | "years" => {
            "months and years differ in length: write days, or `schedule = \"0 0 1 * *\"`".into()
        }
        "milli" | "millis" | "msec" => format!("write `{number}ms`"),
        _ => match UNITS.iter().find(|(name, _)| lower.starts_with(name)) {
            Some((name, _)) => format!("did you mean `{number}{name}`?"),
            None => "write for example `90s`, `5m`, `1h30m` or `1d`".into(),
        },
    };
    bad(
        format!("unit `{unit}` is unknown"),
        span,
        UNIT_NAMES,
        Some(help),
    )
}

/// Says what the fraction is in whole numbers, where it is one: `1.5h` is `1h30m`.
fn fraction(rest: &mut Cursor<'_>, start: usize) -> BadDuration {
    let whole = &rest.text[start..rest.at];
    rest.at += 1;
    let digits = rest.skip(|c| c.is_ascii_digit());
    let unit = rest.skip(char::is_alphabetic);
    let help = whole_numbers(whole, digits, unit).map(|text| format!("write `{text}`"));
    let message = "a duration is written in whole numbers".to_owned();
    bad(message, start..rest.at, "not a whole number", help)
}

fn whole_numbers(whole: &str, digits: &str, unit: &str) -> Option<String> {
    let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let scale = 10_u64.checked_pow(u32::try_from(digits.len()).ok()?)?;
    let number: u64 = format!("{whole}{digits}").parse().ok()?;
    let scaled = number.checked_mul(*millis)?;
    (scaled % scale == 0).then(|| written(Duration::from_millis(scaled / scale)))
}

fn clock_time(rest: &Cursor<'_>) -> BadDuration {
    let message = "a duration is written with units, not with `:`".to_owned();
    let help = "write for example `1h30m`";
    bad(message, rest.at..rest.at + 1, UNIT_NAMES, Some(help.into()))
}

fn out_of_order(text: &str, part: &Part<'_>, allowed: usize) -> BadDuration {
    let (name, _) = UNITS[part.unit];
    if part.unit + 1 == allowed {
        let message = format!("unit `{name}` appears twice");
        return bad(message, part.span.clone(), "the second time", None);
    }
    let message = "larger units come first".to_owned();
    let before = text[..part.span.start].trim();
    let after = text[part.span.end..].trim();
    let help = format!("write `{}{before}{after}`", &text[part.span.clone()]);
    bad(
        message,
        part.span.clone(),
        "larger than the one before",
        Some(help),
    )
}

fn too_long(span: Range<usize>) -> BadDuration {
    bad(
        "this is longer than 100 years".into(),
        span,
        "too long",
        None,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_people_write_is_understood() {
        for (text, seconds) in [
            ("90s", 90),
            ("5m", 300),
            ("1h30m", 5_400),
            ("1h 30m", 5_400),
            ("1d12h", 129_600),
            ("2w", 1_209_600),
            ("1w1d1h1m1s", 694_861),
            (" 15s ", 15),
            ("0s", 0),
            ("36500d", 3_153_600_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("1s500ms"), Ok(Duration::from_millis(1_500)));
    }

    #[track_caller]
    fn refuses(text: &str, pointed_at: &str, message: &str, help: Option<&str>) {
        let bad = parse(text).expect_err(text);
        assert_eq!(&text[bad.span.clone()], pointed_at);
        assert_eq!((bad.message.as_str(), bad.help.as_deref()), (message, help));
    }

    #[test]
    fn a_mistake_is_pointed_at_and_explained() {
        let examples = Some("write for example `90s`, `5m`, `1h30m` or `1d`");
        refuses("", "", "a duration is missing", examples);
        refuses("  ", "  ", "a duration is missing", examples);
        refuses("5x", "x", "unit `x` is unknown", examples);
        let sample = "write `90s` for seconds, `90m` for minutes";
        refuses("90", "90", "`90` has no unit", Some(sample));
        let sample = "write `30s` for seconds, `30m` for minutes";
        refuses("1h30", "30", "`30` has no unit", Some(sample));
        refuses("-5m", "-", "a duration has no sign", Some("write `5m`"));
        refuses("1h1h", "1h", "unit `h` appears twice", None);
        let first = "larger units come first";
        refuses("30m1h5s", "1h", first, Some("write `1h30m5s`"));
        let whole = "a duration is written in whole numbers";
        refuses("1.5h", "1.5h", whole, Some("write `1h30m`"));
        refuses("0,25s", "0,25s", whole, Some("write `250ms`"));
        refuses("0.0001s", "0.0001s", whole, None);
        let units = "a duration is written with units, not with `:`";
        refuses("01:30", ":", units, Some("write for example `1h30m`"));
        refuses(
            "5min",
            "min",
            "unit `min` is unknown",
            Some("did you mean `5m`?"),
        );
        refuses(
            "5 hours",
            "5",
            "`5` has no unit",
            Some("write `5s` for seconds, `5m` for minutes"),
        );
        refuses("2H", "H", "unit `H` is unknown", Some("did you mean `2h`?"));
        let days = "months and years differ in length: write days, or `schedule = \"0 0 1 * *\"`";
        refuses("1mo", "mo", "unit `mo` is unknown", Some(days));
        let number = Some("write for example `5m` or `1h30m`");
        refuses("h", "h", "a number is missing before `h`", number);
        refuses("µ€", "µ", "a number is missing before `µ`", number);
        refuses("5m €", "€", "a number is missing before `€`", number);
        refuses("36501d", "36501d", "this is longer than 100 years", None);
        let endless = "99999999999999999999999h";
        refuses(endless, endless, "this is longer than 100 years", None);
    }

    #[test]
    fn the_short_form_has_at_most_two_units() {
        for (millis, text) in [
            (0, "0.0s"),
            (812, "0.8s"),
            (9_999, "9.9s"),
            (10_000, "10s"),
            (59_999, "59s"),
            (288_000, "4m 48s"),
            (3_600_000, "1h"),
            (3_605_000, "1h"),
            (5_400_000, "1h 30m"),
            (183_600_000, "2d 3h"),
            (7_776_000_000, "90d"),
        ] {
            assert_eq!(short(Duration::from_millis(millis)), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(millis in 0_u64..=3_153_600_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&written(duration)), Ok(duration));
        }

        #[test]
        fn no_text_is_too_odd_to_answer(text in "[0-9a-zµ€ .:,+-]{0,12}") {
            if let Err(bad) = parse(&text) {
                prop_assert!(text.get(bad.span).is_some());
            }
        }
    }
}
