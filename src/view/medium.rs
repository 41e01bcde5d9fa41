//! Who reads an answer.

use std::{
    env,
    io::{IsTerminal, stdout},
};

/// Who reads an answer: people on a terminal, or a program behind a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// People.
    Terminal {
        /// How many cells a line has.
        width: usize,
        /// Whether colours help.
        colour: bool,
    },
    /// A program: words, tabs, RFC 3339.
    Pipe,
}

/// How wide a terminal is that does not say.
const WIDTH: usize = 80;

impl Medium {
    /// What this process's standard output is.
    #[must_use]
    pub fn of_stdout() -> Self {
        if !stdout().is_terminal() {
            return Self::Pipe;
        }
        let size = terminal_size::terminal_size_of(stdout());
        // A serial line says 0.
        let width = size.map_or(WIDTH, |(width, _)| usize::from(width.0));
        let variable = |name: &str| env::var(name).unwrap_or_default();
        Self::Terminal {
            width: if width == 0 { WIDTH } else { width },
            colour: is_colourful(&variable("NO_COLOR"), &variable("TERM")),
        }
    }

    /// Whether people read it.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Terminal { .. })
    }
}

/// Whether to use colours; an empty variable is one that is not set (no-color.org).
fn is_colourful(no_color: &str, term: &str) -> bool {
    no_color.is_empty() && term != "dumb"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_those_who_have_not_declined() {
        assert!(is_colourful("", "xterm"));
        assert!(!is_colourful("1", "xterm"));
        assert!(!is_colourful("", "dumb"));
    }
}
