//! An item while its fields come in.

use jiff::Timestamp;

use super::Enclosure;

/// A field that several elements can fill: the best of them wins, and of equals the first.
#[derive(Debug)]
pub(super) struct Best<T>(Option<(u8, T)>);

impl<T> Default for Best<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Best<T> {
    /// Takes a value if there is one and nothing as good has come; rank 0 is best.
    pub(super) fn offer(&mut self, rank: u8, value: Option<T>) {
        if let Some(value) = value.filter(|_| self.is_open_to(rank)) {
            self.0 = Some((rank, value));
        }
    }

    /// The same, of a value that is made only if nothing as good has come.
    pub(super) fn offer_made(&mut self, rank: u8, make: impl FnOnce() -> Option<T>) {
        if self.is_open_to(rank) {
            self.offer(rank, make());
        }
    }

    fn is_open_to(&self, rank: u8) -> bool {
        self.0.as_ref().is_none_or(|(present, _)| rank < *present)
    }

    pub(super) fn get(&self) -> Option<&T> {
        self.0.as_ref().map(|(_, value)| value)
    }

    pub(super) fn take(self) -> Option<T> {
        self.0.map(|(_, value)| value)
    }
}

/// What is known of an item.
#[derive(Debug, Default)]
pub(super) struct Item {
    /// The guid or id as a whole, trimmed.
    pub(super) guid: Best<String>,
    pub(super) title: Best<String>,
    pub(super) summary: Best<String>,
    pub(super) link: Best<String>,
    pub(super) enclosure: Best<Enclosure>,
    pub(super) duration: Option<u32>,
    pub(super) published: Best<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_wins_and_of_equals_the_first() {
        let mut best = Best::default();
        best.offer(2, Some("c"));
        best.offer(1, Some("a"));
        best.offer(1, Some("b"));
        best.offer(0, None);
        best.offer_made(1, || panic!("it is not wanted"));
        assert_eq!(best.take(), Some("a"));
    }
}
