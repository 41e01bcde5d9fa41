//! What the prefixes of a document mean: names of elements by namespace, and not by prefix.

use super::remark::{Remark, Remarks, excerpt};

/// The namespaces of which something is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    /// Feeds themselves: RSS, which mostly has none, and Atom. Their names do not contradict each other.
    Main,
    /// RDF, the frame of RSS 1.0.
    Rdf,
    Itunes,
    Content,
    Dublin,
    Syndication,
    Media,
    Xhtml,
    /// Something else.
    Other,
}

/// Which of the Atoms a namespace is, if it is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Atom {
    /// RFC 4287.
    Ten,
    /// The drafts before it.
    Three,
}

/// The namespace of a URI, in any case of letters, with or without `www.` and an end of `/` or `#`.
fn space(uri: &str) -> Space {
    let uri = normal(uri);
    let spaces = [
        ("itunes.com/dtds/podcast-1.0.dtd", Space::Itunes),
        ("itunes.com/dtds/podcast", Space::Itunes),
        ("purl.org/rss/1.0/modules/content", Space::Content),
        ("purl.org/rss/1.0/modules/syndication", Space::Syndication),
        ("purl.org/dc/elements/1.0", Space::Dublin),
        ("purl.org/dc/elements/1.1", Space::Dublin),
        ("purl.org/dc/terms", Space::Dublin),
        ("search.yahoo.com/mrss", Space::Media),
        ("search.yahoo.com/rss", Space::Media),
        ("w3.org/1999/02/22-rdf-syntax-ns", Space::Rdf),
        ("w3.org/1999/xhtml", Space::Xhtml),
    ];
    if let Some((_, space)) = spaces.iter().find(|(known, _)| uri == *known) {
        return *space;
    }
    let is_rss = [
        "my.netscape.com/",
        "channel.netscape.com/",
        "backend.userland.com/",
        "blogs.law.harvard.edu/tech/rss",
        "cyber.law.harvard.edu/rss",
        "rssboard.org/rss",
    ]
    .iter()
    .any(|known| uri.starts_with(known));
    let is_rdf = uri.starts_with("purl.org/rss/") && !uri.contains("/modules/");
    if uri.is_empty() || is_rss || is_rdf || atom(&uri).is_some() {
        return Space::Main;
    }
    Space::Other
}

/// Which Atom a namespace is.
pub(super) fn atom(uri: &str) -> Option<Atom> {
    match normal(uri).as_str() {
        "w3.org/2005/atom" => Some(Atom::Ten),
        "purl.org/atom/ns"
        | "purl.org/echo"
        | "purl.org/pie"
        | "example.com/newformat"
        | "example.com/necho"
        | "uri/of/echo/namespace" => Some(Atom::Three),
        _ => None,
    }
}

fn normal(uri: &str) -> String {
    let mut uri = uri.trim();
    // The longest of those that are known, and some.
    if uri.len() > 200 {
        uri = "too-long";
    }
    let uri = uri.to_ascii_lowercase();
    let bare = uri
        .strip_prefix("http://")
        .or_else(|| uri.strip_prefix("https://"))
        .unwrap_or(&uri);
    let bare = bare.strip_prefix("www.").unwrap_or(bare);
    bare.trim_end_matches(['/', '#']).to_owned()
}

/// What a prefix usually means.
fn usual(prefix: &str) -> Option<Space> {
    Some(match prefix {
        "itunes" => Space::Itunes,
        "content" => Space::Content,
        "dc" | "dcterms" => Space::Dublin,
        "sy" => Space::Syndication,
        "media" => Space::Media,
        "atom" | "atom10" | "a10" | "rss" => Space::Main,
        "rdf" => Space::Rdf,
        _ => return None,
    })
}

/// The declarations that are in force at a place of the document.
#[derive(Debug, Default)]
pub(super) struct Bindings<'a> {
    /// Innermost last.
    bound: Vec<(&'a str, Space)>,
}

impl<'a> Bindings<'a> {
    /// More at once are not kept; nobody declares as many.
    const MOST: usize = 128;

    /// How many are in force, to come back to.
    pub(super) fn mark(&self) -> usize {
        self.bound.len()
    }

    pub(super) fn back_to(&mut self, mark: usize) {
        self.bound.truncate(mark);
    }

    /// Puts a declaration in force; the prefix of the default namespace is empty.
    pub(super) fn bind(&mut self, prefix: &'a str, uri: &str) {
        if self.bound.len() < Self::MOST {
            self.bound.push((prefix, space(uri)));
        }
    }

    /// Takes an unknown default namespace of a feed's root for that of feeds.
    pub(super) fn adopt(&mut self) {
        for (prefix, space) in &mut self.bound {
            if prefix.is_empty() && *space == Space::Other {
                *space = Space::Main;
            }
        }
    }

    /// The namespace of an element.
    pub(super) fn of(&self, prefix: &str, remarks: &mut Remarks) -> Space {
        let bound = self.bound.iter().rev().find(|(bound, _)| *bound == prefix);
        if let Some((_, space)) = bound {
            return *space;
        }
        if prefix.is_empty() {
            return Space::Main;
        }
        let usual = usual(&prefix.to_ascii_lowercase());
        if usual.is_some() {
            remarks.add(Remark::UndeclaredPrefix(excerpt(prefix)));
        }
        usual.unwrap_or(Space::Other)
    }
}

/// `itunes:duration` in its two halves.
pub(super) fn halves(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or(("", name))
}

/// The longest of the names of elements that are known, and some.
pub(super) const LONGEST: usize = 32;

/// A name in small letters, in this place; a longer one is none.
pub(super) fn in_small_letters<'a>(name: &str, place: &'a mut [u8; LONGEST]) -> &'a str {
    let Some(place) = place.get_mut(..name.len()) else {
        return "";
    };
    place.copy_from_slice(name.as_bytes());
    place.make_ascii_lowercase();
    std::str::from_utf8(place).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_its_uri_in_any_letters() {
        let vectors = [
            ("http://www.itunes.com/dtds/podcast-1.0.dtd", Space::Itunes),
            ("HTTP://WWW.ITUNES.COM/DTDs/Podcast-1.0.dtd", Space::Itunes),
            ("https://purl.org/dc/elements/1.1/", Space::Dublin),
            ("http://purl.org/rss/1.0/", Space::Main),
            (
                "http://purl.org/rss/1.0/modules/syndication/",
                Space::Syndication,
            ),
            ("http://purl.org/rss/1.0/modules/wiki/", Space::Other),
            ("http://my.netscape.com/rdf/simple/0.9/", Space::Main),
            ("http://www.w3.org/2005/Atom", Space::Main),
            ("", Space::Main),
            ("http://example.org/", Space::Other),
        ];
        for (uri, expected) in vectors {
            assert_eq!(space(uri), expected, "{uri}");
        }
        assert_eq!(space(&"x".repeat(1 << 20)), Space::Other);
        assert_eq!(atom("http://purl.org/atom/ns#"), Some(Atom::Three));
    }

    #[test]
    fn a_prefix_means_what_the_innermost_declaration_says() {
        let mut remarks = Remarks::default();
        let mut bindings = Bindings::default();
        bindings.bind("it", "http://www.itunes.com/dtds/podcast-1.0.dtd");
        let mark = bindings.mark();
        bindings.bind("it", "http://example.org/");
        assert_eq!(bindings.of("it", &mut remarks), Space::Other);
        bindings.back_to(mark);
        assert_eq!(bindings.of("it", &mut remarks), Space::Itunes);
        assert!(remarks.is_empty());
    }

    #[test]
    fn a_prefix_that_nobody_declares_means_what_it_usually_does_and_is_said() {
        let mut remarks = Remarks::default();
        let bindings = Bindings::default();
        assert_eq!(bindings.of("itunes", &mut remarks), Space::Itunes);
        assert_eq!(bindings.of("foo", &mut remarks), Space::Other);
        assert_eq!(
            remarks.listed(),
            [Remark::UndeclaredPrefix("itunes".to_owned())]
        );
    }

    #[test]
    fn a_name_is_read_in_any_letters_and_a_long_one_is_none() {
        let read = |name: &str| in_small_letters(name, &mut [0; LONGEST]).to_owned();
        assert_eq!(read("pubDate"), "pubdate");
        assert_eq!(read(&"É".repeat(LONGEST / 2)), "É".repeat(LONGEST / 2));
        assert_eq!(read(&"x".repeat(LONGEST)), "x".repeat(LONGEST));
        assert_eq!(read(&"x".repeat(LONGEST + 1)), "");
    }
}
