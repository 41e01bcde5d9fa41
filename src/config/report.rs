//! Everything that was found, as a text for people and as JSON for editors.

use std::{collections::HashSet, error::Error, fmt};

use serde_json::json;

use super::{
    diagnostic::{At, Code, Diagnostic, Findings, Severity, counted, is_plain},
    snippet::Snippet,
    source::{Place, Sources},
};

/// What is wrong with a configuration, in the order of its files and lines.
///
/// Prints as rustc prints its errors, a summary last; an empty report is the summary alone.
#[derive(Debug, Clone, Default)]
pub struct Report {
    diagnostics: Vec<Diagnostic>,
    /// Sorted; no line that is printed shows them.
    secrets: Vec<Place>,
    sources: Sources,
    jobs: usize,
}

/// More than this many are counted and not printed.
const PRINTED: usize = 500;

impl Report {
    pub(super) fn new(findings: Findings, sources: Sources, jobs: usize) -> Self {
        let Findings {
            mut diagnostics,
            mut secrets,
            broken_lines,
            ..
        } = findings;
        settle(&mut diagnostics, &sources, &broken_lines);
        secrets.sort_unstable();
        Self {
            diagnostics,
            secrets,
            sources,
            jobs,
        }
    }

    /// What two reports of one configuration say, in the order of its files and lines.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.diagnostics.extend(other.diagnostics);
        settle(&mut self.diagnostics, &self.sources, &HashSet::new());
        self
    }

    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// How many errors there are.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.count(Severity::Error)
    }

    /// The first error on one line: `crontabber.toml:4:1: unknown key ...`.
    #[must_use]
    pub fn first_error(&self) -> Option<String> {
        let is_error = |found: &&Diagnostic| found.severity == Severity::Error;
        let first = self.diagnostics.iter().find(is_error)?;
        let message = harmless(&first.message);
        Some(match &first.at {
            At::Nowhere => message,
            At::Path(path) => format!("{}: {message}", path.display()),
            At::Place(place) => {
                let Snippet { line, column, .. } =
                    Snippet::of(&self.sources, *place, &self.secrets);
                format!(
                    "{}:{line}:{column}: {message}",
                    self.sources.path(*place).display()
                )
            }
        })
    }

    /// How many warnings there are.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.count(Severity::Warning)
    }

    fn count(&self, severity: Severity) -> usize {
        let matching = self.diagnostics.iter().filter(|d| d.severity == severity);
        matching.count()
    }

    /// The codes of all diagnostics, in order.
    pub fn codes(&self) -> impl Iterator<Item = Code> {
        self.diagnostics.iter().map(|diagnostic| diagnostic.code)
    }

    /// `5 errors, 1 warning in 1 file, 3 jobs checked`.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut found = Vec::new();
        match (self.errors(), self.warnings()) {
            (0, 0) => found.push("no mistakes".to_owned()),
            (0, warnings) => found.push(counted(warnings, "warning")),
            (errors, 0) => found.push(counted(errors, "error")),
            (errors, warnings) => {
                found.push(counted(errors, "error"));
                found.push(counted(warnings, "warning"));
            }
        }
        format!(
            "{} in {}, {} checked",
            found.join(", "),
            counted(self.sources.written(), "file"),
            counted(self.jobs, "job")
        )
    }

    /// One object per diagnostic: `severity code message label help file line column`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let objects = self.diagnostics.iter().map(|diagnostic| {
            let (file, line, column) = match &diagnostic.at {
                At::Nowhere => (None, None, None),
                At::Path(path) => (Some(path.display().to_string()), None, None),
                At::Place(place) => {
                    let snippet = Snippet::of(&self.sources, *place, &[]);
                    let file = self.sources.path(*place).display().to_string();
                    (Some(file), Some(snippet.line), Some(snippet.column))
                }
            };
            json!({
                "severity": diagnostic.severity.as_str(),
                "code": diagnostic.code.as_str(),
                "message": diagnostic.message,
                "label": diagnostic.label,
                "help": diagnostic.help,
                "file": file,
                "line": line,
                "column": column,
            })
        });
        objects.collect()
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, diagnostic: &Diagnostic) -> fmt::Result {
        let (severity, code) = (diagnostic.severity.as_str(), diagnostic.code.as_str());
        writeln!(f, "{severity}[{code}]: {}", harmless(&diagnostic.message))?;
        let gutter = self.gutter(diagnostic);
        match &diagnostic.at {
            At::Nowhere => {}
            At::Path(path) => writeln!(f, "{:gutter$}--> {}", "", path.display())?,
            At::Place(place) => self.write_snippet(f, gutter, "-->", *place, &diagnostic.label)?,
        }
        for (place, label) in &diagnostic.related {
            self.write_snippet(f, gutter, ":::", *place, label)?;
        }
        if let Some(help) = &diagnostic.help {
            for (number, line) in help.lines().enumerate() {
                let start = if number == 0 { "= help:" } else { "       " };
                writeln!(f, "{:gutter$} {start} {}", "", harmless(line))?;
            }
        }
        writeln!(f)
    }

    fn write_snippet(
        &self,
        f: &mut fmt::Formatter<'_>,
        gutter: usize,
        arrow: &str,
        place: Place,
        label: &str,
    ) -> fmt::Result {
        let Snippet {
            line,
            column,
            text,
            indent,
            carets,
        } = Snippet::of(&self.sources, place, &self.secrets);
        let path = self.sources.path(place).display();
        writeln!(f, "{:gutter$}{arrow} {path}:{line}:{column}", "")?;
        writeln!(f, "{:gutter$} |", "")?;
        writeln!(f, "{}", format!("{line:gutter$} | {text}").trim_end())?;
        let underline = format!("{:indent$}{} {}", "", "^".repeat(carets), harmless(label));
        writeln!(f, "{:gutter$} | {}", "", underline.trim_end())
    }

    /// The width of the widest line number.
    fn gutter(&self, diagnostic: &Diagnostic) -> usize {
        let related = diagnostic.related.iter().map(|(place, _)| *place);
        diagnostic
            .place()
            .into_iter()
            .chain(related)
            .map(|place| self.sources.line(place).to_string().len())
            .max()
            .unwrap_or(1)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}{}", Diagnostics(self), self.summary())
    }
}

/// All of a report but its summary.
pub(super) struct Diagnostics<'a>(pub(super) &'a Report);

impl fmt::Display for Diagnostics<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = &self.0.diagnostics;
        for diagnostic in all.iter().take(PRINTED) {
            self.0.write(f, diagnostic)?;
        }
        if all.len() > PRINTED {
            writeln!(f, "... and {} more\n", all.len() - PRINTED)?;
        }
        Ok(())
    }
}

impl Error for Report {}

/// Messages quote what somebody wrote: escaped here, and cut where nobody reads on.
fn harmless(text: &str) -> String {
    const LONGEST: usize = 400;
    let mut shown = String::new();
    for character in text.chars().take(LONGEST) {
        if is_plain(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_default());
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        shown.push_str("...");
    }
    shown
}

/// Puts diagnostics in order, says each thing once, and lets a syntax error silence what else its
/// line seems to say.
fn settle(
    diagnostics: &mut Vec<Diagnostic>,
    sources: &Sources,
    broken_lines: &HashSet<(usize, usize)>,
) {
    let is_syntax = |d: &Diagnostic| matches!(d.code, Code::Syntax | Code::DuplicateKey);
    let line = |place: Place| (place.file(), sources.line(place));
    diagnostics.retain(|diagnostic| {
        let is_guess = |place| !broken_lines.is_empty() && broken_lines.contains(&line(place));
        is_syntax(diagnostic) || !diagnostic.place().is_some_and(is_guess)
    });
    diagnostics.sort_by_key(|diagnostic| (diagnostic.place(), diagnostic.code));
    diagnostics.dedup_by(|later, earlier| {
        let same_line = || later.place().map(line) == earlier.place().map(line);
        later.place().is_some()
            && (is_syntax(later) && is_syntax(earlier) && same_line()
                || later.code == earlier.code && later.place() == earlier.place())
    });
}
