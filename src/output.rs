//! What a run printed: its beginning, its end, and how much there was.

use std::fmt::{Debug, Write as _};

/// Who hears what a run prints while it is printing it. Never waits.
pub trait Listener: Debug + Send + Sync {
    /// These bytes were printed, the first of them as the run's byte number `position`, from 0. Where that is further
    /// on than the last ones ended, something was left out.
    fn hear(&self, position: u64, bytes: &[u8]);
}

/// What a run wrote to stdout and stderr, in the order it wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// The first bytes, at most [`Output::HEAD`].
    pub head: Vec<u8>,
    /// The last bytes after those, at most [`Output::TAIL`].
    pub tail: Vec<u8>,
    /// How many bytes there were, kept or not.
    pub total: u64,
}

impl Output {
    /// How much of the beginning is kept, in bytes.
    pub const HEAD: usize = 16 * 1024;
    /// How much of the end is kept, in bytes.
    pub const TAIL: usize = 48 * 1024;

    /// How many bytes between head and tail were not kept.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        let kept = self.head.len() as u64 + self.tail.len() as u64;
        self.total.saturating_sub(kept)
    }

    /// What is kept of the bytes from `position` on: stretches, each with the position of its first byte.
    pub(crate) fn since(&self, position: u64) -> [(u64, &[u8]); 2] {
        let tail_at = self.total.saturating_sub(self.tail.len() as u64);
        [(0, self.head.as_slice()), (tail_at, &self.tail)].map(|stretch| from(position, stretch))
    }

    /// The output as text for people, logs and `text` columns.
    ///
    /// What is not UTF-8, and every control character but newline and tab (escape sequences,
    /// carriage returns, NUL, which PostgreSQL refuses), becomes U+FFFD; a line says how much is missing.
    #[must_use]
    pub fn text(&self) -> String {
        let left_out = self.left_out();
        if left_out == 0 {
            // One piece, so that a character on the border stays whole.
            return printable(&[self.head.as_slice(), &self.tail].concat());
        }
        let mut text = printable(&self.head);
        if !text.ends_with('\n') {
            text.push('\n');
        }
        writeln!(text, "[... {left_out} bytes left out ...]").expect("a String takes everything");
        text + &printable(&self.tail)
    }
}

/// What of a stretch of bytes is not before `position`.
fn from(position: u64, (at, bytes): (u64, &[u8])) -> (u64, &[u8]) {
    let before = position.saturating_sub(at).min(bytes.len() as u64);
    let skipped = usize::try_from(before).expect("no more than the length of a slice");
    (at + before, &bytes[skipped..])
}

/// Bytes as text that does nothing to a terminal, a log line or a database.
fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .map(printed)
        .collect()
}

/// A character as it is kept.
pub(crate) fn printed(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

/// How much room the beginning is given at a time: most runs print little or nothing.
const PIECE: usize = 4 * 1024;

/// An output being captured, in 64 KiB however long it gets.
///
/// Bytes are read straight into the place where they stay, and no memory is taken before the first look for them: there
/// is one of these in every guard.
#[derive(Debug, Default)]
pub(crate) struct Capture {
    head: Vec<u8>,
    /// A ring; the byte number n after the head is at n modulo its length.
    tail: Vec<u8>,
    total: u64,
}

impl Capture {
    /// Where the next bytes go; never empty.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        match self.place() {
            Place::Head(at) => {
                self.head.resize((at + PIECE).min(Output::HEAD), 0);
                &mut self.head[at..]
            }
            Place::Tail(at) => {
                self.tail.resize(Output::TAIL, 0);
                &mut self.tail[at..]
            }
        }
    }

    /// Says that `length` bytes have been put at the beginning of [`Capture::space`].
    pub(crate) fn advance(&mut self, length: usize) {
        self.total += length as u64;
    }

    /// Takes these bytes.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let space = self.space();
            let length = space.len().min(bytes.len());
            space[..length].copy_from_slice(&bytes[..length]);
            self.advance(length);
            bytes = &bytes[length..];
        }
    }

    /// What was captured so far.
    pub(crate) fn output(&self) -> Output {
        let [head, older, newer] = self.kept();
        Output {
            head: head.to_vec(),
            tail: [older, newer].concat(),
            total: self.total,
        }
    }

    /// What is still kept of the bytes from `position` on: stretches, each with the position of its first byte.
    pub(crate) fn since(&self, position: u64) -> [(u64, &[u8]); 3] {
        let [head, older, newer] = self.kept();
        let newer_at = self.total - newer.len() as u64;
        let older_at = newer_at - older.len() as u64;
        [(0, head), (older_at, older), (newer_at, newer)].map(|stretch| from(position, stretch))
    }

    /// How many bytes there were.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// What is kept: the head, the older and the newer part of the tail.
    pub(crate) fn kept(&self) -> [&[u8]; 3] {
        match self.place() {
            Place::Head(at) => [&self.head[..at], &[], &[]],
            Place::Tail(at) if self.total <= (Output::HEAD + Output::TAIL) as u64 => {
                // Not yet round: position 0 again means exactly full, or nothing at all.
                let used = match at {
                    0 if self.total > Output::HEAD as u64 => Output::TAIL,
                    at => at,
                };
                [&self.head, &self.tail[..used], &[]]
            }
            Place::Tail(at) => [&self.head, &self.tail[at..], &self.tail[..at]],
        }
    }

    fn place(&self) -> Place {
        let head = Output::HEAD as u64;
        let position = if self.total < head {
            self.total
        } else {
            (self.total - head) % Output::TAIL as u64
        };
        let position = usize::try_from(position).expect("less than the larger of two usizes");
        if self.total < head {
            Place::Head(position)
        } else {
            Place::Tail(position)
        }
    }
}

/// Where the next byte goes.
enum Place {
    Head(usize),
    Tail(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Captures `bytes` in portions of at most `portion`.
    fn captured(bytes: &[u8], portion: usize) -> Output {
        let mut capture = Capture::default();
        let mut rest = bytes;
        while !rest.is_empty() {
            let space = capture.space();
            let length = portion.min(space.len()).min(rest.len());
            space[..length].copy_from_slice(&rest[..length]);
            capture.advance(length);
            rest = &rest[length..];
        }
        let [head, older, newer] = capture.kept();
        Output {
            head: head.to_vec(),
            tail: [older, newer].concat(),
            total: capture.total(),
        }
    }

    fn numbers(length: usize) -> Vec<u8> {
        (0..251_u8).cycle().take(length).collect()
    }

    #[test]
    fn the_first_and_the_last_bytes_are_kept_at_every_length_around_the_borders() {
        const KEPT: usize = Output::HEAD + Output::TAIL;
        for border in [0, Output::HEAD, KEPT, KEPT + Output::TAIL] {
            for length in border.saturating_sub(2)..=border + 2 {
                for portion in [997, Output::TAIL] {
                    let bytes = numbers(length);
                    let output = captured(&bytes, portion);
                    let head = length.min(Output::HEAD);
                    let tail = (length - head).min(Output::TAIL);
                    assert_eq!(output.head, bytes[..head], "head of {length}");
                    assert_eq!(output.tail, bytes[length - tail..], "tail of {length}");
                    assert_eq!(output.total, length as u64);
                    assert_eq!(output.left_out(), (length - head - tail) as u64);
                }
            }
        }
    }

    #[test]
    fn from_any_byte_on_the_rest_is_what_is_kept_of_it() {
        const KEPT: usize = Output::HEAD + Output::TAIL;
        for length in [0, 5, Output::HEAD, Output::HEAD + 7, KEPT, KEPT + 5_000] {
            let bytes = numbers(length);
            let mut capture = Capture::default();
            capture.push(&bytes);
            let output = capture.output();
            for position in [
                0,
                3,
                Output::HEAD - 1,
                Output::HEAD + 1,
                KEPT,
                length,
                length + 9,
            ] {
                let from = position as u64;
                let kept = capture.since(from).concat_with(&bytes, from);
                assert_eq!(output.since(from).concat_with(&bytes, from), kept);
                let head = Output::HEAD.min(length).saturating_sub(position);
                let tail_at = length
                    .saturating_sub(Output::TAIL)
                    .max(Output::HEAD.min(length));
                assert_eq!(kept, head + length.saturating_sub(position.max(tail_at)));
            }
        }
    }

    /// Stretches that say of which bytes they are.
    trait Stretches {
        /// How many bytes they hold; each must be where it says.
        fn concat_with(&self, all: &[u8], from: u64) -> usize;
    }

    impl<const N: usize> Stretches for [(u64, &[u8]); N] {
        fn concat_with(&self, all: &[u8], from: u64) -> usize {
            let lengths = self.iter().map(|&(at, bytes)| {
                let start = usize::try_from(at).unwrap();
                assert!(bytes.is_empty() || at >= from);
                assert!(bytes.is_empty() || all[start..].starts_with(bytes));
                bytes.len()
            });
            lengths.sum()
        }
    }

    #[test]
    fn a_character_on_the_border_of_head_and_tail_stays_whole() {
        let text = format!("{}ü!", "x".repeat(Output::HEAD - 1));
        assert_eq!(captured(text.as_bytes(), 4096).text(), text);
    }

    #[test]
    fn text_says_how_much_is_missing() {
        let text = captured(&vec![b'x'; Output::HEAD + Output::TAIL + 5], 4096).text();
        assert!(text.contains("x\n[... 5 bytes left out ...]\nx"), "{text}");
    }

    #[test]
    fn text_holds_nothing_that_moves_a_cursor_or_ends_a_string() {
        let text = captured(b"a\0b\x1b[2Jc\r\n\td\xff\x7f", 4096).text();
        assert_eq!(text, "a\u{fffd}b\u{fffd}[2Jc\u{fffd}\n\td\u{fffd}\u{fffd}");
    }
}
