//! Taking over from cron and from crontabber: their files in, ours out, and what there is to say about it.
//!
//! ```text
//! crontab ─▶ crontab ────┐
//!                        ├─▶ Import ─▶ writer ─▶ TOML that `config check` accepts
//! F.ini ──▶ crontabber ──┘      └────▶ remarks: what is different now, and what could not be taken over
//! ```
//!
//! Pure: texts in, texts out. Nothing is run, nothing is asked of a database, and nothing is guessed: a line that
//! does not say what it means becomes a remark with its place, and a comment where its job would be.

pub mod crontab;
pub mod crontabber;
mod naming;
mod position;
mod writer;

use std::fmt;

use jiff::Timestamp;
use serde_json::Value;

use crate::{schedule::Timetable, spec::JobName, view::text::harmless};

pub use self::position::Position;
use self::position::Positions;

/// What came of a foreign file.
#[derive(Debug, Default)]
pub struct Import {
    /// What the file says at its top, in lines.
    preface: Vec<String>,
    /// `[database]` and its like, which belong in the main file.
    sections: Vec<Section>,
    jobs: Vec<Job>,
    remarks: Vec<Remark>,
}

/// Where the text that is written will stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A configuration of its own.
    Main,
    /// A file of `jobs.d`, beside a main file that has the sections already.
    DropIn,
}

/// A section of the main file.
#[derive(Debug)]
struct Section {
    name: &'static str,
    comments: Vec<String>,
    keys: Vec<(&'static str, Value)>,
}

/// One job, as it will be written.
#[derive(Debug)]
struct Job {
    name: JobName,
    /// Comments above it: the line it comes from, and what to look at.
    comments: Vec<String>,
    keys: Vec<(&'static str, Value)>,
    /// `None`: its schedule could not be read.
    timetable: Option<Timetable>,
    /// Why it is written as a comment only.
    refused: Option<String>,
}

/// Something to tell the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Where in the foreign file; `None`: the file as a whole.
    pub at: Option<Position>,
    /// Whether it is about a loss.
    pub weight: Weight,
    /// A lower-case fragment.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// How much a remark weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Good to know.
    Note,
    /// Something could not be taken over.
    NotTaken,
}

impl Import {
    /// The configuration. Beside each job are the line it comes from and its next three runs after this instant.
    #[must_use]
    pub fn write(&self, shape: Shape, after: Timestamp) -> String {
        writer::write(self, shape, after)
    }

    /// What there is to say, in the order of the foreign file.
    #[must_use]
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// How many jobs were taken over, and how many are written as comments only.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let refused = self.jobs.iter().filter(|job| job.refused.is_some()).count();
        (self.jobs.len() - refused, refused)
    }

    /// Whether everything was taken over.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let lost = |remark: &Remark| remark.weight == Weight::NotTaken;
        !self.remarks.iter().any(lost)
    }

    fn remark(
        &mut self,
        at: Option<Position>,
        weight: Weight,
        message: impl Into<String>,
    ) -> &mut Remark {
        let index = self.remarks.len();
        self.remarks.push(Remark {
            at,
            weight,
            message: message.into(),
            help: None,
        });
        &mut self.remarks[index]
    }

    /// The remarks in the order of the file, those about all of it last.
    fn settle(&mut self) {
        self.remarks
            .sort_by_key(|remark| (remark.at.is_none(), remark.at));
    }
}

impl Remark {
    fn help(&mut self, help: impl Into<String>) {
        self.help = Some(help.into());
    }
}

/// As for a terminal, behind the name of the file: `12:5: not taken over: ...`.
impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.at {
            write!(f, "{}:{}:", at.line, at.column)?;
        }
        let weight = match self.weight {
            Weight::Note => "note",
            Weight::NotTaken => "not taken over",
        };
        write!(f, " {weight}: {}", harmless(&self.message))?;
        for (number, line) in self.help.iter().flat_map(|help| help.lines()).enumerate() {
            let start = if number == 0 { "= help:" } else { "       " };
            write!(f, "\n  {start} {}", harmless(line))?;
        }
        Ok(())
    }
}

/// A text of a foreign file inside a message.
fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    let clipped: String = text.chars().take(LONGEST).collect();
    let dots = if clipped.len() < text.len() {
        "..."
    } else {
        ""
    };
    format!("`{}{dots}`", harmless(&clipped))
}
