//! How a backfill goes: a bar on a terminal, lines elsewhere.

use std::time::Duration;

use jiff::Timestamp;

use super::{text::counted, times::words};

/// How far it is.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The job.
    pub job: String,
    /// How many slots there are to do.
    pub slots: usize,
    /// How many of them have had their run.
    pub done: usize,
    /// How many of those have failed.
    pub failed: usize,
    /// How many somebody else has done meanwhile.
    pub by_others: usize,
    /// How long the runs have taken, with all they waited for.
    pub took: Duration,
    /// What is going on: the slot that is running, or why none is.
    pub now: String,
}

/// How wide the bar is.
const WIDTH: usize = 20;

impl Progress {
    /// Nothing done yet.
    #[must_use]
    pub fn new(job: &str, slots: usize) -> Self {
        Self {
            job: job.to_owned(),
            slots,
            done: 0,
            failed: 0,
            by_others: 0,
            took: Duration::ZERO,
            now: String::new(),
        }
    }

    /// How many are behind it.
    fn passed(&self) -> usize {
        self.done + self.by_others
    }

    /// How long one takes, and how long the others will.
    fn pace(&self) -> Option<(Duration, Duration)> {
        let done = u32::try_from(self.done).ok().filter(|done| *done > 0)?;
        let left = u32::try_from(self.slots.saturating_sub(self.passed())).ok()?;
        let each = self.took / done;
        Some((each, each.saturating_mul(left)))
    }

    /// `digest  2/4  ██████████░░░░░░░░░░  2031-05-04T00:00:00Z · 2m 3s each · about 4m left · 0 failed`, cut to the
    /// width of the terminal.
    #[must_use]
    pub fn bar(&self, width: usize) -> String {
        let filled = (self.passed() * WIDTH)
            .checked_div(self.slots)
            .unwrap_or(WIDTH);
        let bar = "█".repeat(filled) + &"░".repeat(WIDTH - filled.min(WIDTH));
        let text = format!(
            "{}  {}/{}  {bar}  {}",
            self.job,
            self.passed(),
            self.slots,
            self.facts()
        );
        text.chars().take(width.saturating_sub(1)).collect()
    }

    /// The same for a log: `digest: 2 of 4 slots, 2031-05-04T00:00:00Z, 2m 3s each, about 4m left, 0 failed`.
    #[must_use]
    pub fn line(&self) -> String {
        format!(
            "{}: {} of {} slots · {}",
            self.job,
            self.passed(),
            self.slots,
            self.facts()
        )
    }

    fn facts(&self) -> String {
        let pace = self.pace().map_or_else(String::new, |(each, left)| {
            format!("{} each · about {} left · ", words(each), words(left))
        });
        let now = match self.now.as_str() {
            "" => String::new(),
            now => format!("{now} · "),
        };
        format!("{now}{pace}{} failed", self.failed)
    }

    /// What came of it: `digest: 4 slots: 3 succeeded, 1 failed`.
    #[must_use]
    pub fn sum(&self) -> String {
        let mut parts = vec![format!("{} succeeded", self.done - self.failed)];
        if self.failed > 0 {
            parts.push(format!("{} failed", self.failed));
        }
        if self.by_others > 0 {
            parts.push(format!(
                "{} done by somebody else meanwhile",
                self.by_others
            ));
        }
        let left = self.slots.saturating_sub(self.passed());
        if left > 0 {
            parts.push(format!("{left} left"));
        }
        format!(
            "{}: {}: {}",
            self.job,
            counted(self.slots, "slot"),
            parts.join(", ")
        )
    }
}

/// What would be run: a line in words, then the slots.
#[must_use]
pub fn dry_run(job: &str, slots: &[Timestamp], succeeded: usize) -> String {
    let (count, done) = (counted(slots.len(), "slot"), counted(succeeded, "slot"));
    let text = match (slots.len(), succeeded) {
        (0, 0) => format!("{job} has no slot in this range that has come\n"),
        (0, _) => format!("nothing to do: {job} has succeeded for all of this range ({done})\n"),
        (_, 0) => format!("would run {count} of {job}, oldest first:\n"),
        (_, _) => format!(
            "would run {count} of {job}, oldest first ({succeeded} of the range have succeeded):\n"
        ),
    };
    let lines = slots.iter().map(|slot| format!("{slot}\n"));
    text + &lines.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half() -> Progress {
        Progress {
            done: 2,
            failed: 1,
            took: Duration::from_secs(246),
            now: "2031-05-04T00:00:00Z".into(),
            ..Progress::new("digest", 4)
        }
    }

    #[test]
    fn a_bar_shows_how_far_it_is_how_fast_and_how_long_it_will_take() {
        assert_eq!(
            half().bar(120),
            "digest  2/4  ██████████░░░░░░░░░░  2031-05-04T00:00:00Z · 2m 3s each · about 4m 6s left · 1 failed"
        );
        assert_eq!(half().bar(20).chars().count(), 19);
    }

    #[test]
    fn nothing_is_said_of_a_pace_before_the_first_run_has_ended() {
        let first = Progress::new("digest", 4);
        assert_eq!(first.line(), "digest: 0 of 4 slots · 0 failed");
    }

    #[test]
    fn the_sum_names_what_is_left() {
        assert_eq!(
            half().sum(),
            "digest: 4 slots: 1 succeeded, 1 failed, 2 left"
        );
    }
}
