//! What the body of a feed says, whatever is wrong with it.
//!
//! ```text
//! bytes ─ encoding ─▶ text ─┬─ tokens ─▶ xml ──▶ fields ─┬─▶ items ─▶ episodes
//!                           └─ json ─────────────────────┘
//! ```
//!
//! Values in, values out. What can be read is taken and what was wrong is said in a [`Remark`]; no item spoils the
//! others, and only what is no feed at all is [`Unreadable`].
//!
//! Known are RSS 0.9x, 1.0 and 2.0, Atom 0.3 and 1.0 (RFC 4287), JSON Feed 1.0 and 1.1, and of the modules `itunes`,
//! `content`, `dc`, `sy` and `media` what the fields below want. Whatever a document holds, reading it takes time in
//! proportion to its length, and what is kept is bounded: see [`Episode`] and [`MOST_EPISODES`].

use std::time::Duration;

use jiff::{Timestamp, civil::Weekday};
use thiserror::Error;

// What was wrong, in words.
mod remark;
// From bytes to text.
mod encoding;
// The text as tokens; elements of tokens; fields of elements.
mod address;
mod base64;
mod doctype;
mod fields;
mod html;
mod names;
mod text;
mod tokens;
mod xml;
// The same of JSON Feed.
mod json;
// The outlines of a list of feeds.
mod outlines;
// What stands in fields.
mod date;
mod duration;
// From items to episodes that are told from each other.
mod identity;
mod item;

pub use outlines::{MOST_OUTLINES, NoOutlines, Outline, Outlines, outlines};
pub use remark::{Remark, Remarks};

/// How many episodes of one document are read; what follows is left out, with a remark.
pub const MOST_EPISODES: usize = 100_000;

/// A feed, as its document has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Its format.
    pub kind: Kind,
    /// Its title, as one line of text; at most 1,000 characters.
    pub title: Option<String>,
    /// The page that it belongs to; at most 8 KiB, like every address here.
    pub site_url: Option<String>,
    /// Its picture.
    pub image_url: Option<String>,
    /// Its language, as it is written: mostly a tag of BCP 47.
    pub language: Option<String>,
    /// Whose it is.
    pub author: Option<String>,
    /// Where it says that it has moved to (`itunes:new-feed-url`).
    pub moved_to: Option<String>,
    /// Whether it says that nothing will be added (`itunes:complete`; `expired` of JSON Feed).
    pub is_complete: bool,
    /// How long it says that nothing new will come: the larger of `ttl` and what `sy:updatePeriod` and
    /// `sy:updateFrequency` say; at most 366 days.
    pub interval_hint: Option<Duration>,
    /// Hours in which it is not to be fetched, from 0 to 23, of UTC; in order.
    pub skip_hours: Vec<u8>,
    /// Days on which it is not to be fetched, of UTC; in order from Monday.
    pub skip_days: Vec<Weekday>,
    /// Its episodes, in the order of the document.
    pub episodes: Vec<Episode>,
    /// How many items of the document are no episodes: without identity, twice, or cut off. Remarks say why.
    pub left_out: usize,
    /// Whether it was read to its end: what is not in it otherwise may be there all the same.
    pub is_whole: bool,
    /// What was wrong and was got over.
    pub remarks: Remarks,
}

/// An item of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    /// What tells it from the other episodes of the feed, in every version of the document: SHA-256 over the kind of
    /// its identity, NUL, and its value. That is the guid, or else the address of the enclosure, the link, title and date,
    /// or the summary. The second of two items with the same: over guid and enclosure.
    pub key: [u8; 32],
    /// The guid or id, trimmed; at most 8 KiB. The key is made from the whole.
    pub guid: Option<String>,
    /// The title, as one line of text without HTML; at most 1,000 characters.
    pub title: Option<String>,
    /// What it is about, as it is written: text or HTML; at most 64 KiB.
    pub summary: Option<String>,
    /// The page that it has. A relative address is resolved against `xml:base` and the address of the feed; others are
    /// as they are written.
    pub link: Option<String>,
    /// The file.
    pub enclosure: Option<Enclosure>,
    /// How long it takes, in seconds.
    pub duration: Option<u32>,
    /// When it came out.
    pub published: Option<Timestamp>,
    /// SHA-256 over all that is above, so that an episode that has not changed is known.
    pub content_hash: [u8; 32],
}

/// The file of an episode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enclosure {
    /// Where it is; resolved like a link.
    pub url: String,
    /// Its media type, as it is written.
    pub media_type: Option<String>,
    /// How many bytes it is said to have; zero is not said.
    pub length: Option<u64>,
}

/// The format of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// RSS 2.0, and what calls itself RSS and says nothing else.
    Rss20,
    /// RSS 1.0, of RDF.
    Rss1,
    /// RSS 0.90 to 0.94.
    Rss09x,
    /// Atom 1.0, RFC 4287.
    Atom10,
    /// Atom 0.3 and its predecessors.
    Atom03,
    /// JSON Feed, 1.0 or 1.1.
    Json,
}

impl Kind {
    /// The word in tables: `rss2.0`, `rss1.0`, `rss0.9x`, `atom1.0`, `atom0.3`, `json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rss20 => "rss2.0",
            Self::Rss1 => "rss1.0",
            Self::Rss09x => "rss0.9x",
            Self::Atom10 => "atom1.0",
            Self::Atom03 => "atom0.3",
            Self::Json => "json",
        }
    }
}

/// Why a body is no feed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// Nothing, or nothing but white space.
    #[error("the body is empty")]
    Empty,
    /// A page for people: often the server's way to say that the feed is gone, or wants a login.
    #[error(
        "this is an HTML page and no feed: look at the address in a browser, the feed may have moved"
    )]
    Html,
    /// XML of another kind.
    #[error("no feed in it: the root element is `{root}`, not `rss`, `RDF` or `feed`")]
    NoFeed {
        /// The name of the root element, shortened.
        root: String,
    },
    /// Neither XML nor JSON.
    #[error("neither XML nor JSON: it begins with `{beginning}`")]
    NotMarkup {
        /// The first of its characters.
        beginning: String,
    },
    /// JSON, but not of a feed.
    #[error("JSON, but no JSON Feed: {reason}")]
    NotJsonFeed {
        /// What is missing or wrong.
        reason: String,
    },
}

/// Reads the body of a feed that came from this address, with this `Content-Type`.
pub fn parse(body: &[u8], content_type: Option<&str>, url: &str) -> Result<Feed, Unreadable> {
    let mut remarks = Remarks::default();
    let text = encoding::text(body, content_type, &mut remarks);
    let text =
        text.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\0'));
    match text.chars().next() {
        None => Err(Unreadable::Empty),
        Some('{' | '[') => json::read(text, url, remarks),
        Some(_) if text.contains('<') => xml::read(text, url, remarks),
        Some(_) => Err(Unreadable::NotMarkup {
            beginning: remark::excerpt(text).escape_debug().to_string(),
        }),
    }
}
