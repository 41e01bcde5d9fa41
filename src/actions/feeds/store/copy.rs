//! Episodes as COPY takes them: rows of PostgreSQL's binary format, a piece at a time.

use std::{io::Cursor, pin::pin};

use futures_util::SinkExt as _;
use jiff::Timestamp;
use tokio_postgres::Error;

use super::columns::{Values, parts};
use crate::{actions::feeds::parse::Episode, store::Connection};

/// How many bytes are sent at once. What the crate itself makes pieces of is a tenth of it, and each costs a change of
/// tasks.
const PIECE: usize = 64 << 10;

/// Sends episodes of a feed that are not known. In the middle of a transaction, and only where the connection leads to the server
/// itself: the statement has a name.
pub(super) async fn copy(
    client: &Connection,
    feed: i64,
    episodes: &[&Episode],
) -> Result<(), Error> {
    let sql = include_str!("../sql/copy_episodes.sql");
    let statement = client.prepare_cached(sql).await?;
    for part in parts(episodes) {
        // Where it is refused before it begins, the crate has asked once more for an answer than there are, and the next
        // answers would be taken for others.
        let begun = client.copy_in(&statement).await;
        let mut sink = pin!(begun.inspect_err(|_| client.retire())?);
        let mut rows = Rows::begin();
        for episode in part {
            rows.add(feed, &Values::of(episode));
            if rows.0.len() >= PIECE {
                sink.send(rows.take()).await?;
            }
        }
        sink.send(rows.end()).await?;
        sink.finish().await?;
    }
    Ok(())
}

/// Rows that are not sent yet.
struct Rows(Vec<u8>);

impl Rows {
    fn begin() -> Self {
        let mut rows = Self(Vec::with_capacity(PIECE + (PIECE >> 2)));
        // No flags, and no more of a head.
        rows.0
            .extend_from_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
        rows
    }

    fn add(&mut self, feed: i64, values: &Values<'_>) {
        self.0.extend_from_slice(&12_i16.to_be_bytes());
        self.field(Some(&feed.to_be_bytes()));
        self.field(Some(values.key));
        self.field(values.guid);
        self.field(values.title);
        self.field(values.summary);
        self.field(values.link);
        self.field(values.enclosure_url);
        self.field(values.enclosure_type);
        self.field(values.enclosure_bytes.map(i64::to_be_bytes).as_ref());
        self.field(values.duration.map(i32::to_be_bytes).as_ref());
        let published = values.published.map(microseconds);
        self.field(published.map(i64::to_be_bytes).as_ref());
        self.field(Some(values.content_hash));
    }

    /// Its length and what it holds; NULL has the length -1.
    fn field(&mut self, value: Option<impl AsRef<[u8]>>) {
        let Some(value) = value else {
            self.0.extend_from_slice(&(-1_i32).to_be_bytes());
            return;
        };
        let value = value.as_ref();
        let length = i32::try_from(value.len()).expect("fields of episodes have 64 KiB at most");
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(value);
    }

    fn take(&mut self) -> Cursor<Vec<u8>> {
        let next = Vec::with_capacity(self.0.capacity());
        Cursor::new(std::mem::replace(&mut self.0, next))
    }

    fn end(mut self) -> Cursor<Vec<u8>> {
        self.0.extend_from_slice(&(-1_i16).to_be_bytes());
        Cursor::new(self.0)
    }
}

/// Since 2000, as PostgreSQL counts; what is less than one is cut off, as it is from parameters.
fn microseconds(at: Timestamp) -> i64 {
    const YEAR_2000: i128 = 946_684_800_000_000_000;
    let since = (at.as_nanosecond() - YEAR_2000) / 1_000;
    since.try_into().expect("no year that there is has as many")
}
