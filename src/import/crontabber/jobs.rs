//! The list of jobs: `package.module.Class|FREQUENCY|HH:MM`.
//!
//! crontabber 0.18 splits the list at newlines, commas and semicolons first and then drops what begins with `#`: a
//! comma in a comment switches on what follows it. Here comments go first, and what Python ran out of one is told.

use std::{ops::Range, time::Duration};

use jiff::civil::Time;

use crate::duration;

/// One element of the list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Element<'a> {
    /// Where it stands.
    pub(super) at: usize,
    /// As it stands.
    pub(super) text: &'a str,
    /// Whether it stands behind a `#`, where only Python sees it.
    pub(super) in_comment: bool,
}

/// The elements in this part of the text.
pub(super) fn elements(text: &str, span: Range<usize>) -> Vec<Element<'_>> {
    let mut found = Vec::new();
    let mut line_at = span.start;
    for line in text[span].split_inclusive('\n') {
        let comment = line.find('#').unwrap_or(line.len());
        let mut at = 0;
        for piece in line.split([',', ';']) {
            let end = at + piece.len();
            // What begins in front of the `#` ends there; Python drops what begins with it.
            let in_comment = at > comment;
            let said = &line[at..if in_comment { end } else { end.min(comment) }];
            let is_dropped = in_comment && said.trim().starts_with('#');
            let trimmed = said.trim().trim_matches(['"', '\'']).trim();
            if !trimmed.is_empty() && !is_dropped {
                let start = at + said.find(trimmed).unwrap_or(0);
                found.push(Element {
                    at: line_at + start,
                    text: trimmed,
                    in_comment,
                });
            }
            at = end + 1;
        }
        line_at += line.len();
    }
    found
}

/// What is wrong with an element, and where in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) message: String,
    pub(super) at: usize,
    pub(super) help: String,
}

fn bad(at: usize, message: impl Into<String>, help: impl Into<String>) -> Bad {
    Bad {
        message: message.into(),
        at,
        help: help.into(),
    }
}

/// Its parts: the class, and the texts of the frequency and the time, each with where it starts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub(super) class: &'a str,
    pub(super) frequency: Option<(usize, &'a str)>,
    pub(super) time: Option<(usize, &'a str)>,
}

pub(super) fn parts(element: &str) -> Result<Parts<'_>, Bad> {
    let mut at = 0;
    let mut pieces = element.split('|').map(|piece| {
        let start = at + piece.len() - piece.trim_start().len();
        at += piece.len() + 1;
        (start, piece.trim())
    });
    let (_, class) = pieces.next().unwrap_or_default();
    if !crate::config::is_class_path(class) {
        let help = "write package.module.Class|1h, or package.module.Class|1d|03:45";
        let message = format!("{} is no class with its package", super::quoted(class));
        return Err(bad(0, message, help));
    }
    let (first, second) = (pieces.next(), pieces.next());
    if let Some((at, _)) = pieces.next() {
        let help = "a class, a frequency and a time are all there is";
        return Err(bad(at, "a fourth part", help));
    }
    let (frequency, time) = match (first, second) {
        (None, _) => (None, None),
        (Some(only), None) if only.1.contains(':') => (Some((only.0, "1d")), Some(only)),
        (first, time) => (first, time.filter(|(_, time)| !time.is_empty())),
    };
    Ok(Parts {
        class,
        frequency,
        time,
    })
}

/// `10d`, `12h` or `3m`, and nothing else.
pub(super) fn frequency(text: &str, at: usize) -> Result<Duration, Bad> {
    let number = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = &text[number.len()..];
    let is_number = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
    if is_number && matches!(unit, "m" | "h" | "d") {
        return match duration::parse(text) {
            Ok(length) if length.is_zero() => Err(bad(
                at,
                format!("`{text}` is no time at all"),
                "crontabber 0.18 would start it again at once, for ever; `1m` is the least it knows",
            )),
            Ok(length) => Ok(length),
            Err(wrong) => Err(bad(at, wrong.message, "a frequency has a century at most")),
        };
    }
    let help = "a frequency is a number and one of `m`, `h` and `d`, as in `90m`, `12h` or `7d`";
    let shown = super::quoted(text);
    if text.is_empty() {
        return Err(bad(at, "a frequency is missing", help));
    }
    if is_number && unit.is_empty() {
        let help = format!("did you mean `{number}m`, `{number}h` or `{number}d`?");
        return Err(bad(at, format!("{shown} has no unit"), help));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let letters = text[digits..]
        .bytes()
        .take_while(u8::is_ascii_alphabetic)
        .count();
    let first = &text[..digits + letters];
    if digits > 0 && first.len() < text.len() && duration::parse(text).is_ok() {
        let message = format!(
            "{shown} is two frequencies: crontabber 0.18 reads `{first}` and drops the rest"
        );
        let help =
            format!("write every = \"{text}\" if that was meant, every = \"{first}\" if not");
        return Err(bad(at, message, help));
    }
    Err(bad(at, format!("{shown} is no frequency"), help))
}

/// `03:45` or `3:45`, with a frequency of whole days.
pub(super) fn time(text: &str, at: usize, every: Duration) -> Result<Time, Bad> {
    let number = |digits: &str| {
        let is_number = matches!(digits.len(), 1 | 2) && digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse().ok().filter(|_| is_number)
    };
    let time = text
        .split_once(':')
        .and_then(|(hour, minute)| Time::new(number(hour)?, number(minute)?, 0, 0).ok());
    let Some(time) = time else {
        let message = format!("{} is no time of day", super::quoted(text));
        return Err(bad(at, message, "from `00:00` to `23:59`, in UTC"));
    };
    if !every.as_secs().is_multiple_of(86_400) {
        let message = format!(
            "a time of day goes with whole days, and this is every {}",
            duration::written(every)
        );
        let help = "write `1d` with it, or leave the time out";
        return Err(bad(at, message, help));
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(list: &str) -> Vec<(&str, bool)> {
        elements(list, 0..list.len())
            .into_iter()
            .map(|element| (element.text, element.in_comment))
            .collect()
    }

    #[test]
    fn newlines_commas_and_semicolons_separate() {
        let list = "\n a.A|1d\n b.B|1h, c.C|2h;d.D|3h \n,;\n'e.E|1d'";
        let texts: Vec<_> = seen(list).into_iter().map(|(text, _)| text).collect();
        assert_eq!(texts, ["a.A|1d", "b.B|1h", "c.C|2h", "d.D|3h", "e.E|1d"]);
        let at = elements(list, 0..list.len())[2].at;
        assert!(list[at..].starts_with("c.C"));
    }

    #[test]
    fn what_python_runs_out_of_a_comment_is_seen_as_such() {
        assert_eq!(seen("# off for now, a.b.Bar|1d"), [("a.b.Bar|1d", true)]);
        assert_eq!(
            seen("x.X|1h # note; c.d.Baz|2d"),
            [("x.X|1h", false), ("c.d.Baz|2d", true)]
        );
        assert_eq!(seen("# a, # b; #c\n#"), []);
        assert_eq!(seen("a.A|1d, # b"), [("a.A|1d", false)]);
    }

    #[test]
    fn an_element_is_a_class_a_frequency_and_a_time() {
        let parts = |text| parts(text).unwrap();
        assert_eq!(parts("a.B|1d|03:45").time, Some((7, "03:45")));
        assert_eq!(parts("a.B | 1d").frequency, Some((6, "1d")));
        assert_eq!(parts("a.B|03:45").frequency, Some((4, "1d")));
        assert_eq!(parts("a.B|1d|").time, None);
        assert_eq!(parts("a.B").frequency, None);
        assert!(super::parts("a.B|1d|1:1|x").is_err());
        assert!(super::parts("B|1d").is_err());
    }

    #[test]
    fn a_frequency_says_one_thing() {
        let every = |text| frequency(text, 0).map(|every| every.as_secs());
        assert_eq!(every("3m"), Ok(180));
        assert_eq!(every("12h"), Ok(43_200));
        assert_eq!(every("10d"), Ok(864_000));
        let told = |text| {
            let bad = frequency(text, 0).unwrap_err();
            format!("{}: {}", bad.message, bad.help)
        };
        assert!(told("1d12h").contains("reads `1d` and drops the rest: write every = \"1d12h\""));
        assert!(told("1h30m").contains("reads `1h` and drops the rest"));
        assert!(told("0m").contains("no time at all"));
        assert!(told("5").contains("did you mean `5m`, `5h` or `5d`?"));
        assert!(told("").contains("missing"));
        for wrong in [
            "1w",
            "d",
            "d1",
            "1.5h",
            "-1d",
            "1 d",
            "99999999999999999999d",
            "1D",
            "ä",
        ] {
            assert!(frequency(wrong, 0).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_of_day_goes_with_whole_days() {
        let day = Duration::from_hours(24);
        let time = |text| time(text, 0, day).map(|time| time.to_string());
        assert_eq!(time("03:45"), Ok("03:45:00".to_owned()));
        assert_eq!(time("3:5"), Ok("03:05:00".to_owned()));
        for wrong in ["24:00", "03:60", "3", "3:4:5", "-1:00", "003:00", ":"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        assert!(super::time("03:45", 0, Duration::from_hours(36)).is_err());
    }
}
