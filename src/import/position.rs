//! Lines and columns of a foreign file.

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// Where the lines of a text start: a file of nothing but mistakes has as many places as lines.
#[derive(Debug)]
pub(super) struct Positions<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Positions<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            text,
            starts: std::iter::once(0).chain(ends).collect(),
        }
    }

    /// The place of a byte, which begins a character or ends the text.
    pub(super) fn at(&self, byte: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= byte);
        let start = self.starts[line - 1];
        Position {
            line,
            column: self.text[start..byte].chars().count() + 1,
        }
    }

    /// Every line without its end, and the byte it starts at.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &'a str)> {
        let ends = self.starts[1..].iter().copied().chain([self.text.len()]);
        let text = self.text;
        self.starts
            .iter()
            .copied()
            .zip(ends)
            .map(move |(start, end)| {
                let line = text[start..end].trim_end_matches('\n');
                (start, line.strip_suffix('\r').unwrap_or(line))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_have_no_ends() {
        let positions = Positions::of("ab\r\nüx\n");
        let lines: Vec<_> = positions.lines().collect();
        assert_eq!(lines, [(0, "ab"), (4, "üx"), (8, "")]);
        assert_eq!(positions.at(6), Position { line: 2, column: 2 });
        assert_eq!(positions.at(8), Position { line: 3, column: 1 });
    }
}
