//! Texts that fit into one line of a plugin's answer.

use std::borrow::Cow;

use crate::view::text::harmless;

/// The text without what a plugin's answer must not hold: line ends and tabs are spaces, `|` (which would begin
/// the figures) is `¦`, and what could harm a terminal is a visible escape.
pub(super) fn plain(text: &str) -> String {
    let spaced: String = text
        .chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            '|' => '¦',
            other => other,
        })
        .collect();
    harmless(&spaced).trim_end().to_owned()
}

/// The text in at most so many bytes; what is missing is told by `…`.
pub(super) fn cut(text: &str, bytes: usize) -> Cow<'_, str> {
    const MORE: &str = "…";
    if text.len() <= bytes {
        return Cow::Borrowed(text);
    }
    let Some(room) = bytes.checked_sub(MORE.len()) else {
        return Cow::Borrowed("");
    };
    let end = text.floor_char_boundary(room);
    Cow::Owned(format!("{}{MORE}", &text[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_text_is_one_line_without_a_bar() {
        assert_eq!(
            plain("503 | a\r\n\tb\u{1b}[2J\u{202e}|\n"),
            "503 ¦ a   b\\u{1b}[2J\\u{202e}¦"
        );
    }

    #[test]
    fn a_text_is_cut_between_characters_and_says_so() {
        assert_eq!(cut("grüße", 7), "grüße");
        assert_eq!(cut("grüße", 6), "gr…");
        assert_eq!(cut("grüße", 3), "…");
        assert_eq!(cut("grüße", 2), "");
    }
}
