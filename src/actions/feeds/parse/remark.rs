//! What was wrong with a feed and was got over, in words.

use std::fmt;

/// How much of a text from the feed a remark shows, in characters.
const SHOWN: usize = 60;

/// Something wrong with a feed that did not keep it from being read.
///
/// Prints as a sentence for an operator, in which texts from the feed are escaped and shortened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remark {
    /// The bytes are in another encoding than somebody said.
    WrongEncoding {
        /// What was said.
        claimed: String,
        /// What they were read as.
        used: &'static str,
    },
    /// A reference to an entity that nobody knows; kept as it is written.
    UnknownEntity(String),
    /// A `&` that begins no reference; kept.
    BareAmpersand,
    /// A `<` that begins no tag, or a tag that does not end.
    BadTag,
    /// An end tag without its start tag, or elements that are still open at it.
    MismatchedTag(String),
    /// The document ends before its root element does.
    CutOff,
    /// A prefix of which no namespace is declared; taken for what it usually means.
    UndeclaredPrefix(String),
    /// Elements inside each other deeper than anybody writes; what is in there is left out.
    TooDeep,
    /// A date that nobody can read.
    BadDate(String),
    /// A date in a zone that has no one meaning; read as UTC.
    UnknownZone(String),
    /// A duration that is none.
    BadDuration(String),
    /// A text longer than is kept.
    Shortened(&'static str),
    /// An item that nothing tells from others, left out: which of the document, counted from 1.
    NoIdentity(usize),
    /// An item that is in the document before, left out: its guid, or what else tells it from others.
    Duplicate(String),
    /// More items than are read; the rest is left out.
    TooManyItems,
    /// Of this JSON something is not what JSON Feed says it is.
    BadField(String),
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongEncoding { claimed, used } => {
                let claimed = Shown(claimed);
                write!(
                    f,
                    "not all of it is {claimed}, as it should be: read as {used}"
                )
            }
            Self::UnknownEntity(name) => {
                write!(f, "unknown entity `&{};`: kept as it is", Shown(name))
            }
            Self::BareAmpersand => f.write_str("a `&` that should be `&amp;`: kept as it is"),
            Self::BadTag => f.write_str("a `<` that begins no tag, or a tag without an end"),
            Self::MismatchedTag(name) => write!(f, "`</{}>` ends no element", Shown(name)),
            Self::CutOff => f.write_str("the document is cut off: only what came before is there"),
            Self::UndeclaredPrefix(prefix) => write!(
                f,
                "the prefix `{}` is not declared: taken for what it usually means",
                Shown(prefix)
            ),
            Self::TooDeep => f.write_str("elements too deep inside each other: left out"),
            Self::BadDate(text) => write!(f, "no date: `{}`", Shown(text)),
            Self::UnknownZone(text) => write!(f, "unknown zone, read as UTC: `{}`", Shown(text)),
            Self::BadDuration(text) => write!(f, "no duration: `{}`", Shown(text)),
            Self::Shortened(what) => write!(f, "a {what} longer than is kept: cut"),
            Self::NoIdentity(number) => write!(
                f,
                "item {number} has neither guid nor enclosure, link, title, date or text: left out"
            ),
            Self::Duplicate(identity) => {
                write!(f, "an item comes twice: `{}`", Shown(identity))
            }
            Self::TooManyItems => f.write_str("more items than are read: the rest is left out"),
            Self::BadField(name) => write!(f, "`{}` is not what it should be", Shown(name)),
        }
    }
}

/// The remarks of a feed: the first so many, and how many more there were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remarks {
    listed: Vec<Remark>,
    unlisted: usize,
    /// Whether one of them, listed or not, says that the end of the document was not read.
    is_end_missing: bool,
}

impl Remarks {
    /// How many are listed.
    pub const MOST: usize = 20;

    /// The first of them, at most [`Remarks::MOST`], each once.
    #[must_use]
    pub fn listed(&self) -> &[Remark] {
        &self.listed
    }

    /// How many there were besides, those that were the same as a listed one with them.
    #[must_use]
    pub fn unlisted(&self) -> usize {
        self.unlisted
    }

    /// Whether nothing was wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// Whether the end of the document was not read.
    pub(super) fn is_end_missing(&self) -> bool {
        self.is_end_missing
    }

    pub(super) fn add(&mut self, remark: Remark) {
        self.is_end_missing |= matches!(remark, Remark::CutOff | Remark::TooManyItems);
        if self.listed.len() < Self::MOST && !self.listed.contains(&remark) {
            self.listed.push(remark);
        } else {
            self.unlisted += 1;
        }
    }
}

/// What a remark keeps of a text from the feed: enough to see what it is, however long it was.
pub(super) fn excerpt(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// A text from the feed as a terminal can bear it.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                write!(f, "{character}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_remarks_are_twenty_and_a_count() {
        let mut remarks = Remarks::default();
        for number in 0..1_000_000 {
            remarks.add(Remark::NoIdentity(number));
        }
        assert_eq!(remarks.listed().len(), 20);
        assert_eq!(remarks.unlisted(), 999_980);
        assert!(!remarks.is_end_missing());
        remarks.add(Remark::CutOff);
        assert!(remarks.is_end_missing(), "though it is not listed");
    }

    #[test]
    fn the_same_remark_is_listed_once() {
        let mut remarks = Remarks::default();
        remarks.add(Remark::BareAmpersand);
        remarks.add(Remark::BareAmpersand);
        assert_eq!(remarks.listed(), [Remark::BareAmpersand]);
        assert_eq!(remarks.unlisted(), 1);
    }

    #[test]
    fn a_remark_shows_the_beginning_of_what_was_wrong_and_does_nothing_to_a_terminal() {
        let remark = Remark::BadDate(excerpt(&format!(" \u{1b}[31m{}", "x".repeat(1 << 20))));
        let text = remark.to_string();
        assert!(text.starts_with(r"no date: `\u{1b}[31mxxx"), "{text}");
        assert!(text.ends_with("x...`"), "{text}");
        assert!(text.len() < 100, "{text}");
    }
}
