//! What the keys `schedule`, `at` and `timezone` may hold.

use jiff::civil::Time;
use serde_json::{Value, json};

use crate::schedule::{
    self,
    crontab::{Crontab, OddityKind},
};

use super::{
    diagnostic::{Code, Findings, shown},
    setting::{Found, Setting},
    source::Place,
};

/// Crontab fields, once or several times.
#[derive(Debug, Clone)]
pub(super) struct Schedules(pub(super) Vec<Expression>);

/// Crontab fields, and where they stand.
#[derive(Debug, Clone)]
pub(super) struct Expression {
    pub(super) fields: Crontab,
    pub(super) place: Place,
}

impl Setting for Schedules {
    const EXPECTED: &'static str = "crontab fields such as \"*/10 * * * *\", or a list of them";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        if found.value.is_str() {
            return crontab(found, findings).map(|one| Self(vec![one]));
        }
        let elements = found.expect::<Self, _>(found.elements(), findings)?;
        let several: Vec<_> = elements
            .map(|element| crontab(&element, findings))
            .collect();
        if several.is_empty() {
            found.bad_value(findings, "an empty list");
            return None;
        }
        several.into_iter().collect::<Option<_>>().map(Self)
    }

    fn value(&self) -> Value {
        match self.0.as_slice() {
            [one] => json!(one.fields.as_str()),
            several => several.iter().map(|one| one.fields.as_str()).collect(),
        }
    }
}

fn crontab(found: &Found<'_>, findings: &mut Findings) -> Option<Expression> {
    let text = found.text::<Schedules>(findings)?;
    match Crontab::parse(text) {
        Ok(fields) => {
            for oddity in fields.oddities() {
                let code = match oddity.kind {
                    OddityKind::EitherDay => Code::EitherDay,
                    OddityKind::UnevenStep => Code::UnevenStep,
                };
                let place = found.part(oddity.span);
                let warning = findings.warning(code, place, oddity.message);
                warning.label(oddity.label).help(oddity.help);
            }
            let place = found.part(0..text.len());
            Some(Expression { fields, place })
        }
        Err(bad) => {
            let place = found.part(bad.span);
            let error = findings.error(Code::BadSchedule, place, bad.message);
            error.label(bad.label).help = bad.help;
            None
        }
    }
}

/// A time of day.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeOfDay(pub(super) Time);

impl Setting for TimeOfDay {
    const EXPECTED: &'static str = "a time of day such as \"06:30\"";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        let text = found.text::<Self>(findings)?;
        let time = time_of_day(text);
        if time.is_none() {
            found.bad_value(findings, "a time of day from \"00:00\" to \"23:59\"");
        }
        time.map(Self)
    }

    fn value(&self) -> Value {
        let format = if self.0.second() == 0 {
            "%H:%M"
        } else {
            "%H:%M:%S"
        };
        json!(self.0.strftime(format).to_string())
    }
}

/// `06:30` or `06:30:15`, two digits each.
pub(super) fn time_of_day(text: &str) -> Option<Time> {
    let mut numbers = text.split(':').map(|digits| {
        let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|_| is_number)
    });
    let (hour, minute) = (numbers.next()??, numbers.next()??);
    let second = numbers.next().unwrap_or(Some(0))?;
    if numbers.next().is_some() {
        return None;
    }
    Time::new(hour, minute, second, 0).ok()
}

/// The IANA name of a time zone.
#[derive(Debug, Clone)]
pub(super) struct ZoneName(pub(super) String);

impl Setting for ZoneName {
    const EXPECTED: &'static str = "the name of a time zone such as \"Europe/Berlin\"";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        let name = found.text::<Self>(findings)?;
        match schedule::zone(name) {
            Ok(_) => Some(Self(name.to_owned())),
            Err(unknown) => {
                let message = format!("time zone `{}` is unknown", shown(name));
                let error = findings.error(Code::BadTimezone, found.place, message);
                error.label("no such time zone").help = unknown.help;
                None
            }
        }
    }

    fn value(&self) -> Value {
        json!(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_has_two_digits_each() {
        assert_eq!(time_of_day("06:30"), Some(Time::constant(6, 30, 0, 0)));
        assert_eq!(time_of_day("23:59:58"), Some(Time::constant(23, 59, 58, 0)));
        for wrong in [
            "",
            "6:30",
            "06",
            "24:00",
            "06:60",
            "06:30:00:00",
            "+6:30",
            "٠6:30",
        ] {
            assert_eq!(time_of_day(wrong), None, "{wrong}");
        }
    }
}
