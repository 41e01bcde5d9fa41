//! What a document changes: its episodes held against those that are known.

use std::collections::HashMap;

use tokio_postgres::{Error, Row};

use super::Changes;
use crate::actions::feeds::parse::{Episode, Feed};

/// The episodes of a feed that the table has, by their keys.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<Vec<u8>, Told>);

#[derive(Debug)]
struct Told {
    content_hash: Vec<u8>,
    /// Whether it was not in the document last time.
    is_gone: bool,
}

impl Known {
    /// From rows of `known.sql`.
    pub(super) fn of(rows: &[Row]) -> Result<Self, Error> {
        let told = rows.iter().map(|row| {
            let told = Told {
                content_hash: row.try_get("content_hash")?,
                is_gone: row.try_get("is_gone")?,
            };
            Ok((row.try_get("key")?, told))
        });
        told.collect::<Result<_, _>>().map(Self)
    }
}

/// What is to be written. What is in neither list is as it was.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference<'a> {
    /// Episodes that are not known.
    pub(super) added: Vec<&'a Episode>,
    /// Those that are, and are another now or in the document again.
    pub(super) changed: Vec<&'a Episode>,
    /// The keys of those that are not in the document any more.
    pub(super) vanished: Vec<Vec<u8>>,
}

impl<'a> Difference<'a> {
    /// Of a document that was not read to its end nothing has vanished that it does not have.
    pub(super) fn of(feed: &'a Feed, mut known: Known) -> Self {
        let mut difference = Self::default();
        for episode in &feed.episodes {
            match known.0.remove(&episode.key[..]) {
                None => difference.added.push(episode),
                Some(told) if told.is_gone || told.content_hash != episode.content_hash => {
                    difference.changed.push(episode);
                }
                Some(_) => {}
            }
        }
        if feed.is_whole {
            let left = known.0.into_iter().filter(|(_, told)| !told.is_gone);
            difference.vanished = left.map(|(key, _)| key).collect();
        }
        difference
    }

    pub(super) fn changes(&self) -> Changes {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        Changes {
            added: count(self.added.len()),
            changed: count(self.changed.len()),
            vanished: count(self.vanished.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::feeds::parse::parse;

    fn feed(items: &[(&str, &str)], end: &str) -> Feed {
        let item = |(guid, title): &(&str, &str)| {
            format!("<item><guid>{guid}</guid><title>{title}</title></item>")
        };
        let items = items.iter().map(item).collect::<Vec<_>>().concat();
        let document = format!("<rss><channel>{items}</channel>{end}");
        parse(document.as_bytes(), None, "http://a/").unwrap()
    }

    fn known(feed: &Feed, gone: &[usize]) -> Known {
        let told = feed.episodes.iter().enumerate().map(|(number, episode)| {
            let told = Told {
                content_hash: episode.content_hash.into(),
                is_gone: gone.contains(&number),
            };
            (episode.key.into(), told)
        });
        Known(told.collect())
    }

    #[test]
    fn a_document_is_held_against_what_is_known() {
        let before = feed(&[("1", "a"), ("2", "b"), ("3", "c"), ("4", "d")], "</rss>");
        let now = feed(&[("5", "e"), ("3", "c"), ("2", "B"), ("1", "a")], "</rss>");
        let difference = Difference::of(&now, known(&before, &[2]));
        assert_eq!(difference.added, [&now.episodes[0]]);
        assert_eq!(difference.changed, [&now.episodes[1], &now.episodes[2]]);
        assert_eq!(difference.vanished, [before.episodes[3].key.to_vec()]);
        assert_eq!(
            difference.changes(),
            Changes {
                added: 1,
                changed: 2,
                vanished: 1
            }
        );
    }

    #[test]
    fn nothing_vanishes_twice_or_from_half_a_document() {
        let before = feed(&[("1", "a"), ("2", "b")], "</rss>");
        let now = feed(&[("1", "a")], "</rss>");
        let same = Difference::of(&now, known(&before, &[1]));
        assert_eq!(same, Difference::default());
        let half = feed(&[("1", "a")], "");
        assert!(!half.is_whole);
        assert_eq!(
            Difference::of(&half, known(&before, &[])),
            Difference::default()
        );
    }
}
