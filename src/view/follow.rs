//! What a run prints, told while it goes on: each piece once, and at the end what the pieces did not have.

use super::{Medium, Times, entry::Entry, text};
use crate::output::Output;

/// Stands where something was left out.
const LEFT_OUT: &str = "[... left out ...]\n";

/// More than the text of any record: each byte may have become a character of three.
const LONGEST: usize = 4 * (Output::HEAD + Output::TAIL);

/// What was told of a run so far.
#[derive(Debug)]
pub struct Told {
    medium: Medium,
    next: i32,
    /// All of it from the beginning; `None` when something is missing, or when it is more than a record holds.
    text: Option<String>,
    ends_with_line: bool,
    is_complete: bool,
}

/// What a record has that was not told.
#[derive(Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nothing.
    Nothing,
    /// This, which goes on where the pieces ended.
    Text(String),
    /// Nobody can say what of it was told.
    Unknown,
}

impl Told {
    /// Nothing yet.
    #[must_use]
    pub fn new(medium: Medium) -> Self {
        Self {
            medium,
            next: 0,
            text: Some(String::new()),
            ends_with_line: true,
            is_complete: false,
        }
    }

    /// The number of the last piece; -1 before the first.
    #[must_use]
    pub fn last(&self) -> i32 {
        self.next - 1
    }

    /// What to print of a piece.
    pub fn piece(&mut self, number: i32, printed: &str) -> String {
        let mut shown = String::new();
        if number > self.next {
            self.text = None;
            if !self.ends_with_line {
                shown.push('\n');
            }
            shown.push_str(LEFT_OUT);
            self.ends_with_line = true;
        }
        self.next = number.saturating_add(1);
        self.is_complete = printed.is_empty();
        self.keep(printed);
        shown + &self.shown(printed)
    }

    /// What of the record was not told.
    pub fn rest(&mut self, record: &str) -> Rest {
        if self.is_complete {
            return Rest::Nothing;
        }
        let told = self.text.as_deref();
        let Some(rest) = told.and_then(|told| record.strip_prefix(told)) else {
            return Rest::Unknown;
        };
        if rest.is_empty() {
            return Rest::Nothing;
        }
        Rest::Text(self.shown(rest))
    }

    /// What to print when there will be no more.
    #[must_use]
    pub fn end(&self) -> &'static str {
        // A program gets what was printed, to the byte.
        if self.medium.is_terminal() && !self.ends_with_line {
            "\n"
        } else {
            ""
        }
    }

    fn keep(&mut self, printed: &str) {
        if let Some(text) = &mut self.text {
            text.push_str(printed);
            if text.len() > LONGEST {
                self.text = None;
            }
        }
    }

    fn shown(&mut self, printed: &str) -> String {
        if !printed.is_empty() {
            self.ends_with_line = printed.ends_with('\n');
        }
        if self.medium.is_terminal() {
            text::harmless_lines(printed)
        } else {
            printed.to_owned()
        }
    }
}

/// How the run ended, for stderr: one line.
#[must_use]
pub fn ended(entry: &Entry, times: &Times) -> String {
    let mut line = format!("{}: {}", entry.name, entry.outcome);
    if let Some(reason) = &entry.reason {
        line = format!("{line}: {reason}");
    }
    if let (Some(from), Some(until)) = (entry.started_at, entry.finished_at) {
        line = format!("{line}, after {}", times.took(from, until));
    }
    text::harmless(&line).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMINAL: Medium = Medium::Terminal {
        width: 80,
        colour: true,
    };

    fn told(medium: Medium, pieces: &[(i32, &str)]) -> (Told, String) {
        let mut told = Told::new(medium);
        let shown = pieces
            .iter()
            .map(|(number, text)| told.piece(*number, text));
        let shown = shown.collect();
        (told, shown)
    }

    fn rest(pieces: &[(i32, &str)], record: &str) -> Rest {
        told(Medium::Pipe, pieces).0.rest(record)
    }

    #[test]
    fn what_the_pieces_did_not_have_is_told_once() {
        let text = |rest: &str| Rest::Text(rest.to_owned());
        assert_eq!(rest(&[], "a\nb\n"), text("a\nb\n"));
        assert_eq!(rest(&[(0, "a\n"), (1, "b")], "a\nb\nc\n"), text("\nc\n"));
        assert_eq!(rest(&[(0, "a\n")], "a\n"), Rest::Nothing);
        assert_eq!(rest(&[], ""), Rest::Nothing);
    }

    #[test]
    fn after_the_last_piece_nothing_is_missing_whatever_the_record_has() {
        assert_eq!(rest(&[(0, "a"), (3, "z"), (4, "")], "a..z"), Rest::Nothing);
    }

    #[test]
    fn what_cannot_be_known_is_not_guessed() {
        assert_eq!(rest(&[(1, "b")], "ab"), Rest::Unknown);
        assert_eq!(
            rest(&[(0, "axxx")], "a\n[... 3 bytes left out ...]\nx"),
            Rest::Unknown
        );
        let much = "x".repeat(LONGEST + 1);
        assert_eq!(rest(&[(0, &much)], &much), Rest::Unknown);
    }

    #[test]
    fn a_gap_is_a_line_of_its_own() {
        let (_, shown) = told(Medium::Pipe, &[(1, "b"), (2, "c"), (4, "e\n"), (7, "h")]);
        assert_eq!(
            shown,
            "[... left out ...]\nbc\n[... left out ...]\ne\n[... left out ...]\nh"
        );
    }

    #[test]
    fn a_terminal_is_shown_what_could_harm_it_and_is_left_at_the_beginning_of_a_line() {
        let (mut told, shown) = told(TERMINAL, &[(0, "a\u{202e}")]);
        assert_eq!((shown.as_str(), told.end()), ("a\\u{202e}", "\n"));
        let rest = told.rest("a\u{202e}\u{1b}[2J\n");
        assert_eq!(rest, Rest::Text("\\u{1b}[2J\n".to_owned()));
        assert_eq!(told.end(), "");
    }
}
