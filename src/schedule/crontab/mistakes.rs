//! What people write in place of a crontab expression, and what to tell them.

use std::ops::Range;

use thiserror::Error;

use super::{
    super::nearest::nearest,
    Crontab,
    field::{MONTH, Piece, Unit},
    fields::{Fields, NICKNAMES},
};

/// What is wrong with a crontab expression, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct BadCrontab {
    /// A lower-case fragment: `hour 61 is out of range`.
    pub message: String,
    /// The offending part, as bytes of the expression.
    pub span: Range<usize>,
    /// A few words for under the caret: `hours are 0-23`.
    pub label: String,
    /// What to write instead, if that can be said.
    pub help: Option<String>,
}

fn bad(message: String, span: Range<usize>, label: &str, help: Option<String>) -> BadCrontab {
    BadCrontab {
        message,
        span,
        label: label.to_owned(),
        help,
    }
}

pub(super) fn number_of_fields(source: &str, words: &[Piece<'_>]) -> BadCrontab {
    let message = match words.len() {
        0 => "a schedule is missing".to_owned(),
        1 => "1 field, a schedule has 5".to_owned(),
        number => format!("{number} fields, a schedule has 5"),
    };
    if let Some(spaced) = words.iter().find(|word| word.text.ends_with(',')) {
        let help = "write lists without spaces, as in `0,30 * * * *`";
        return bad(
            message,
            spaced.span(),
            "a space ends the field",
            Some(help.into()),
        );
    }
    if words.len() > 5 {
        return too_many_fields(source, words, message);
    }
    let names = "minute, hour, day of the month, month, day of the week";
    let help = "write for example `0 7 * * 1-5` for 07:00 from Monday to Friday";
    bad(message, 0..source.len(), names, Some(help.into()))
}

/// More than five fields: seconds in front, or a command behind.
fn too_many_fields(source: &str, words: &[Piece<'_>], message: String) -> BadCrontab {
    let text = |words: &[Piece<'_>]| &source[span(words)];
    let first = words[0];
    if first.text.contains('=') {
        let help = "the zone of a job is its key `timezone`";
        return bad(message, first.span(), "not a field", Some(help.into()));
    }
    let without_seconds = text(&words[1..6]);
    if words.len() <= 7 && Crontab::parse(without_seconds).is_ok() {
        let help = format!("write `{without_seconds}`; for seconds there is `every = \"15s\"`");
        return bad(
            message,
            first.span(),
            "there is no field for seconds",
            Some(help),
        );
    }
    let fields = text(&words[..5]);
    let help = format!("write `{fields}`; what is run goes into `command` or `shell`");
    bad(
        message,
        span(&words[5..]),
        "after the fifth field",
        Some(help),
    )
}

/// From the first of some words to the last.
fn span(words: &[Piece<'_>]) -> Range<usize> {
    match words {
        [] => 0..0,
        [first, ..] => first.span().start..words[words.len() - 1].span().end,
    }
}

pub(super) fn nickname(nickname: Piece<'_>, rest: &[Piece<'_>]) -> BadCrontab {
    let name = nickname.text.to_ascii_lowercase();
    let names = NICKNAMES.iter().map(|(name, _)| *name);
    let message = format!("`{}` is unknown", nickname.text);
    let unknown = |help| bad(message, nickname.span(), "not a nickname", Some(help));
    match (name.as_str(), rest) {
        ("@reboot", _) => bad(
            "`@reboot` is not supported".into(),
            nickname.span(),
            "several hosts share one schedule",
            Some("what a host does at boot belongs in its own systemd unit".into()),
        ),
        ("@every", [period]) => unknown(format!(
            "write `every = \"{}\"` in place of `schedule`",
            period.text
        )),
        ("@every", _) => unknown("write `every = \"1h\"` in place of `schedule`".into()),
        (name, [_, ..]) if names.clone().any(|known| known == name) => bad(
            format!("`{}` is a whole schedule", nickname.text),
            span(rest),
            "nothing can follow it",
            None,
        ),
        (name, _) => unknown(match nearest(name, names.clone()) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("nicknames are {}", names.collect::<Vec<_>>().join(", ")),
        }),
    }
}

pub(super) fn out_of_range(unit: &Unit, piece: Piece<'_>) -> BadCrontab {
    let help = match (unit.one, piece.text) {
        ("hour", "24") => Some("midnight is hour 0".to_owned()),
        ("minute", "60") => Some("the full hour is minute 0".to_owned()),
        _ => None,
    };
    let message = format!("{} {} is out of range", unit.one, piece.text);
    bad(message, piece.span(), &range_of(unit), help)
}

/// `hours are 0-23`.
fn range_of(unit: &Unit) -> String {
    let numbers = format!("{} are {}-{}", unit.many, unit.low, unit.high);
    match unit.names {
        [first, .., last] => format!("{numbers} or {first}-{last}"),
        _ => numbers,
    }
}

pub(super) fn no_number(unit: &Unit, piece: Piece<'_>) -> BadCrontab {
    let text = piece.text;
    if text.is_empty() {
        let label = range_of(unit);
        return bad("a value is missing".into(), piece.span(), &label, None);
    }
    let meant = match text.strip_prefix('*') {
        Some(step) if !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(format!("did you mean `*/{step}`?"))
        }
        Some(_) => Some("`*` stands alone or before a step, as in `*/5`".to_owned()),
        None => foreign(text)
            .map(str::to_owned)
            .or_else(|| name(unit, text)),
    };
    let message = format!("`{text}` is no {}", unit.one);
    bad(message, piece.span(), &range_of(unit), meant)
}

/// The name that was meant: `monday`, `mno`.
fn name(unit: &Unit, text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let long = unit.names.iter().find(|name| lower.starts_with(*name));
    let name = long
        .copied()
        .or_else(|| nearest(&lower, unit.names.iter().copied()))?;
    Some(format!("did you mean `{name}`?"))
}

/// What only other schedulers know.
fn foreign(text: &str) -> Option<&'static str> {
    if text == "?" {
        return Some("write `*`");
    }
    if text.contains('~') || text == "H" || text.starts_with("H(") {
        return Some("write one value: the key `jitter` spreads jobs");
    }
    let marked = |c: char| c.is_ascii_digit() || "LW#".contains(c);
    (text.contains(['L', 'W', '#']) && text.chars().all(marked))
        .then_some("`L`, `W` and `#` are other schedulers'; write the days, as in `1-7`")
}

/// Says how the range goes on past its end: `22-2` is `22-23,0-2`, and `22-2/2` is `22,0,2`.
pub(super) fn backwards(
    unit: &Unit,
    range: Piece<'_>,
    (low, high): (u8, u8),
    step: Option<Piece<'_>>,
) -> BadCrontab {
    let named = range.text.bytes().any(|byte| byte.is_ascii_alphabetic());
    let values = |low, high| span_of(unit, named, low, high);
    let last = unit.last();
    let meant = if let Some(step) = step {
        let round = (low..=last).chain(unit.low..=high);
        let step = step.text.parse().ok().filter(|step| *step > 0);
        step.map(|step| {
            let values = round.step_by(step).map(|value| values(value, value));
            values.collect::<Vec<_>>().join(",")
        })
    } else if low > last {
        Some(values(unit.low, high))
    } else {
        Some(format!("{},{}", values(low, last), values(unit.low, high)))
    };
    let message = format!("the range {} runs backwards", range.text);
    let help = meant.map(|meant| format!("write `{meant}`"));
    bad(message, range.span(), "the first is after the last", help)
}

/// `22-23`, or `0` for `0-0`; `sun-mon` where names were written.
fn span_of(unit: &Unit, named: bool, low: u8, high: u8) -> String {
    let value = |value: u8| match unit.names.get(usize::from(value - unit.low)) {
        Some(name) if named => (*name).to_owned(),
        _ => value.to_string(),
    };
    if low == high {
        return value(low);
    }
    format!("{}-{}", value(low), value(high))
}

pub(super) fn no_step(step: Piece<'_>) -> BadCrontab {
    let message = match step.text {
        "" => "a step is missing".to_owned(),
        text => format!("`{text}` is not a step"),
    };
    bad(message, step.span(), "steps are whole numbers", None)
}

pub(super) fn step_of_zero(step: Piece<'_>) -> BadCrontab {
    let message = "a step of 0 goes nowhere".to_owned();
    bad(message, step.span(), "steps are 1 and more", None)
}

pub(super) fn large_step(unit: &Unit, item: Piece<'_>, step: Piece<'_>, only: u8) -> BadCrontab {
    let message = format!("step {} is larger than its range", step.text);
    let label = format!("only {} {only} matches", unit.one);
    bad(
        message,
        step.span(),
        &label,
        Some(format!("write `{only}` in place of `{}`", item.text)),
    )
}

pub(super) fn never(fields: &Fields, day: Piece<'_>, month: Piece<'_>) -> BadCrontab {
    let first = fields.days.iter().next().unwrap_or(0);
    let longest = fields.longest_month();
    let months: Vec<u8> = fields.months.iter().collect();
    let label = match months[..] {
        [month] => format!("{} has no day {first}", MONTH.names[usize::from(month) - 1]),
        _ => format!("none of these months has a day {first}"),
    };
    let help = format!("the last day that comes is {longest}");
    bad(
        "this date never comes".into(),
        day.span().start..month.span().end,
        &label,
        Some(help),
    )
}
