//! A schedule that was typed, and stands in no file: read as one that does, with the same messages.

use std::{ops::Range, path::Path, time::Duration};

use jiff::civil::Time;

use crate::{
    duration::{self, written},
    schedule::{Crontab, Rule, Timetable},
};

use super::{
    Report,
    diagnostic::{Code, Diagnostic, Findings, shown},
    report::Diagnostics,
    source::{Place, Source, Sources},
    when::time_of_day,
};

/// A schedule as the options of a command say it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Typed<'a> {
    /// `--schedule`, as often as it was given.
    pub(crate) schedules: &'a [String],
    /// `--every`.
    pub(crate) every: Option<&'a str>,
    /// `--at`.
    pub(crate) at: Option<&'a str>,
    /// A zone that is known.
    pub(crate) timezone: &'a str,
}

/// The timetable that was typed, or every mistake in it, pointed at.
pub(crate) fn timetable(typed: Typed<'_>) -> Result<Timetable, String> {
    let mut reader = Reader::default();
    let crontabs = typed.schedules.iter();
    let mut rules: Vec<Rule> = crontabs
        .filter_map(|text| reader.crontab(text).map(Rule::Crontab))
        .collect();
    let at = typed.at.and_then(|text| reader.at(text));
    let period = typed.every.and_then(|text| reader.every(text, at));
    rules.extend(period.map(|period| Rule::Every { period, at }));
    reader.finish()?;
    Ok(Timetable {
        rules,
        timezone: typed.timezone.to_owned(),
        jitter: Duration::ZERO,
    })
}

/// Reads one option after the other, each as a file of its own.
#[derive(Default)]
struct Reader {
    findings: Findings,
    sources: Vec<Source>,
}

impl Reader {
    fn crontab(&mut self, text: &str) -> Option<Crontab> {
        Crontab::parse(text)
            .map_err(|bad| {
                let error =
                    self.error("--schedule", text, bad.span, Code::BadSchedule, bad.message);
                error.label(bad.label).help = bad.help;
            })
            .ok()
    }

    fn at(&mut self, text: &str) -> Option<Time> {
        let time = time_of_day(text);
        if time.is_none() {
            let message = format!("`{}` is no time of day", shown(text));
            let error = self.error("--at", text, 0..text.len(), Code::BadValue, message);
            error.label("a time of day from \"00:00\" to \"23:59\"");
        }
        time
    }

    fn every(&mut self, text: &str, at: Option<Time>) -> Option<Duration> {
        const LEAST: Duration = Duration::from_secs(1);
        const DAY: Duration = Duration::from_hours(24);
        let period = duration::parse(text).map_err(|bad| {
            let error = self.error("--every", text, bad.span, Code::BadDuration, bad.message);
            error.label(bad.label).help = bad.help;
        });
        let period = period.ok()?;
        let mut refuse = |code, message: &str, label: &str| {
            let error = self.error("--every", text, 0..text.len(), code, message.to_owned());
            error.label(label);
            error.help("write for example `--every 1d --at 03:45`");
        };
        if period < LEAST {
            let label = format!("{} at least", written(LEAST));
            refuse(Code::BadValue, "this is no period", &label);
            return None;
        }
        if at.is_some() && period.as_millis() % DAY.as_millis() != 0 {
            refuse(Code::NotDaily, "`--at` needs whole days", "not whole days");
            return None;
        }
        Some(period)
    }

    fn error(
        &mut self,
        option: &str,
        text: &str,
        span: Range<usize>,
        code: Code,
        message: String,
    ) -> &mut Diagnostic {
        let place = Place::new(self.sources.len(), span);
        let source = Source::new(Path::new(option).to_owned(), text.to_owned());
        self.sources.push(source);
        self.findings.error(code, place, message)
    }

    fn finish(self) -> Result<(), String> {
        let report = Report::new(self.findings, Sources::new(self.sources), 0);
        if report.is_empty() {
            return Ok(());
        }
        Err(Diagnostics(&report).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(schedules: &[&str], every: Option<&str>, at: Option<&str>) -> String {
        let schedules: Vec<String> = schedules.iter().map(|&text| text.to_owned()).collect();
        let typed = Typed {
            schedules: &schedules,
            every,
            at,
            timezone: "UTC",
        };
        timetable(typed).expect_err("it is wrong")
    }

    #[test]
    fn every_mistake_is_pointed_at() {
        let expected = "\
error[bad-schedule]: hour 61 is out of range
 --> --schedule:1:3
  |
1 | 0 61 * * *
  |   ^^ hours are 0-23

error[bad-schedule]: step 61 is larger than its range
 --> --schedule:1:3
  |
1 | */61 * * * *
  |   ^^ only minute 0 matches
  = help: write `0` in place of `*/61`

";
        let schedules = ["0 61 * * *", "@daily", "*/61 * * * *"];
        assert_eq!(refused(&schedules, None, None), expected);
    }

    #[test]
    fn a_period_is_pointed_at_too() {
        let no_unit = refused(&[], Some("1h30"), None);
        assert!(no_unit.contains("1h30\n  |   ^^"), "{no_unit}");
        let nothing = refused(&[], Some("0s"), None);
        assert!(nothing.contains("^^ 1s at least"), "{nothing}");
        let hours = refused(&[], Some("36h"), Some("03:45"));
        assert!(hours.contains("^^^ not whole days"), "{hours}");
        let late = refused(&[], Some("1d"), Some("24:00"));
        assert!(late.contains("^^^^^ a time of day from"), "{late}");
    }

    #[test]
    fn what_is_typed_does_nothing_to_a_terminal() {
        let text = refused(&["0 \u{1b}[2J\u{202e} * * *", "\u{1b}\n\n"], None, None);
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
        let text = refused(&[], Some("\u{1b}"), Some("\u{1b}"));
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn any_text_is_answered() {
        for text in ["", " ", "\n", "ü ü ü ü ü", &"* ".repeat(5_000)] {
            assert!(refused(&[text], None, None).starts_with("error["));
            assert!(refused(&[], Some(text), None).starts_with("error["));
        }
    }
}
