//! A figure, its bar, and the table of all of them.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use super::Effort;

/// Something measured, and what it must be.
#[derive(Debug)]
pub(crate) struct Figure {
    /// In the words of the table.
    pub(crate) what: &'static str,
    pub(crate) bar: Bar,
    pub(crate) measured: Spread,
    /// What was compared, on this machine and in this run: only the ratio means anything elsewhere.
    pub(crate) here: String,
}

/// What a figure must be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bar {
    /// At most so much.
    AtMost(f64),
    /// At least so much.
    AtLeast(f64),
    /// A count, the same on every machine.
    Exactly(f64),
}

/// The median of many measurements, and the middle half of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    median: f64,
    /// A quarter of the measurements lies below the first and a quarter above the second.
    middle: Option<(f64, f64)>,
}

impl Spread {
    /// Something that was measured or counted once.
    pub(crate) fn once(value: f64) -> Self {
        Self {
            median: value,
            middle: None,
        }
    }

    pub(crate) fn median(self) -> f64 {
        self.median
    }

    /// Of at least one measurement.
    pub(crate) fn of(mut all: Vec<f64>) -> Self {
        all.sort_by(f64::total_cmp);
        let at = |part: usize| all[(all.len() - 1) * part / 4];
        Self {
            median: at(2),
            middle: Some((at(1), at(3))),
        }
    }

    /// Of the ratios of two things measured in turns.
    pub(crate) fn of_ratios(ours: &[f64], theirs: &[f64]) -> Self {
        Self::of(ours.iter().zip(theirs).map(|(a, b)| a / b).collect())
    }
}

/// Two medians, the second that of what is compared with.
pub(crate) fn beside(ours: &[f64], theirs: &[f64], text: impl Fn(f64) -> String) -> String {
    let median = |all: &[f64]| text(Spread::of(all.to_vec()).median());
    format!("{} beside {}", median(ours), median(theirs))
}

/// The seconds for which this thread has had a processor: what waits for nobody is measured by it, so that the work of
/// others counts less.
pub(crate) fn processor_time() -> f64 {
    let spent = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    let spent = spent.expect("every thread has this clock");
    Duration::from(spent).as_secs_f64()
}

/// So many in a second.
pub(crate) fn rate(rate: f64) -> String {
    format!("{rate:.0}/s")
}

/// So many seconds, as milliseconds.
pub(crate) fn time(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1e3)
}

impl Bar {
    fn is_reached(self, value: f64, effort: Effort) -> bool {
        let generosity = match effort {
            Effort::Full => 1.0,
            Effort::Short => 2.0,
        };
        match self {
            Self::AtMost(most) => value <= most * generosity,
            Self::AtLeast(least) => value >= least / generosity,
            Self::Exactly(count) => (value - count).abs() < f64::EPSILON,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(most) => format!("<= {most}"),
            Self::AtLeast(least) => format!(">= {least}"),
            Self::Exactly(count) => format!("{count}"),
        }
    }
}

impl Figure {
    fn measured(&self) -> String {
        match self.bar {
            Bar::Exactly(_) => format!("{}", self.measured.median),
            _ => format!("{:.2}", self.measured.median),
        }
    }

    fn middle(&self) -> String {
        let middle = self.measured.middle;
        middle.map_or_else(String::new, |(low, high)| format!("{low:.2} to {high:.2}"))
    }
}

/// Prints the table; whether every bar was reached.
pub(crate) fn print(figures: &[Figure], effort: Effort, about: &str) -> bool {
    println!("{about}\n");
    println!("| figure | bar | measured | middle half | here | |");
    println!("|---|---|---|---|---|---|");
    let mut all = true;
    for figure in figures {
        let reached = figure.bar.is_reached(figure.measured.median, effort);
        all &= reached;
        println!(
            "| {} | {} | {} | {} | {} | {} |",
            figure.what,
            figure.bar.text(),
            figure.measured(),
            figure.middle(),
            figure.here,
            if reached { "ok" } else { "NOT ok" }
        );
    }
    if effort == Effort::Short {
        println!(
            "\nshort: a tenth of the rounds, and twice as much is allowed; `make bench` is the judge"
        );
    }
    all
}
