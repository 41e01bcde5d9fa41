//! The slots ahead as lines: in a pipe with tabs, on a terminal in a table with sentences between its rows.

use crate::duration::written;

use super::{Asked, Named, Next, Slot, rfc3339};
use crate::view::{
    Medium, Times,
    mark::{Mark, Tone},
    table::{Column, Row, render},
    text::{harmless, width},
};

/// What the lines of a table begin with that has nothing to mark.
const PLAIN: Mark = Mark {
    sign: ' ',
    tone: Tone::Plain,
};

/// How far sentences are set in below their row.
const INDENT: usize = 4;

impl Next<'_> {
    /// For programs: a line for each slot, then one for each job without slots.
    pub(super) fn tabbed(&self) -> String {
        let times = Times {
            now: self.window.now,
            medium: Medium::Pipe,
        };
        let slots = self.slots.iter().map(|slot| self.row(slot, &times));
        let without = self.without_slots().map(|(job, why)| {
            let mut cells = self.named(Some(job));
            cells.extend([String::new(), String::new(), String::new(), why]);
            Row { mark: PLAIN, cells }
        });
        let rows: Vec<Row> = slots.chain(without).collect();
        render(&[], &rows, Medium::Pipe)
    }

    fn row(&self, slot: &Slot<'_>, times: &Times) -> Row {
        let mut cells = self.named(slot.job);
        let local = slot.local();
        if times.medium.is_terminal() {
            let local = local.map(|local| local.strftime("%a %F %T %:z").to_string());
            cells.extend(local);
            cells.extend([times.clock(slot.at), times.when(slot.at)]);
            cells.extend(self.has_jitter().then(|| start(slot)));
        } else {
            cells.extend(local.map(|local| rfc3339(&local)));
            let start = slot.start().map(|start| start.to_string());
            cells.extend([slot.at.to_string(), start.unwrap_or_default()]);
            cells.push(self.said(slot).join("; "));
        }
        Row { mark: PLAIN, cells }
    }

    /// The name of the job, where there are several.
    fn named(&self, job: Option<Named<'_>>) -> Vec<String> {
        let is_asked = matches!(self.asked, Asked::Jobs(_));
        let name = job.filter(|_| is_asked).map(|job| job.name.to_owned());
        name.into_iter().collect()
    }

    /// What is to be said of a slot.
    fn said(&self, slot: &Slot<'_>) -> Vec<String> {
        let remark = slot.remark().map(|remark| remark.to_string());
        let counted = self.counted_from(slot.timetable);
        let counted = counted.map(|from| format!("counted from {from}"));
        let sentences = [remark, counted, slot.by_host()];
        sentences.into_iter().flatten().collect()
    }

    fn has_jitter(&self) -> bool {
        let has = |slot: &Slot<'_>| slot.job.is_some() && !slot.timetable.jitter.is_zero();
        self.slots.iter().any(has)
    }

    /// For a terminal.
    pub(super) fn lines(&self, medium: Medium) -> String {
        let times = Times {
            now: self.window.now,
            medium,
        };
        let mut columns = vec![
            Column::left("SLOT"),
            Column::left("UTC"),
            Column::left("WHEN"),
        ];
        if matches!(self.asked, Asked::Jobs(_)) {
            columns.insert(0, Column::left("JOB").yields(1, 16));
        }
        if self.has_jitter() {
            columns.push(Column::left("STARTS"));
        }
        let rows: Vec<Row> = self
            .slots
            .iter()
            .map(|slot| self.row(slot, &times))
            .collect();
        let table = render(&columns, &rows, medium);
        let mut text = self.title();
        for (number, line) in table.lines().enumerate() {
            text.push_str(line);
            text.push('\n');
            // The first line is the header.
            let slot = number.checked_sub(1).and_then(|row| self.slots.get(row));
            let remark = slot.and_then(Slot::remark);
            if let Some(remark) = remark {
                text.push_str(&wrapped(&remark.to_string(), INDENT, medium));
            }
        }
        text.push_str(&self.nothing());
        for sentence in self.sentences() {
            text.push_str(&wrapped(&sentence, 0, medium));
        }
        text
    }

    /// Whose slots they are.
    fn title(&self) -> String {
        match self.asked {
            Asked::Schedule(timetable) => format!("{timetable}\n"),
            Asked::Job(Named { name, spec }) => match &spec.timetable {
                Some(timetable) if !timetable.jitter.is_zero() => {
                    let jitter = written(timetable.jitter);
                    format!("{name}  {timetable}, jitter {jitter}\n")
                }
                Some(timetable) => format!("{name}  {timetable}\n"),
                None => String::new(),
            },
            Asked::Jobs(_) => String::new(),
        }
    }

    /// That there is no slot, where there should be some.
    fn nothing(&self) -> String {
        let jobs = self.asked.jobs();
        let has_schedule = jobs.is_empty() || jobs.iter().any(|job| job.spec.timetable.is_some());
        match self.window.until {
            Some(until) if has_schedule && self.slots.is_empty() => {
                format!("no slot until {}\n", until.strftime("%F %TZ"))
            }
            None if has_schedule && self.slots.is_empty() => {
                "no slot before the year 2101\n".to_owned()
            }
            _ => String::new(),
        }
    }

    /// What is to be said of jobs rather than of slots.
    fn sentences(&self) -> Vec<String> {
        let without = self
            .without_slots()
            .map(|(job, why)| format!("{}: {why}", job.name));
        let mut by_host: Vec<String> = Vec::new();
        for slot in &self.slots {
            let name = slot.job.map_or("", |job| job.name);
            let sentence = slot.by_host().map(|why| format!("{name}: {why}"));
            by_host.extend(sentence.filter(|sentence| !by_host.contains(sentence)));
        }
        without.chain(self.counted()).chain(by_host).collect()
    }

    /// From where slots are counted that only the table knows better.
    fn counted(&self) -> Option<String> {
        let is_counted = |slot: &&Slot<'_>| self.counted_from(slot.timetable).is_some();
        let counted = || self.slots.iter().filter(is_counted);
        counted().next()?;
        let from = self.window.counted_from.strftime("%F %TZ");
        let mut names: Vec<&str> = counted()
            .filter_map(|slot| slot.job.map(|job| job.name))
            .collect();
        names.sort_unstable();
        names.dedup();
        Some(match (names.first(), self.asked) {
            (None, _) => format!("counted from {from}"),
            (Some(name), Asked::Jobs(_)) => format!(
                "{}: counted from {from}; the table knows the anchor (crontabber show {name})",
                names.join(", ")
            ),
            (Some(name), _) => {
                format!("counted from {from}; the table knows the anchor (crontabber show {name})")
            }
        })
    }
}

/// When a slot starts: the time, and how much later than the slot that is.
fn start(slot: &Slot<'_>) -> String {
    let Some(start) = slot.start() else {
        return "by host".to_owned();
    };
    let zone = slot.local().map(|local| local.time_zone().clone());
    let clock = zone.map(|zone| start.to_zoned(zone).strftime("%T%.f").to_string());
    let offset = slot.offset().unsigned_abs();
    format!("{} (+{})", clock.unwrap_or_default(), written(offset))
}

/// A sentence on lines of its own, set in, as wide as the medium.
fn wrapped(sentence: &str, indent: usize, medium: Medium) -> String {
    let room = match medium {
        Medium::Terminal { width, .. } => width.saturating_sub(indent).max(20),
        Medium::Pipe => usize::MAX,
    };
    let mut lines = vec![String::new()];
    for word in harmless(sentence).split(' ') {
        let last = lines.last_mut().expect("there is a line from the start");
        let is_full = !last.is_empty() && width(last) + 1 + width(word) > room;
        match (is_full, last.is_empty()) {
            (true, _) => lines.push(word.to_owned()),
            (false, true) => last.push_str(word),
            (false, false) => {
                last.push(' ');
                last.push_str(word);
            }
        }
    }
    let lines = lines.iter().map(|line| format!("{:indent$}{line}\n", ""));
    lines.collect()
}
