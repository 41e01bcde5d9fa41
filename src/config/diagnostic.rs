//! One thing to tell the operator about the configuration, and where.

use std::{collections::HashSet, path::PathBuf};

use super::source::Place;

/// Whether the configuration can be used all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It cannot: nothing runs until this is put right.
    Error,
    /// It can, but not all of it means what it seems to mean.
    Warning,
}

impl Severity {
    /// The word that opens the message.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! codes {
    ($( $(#[doc = $doc:literal])+ $code:ident = $text:literal ),* $(,)?) => {
        /// The kind of a diagnostic: stable, for editors, for CI and for the documentation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $( $(#[doc = $doc])+ $code ),* }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$code),*];

            /// The code as it is printed.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$code => $text),* }
            }
        }
    };
}

codes! {
    /// The text is not TOML.
    Syntax = "syntax",
    /// A key is given twice in one table.
    DuplicateKey = "duplicate-key",
    /// A key that means nothing here.
    UnknownKey = "unknown-key",
    /// A section that means nothing.
    UnknownSection = "unknown-section",
    /// A section or key that belongs in the main file.
    MainFileOnly = "main-file-only",
    /// A value of another type than the key wants.
    WrongType = "wrong-type",
    /// A value of the right type that the key cannot have.
    BadValue = "bad-value",
    /// A text that is no duration.
    BadDuration = "bad-duration",
    /// Braces that stand for nothing.
    BadPlaceholder = "bad-placeholder",
    /// A time zone that nobody has heard of.
    BadTimezone = "bad-timezone",
    /// Crontab fields that say nothing.
    BadSchedule = "bad-schedule",
    /// A day of the month and a day of the week, of which either is enough.
    EitherDay = "either-day",
    /// A step that does not divide what it steps through.
    UnevenStep = "uneven-step",
    /// A time that some night has not, or has twice.
    ClockChange = "clock-change",
    /// A time of day with a period that is not whole days.
    NotDaily = "not-daily",
    /// Both `every` and `schedule`.
    TwoSchedules = "two-schedules",
    /// A name that a job, template or variable cannot have.
    BadName = "bad-name",
    /// A job that says twice what a run does.
    TwoKinds = "two-kinds",
    /// A job that does not say what a run does.
    NoKind = "no-kind",
    /// A class, and nothing that says how to run one.
    NoRunWith = "no-run-with",
    /// A key that has no meaning for this kind of job.
    Misplaced = "misplaced",
    /// A parent that no file defines.
    UnknownParent = "unknown-parent",
    /// Jobs that wait for each other.
    DependencyCycle = "dependency-cycle",
    /// A job that two files define.
    DuplicateJob = "duplicate-job",
    /// A template that two files define.
    DuplicateTemplate = "duplicate-template",
    /// A template that no file defines.
    UnknownTemplate = "unknown-template",
    /// A `[notify.X]` that nobody defines.
    UnknownNotify = "unknown-notify",
    /// A lease that can end before its run is gone.
    LeaseRatio = "lease-ratio",
    /// A secret in the open.
    InlineSecret = "inline-secret",
    /// A secret that cannot be read, or that others can read.
    SecretFile = "secret-file",
    /// A NUL character in a value.
    Nul = "nul",
    /// A file or directory that anybody can write to.
    FileMode = "file-mode",
    /// A file found by looking that belongs to somebody else.
    FileOwner = "file-owner",
    /// A file that is not text.
    NotUtf8 = "not-utf8",
    /// A file or directory that cannot be read.
    Unreadable = "unreadable",
    /// More text than anybody writes.
    TooLarge = "too-large",
    /// No configuration at all.
    NoFile = "no-file",
    /// A database that no `[database.NAME]` defines.
    UnknownDatabase = "unknown-database",
    /// Nothing that says where the database is.
    NoDatabase = "no-database",
    /// Not a single job.
    NoJobs = "no-jobs",
    /// Understood and checked, and without effect in this version.
    NotYet = "not-yet",
}

/// Where the trouble is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum At {
    /// Nowhere in particular.
    Nowhere,
    /// A file or directory as a whole.
    Path(PathBuf),
    /// These bytes.
    Place(Place),
}

impl From<Place> for At {
    fn from(place: Place) -> Self {
        Self::Place(place)
    }
}

/// One thing to tell the operator.
#[derive(Debug, Clone)]
pub(super) struct Diagnostic {
    pub(super) severity: Severity,
    pub(super) code: Code,
    /// A lower-case fragment without full stop.
    pub(super) message: String,
    pub(super) at: At,
    /// A few words beside the caret.
    pub(super) label: String,
    /// Other places that have a part in it, each with its words.
    pub(super) related: Vec<(Place, String)>,
    /// What to write instead.
    pub(super) help: Option<String>,
}

impl Diagnostic {
    pub(super) fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = label.into();
        self
    }

    pub(super) fn related(&mut self, place: Place, label: impl Into<String>) -> &mut Self {
        self.related.push((place, label.into()));
        self
    }

    pub(super) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn place(&self) -> Option<Place> {
        match self.at {
            At::Place(place) => Some(place),
            At::Nowhere | At::Path(_) => None,
        }
    }
}

/// What has been found so far; filled while the configuration is read.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Texts that no report may print.
    pub(super) secrets: Vec<Place>,
    /// File and line of every syntax error: what else such a line seems to say is a guess.
    pub(super) broken_lines: HashSet<(usize, usize)>,
    suggestions: usize,
}

impl Findings {
    pub(super) fn error(
        &mut self,
        code: Code,
        at: impl Into<At>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(Severity::Error, code, at.into(), message.into())
    }

    pub(super) fn warning(
        &mut self,
        code: Code,
        at: impl Into<At>,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(Severity::Warning, code, at.into(), message.into())
    }

    fn add(&mut self, severity: Severity, code: Code, at: At, message: String) -> &mut Diagnostic {
        let index = self.diagnostics.len();
        self.diagnostics.push(Diagnostic {
            severity,
            code,
            message,
            at,
            label: String::new(),
            related: Vec::new(),
            help: None,
        });
        &mut self.diagnostics[index]
    }

    /// The candidate that was probably meant. Only the first hundred mistakes get one: each is a
    /// comparison with every candidate, and a thousand jobs can miss the same parent.
    pub(super) fn nearest<'a>(
        &mut self,
        wrong: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Option<&'a str> {
        self.suggestions += 1;
        if self.suggestions > 100 || wrong.len() > 200 {
            return None;
        }
        candidates
            .into_iter()
            .map(|candidate| (strsim::damerau_levenshtein(wrong, candidate), candidate))
            .filter(|(distance, candidate)| {
                *distance <= (candidate.len().max(wrong.len()) / 3).max(1)
            })
            .min()
            .map(|(_, candidate)| candidate)
    }

    pub(super) fn has_errors(&self) -> bool {
        self.diagnostics
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// Text from a file inside a message: escaped, and shortened when it is long.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut escaped = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == LONGEST {
            return format!("{escaped}... ({} bytes)", text.len());
        }
        if is_plain(character) {
            escaped.push(character);
        } else {
            escaped.extend(character.escape_default());
        }
    }
    escaped
}

/// Whether a terminal shows the character as itself: no control, nothing that turns the line around.
pub(super) fn is_plain(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

/// `1 job`, `2 jobs`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_near() {
        let mut findings = Findings::default();
        let mut nearest = |wrong: &str| findings.nearest(wrong, ["every", "schedule"]);
        assert_eq!(nearest("scheduel"), Some("schedule"));
        assert_eq!(nearest("xyz"), None);
        assert_eq!(nearest(&"every".repeat(1 << 20)), None);
    }

    #[test]
    fn shown_text_can_do_nothing_to_a_terminal() {
        assert_eq!(shown("a\u{1b}[31m\0\u{202e}"), r"a\u{1b}[31m\u{0}\u{202e}");
        assert!(shown(&"x".repeat(1 << 20)).ends_with("x... (1048576 bytes)"));
    }
}
