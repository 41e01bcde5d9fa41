//! Addresses in a document, and what they are relative to.

use std::borrow::Cow;

use reqwest::Url;

use super::text::ADDRESS;

/// The bases of addresses, innermost last.
#[derive(Debug)]
pub(super) struct Bases(Vec<Url>);

impl Bases {
    /// The address of the document is the first.
    pub(super) fn new(document: &str) -> Self {
        Self(Url::parse(document).ok().into_iter().collect())
    }

    pub(super) fn mark(&self) -> usize {
        self.0.len()
    }

    pub(super) fn back_to(&mut self, mark: usize) {
        self.0.truncate(mark);
    }

    /// A base inside of those that are there: `xml:base` (XML Base §4.1). What is no address changes nothing.
    pub(super) fn push(&mut self, base: &str) {
        let base = base.trim();
        if base.len() > ADDRESS {
            return;
        }
        let base = match self.0.last() {
            Some(outer) => outer.join(base),
            None => Url::parse(base),
        };
        // A base such as `mailto:` would resolve nothing.
        self.0
            .extend(base.ok().filter(|base| !base.cannot_be_a_base()));
    }

    /// An absolute address as it is written, a relative one resolved; line ends and tabs are no part of either.
    pub(super) fn resolve<'a>(&self, address: &'a str) -> Cow<'a, str> {
        let mut address = Cow::Borrowed(address.trim());
        let is_broken = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r');
        if address.as_bytes().iter().any(is_broken) {
            address
                .to_mut()
                .retain(|c| !matches!(c, '\t' | '\n' | '\r'));
        }
        if address.is_empty() || address.len() > ADDRESS || has_scheme(&address) {
            return address;
        }
        let resolved = self.0.last().and_then(|base| base.join(&address).ok());
        resolved.map_or(address, |resolved| String::from(resolved).into())
    }
}

/// Whether it begins with a scheme (RFC 3986 §3.1).
fn has_scheme(address: &str) -> bool {
    address.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_address_is_resolved_and_an_absolute_one_left_alone() {
        let mut bases = Bases::new("http://example.org/feeds/all.xml");
        let vectors = [
            ("HTTP://Example.org/a b", "HTTP://Example.org/a b"),
            ("/a", "http://example.org/a"),
            ("a\n/b", "http://example.org/feeds/a/b"),
            ("//example.net/", "http://example.net/"),
            ("?p=1", "http://example.org/feeds/all.xml?p=1"),
            ("mailto:a@example.org", "mailto:a@example.org"),
            ("", ""),
        ];
        for (address, expected) in vectors {
            assert_eq!(bases.resolve(address), expected, "{address}");
        }
        bases.push("episodes/");
        bases.push("mailto:nobody@example.org");
        assert_eq!(bases.resolve("1"), "http://example.org/feeds/episodes/1");
        bases.back_to(1);
        assert_eq!(bases.resolve("1"), "http://example.org/feeds/1");
    }

    #[test]
    fn without_a_base_an_address_stays_relative() {
        assert_eq!(Bases::new("-").resolve(" a "), "a");
    }
}
