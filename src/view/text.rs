//! Texts made harmless, measured and clipped.

use std::{borrow::Cow, fmt::Write as _};

use serde::Serialize;
use unicode_width::UnicodeWidthChar;

/// The longest text of one cell or line, in characters; a name that a foreign writer made may have megabytes.
const LONGEST: usize = 2_000;

/// Whether a character could move the cursor, hide, or turn the text around it: control characters (ANSI escapes
/// begin with one), and the invisible ones that reorder or hide what is beside them.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text on one line: what could harm a terminal or break a table is a visible escape (`\n`, `\u{1b}`).
#[must_use]
pub fn harmless(text: &str) -> Cow<'_, str> {
    let end = text
        .char_indices()
        .nth(LONGEST)
        .map_or(text.len(), |(at, _)| at);
    let kept = &text[..end];
    if end == text.len() && !kept.contains(is_harmful) {
        return Cow::Borrowed(kept);
    }
    let mut safe = escaped(kept, |_| false);
    if end < text.len() {
        safe.push('…');
    }
    Cow::Owned(safe)
}

/// The same for a text of many lines, of any length: its line ends and tabs stay.
#[must_use]
pub fn harmless_lines(text: &str) -> String {
    // The line ends of another system are line ends; a bare `\r` would overwrite its line.
    let text = text.replace("\r\n", "\n");
    escaped(&text, |c| matches!(c, '\n' | '\t'))
}

fn escaped(text: &str, stays: fn(char) -> bool) -> String {
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_harmful(c) && !stays(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// How many cells of a terminal the text takes.
#[must_use]
pub fn width(text: &str) -> usize {
    text.chars().map(cells).sum()
}

fn cells(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// The text in at most `width` cells; what is missing is told by `…`.
#[must_use]
pub fn clip(text: &str, width: usize) -> Cow<'_, str> {
    if self::width(text) <= width {
        return Cow::Borrowed(text);
    }
    let Some(room) = width.checked_sub(1) else {
        return Cow::Borrowed("");
    };
    let mut used = 0;
    let beyond = text.char_indices().find(|&(_, c)| {
        used += cells(c);
        used > room
    });
    let end = beyond.map_or(text.len(), |(at, _)| at);
    Cow::Owned(format!("{}…", text[..end].trim_end()))
}

/// A value as JSON for people and programs: indented, one line end at the end, harmless on a terminal.
///
/// # Panics
/// Never: the values of this module have a JSON form.
#[must_use]
pub fn json(value: &impl Serialize) -> String {
    let plain =
        serde_json::to_string_pretty(value).expect("values of this module have a JSON form");
    let mut safe = String::with_capacity(plain.len() + 1);
    for c in plain.chars() {
        // JSON escapes only some of them itself; they stand in strings only, the line ends between.
        if is_harmful(c) && c != '\n' {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(safe, "\\u{unit:04x}").expect("a String takes all it is given");
            }
        } else {
            safe.push(c);
        }
    }
    safe.push('\n');
    safe
}

/// `1 run`, `2 runs`.
#[must_use]
pub fn counted(number: usize, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {what}{s}")
}

/// `1st`, `12th`, `23rd`.
#[must_use]
pub fn ordinal(number: u32) -> String {
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_move_the_cursor_is_shown_instead() {
        assert_eq!(
            harmless("a\tb\nc\u{1b}[31m\u{9b}2J\u{202e}d\u{7f}"),
            "a\\tb\\nc\\u{1b}[31m\\u{9b}2J\\u{202e}d\\u{7f}"
        );
        assert_eq!(
            harmless("grüße, Ελλάδα, 東京 👍 e\u{301}"),
            "grüße, Ελλάδα, 東京 👍 e\u{301}"
        );
        assert_eq!(
            harmless_lines("10%\r20%\r\nb\tc\u{1b}c\n"),
            "10%\\r20%\nb\tc\\u{1b}c\n"
        );
    }

    #[test]
    fn a_text_without_end_has_one() {
        assert_eq!(
            harmless(&"x".repeat(1_000_000)).chars().count(),
            LONGEST + 1
        );
    }

    #[test]
    fn wide_characters_take_two_cells() {
        assert_eq!(width("東京 e\u{301}"), 6);
        assert_eq!(clip("東京都", 5), "東京…");
        assert_eq!(clip("東京都", 4), "東…");
        assert_eq!(clip("abc", 3), "abc");
        assert_eq!(clip("a bc", 3), "a…");
        assert_eq!(clip("abc", 0), "");
    }

    #[test]
    fn json_stays_json_and_shows_no_control_character() {
        let nasty = "\u{1b}[2J \u{9b} \u{e0001} \u{202e} \n 東";
        let json = json(&[nasty]);
        assert!(
            !json.trim_end().chars().any(|c| c != '\n' && is_harmful(c)),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), [nasty]);
    }
}
