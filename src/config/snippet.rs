//! The line of a file that a diagnostic points at, fit to be printed: clipped, masked, harmless.

use std::ops::Range;

use super::{
    diagnostic::is_plain,
    secret::passwords,
    source::{Place, Sources},
};

/// A line of a file and what to underline in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Snippet {
    /// From 1.
    pub(super) line: usize,
    /// In characters, from 1.
    pub(super) column: usize,
    /// The line or the part of it around the place.
    pub(super) text: String,
    /// Characters of `text` before the first caret.
    pub(super) indent: usize,
    /// How many carets; at least one.
    pub(super) carets: usize,
}

/// Bytes of the line that are shown before and after the start of the place.
const BEFORE: usize = 60;
const AFTER: usize = 90;

impl Snippet {
    /// The line of `place`; `secrets` are sorted and shown as asterisks.
    pub(super) fn of(sources: &Sources, place: Place, secrets: &[Place]) -> Self {
        let source = sources.of(place);
        let span = place.span();
        let line = source.line(span.start);
        let whole = source.line_span(line);
        // A place can start at the very end of the file, behind its last line.
        let start = span.start.clamp(whole.start, whole.end);
        let end = span.end.clamp(start, whole.end);
        let mut masked: Vec<Range<usize>> = secrets
            .iter()
            .filter(|secret| secret.file() == place.file())
            .map(|secret| secret.span())
            .filter(|secret| secret.start < whole.end && secret.end > whole.start)
            .collect();
        // Whether or not anybody understood the line: a broken one is printed too.
        let nearby = nearby(&source.text, &whole, start);
        let passwords = passwords(&source.text[nearby.clone()]);
        masked.extend(
            passwords
                .into_iter()
                .map(|found| nearby.start + found.start..nearby.start + found.end),
        );
        let window = window(&source.text, &whole, start, &masked);
        let (text, cells) = draw(&source.text, &whole, window, &masked, start..end);
        Self {
            line,
            column: source.text[whole.start..start].chars().count() + 1,
            text,
            indent: cells.start,
            carets: cells.len().max(1),
        }
    }
}

/// A kibibyte of the line on either side: no password is longer, and lines can be megabytes.
fn nearby(text: &str, line: &Range<usize>, start: usize) -> Range<usize> {
    let from = text.floor_char_boundary(start.saturating_sub(1024).max(line.start));
    from..text.floor_char_boundary((start + 1024).min(line.end))
}

/// The part of the line around `start` that is shown; never half a character, never half a secret.
fn window(text: &str, line: &Range<usize>, start: usize, masked: &[Range<usize>]) -> Range<usize> {
    let mut from = text.floor_char_boundary(start.saturating_sub(BEFORE).max(line.start));
    let to = text.ceil_char_boundary((start + AFTER).min(line.end));
    for secret in masked {
        if secret.contains(&from) {
            from = secret.start.max(line.start);
        }
    }
    from..to
}

/// The text of the window as one printable character per character, a secret as three asterisks,
/// and where the underlined bytes came to lie.
fn draw(
    text: &str,
    line: &Range<usize>,
    window: Range<usize>,
    masked: &[Range<usize>],
    underlined: Range<usize>,
) -> (String, Range<usize>) {
    let mut drawn = String::new();
    let mut width = 0;
    let mut cells = None::<Range<usize>>;
    if window.start > line.start {
        drawn.push_str("...");
        width += 3;
    }
    let mut hidden_until = 0;
    for (at, character) in text[window.clone()].char_indices() {
        let at = window.start + at;
        if at == underlined.start {
            cells = Some(width..width);
        }
        if at >= hidden_until {
            if let Some(secret) = masked.iter().find(|secret| secret.contains(&at)) {
                hidden_until = masked_end(secret, masked);
                drawn.push_str("***");
                width += 3;
            } else {
                drawn.push(visible(character));
                width += 1;
            }
        }
        if underlined.contains(&at) {
            let first = cells.map_or(width, |cells| cells.start);
            cells = Some(first..width);
        }
    }
    if window.end < line.end {
        drawn.push_str("...");
    }
    (drawn, cells.unwrap_or(width..width))
}

/// Where this secret and those that overlap it end.
fn masked_end(secret: &Range<usize>, masked: &[Range<usize>]) -> usize {
    let overlapping = masked.iter().filter(|other| other.contains(&secret.end));
    overlapping
        .map(|other| other.end)
        .fold(secret.end, usize::max)
}

fn visible(character: char) -> char {
    match character {
        '\t' => '→',
        // The control pictures: ␀ for NUL, ␛ for escape, as wide as what they stand for.
        '\0'..='\u{1f}' => char::from_u32(0x2400 + character as u32).unwrap_or('�'),
        _ if is_plain(character) => character,
        _ => '�',
    }
}

#[cfg(test)]
mod tests {
    use super::{super::source::Source, *};

    fn snippet(text: &str, span: Range<usize>, secret: Option<Range<usize>>) -> Snippet {
        let sources = Sources::new(vec![Source::new("f".into(), text.to_owned())]);
        let secrets: Vec<_> = secret.map(|span| Place::new(0, span)).into_iter().collect();
        Snippet::of(&sources, Place::new(0, span), &secrets)
    }

    #[test]
    fn carets_stand_under_characters_and_not_under_bytes() {
        let found = snippet("grün = 5\n", 8..9, None);
        assert_eq!((found.column, found.indent, found.carets), (8, 7, 1));
    }

    #[test]
    fn a_long_line_is_clipped_around_the_place() {
        let text = "x".repeat(1_000_000);
        let found = snippet(&text, 500_000..500_004, None);
        assert!(found.text.len() < 160, "{}", found.text.len());
        assert!(found.text.starts_with("...x") && found.text.ends_with("x..."));
        assert_eq!((found.indent, found.carets), (63, 4));
    }

    #[test]
    fn a_secret_is_shown_as_asterisks_whatever_its_length() {
        let found = snippet("a = 'secret' b", 13..14, Some(5..11));
        assert_eq!(found.text, "a = '***' b");
        assert_eq!(found.indent, 10);
    }

    #[test]
    fn a_password_is_hidden_on_a_line_that_nobody_understood() {
        let line = "url = \"postgres://u:hunter2@host/db";
        assert_eq!(
            snippet(line, 0..3, None).text,
            "url = \"postgres://u:***@host/db"
        );
        let line = "url = \"host=db password=hunter2 user=u";
        assert_eq!(
            snippet(line, 0..3, None).text,
            "url = \"host=db password=*** user=u"
        );
    }

    #[test]
    fn control_characters_become_visible() {
        let found = snippet("\ta\u{1b}[31m\u{202e}\r\u{7f}", 1..2, None);
        assert_eq!(found.text, "→a␛[31m�␍�");
    }
}
