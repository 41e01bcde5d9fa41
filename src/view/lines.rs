//! Labelled lines: aligned on a terminal, `label<TAB>text` for programs.

use super::{
    Medium,
    mark::Mark,
    text::{harmless, width},
};

/// An answer that grows line by line. Whatever is put into it is made harmless here.
#[derive(Debug)]
pub struct Lines {
    medium: Medium,
    text: String,
}

/// How wide the labels are.
const LABELS: usize = 12;

impl Lines {
    /// An empty one.
    #[must_use]
    pub fn new(medium: Medium) -> Self {
        Self {
            medium,
            text: String::new(),
        }
    }

    /// One line of its own.
    pub fn line(&mut self, text: &str) {
        self.text.push_str(&harmless(text));
        self.text.push('\n');
    }

    /// A label and its text; nothing where the text is empty.
    pub fn labelled(&mut self, label: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        let text = match self.medium {
            Medium::Terminal { .. } => format!("  {label:LABELS$} {}", harmless(text)),
            Medium::Pipe => format!("{label}\t{}", harmless(text)),
        };
        self.text.push_str(&text);
        self.text.push('\n');
    }

    /// A label and its text, behind a mark for people or a word for programs.
    pub fn marked(&mut self, mark: Mark, word: &str, label: &str, text: &str) {
        let text = match self.medium {
            Medium::Terminal { .. } => {
                let sign = mark.tone.paint(&mark.sign.to_string(), self.medium);
                let fill = " ".repeat(LABELS.saturating_sub(width(label)));
                format!("  {sign} {label}{fill} {}", harmless(text))
            }
            Medium::Pipe => format!("{word}\t{label}\t{}", harmless(text)),
        };
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    /// All of it.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }
}
