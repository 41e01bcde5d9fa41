//! What tells episodes from each other, and an episode from what it was before.

use std::{borrow::Cow, collections::HashSet};

use sha2::{Digest, Sha256};

use super::{
    Episode, MOST_EPISODES,
    item::Item,
    remark::{Remark, Remarks, excerpt},
    text,
};

/// The episodes of a document.
#[derive(Debug, Default)]
pub(super) struct Episodes {
    list: Vec<Episode>,
    /// The first half of each key: enough to tell a hundred thousand apart.
    keys: HashSet<[u8; 16]>,
    left_out: usize,
}

impl Episodes {
    /// Adds an item, unless nothing tells it from the others.
    pub(super) fn add(&mut self, item: Item, remarks: &mut Remarks) {
        if self.list.len() >= MOST_EPISODES {
            remarks.add(Remark::TooManyItems);
            self.left_out += 1;
            return;
        }
        let Some((kind, value)) = identity(&item) else {
            let number = self.list.len() + self.left_out + 1;
            self.leave_out(Remark::NoIdentity(number), remarks);
            return;
        };
        let enclosure = item.enclosure.get().map_or("", |enclosure| &enclosure.url);
        let keys = [
            hash([kind, &value]),
            hash(["guid+enclosure", &value, enclosure]),
        ];
        // What has no guid is told apart by what it has, and not by more. One with the same guid and the same file as
        // the first is the first once more, although that went by its guid.
        let free = match (kind, keys.map(|key| self.keys.contains(&half(key)))) {
            (_, [false, _]) => Some(keys[0]),
            ("guid", [true, false]) => Some(keys[1]),
            _ => None,
        };
        let Some(key) = free else {
            let why = Remark::Duplicate(excerpt(&value));
            return self.leave_out(why, remarks);
        };
        self.keys.extend(keys.map(half));
        self.list.push(episode(key, item, remarks));
    }

    /// Counts an item that is no episode.
    pub(super) fn leave_out(&mut self, why: Remark, remarks: &mut Remarks) {
        self.left_out += 1;
        remarks.add(why);
    }

    /// The episodes, and how many items are none.
    pub(super) fn finish(self) -> (Vec<Episode>, usize) {
        (self.list, self.left_out)
    }
}

/// The kind and the value of what identifies an item; `None`: nothing does.
fn identity(item: &Item) -> Option<(&'static str, Cow<'_, str>)> {
    if let Some(guid) = item.guid.get() {
        return Some(("guid", guid.into()));
    }
    if let Some(enclosure) = item.enclosure.get() {
        return Some(("enclosure", enclosure.url.as_str().into()));
    }
    if let Some(link) = item.link.get() {
        return Some(("link", link.into()));
    }
    let (title, published) = (item.title.get(), item.published.get());
    if title.is_some() || published.is_some() {
        let title = title.map_or("", String::as_str);
        let published = published.map(ToString::to_string).unwrap_or_default();
        return Some(("title", format!("{title}\0{published}").into()));
    }
    item.summary
        .get()
        .map(|summary| ("summary", summary.into()))
}

fn episode(key: [u8; 32], item: Item, remarks: &mut Remarks) -> Episode {
    let guid = item.guid.take();
    let mut episode = Episode {
        key,
        guid: guid.and_then(|guid| text::address(&guid, remarks)),
        title: item.title.take(),
        summary: item.summary.take(),
        link: item.link.take(),
        enclosure: item.enclosure.take(),
        duration: item.duration,
        published: item.published.take(),
        content_hash: [0; 32],
    };
    episode.content_hash = content_hash(&episode);
    episode
}

/// Parts with NUL between them: no value of a part before the last holds one.
fn hash<const PARTS: usize>(parts: [&str; PARTS]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hash.update([0]);
        }
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

fn half(key: [u8; 32]) -> [u8; 16] {
    *key.first_chunk().expect("it has twice as many")
}

/// Every field with its length, so that none can be taken for a part of another.
fn content_hash(episode: &Episode) -> [u8; 32] {
    let enclosure = episode.enclosure.as_ref();
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    let length = number(enclosure.and_then(|enclosure| enclosure.length));
    let duration = number(episode.duration.map(u64::from));
    let published = episode.published.map(|published| published.to_string());
    let fields = [
        episode.guid.as_deref(),
        episode.title.as_deref(),
        episode.summary.as_deref(),
        episode.link.as_deref(),
        enclosure.map(|enclosure| enclosure.url.as_str()),
        enclosure.and_then(|enclosure| enclosure.media_type.as_deref()),
        length.as_deref(),
        duration.as_deref(),
        published.as_deref(),
    ];
    let mut hash = Sha256::new();
    hash.update(episode.key);
    for field in fields {
        let length = field.map_or(u64::MAX, |text| text.len() as u64);
        hash.update(length.to_be_bytes());
        hash.update(field.unwrap_or_default());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::feeds::parse::Enclosure;

    /// `guid`, `title`, and `file` of an enclosure; empty is absent.
    fn item(guid: &str, title: &str, file: &str) -> Item {
        let present = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let mut item = Item::default();
        item.guid.offer(0, present(guid));
        item.title.offer(0, present(title));
        let enclosure = |url| Enclosure {
            url,
            media_type: None,
            length: None,
        };
        item.enclosure.offer(0, present(file).map(enclosure));
        item
    }

    fn added(items: Vec<Item>) -> (Vec<Episode>, usize, Remarks) {
        let (mut episodes, mut remarks) = (Episodes::default(), Remarks::default());
        for item in items {
            episodes.add(item, &mut remarks);
        }
        let (list, left_out) = episodes.finish();
        (list, left_out, remarks)
    }

    #[test]
    fn a_guid_identifies_before_the_file_and_the_file_before_the_title() {
        let (a, ..) = added(vec![item("g", "t", "f")]);
        let (b, ..) = added(vec![item("g", "u", "")]);
        assert_eq!(a[0].key, b[0].key);
        assert_eq!(a[0].key, hash(["guid", "g"]));
        assert_ne!(a[0].content_hash, b[0].content_hash);
        let (c, ..) = added(vec![item("", "t", "f"), item("", "t", "")]);
        assert_eq!(c[0].key, hash(["enclosure", "f"]));
        assert_eq!(c[1].key, hash(["title", "t", ""]));
    }

    #[test]
    fn the_same_guid_with_another_file_is_another_episode_and_with_the_same_file_none() {
        let (list, left_out, remarks) = added(vec![
            item("g", "t", "f"),
            item("g", "t", "h"),
            item("g", "t", "h"),
            item("g", "t", "f"),
        ]);
        let files = list.iter().filter_map(|episode| episode.enclosure.as_ref());
        let files: Vec<_> = files.map(|enclosure| enclosure.url.as_str()).collect();
        assert_eq!(files, ["f", "h"]);
        assert_eq!(list[0].key, hash(["guid", "g"]));
        assert_eq!(left_out, 2);
        assert_eq!(remarks.listed(), [Remark::Duplicate("g".to_owned())]);
    }

    #[test]
    fn an_item_without_anything_is_left_out_and_said() {
        let (list, left_out, remarks) = added(vec![item("", "t", ""), item("", "", "")]);
        assert_eq!((list.len(), left_out), (1, 1));
        assert_eq!(remarks.listed(), [Remark::NoIdentity(2)]);
    }

    #[test]
    fn every_field_changes_the_hash_of_the_content() {
        let (list, ..) = added(vec![item("g", "t", "f")]);
        let changes: [fn(&mut Episode); 8] = [
            |episode| episode.guid = None,
            |episode| episode.title = Some(String::new()),
            |episode| episode.summary = Some("s".to_owned()),
            |episode| episode.link = Some("l".to_owned()),
            |episode| episode.enclosure = None,
            |episode| episode.duration = Some(1),
            |episode| episode.published = Some(jiff::Timestamp::UNIX_EPOCH),
            |episode| episode.key = [1; 32],
        ];
        let mut hashes = HashSet::from([list[0].content_hash]);
        for change in changes {
            let mut episode = list[0].clone();
            change(&mut episode);
            hashes.insert(content_hash(&episode));
        }
        assert_eq!(hashes.len(), 9);
    }

    #[test]
    fn a_guid_that_is_cut_has_the_key_of_the_whole() {
        let long = "x".repeat(100_000);
        let (list, ..) = added(vec![
            item(&format!("{long}1"), "", ""),
            item(&format!("{long}2"), "", ""),
        ]);
        assert_eq!(list[0].guid, list[1].guid);
        assert_ne!(list[0].key, list[1].key);
    }
}
