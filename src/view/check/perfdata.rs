//! The figures of an answer: `label=value[unit];[warning];[critical]`, separated by spaces. The labels are stable.

use std::time::Duration;

use crate::check::{Checked, Limits, Severity};

/// Ends of which nothing is said are left out, and so are quotes: no label needs them.
pub(super) fn of(checked: &Checked, limits: &Limits) -> String {
    let figures = &checked.figures;
    let count = |severity| checked.count(severity);
    let ends = |threshold: Option<Duration>| {
        threshold.map_or_else(String::new, |length| length.as_secs_f64().to_string())
    };
    let (warning, critical) = (ends(limits.no_pass.warning), ends(limits.no_pass.critical));
    [
        number("critical", count(Severity::Critical)) + ";;0",
        number("warning", count(Severity::Warning)) + ";0",
        number("jobs", figures.jobs),
        number("ongoing", figures.ongoing),
        number("failing", figures.failing),
        number("overdue", figures.overdue),
        number("blocked", figures.blocked),
        number("held", figures.held),
        number("paused", figures.paused),
        number("ghosts", figures.ghosts),
        ranged(
            &age("last_pass_age", figures.last_pass_age),
            &warning,
            &critical,
        ),
        age("longest_ongoing", Some(figures.longest_ongoing)),
        age("oldest_success_age", figures.oldest_success_age),
    ]
    .join(" ")
}

fn number(label: &str, value: usize) -> String {
    format!("{label}={value}")
}

/// Seconds; `U` is the guidelines' word for a value that is not known.
fn age(label: &str, seconds: Option<u64>) -> String {
    seconds.map_or_else(
        || format!("{label}=U"),
        |seconds| format!("{label}={seconds}s"),
    )
}

fn ranged(figure: &str, warning: &str, critical: &str) -> String {
    format!("{figure};{warning};{critical}")
        .trim_end_matches(';')
        .to_owned()
}
