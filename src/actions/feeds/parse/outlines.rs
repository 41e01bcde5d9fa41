//! Lists of feeds: the outlines of an OPML document that name some, or a text with an address a line.
//!
//! Of OPML only start tags are looked at, one after the other: how deep they are inside each other, and whether they are
//! ever closed, makes no difference. References stand for characters only: what a document declares for itself is not
//! put in.

use std::{collections::HashSet, fmt};

use thiserror::Error;

use super::{
    encoding, html,
    remark::{Remark, Remarks, excerpt},
    text,
    tokens::{Fault, Tag, Token, Tokens},
};

/// How many feeds of one list are read; what follows is left out, with a remark.
pub const MOST_OUTLINES: usize = 100_000;

/// What a list says of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// Which it is: its line in a file, from 1, or its place in another list.
    pub place: usize,
    /// Its address (`xmlUrl`), as it is written, trimmed: it may be anything.
    pub url: String,
    /// Its title, if that is more than the address; at most 1,000 characters.
    pub title: Option<String>,
    /// The page that it belongs to (`htmlUrl`); at most 8 KiB.
    pub site_url: Option<String>,
}

/// The feeds of a list, in its order, each address once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outlines {
    /// What it says of them.
    pub feeds: Vec<Outline>,
    /// What was wrong and was got over.
    pub remarks: Remarks,
}

/// What a document of XML is instead of a list of feeds.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct NoOutlines {
    root: String,
}

impl fmt::Display for NoOutlines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.root.to_ascii_lowercase().as_str() {
            "" => f.write_str("no list of feeds: there is no element in it"),
            "rss" | "feed" | "rdf:rdf" => f.write_str(
                "a feed itself and no list of them: add its address (crontabber action feeds add)",
            ),
            _ => {
                let root = self.root.escape_debug();
                write!(f, "no OPML: the root element is `{root}`, not `opml`")
            }
        }
    }
}

/// Reads a list: OPML where the first character is a `<`, else an address a line, where lines that are empty or begin
/// with `#` say nothing.
pub fn outlines(body: &[u8]) -> Result<Outlines, NoOutlines> {
    let mut remarks = Remarks::default();
    let text = encoding::text(body, None, &mut remarks);
    let mut list = List {
        outlines: Outlines {
            remarks,
            ..Outlines::default()
        },
        known: HashSet::new(),
    };
    let blank = |c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\0');
    if text.trim_start_matches(blank).starts_with('<') {
        list.read_markup(&text)?;
    } else {
        list.read_lines(&text);
    }
    Ok(list.outlines)
}

/// A list while it is being read.
struct List {
    outlines: Outlines,
    known: HashSet<String>,
}

impl List {
    fn remark(&mut self, remark: Remark) {
        self.outlines.remarks.add(remark);
    }

    /// `false`: there are too many already.
    fn add(&mut self, outline: Outline) -> bool {
        if self.known.contains(&outline.url) {
            return true;
        }
        if self.outlines.feeds.len() >= MOST_OUTLINES {
            self.remark(Remark::TooManyItems);
            return false;
        }
        self.known.insert(outline.url.clone());
        self.outlines.feeds.push(outline);
        true
    }

    fn read_lines(&mut self, text: &str) {
        for (number, line) in text.lines().enumerate() {
            let url = line.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
            if url.is_empty() || url.starts_with('#') {
                continue;
            }
            let outline = Outline {
                place: number + 1,
                url: url.to_owned(),
                title: None,
                site_url: None,
            };
            if !self.add(outline) {
                return;
            }
        }
    }

    fn read_markup(&mut self, text: &str) -> Result<(), NoOutlines> {
        let mut tokens = Tokens::new(text);
        let mut lines = Lines::new(text);
        let mut root = None;
        let (mut is_list, mut is_whole) = (false, false);
        while let Some(token) = tokens.next() {
            match token {
                Token::Start(tag) => {
                    root.get_or_insert(tag.name);
                    let is_outline = tag.name.eq_ignore_ascii_case("outline");
                    is_list |= is_outline || is_opml(tag.name);
                    is_whole |= tag.is_empty && is_opml(tag.name);
                    if is_outline {
                        let line = lines.at(tokens.start());
                        let outline = self.outline(&tag, line);
                        if outline.is_some_and(|outline| !self.add(outline)) {
                            return Ok(());
                        }
                    }
                }
                Token::End(name) => is_whole |= is_opml(name),
                _ => {}
            }
        }
        let faults = tokens.faults();
        if faults.contains(&Fault::BadTag) {
            self.remark(Remark::BadTag);
        }
        if !is_list {
            let root = excerpt(root.unwrap_or_default());
            return Err(NoOutlines { root });
        }
        if !is_whole || faults.contains(&Fault::CutOff) {
            self.remark(Remark::CutOff);
        }
        Ok(())
    }

    fn outline(&mut self, tag: &Tag<'_>, place: usize) -> Option<Outline> {
        let (mut url, mut title, mut name, mut site) = (None, None, None, None);
        for (key, value) in tag.attributes() {
            let place = match key.to_ascii_lowercase().as_str() {
                "xmlurl" => &mut url,
                "title" => &mut title,
                "text" => &mut name,
                "htmlurl" => &mut site,
                _ => continue,
            };
            place.get_or_insert(value);
        }
        let url = self.undone(url?).trim().to_owned();
        if url.is_empty() {
            return None;
        }
        let titles = [title, name];
        let title = titles.into_iter().flatten().find_map(|title| {
            let title = self.undone(title);
            text::line(&title, &mut self.outlines.remarks)
        });
        let site = site.map(|site| self.undone(site));
        let site_url = site.and_then(|site| text::address(&site, &mut self.outlines.remarks));
        Some(Outline {
            place,
            title: title.filter(|title| *title != url),
            url,
            site_url,
        })
    }

    /// The value of an attribute with its references undone; what is none stays, with a remark.
    fn undone(&mut self, value: &str) -> String {
        for rest in value.split('&').skip(1) {
            let name = rest.split_once(';').map(|(name, _)| name);
            let is_name = |name: &&str| {
                let is_part = |c: char| c.is_alphanumeric() || matches!(c, '#' | '.' | '-' | '_');
                !name.is_empty() && name.chars().all(is_part)
            };
            match name.filter(is_name) {
                Some(name) if html::reference(name).is_some() => {}
                Some(name) => self.remark(Remark::UnknownEntity(excerpt(name))),
                None => self.remark(Remark::BareAmpersand),
            }
        }
        html::undone(value).into_owned()
    }
}

fn is_opml(name: &str) -> bool {
    name.eq_ignore_ascii_case("opml")
}

/// In which line a place of a text is; places must not go back.
struct Lines<'a> {
    text: &'a str,
    counted_to: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            counted_to: 0,
            line: 1,
        }
    }

    fn at(&mut self, place: usize) -> usize {
        let passed = self.text.as_bytes().get(self.counted_to..place);
        let ends = passed.unwrap_or_default().iter().filter(|b| **b == b'\n');
        self.line += ends.count();
        self.counted_to = self.counted_to.max(place);
        self.line
    }
}
