//! The files that were read, and places in them.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

/// A range of bytes in one of the files that were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    // 32 bits are enough: all files together are bounded at 16 MiB.
    file: u32,
    start: u32,
    end: u32,
}

impl Place {
    /// The bytes `span` of the file with this number.
    pub(super) fn new(file: usize, span: Range<usize>) -> Self {
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            file: narrow(file),
            start: narrow(span.start),
            end: narrow(span.end.max(span.start)),
        }
    }

    pub(super) fn file(self) -> usize {
        self.file as usize
    }

    pub(super) fn is_built_in(self) -> bool {
        self.file() == BUILT_IN
    }

    pub(super) fn span(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// The number of the file that is built into the program: the lowest layer of all.
pub(super) const BUILT_IN: usize = 0;

/// One file, as it was read.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// Where lines start. Counted at the first question: a configuration without mistakes asks once a job.
    lines: OnceLock<Vec<usize>>,
}

impl Source {
    pub(super) fn new(path: PathBuf, text: String) -> Self {
        Self {
            path,
            text,
            lines: OnceLock::new(),
        }
    }

    /// What holds where nobody says otherwise.
    pub(super) fn built_in() -> Self {
        Self::new("(built in)".into(), include_str!("builtin.toml").to_owned())
    }

    /// The line that holds this byte, from 1.
    pub(super) fn line(&self, byte: usize) -> usize {
        self.starts().partition_point(|&start| start <= byte).max(1)
    }

    /// The bytes of that line without its end.
    pub(super) fn line_span(&self, line: usize) -> Range<usize> {
        let starts = self.starts();
        let start = starts[line - 1];
        let end = starts.get(line).map_or(self.text.len(), |next| next - 1);
        let carriage_return = usize::from(self.text[start..end].ends_with('\r'));
        start..end - carriage_return
    }

    fn starts(&self) -> &[usize] {
        self.lines.get_or_init(|| {
            let after_newline = self.text.match_indices('\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(after_newline).collect()
        })
    }
}

/// Every file that was read, in the order of reading; shared by the configuration and its reports.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources(Arc<Vec<Source>>);

impl Sources {
    pub(super) fn new(files: Vec<Source>) -> Self {
        Self(Arc::new(files))
    }

    /// How many files an operator wrote.
    pub(super) fn written(&self) -> usize {
        self.0.len().saturating_sub(BUILT_IN + 1)
    }

    pub(super) fn of(&self, place: Place) -> &Source {
        &self.0[place.file()]
    }

    pub(super) fn path(&self, place: Place) -> &Path {
        &self.of(place).path
    }

    pub(super) fn line(&self, place: Place) -> usize {
        self.of(place).line(place.span().start)
    }

    /// `file:line`, as `config show` names an origin.
    pub(super) fn origin(&self, place: Place) -> String {
        format!("{}:{}", self.path(place).display(), self.line(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_on_the_line_that_it_ends() {
        let source = Source::new("f".into(), "ab\n\nc\r".to_owned());
        let lines: Vec<_> = (0..=6).map(|byte| source.line(byte)).collect();
        assert_eq!(lines, [1, 1, 1, 2, 3, 3, 3]);
        assert_eq!(source.line_span(1), 0..2);
        assert_eq!(source.line_span(2), 3..3);
        assert_eq!(source.line_span(3), 4..5);
    }
}
