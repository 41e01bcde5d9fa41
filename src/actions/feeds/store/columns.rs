//! Episodes as statements take them, some at a time.

use jiff::Timestamp;
use tokio_postgres::types::Type;

use crate::{actions::feeds::parse::Episode, store::recurring::Parameter};

/// What the table has of an episode, behind the number of its feed.
pub(super) struct Values<'a> {
    pub(super) key: &'a [u8],
    pub(super) guid: Option<&'a str>,
    pub(super) title: Option<&'a str>,
    pub(super) summary: Option<&'a str>,
    pub(super) link: Option<&'a str>,
    pub(super) enclosure_url: Option<&'a str>,
    pub(super) enclosure_type: Option<&'a str>,
    pub(super) enclosure_bytes: Option<i64>,
    pub(super) duration: Option<i32>,
    pub(super) published: Option<Timestamp>,
    pub(super) content_hash: &'a [u8],
}

impl<'a> Values<'a> {
    pub(super) fn of(episode: &'a Episode) -> Self {
        let enclosure = episode.enclosure.as_ref();
        let bytes = enclosure.and_then(|enclosure| enclosure.length);
        Self {
            key: &episode.key,
            guid: episode.guid.as_deref(),
            title: episode.title.as_deref(),
            summary: episode.summary.as_deref(),
            link: episode.link.as_deref(),
            enclosure_url: enclosure.map(|enclosure| enclosure.url.as_str()),
            enclosure_type: enclosure.and_then(|enclosure| enclosure.media_type.as_deref()),
            enclosure_bytes: bytes.and_then(|bytes| bytes.try_into().ok()),
            duration: duration(episode),
            published: episode.published,
            content_hash: &episode.content_hash,
        }
    }
}

/// A list for each column.
#[derive(Default)]
pub(super) struct Columns<'a> {
    key: Vec<&'a [u8]>,
    guid: Vec<Option<&'a str>>,
    title: Vec<Option<&'a str>>,
    summary: Vec<Option<&'a str>>,
    link: Vec<Option<&'a str>>,
    enclosure_url: Vec<Option<&'a str>>,
    enclosure_type: Vec<Option<&'a str>>,
    enclosure_bytes: Vec<Option<i64>>,
    duration: Vec<Option<i32>>,
    published: Vec<Option<Timestamp>>,
    content_hash: Vec<&'a [u8]>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(episodes: &[&'a Episode]) -> Self {
        let mut columns = Self::default();
        for episode in episodes {
            let values = Values::of(episode);
            columns.key.push(values.key);
            columns.guid.push(values.guid);
            columns.title.push(values.title);
            columns.summary.push(values.summary);
            columns.link.push(values.link);
            columns.enclosure_url.push(values.enclosure_url);
            columns.enclosure_type.push(values.enclosure_type);
            columns.enclosure_bytes.push(values.enclosure_bytes);
            columns.duration.push(values.duration);
            columns.published.push(values.published);
            columns.content_hash.push(values.content_hash);
        }
        columns
    }

    /// Behind the number of the feed.
    pub(super) fn parameters<'b>(&'b self, feed: &'b i64) -> [Parameter<'b>; 12] {
        [
            (feed, Type::INT8),
            (&self.key, Type::BYTEA_ARRAY),
            (&self.guid, Type::TEXT_ARRAY),
            (&self.title, Type::TEXT_ARRAY),
            (&self.summary, Type::TEXT_ARRAY),
            (&self.link, Type::TEXT_ARRAY),
            (&self.enclosure_url, Type::TEXT_ARRAY),
            (&self.enclosure_type, Type::TEXT_ARRAY),
            (&self.enclosure_bytes, Type::INT8_ARRAY),
            (&self.duration, Type::INT4_ARRAY),
            (&self.published, Type::TIMESTAMPTZ_ARRAY),
            (&self.content_hash, Type::BYTEA_ARRAY),
        ]
    }
}

/// What the table takes for a duration: no more than a week.
fn duration(episode: &Episode) -> Option<i32> {
    let seconds = episode.duration.filter(|seconds| *seconds <= 604_800);
    seconds.and_then(|seconds| seconds.try_into().ok())
}

/// How many episodes are sent at once, and of how many bytes: a large document is one transaction, and not one statement,
/// which would take longer than a statement may and as much memory once more.
const PART: (usize, usize) = (1_000, 1 << 20);

pub(super) fn parts<'a, 'b>(episodes: &'b [&'a Episode]) -> Vec<&'b [&'a Episode]> {
    let (mut parts, mut rest, mut bytes) = (Vec::new(), episodes, 0);
    let mut at = 0;
    while at < rest.len() {
        bytes += weight(rest[at]);
        at += 1;
        if at == PART.0 || bytes >= PART.1 || at == rest.len() {
            let (part, others) = rest.split_at(at);
            parts.push(part);
            (rest, at, bytes) = (others, 0, 0);
        }
    }
    parts
}

/// The bytes of what is long in an episode.
fn weight(episode: &Episode) -> usize {
    let texts = [
        &episode.guid,
        &episode.title,
        &episode.summary,
        &episode.link,
    ];
    let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
    let file = episode.enclosure.as_ref();
    texts + file.map_or(0, |file| file.url.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn episodes(number: usize, bytes: usize) -> Vec<Episode> {
        let episode = Episode {
            key: [0; 32],
            guid: None,
            title: None,
            summary: Some("x".repeat(bytes)),
            link: None,
            enclosure: None,
            duration: None,
            published: None,
            content_hash: [0; 32],
        };
        vec![episode; number]
    }

    #[test]
    fn a_part_is_a_thousand_episodes_or_a_mebibyte() {
        for (number, bytes, expected) in [
            (0, 0, &[][..]),
            (1, 0, &[1]),
            (1_000, 0, &[1_000]),
            (2_001, 100, &[1_000, 1_000, 1]),
            (5, 1 << 19, &[2, 2, 1]),
            (2, 1 << 21, &[1, 1]),
        ] {
            let episodes = episodes(number, bytes);
            let episodes: Vec<&Episode> = episodes.iter().collect();
            let lengths: Vec<usize> = parts(&episodes).into_iter().map(<[_]>::len).collect();
            assert_eq!(lengths, expected, "{number} of {bytes} bytes");
        }
    }
}
