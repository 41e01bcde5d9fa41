//! The entities that a document declares for itself.
//!
//! Only texts without references in them, short and few: an entity can be no more than its text, and what is declared
//! out of other entities (a "billion laughs") is left as it is written.

use std::collections::HashMap;

use super::html;

/// Entities of a document, and how much of them may still be put in.
#[derive(Debug, Default)]
pub(super) struct Entities<'a> {
    texts: HashMap<&'a str, String>,
    spent: usize,
}

impl<'a> Entities<'a> {
    /// More are not kept.
    const MOST: usize = 64;
    /// The longest text, in bytes.
    const LONGEST: usize = 1_024;
    /// How much is put into one document, in bytes.
    const BUDGET: usize = 64 << 10;

    /// Reads the declarations of general entities in what `<!DOCTYPE` holds (XML 1.0 §4.2).
    pub(super) fn declare(&mut self, doctype: &'a str) {
        for declaration in doctype.split("<!ENTITY").skip(1) {
            if self.texts.len() >= Self::MOST {
                return;
            }
            let words = declaration.trim_start();
            let Some((name, value)) = words.split_once(|c: char| c.is_ascii_whitespace()) else {
                continue;
            };
            let value = value.trim_start();
            let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
                continue;
            };
            let Some((text, _)) = value[1..].split_once(quote) else {
                continue;
            };
            let is_plain = |text: &str| !text.contains(['&', '<']);
            if name != "%" && text.len() <= Self::LONGEST {
                let mut undone = String::new();
                html::undo(text, &mut undone);
                // References to characters only: those to entities are still there, or were of HTML.
                if is_plain(&undone) {
                    self.texts.entry(name).or_insert(undone);
                }
            }
        }
    }

    /// What a reference stands for, if the document says it.
    pub(super) fn text(&mut self, name: &str) -> Option<&str> {
        let text = self.texts.get(name)?;
        self.spent += text.len();
        (self.spent <= Self::BUDGET).then_some(text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_may_name_short_texts() {
        let mut entities = Entities::default();
        entities.declare(r#"rss [ <!ENTITY who "Ann &#233;"> <!ENTITY % p 'x'> <!ENTITY far SYSTEM "http://x/"> ]"#);
        assert_eq!(entities.text("who"), Some("Ann é"));
        assert_eq!(entities.text("%"), None);
        assert_eq!(entities.text("far"), None);
    }

    #[test]
    fn a_billion_laughs_are_none() {
        let mut entities = Entities::default();
        entities.declare("x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'><!ENTITY c '&b;&b;'>]");
        assert_eq!(entities.text("a"), Some("ha"));
        assert_eq!(entities.text("b"), None);
        let long = format!("x [<!ENTITY a '{}'>]", "ha".repeat(500));
        let mut entities = Entities::default();
        entities.declare(&long);
        let sum: usize = (0..1_000)
            .filter_map(|_| entities.text("a").map(str::len))
            .sum();
        assert_eq!(sum, 65_000);
    }
}
