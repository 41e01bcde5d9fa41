//! The output of one run, cut into numbered pieces of text. Bytes in, pieces out.

use std::{collections::VecDeque, mem};

use crate::output::{Output, printed};

/// How long the text of a piece is at most, in bytes.
const LENGTH: usize = 16 * 1024;

/// How many full pieces wait for the database at most; then the oldest is left out.
const WAITING: usize = 4;

/// The longest beginning of a character whose rest has not come, in bytes.
const BEGUN: usize = 3;

/// A piece of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) number: i32,
    pub(super) text: String,
}

/// What a run has printed and nobody has written yet.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// The byte that comes next.
    position: u64,
    /// The beginning of a character whose rest has not come.
    begun: Vec<u8>,
    /// The text of the piece that is being filled.
    open: String,
    /// Its number.
    number: i32,
    full: VecDeque<Piece>,
    /// How many bytes were left out.
    left_out: u64,
    has_ended: bool,
}

impl Pieces {
    /// Takes bytes; see [`crate::output::Listener::hear`].
    pub(super) fn hear(&mut self, position: u64, bytes: &[u8]) {
        // What was told before is not told again.
        let known = usize::try_from(self.position.saturating_sub(position)).unwrap_or(usize::MAX);
        let Some(mut bytes) = bytes.get(known..).filter(|bytes| !bytes.is_empty()) else {
            return;
        };
        let missing = position.saturating_sub(self.position);
        if missing > 0 {
            self.gap(missing);
            // The rest of a character whose beginning is missing.
            let rest = bytes
                .iter()
                .take(BEGUN)
                .take_while(|&&byte| byte & 0xC0 == 0x80);
            let rest = rest.count();
            self.position += rest as u64;
            bytes = &bytes[rest..];
        }
        self.position += bytes.len() as u64;
        self.decode(bytes);
    }

    /// The run is over; this is what was kept of its output.
    pub(super) fn end(&mut self, output: &Output) {
        for (position, bytes) in output.since(self.position) {
            self.hear(position, bytes);
        }
        self.give_up_begun();
        if output.total > self.position {
            self.gap(output.total - self.position);
        }
        // A run that was lost with its guard has an end nobody knows.
        self.has_ended = output.total == self.position && output.total > 0;
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.full.is_empty() && self.open.is_empty() && !self.has_ended
    }

    /// How many bytes were left out so far.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The next piece to write; the last one is empty.
    pub(super) fn take(&mut self) -> Option<Piece> {
        if let Some(piece) = self.full.pop_front() {
            return Some(piece);
        }
        if self.open.is_empty() && !mem::take(&mut self.has_ended) {
            return None;
        }
        Some(self.close())
    }

    /// Something was left out here.
    fn gap(&mut self, bytes: u64) {
        self.give_up_begun();
        self.position += bytes;
        self.left_out += bytes;
        if !self.open.is_empty() {
            self.put_by();
        }
        self.number = self.number.saturating_add(1);
    }

    /// Adds text, each invalid sequence as one U+FFFD, as [`Output::text`] does; the beginning of a character at the end
    /// waits for its rest.
    fn decode(&mut self, bytes: &[u8]) {
        let mut joined = mem::take(&mut self.begun);
        joined.extend_from_slice(bytes);
        let mut chunks = joined.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            chunk.valid().chars().for_each(|c| self.push(c));
            let invalid = chunk.invalid();
            if invalid.is_empty() {
                continue;
            }
            let is_begun =
                || str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if chunks.peek().is_none() && is_begun() {
                self.begun = invalid.to_vec();
            } else {
                self.push(char::REPLACEMENT_CHARACTER);
            }
        }
    }

    fn give_up_begun(&mut self) {
        if !mem::take(&mut self.begun).is_empty() {
            self.push(char::REPLACEMENT_CHARACTER);
        }
    }

    fn push(&mut self, c: char) {
        let c = printed(c);
        if self.open.len() + c.len_utf8() > LENGTH {
            self.put_by();
        }
        self.open.push(c);
    }

    /// Closes the open piece; it waits.
    fn put_by(&mut self) {
        if self.full.len() == WAITING
            && let Some(oldest) = self.full.pop_front()
        {
            self.left_out += oldest.text.len() as u64;
        }
        let piece = self.close();
        self.full.push_back(piece);
    }

    fn close(&mut self) -> Piece {
        let number = self.number;
        // A run of 2^31 pieces has printed 32 TiB.
        self.number = self.number.saturating_add(1);
        Piece {
            number,
            text: mem::take(&mut self.open),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::output::Capture;

    use super::*;

    fn taken(pieces: &mut Pieces) -> Vec<Piece> {
        std::iter::from_fn(|| pieces.take()).collect()
    }

    fn text(pieces: &[Piece]) -> String {
        pieces.iter().map(|piece| piece.text.as_str()).collect()
    }

    /// Told in portions, and taken after each.
    fn told(bytes: &[u8], portion: usize) -> Vec<Piece> {
        let (mut pieces, mut all) = (Pieces::default(), Vec::new());
        let mut capture = Capture::default();
        for (index, part) in bytes.chunks(portion).enumerate() {
            capture.push(part);
            pieces.hear((index * portion) as u64, part);
            all.extend(taken(&mut pieces));
        }
        pieces.end(&capture.output());
        all.extend(taken(&mut pieces));
        all
    }

    #[test]
    fn cut_anywhere_it_is_the_text_that_the_record_has() {
        let bytes = "grüße \u{1f980} 東京\r\n\tA\0\x1b[2J".as_bytes();
        let broken = [bytes, b"\xff\xe6\x9d", bytes, b"\xf0\x9f\xa6"].concat();
        let mut capture = Capture::default();
        capture.push(&broken);
        for portion in 1..=broken.len() {
            let pieces = told(&broken, portion);
            assert_eq!(text(&pieces), capture.output().text(), "by {portion}");
            let numbers = pieces.iter().map(|piece| piece.number);
            assert!(numbers.eq(0..pieces.len().try_into().unwrap()));
            assert_eq!(pieces.last().unwrap().text, "", "by {portion}");
        }
    }

    #[test]
    fn no_piece_is_longer_than_16_kib_and_no_more_than_five_wait() {
        let mut pieces = Pieces::default();
        let flood = vec![0; 1_000_000];
        pieces.hear(0, &flood);
        let waiting = taken(&mut pieces);
        assert_eq!(waiting.len(), WAITING + 1);
        assert!(waiting.iter().all(|piece| piece.text.len() <= LENGTH));
        // U+FFFD has three bytes.
        let full = i32::try_from(1_000_000 * 3 / LENGTH).unwrap();
        assert!((full - 1..=full + 1).contains(&waiting[WAITING].number));
        assert!(pieces.left_out() > 2_900_000);
    }

    #[test]
    fn what_is_missing_leaves_a_number_out() {
        let mut pieces = Pieces::default();
        pieces.hear(0, b"a\xe6\x9d");
        pieces.hear(10, b"\xb1\xacb");
        pieces.hear(11, b"\xacbc");
        let all = taken(&mut pieces);
        let all: Vec<_> = all
            .iter()
            .map(|piece| (piece.number, piece.text.as_str()))
            .collect();
        assert_eq!(all, [(0, "a\u{fffd}"), (2, "bc")]);
    }

    #[test]
    fn the_end_tells_what_was_not_heard() {
        let mut capture = Capture::default();
        let printed = "x".repeat(Output::HEAD + Output::TAIL + 10);
        capture.push(printed.as_bytes());
        let mut pieces = Pieces::default();
        pieces.hear(0, b"xxx");
        pieces.end(&capture.output());
        let all = taken(&mut pieces);
        assert_eq!(text(&all).len(), Output::HEAD + Output::TAIL);
        assert_eq!(all.last().unwrap().text, "");
        assert_eq!(pieces.left_out(), 10);
        assert!(pieces.is_empty() && taken(&mut pieces).is_empty());
    }

    #[test]
    fn a_run_that_printed_nothing_has_no_piece_and_one_whose_end_nobody_knows_no_last() {
        let mut silent = Pieces::default();
        silent.end(&Output::default());
        assert!(silent.is_empty());
        let mut lost = Pieces::default();
        lost.hear(0, b"a");
        lost.end(&Output::default());
        assert_eq!(text(&taken(&mut lost)), "a");
        assert_eq!(lost.number, 1);
    }
}
