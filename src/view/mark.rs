//! Signs and colours: a sign and a word for everything, a colour beside them for some.

use crate::plan::State;

use super::Medium;

/// A sign of one cell, and how it is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The sign.
    pub sign: char,
    /// The colour.
    pub tone: Tone,
}

/// What a colour says; never alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Nothing to say.
    Plain,
    /// Well: green.
    Well,
    /// Worth a look: yellow.
    Odd,
    /// Needs somebody: red.
    Bad,
}

impl Mark {
    /// Of a state.
    #[must_use]
    pub fn of_state(state: State) -> Self {
        let (sign, tone) = match state {
            State::Ok => ('✓', Tone::Well),
            State::Ongoing => ('●', Tone::Well),
            State::Due | State::NeverRun | State::Ghost => ('○', Tone::Plain),
            State::Paused => ('∥', Tone::Odd),
            State::Blocked => ('⏸', Tone::Odd),
            State::Retrying => ('✗', Tone::Odd),
            State::Failing => ('✗', Tone::Bad),
            State::Overdue | State::Held => ('!', Tone::Bad),
        };
        Self { sign, tone }
    }

    /// Of an outcome in the log. A word that a newer version wrote has a sign too.
    #[must_use]
    pub fn of_outcome(outcome: &str) -> Self {
        let (sign, tone) = match outcome {
            "success" => ('✓', Tone::Well),
            "running" => ('●', Tone::Well),
            "failure" | "timeout" => ('✗', Tone::Bad),
            "lost" => ('!', Tone::Bad),
            "cancelled" => ('∥', Tone::Odd),
            _ => ('○', Tone::Plain),
        };
        Self { sign, tone }
    }
}

impl Tone {
    /// The text in this colour, if the medium has colours. The text itself is harmless already.
    #[must_use]
    pub fn paint(self, text: &str, medium: Medium) -> String {
        let code = match (self, medium) {
            (Self::Plain, _) | (_, Medium::Pipe | Medium::Terminal { colour: false, .. }) => {
                return text.to_owned();
            }
            (Self::Well, _) => 32,
            (Self::Odd, _) => 33,
            (Self::Bad, _) => 31,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::text::width;

    #[test]
    fn every_state_has_a_sign_of_one_cell() {
        for state in State::ALL {
            assert_eq!(width(&Mark::of_state(state).sign.to_string()), 1, "{state}");
        }
    }

    #[test]
    fn colours_are_only_for_terminals_that_want_them() {
        let terminal = |colour| Medium::Terminal { width: 80, colour };
        assert_eq!(Tone::Bad.paint("x", terminal(true)), "\u{1b}[31mx\u{1b}[0m");
        assert_eq!(Tone::Bad.paint("x", terminal(false)), "x");
        assert_eq!(Tone::Bad.paint("x", Medium::Pipe), "x");
        assert_eq!(Tone::Plain.paint("x", terminal(true)), "x");
    }
}
