//! What would happen, as bars over time and as sums; or all of it as JSON, one happening after the other.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    Medium,
    mark::{Mark, Tone},
    table::{Column, Row, render},
    text::{clip, counted, harmless, width},
    times::words,
};
use crate::{
    plan::catch_up::Reason,
    record::Outcome,
    simulate::{Happening, Ran, Summary},
};

/// How wide the bars are where nobody says how wide a line is.
const CELLS: usize = 72;

/// What there is to show of a scenario, gathered while it is played.
#[derive(Debug)]
pub struct Chart {
    from: Timestamp,
    to: Timestamp,
    cells: usize,
    rows: BTreeMap<String, Line>,
}

/// A row of the table, over time.
#[derive(Debug)]
struct Line {
    cells: Vec<Cell>,
    runs: u64,
    failed: u64,
    lost: u64,
    /// By reason.
    skipped: BTreeMap<String, i64>,
    busy: Duration,
}

/// What a cell shows: what matters more comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cell {
    Nothing,
    Skipped,
    Running,
    Failed,
}

impl Cell {
    fn sign(self) -> char {
        match self {
            Self::Nothing => '·',
            Self::Skipped => '░',
            Self::Running => '█',
            Self::Failed => '✗',
        }
    }
}

impl Chart {
    /// An empty one, for this stretch of time.
    #[must_use]
    pub fn new(from: Timestamp, to: Timestamp, medium: Medium) -> Self {
        let cells = match medium {
            Medium::Terminal { width, .. } => width.saturating_sub(NAME + 2).clamp(12, 200),
            Medium::Pipe => CELLS,
        };
        Self {
            from,
            to,
            cells,
            rows: BTreeMap::new(),
        }
    }

    /// Takes in what happens.
    pub fn add(&mut self, happening: &Happening<'_>) {
        match happening {
            Happening::Ran(ran) => self.ran(ran),
            Happening::Skipped { row, skipped, .. } => {
                let (first, last) = (
                    self.cell(skipped.slots.first),
                    self.cell(skipped.slots.last),
                );
                let line = self.line(row);
                line.mark(first, last, Cell::Skipped);
                let reason = match &skipped.reason {
                    Reason::Blocked(_) => "blocked".to_owned(),
                    reason => reason.to_string(),
                };
                *line.skipped.entry(reason).or_default() += skipped.slots.count;
            }
        }
    }

    fn ran(&mut self, ran: &Ran<'_>) {
        let (first, last) = (self.cell(ran.started_at), self.cell(ran.finished_at));
        let line = self.line(ran.row);
        line.mark(first, last, Cell::Running);
        line.runs += 1;
        let took = ran.finished_at.duration_since(ran.started_at);
        line.busy += Duration::try_from(took).unwrap_or_default();
        match ran.outcome {
            Some(Outcome::Success) | None => {}
            Some(Outcome::Lost) => {
                line.lost += 1;
                line.mark(last, last, Cell::Failed);
            }
            Some(_) => {
                line.failed += 1;
                line.mark(last, last, Cell::Failed);
            }
        }
    }

    fn line(&mut self, row: &str) -> &mut Line {
        if !self.rows.contains_key(row) {
            let line = Line {
                cells: vec![Cell::Nothing; self.cells],
                runs: 0,
                failed: 0,
                lost: 0,
                skipped: BTreeMap::new(),
                busy: Duration::ZERO,
            };
            self.rows.insert(row.to_owned(), line);
        }
        self.rows.get_mut(row).expect("it was just put there")
    }

    /// The cell that an instant lies in.
    fn cell(&self, at: Timestamp) -> usize {
        let all = self.to.duration_since(self.from).as_micros().max(1);
        let gone = at.duration_since(self.from).as_micros().max(0);
        let cells = i128::try_from(self.cells).unwrap_or(1);
        let cell = gone.saturating_mul(cells) / all;
        usize::try_from(cell).unwrap_or(0).min(self.cells - 1)
    }

    /// The bars, the sums of each job, and those of all together.
    #[must_use]
    pub fn text(&self, summary: &Summary, medium: Medium) -> String {
        let mut text = String::new();
        if medium.is_terminal() {
            self.bars(&mut text);
            text.push('\n');
        }
        text.push_str(&self.sums(medium));
        text.push_str(&self.facts(summary, medium));
        text
    }

    fn bars(&self, text: &mut String) {
        let names = self.rows.keys().map(|name| width(name)).max().unwrap_or(0);
        let names = names.min(NAME);
        let span = self.to.duration_since(self.from);
        let format = if span > SignedDuration::from_hours(48) {
            "%m-%d"
        } else {
            "%H:%M"
        };
        let mut scale = String::new();
        let cells = i64::try_from(self.cells).unwrap_or(1).max(1);
        for cell in (0..self.cells).step_by(EVERY) {
            let nth = i64::try_from(cell).unwrap_or(0);
            let gone = SignedDuration::from_micros(
                i64::try_from(span.as_micros() / i128::from(cells) * i128::from(nth)).unwrap_or(0),
            );
            let at = self.from.checked_add(gone).unwrap_or(self.from);
            let _ = write!(scale, "{:<EVERY$}", at.strftime(format).to_string());
        }
        let _ = writeln!(text, "{:names$}  {}", "", scale.trim_end());
        for (name, line) in &self.rows {
            let bar: String = line.cells.iter().map(|cell| cell.sign()).collect();
            let name = harmless(name);
            let _ = writeln!(text, "{:names$}  {bar}", clip(&name, names));
        }
    }

    fn sums(&self, medium: Medium) -> String {
        let columns = [
            Column::left("NAME"),
            Column::right("RUNS"),
            Column::right("FAILED"),
            Column::right("LOST"),
            Column::right("BUSY"),
            Column::left("SKIPPED"),
        ];
        let rows = self.rows.iter().map(|(name, line)| {
            let skipped = line.skipped.iter();
            let skipped: Vec<String> = skipped
                .map(|(reason, count)| format!("{count} {reason}"))
                .collect();
            let busy = if medium.is_terminal() {
                words(line.busy)
            } else {
                line.busy.as_secs().to_string()
            };
            Row {
                mark: line.sign(),
                cells: vec![
                    name.clone(),
                    line.runs.to_string(),
                    line.failed.to_string(),
                    line.lost.to_string(),
                    busy,
                    skipped.join(", "),
                ],
            }
        });
        render(&columns, &rows.collect::<Vec<_>>(), medium)
    }

    fn facts(&self, summary: &Summary, medium: Medium) -> String {
        if !medium.is_terminal() {
            return String::new();
        }
        let missed: i64 = self
            .rows
            .values()
            .filter_map(|line| line.skipped.get("missed"))
            .sum();
        let mut facts = vec![format!(
            "at most {} at once, first at {}",
            counted(summary.peak, "run"),
            summary.peak_at.strftime("%F %TZ")
        )];
        if let Some((row, waited)) = &summary.longest_wait {
            facts.push(format!(
                "the longest wait for its turn: {} {}",
                harmless(row),
                words(*waited)
            ));
        }
        if missed > 0 {
            facts.push(format!("{missed} slots missed"));
        }
        format!("\n{}.\n", facts.join("; "))
    }
}

impl Line {
    /// Whether it needs a look.
    fn sign(&self) -> Mark {
        let (sign, tone) = match self {
            Self { failed, lost, .. } if failed + lost > 0 => ('✗', Tone::Bad),
            Self { skipped, .. } if !skipped.is_empty() => ('!', Tone::Odd),
            _ => ('✓', Tone::Well),
        };
        Mark { sign, tone }
    }

    fn mark(&mut self, first: usize, last: usize, what: Cell) {
        for cell in &mut self.cells[first..=last.max(first)] {
            *cell = (*cell).max(what);
        }
    }
}

/// The longest name that a bar has beside it.
const NAME: usize = 24;
/// How far apart the marks of the scale are.
const EVERY: usize = 12;

/// What happens, as an object of one line.
#[must_use]
pub fn json(happening: &Happening<'_>) -> Value {
    match happening {
        Happening::Ran(ran) => json!({
            "event": "run",
            "name": ran.row,
            "host": ran.host,
            "slot": ran.slot,
            "attempt": ran.attempt,
            "started_at": ran.started_at,
            "finished_at": ran.finished_at,
            "outcome": ran.outcome.map(Outcome::as_str),
        }),
        Happening::Skipped { row, skipped, at } => json!({
            "event": "skipped",
            "name": row,
            "slot": skipped.slots.first,
            "slot_until": skipped.slots.last,
            "slots": skipped.slots.count,
            "reason": skipped.reason.to_string(),
            "at": at,
        }),
    }
}
