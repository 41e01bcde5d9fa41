//! What is printed: one line an event, each host in a column of its own.

use std::{
    cell::OnceCell,
    env,
    io::{self, IsTerminal, Write, stdout},
    time::Instant,
};

use crate::DemoError;

/// How wide a host's column is, in characters.
const COLUMN: usize = 48;

/// How wide the name of a job is in it.
const NAME: usize = 12;

/// Where the demo prints.
#[derive(Debug)]
pub(crate) struct Timeline {
    /// When the heading was printed.
    since: OnceCell<Instant>,
    has_colour: bool,
}

/// What a line means, and so its colour on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it is.
    Plain,
    /// What happens all the time.
    Faint,
    /// What went well.
    Good,
    /// What went wrong.
    Bad,
    /// What to look at.
    Striking,
}

impl Timeline {
    /// One whose time starts with the heading; plain unless it is a terminal that shows it.
    pub(crate) fn new() -> Self {
        let is_refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            since: OnceCell::new(),
            has_colour: stdout().is_terminal() && !is_refused,
        }
    }

    /// Names the columns.
    pub(crate) fn heading(&self, hosts: [&str; 2]) -> Result<(), DemoError> {
        self.since.get_or_init(Instant::now);
        self.say("")?;
        self.row("time", hosts, Tone::Striking)
    }

    /// Something that a host did with a job.
    pub(crate) fn job(
        &self,
        host: usize,
        job: &str,
        what: &str,
        tone: Tone,
    ) -> Result<(), DemoError> {
        self.host(host, &format!("{job:<NAME$} {what}"), tone)
    }

    /// Something that happened to a host.
    pub(crate) fn host(&self, host: usize, what: &str, tone: Tone) -> Result<(), DemoError> {
        let mut cells = [""; 2];
        cells[host] = what;
        self.row(&self.time(), cells, tone)
    }

    /// Something that happened to the whole.
    pub(crate) fn note(&self, what: &str) -> Result<(), DemoError> {
        self.line(&format!("{:>6}  {what}", self.time()), Tone::Striking)
    }

    /// A line without a time.
    pub(crate) fn say(&self, what: &str) -> Result<(), DemoError> {
        self.line(what, Tone::Plain)
    }

    /// A line without a time, in a tone.
    pub(crate) fn line(&self, what: &str, tone: Tone) -> Result<(), DemoError> {
        let mut out = stdout().lock();
        let written = match (self.has_colour, tone.code()) {
            (true, Some(code)) => writeln!(out, "\x1b[{code}m{what}\x1b[0m"),
            _ => writeln!(out, "{what}"),
        };
        written
            .and_then(|()| out.flush())
            .map_err(|error: io::Error| DemoError::NobodyWatches(error))
    }

    fn time(&self) -> String {
        let since = self.since.get_or_init(Instant::now);
        format!("{:.2}", since.elapsed().as_secs_f64())
    }

    fn row(&self, time: &str, [alpha, beta]: [&str; 2], tone: Tone) -> Result<(), DemoError> {
        let (alpha, beta) = (clipped(alpha), clipped(beta));
        let row = format!("{time:>6}  {alpha:<COLUMN$}  {beta}");
        self.line(row.trim_end(), tone)
    }
}

impl Tone {
    /// The terminal's number of it.
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Faint => Some("2"),
            Self::Good => Some("32"),
            Self::Bad => Some("31"),
            Self::Striking => Some("1"),
        }
    }
}

/// As much of a text as a column holds, control characters made harmless.
fn clipped(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    if text.chars().count() <= COLUMN {
        return text.chars().map(shown).collect();
    }
    let start: String = text.chars().take(COLUMN - 3).map(shown).collect();
    format!("{start}...")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_ends_where_its_column_ends() {
        assert_eq!(clipped(&"é".repeat(100)).chars().count(), COLUMN);
        assert!(clipped(&"é".repeat(100)).ends_with("é..."));
        assert_eq!(clipped(&"é".repeat(COLUMN)), "é".repeat(COLUMN));
        assert_eq!(clipped("a\x1b[2J"), "a [2J");
    }
}
