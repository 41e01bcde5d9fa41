//! A document, kept whole: its episodes in parts, then the feed, in one transaction.

use std::time::Duration;

use tokio_postgres::types::Type;

use super::{Changes, Claimed, Columns, Reading};
use crate::{
    actions::feeds::{parse::Episode, policy::After},
    store::{
        Connection, Database, DatabaseError, limited,
        recurring::Parameter,
        transaction::{LIMIT, begin},
    },
};

/// Keeps a document: all of it, or nothing. `None`: the feed is not this process's any more.
pub async fn save(
    database: &Database,
    claimed: &Claimed,
    reading: Reading<'_>,
    after: &After,
    took: Duration,
) -> Result<Option<Changes>, DatabaseError> {
    let client = database.get().await?;
    let parts = parts(&reading.feed.episodes);
    // Each statement has the server's limit; all of them have one for a server that does not answer.
    let steps = u32::try_from(parts.len() + 3).unwrap_or(u32::MAX);
    let saved = async {
        client.batch_execute(begin(&client)).await?;
        let mut changes = Changes::default();
        for part in parts {
            save_episodes(&client, claimed, part, &mut changes).await?;
        }
        let saved = save_feed(&client, claimed, reading, (after, took, changes)).await?;
        client.batch_execute("COMMIT").await?;
        Ok::<_, DatabaseError>(saved)
    };
    let saved = async {
        let saved = saved.await;
        if saved.is_err() {
            // If nobody answers, the server does it by itself when the connection is gone.
            let _ = client.batch_execute("ROLLBACK").await;
        }
        saved
    };
    limited(LIMIT.saturating_mul(steps), client.fuse(), saved).await
}

async fn save_episodes(
    client: &Connection,
    claimed: &Claimed,
    part: &[Episode],
    changes: &mut Changes,
) -> Result<(), DatabaseError> {
    let columns = Columns::of(part);
    let parameters: [Parameter<'_>; 13] = [
        (&claimed.id, Type::INT8),
        (&claimed.next_fetch, Type::TIMESTAMPTZ),
        (&columns.key, Type::BYTEA_ARRAY),
        (&columns.guid, Type::TEXT_ARRAY),
        (&columns.title, Type::TEXT_ARRAY),
        (&columns.summary, Type::TEXT_ARRAY),
        (&columns.link, Type::TEXT_ARRAY),
        (&columns.enclosure_url, Type::TEXT_ARRAY),
        (&columns.enclosure_type, Type::TEXT_ARRAY),
        (&columns.enclosure_bytes, Type::INT8_ARRAY),
        (&columns.duration, Type::INT4_ARRAY),
        (&columns.published, Type::TIMESTAMPTZ_ARRAY),
        (&columns.content_hash, Type::BYTEA_ARRAY),
    ];
    let sql = include_str!("../sql/save_episodes.sql");
    // As text, so that it is planned each time: a plan from when the table was small reads all of it when it is large.
    for row in client.query_typed(sql, &parameters).await? {
        changes.added += row.try_get::<_, i64>("added")?;
        changes.changed += row.try_get::<_, i64>("changed")?;
    }
    Ok(())
}

/// The rest, after the episodes: what has become of them is completed.
async fn save_feed<'a>(
    client: &Connection,
    claimed: &Claimed,
    reading: Reading<'a>,
    (after, took, changes): (&After, Duration, Changes),
) -> Result<Option<Changes>, DatabaseError> {
    let Reading {
        feed,
        url,
        validators,
        bytes,
    } = reading;
    let (state, wait) = (after.state.as_str(), after.wait.as_secs_f64());
    let (took, bytes) = (took.as_secs_f64(), i64::try_from(bytes).unwrap_or(i64::MAX));
    let kind = feed.kind.as_str();
    // What was not read of it would never be asked for again, were the server told that we have it.
    let kept = |validator: &'a Option<String>| validator.as_deref().filter(|_| feed.is_whole);
    let (etag, last_modified) = (kept(&validators.etag), kept(&validators.last_modified));
    let keys: Vec<&[u8]> = feed.episodes.iter().map(|one| &one.key[..]).collect();
    let parameters: [Parameter<'_>; 22] = [
        (&claimed.id, Type::INT8),
        (&claimed.next_fetch, Type::TIMESTAMPTZ),
        (&state, Type::TEXT),
        (&after.reason, Type::TEXT),
        (&wait, Type::FLOAT8),
        (&200_i32, Type::INT4),
        (&url, Type::TEXT),
        (&etag, Type::TEXT),
        (&last_modified, Type::TEXT),
        (&validators.address, Type::TEXT),
        (&kind, Type::TEXT),
        (&feed.title, Type::TEXT),
        (&feed.author, Type::TEXT),
        (&feed.site_url, Type::TEXT),
        (&feed.image_url, Type::TEXT),
        (&feed.language, Type::TEXT),
        (&took, Type::FLOAT8),
        (&bytes, Type::INT8),
        (&keys, Type::BYTEA_ARRAY),
        (&changes.added, Type::INT8),
        (&changes.changed, Type::INT8),
        (&feed.is_whole, Type::BOOL),
    ];
    let sql = include_str!("../sql/save.sql");
    let rows = client.query_typed(sql, &parameters).await?;
    let vanished = rows
        .first()
        .map(|row| row.try_get("vanished"))
        .transpose()?;
    Ok(vanished.map(|vanished| Changes {
        vanished,
        ..changes
    }))
}

/// How many episodes are sent at once, and of how many bytes: a large document is one transaction, and not one statement,
/// which would take longer than a statement may and as much memory once more.
const PART: (usize, usize) = (1_000, 1 << 20);

fn parts(episodes: &[Episode]) -> Vec<&[Episode]> {
    let (mut parts, mut rest, mut bytes) = (Vec::new(), episodes, 0);
    let mut at = 0;
    while at < rest.len() {
        bytes += weight(&rest[at]);
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
            let lengths: Vec<usize> = parts(&episodes).into_iter().map(<[_]>::len).collect();
            assert_eq!(lengths, expected, "{number} of {bytes} bytes");
        }
    }
}
