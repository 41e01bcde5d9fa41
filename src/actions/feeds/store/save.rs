//! A document, kept whole: its episodes in parts, then the feed, in one transaction.

use std::time::Duration;

use futures_util::join;
use tokio_postgres::{Row, types::Type};

use super::{
    Changes, Claimed, Reading,
    columns::{Columns, parts},
    difference::{Difference, Known},
};
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
    // Each statement has the server's limit; all of them have one for a server that does not answer.
    let episodes: Vec<&Episode> = reading.feed.episodes.iter().collect();
    let statements = parts(&episodes).len() + OTHERS;
    let limit = LIMIT.saturating_mul(u32::try_from(statements).unwrap_or(u32::MAX));
    let saved = async {
        let saved = carried_out(&client, claimed, reading, (after, took)).await;
        if !matches!(saved, Ok(Some(_))) {
            // If nobody answers, the server does it by itself when the connection is gone.
            let _ = client.batch_execute("ROLLBACK").await;
        }
        saved
    };
    limited(limit, client.fuse(), saved).await
}

/// How many statements there are beside those of whole parts.
const OTHERS: usize = 8;

async fn carried_out(
    client: &Connection,
    claimed: &Claimed,
    reading: Reading<'_>,
    (after, took): (&After, Duration),
) -> Result<Option<Changes>, DatabaseError> {
    let Some(known) = held(client, claimed).await? else {
        return Ok(None);
    };
    let difference = Difference::of(reading.feed, Known::of(&known)?);
    drop(known);
    let sql = include_str!("../sql/insert_episodes.sql");
    send(client, claimed, sql, &difference.added).await?;
    let sql = include_str!("../sql/change_episodes.sql");
    send(client, claimed, sql, &difference.changed).await?;
    if !difference.vanished.is_empty() {
        let parameters: [Parameter<'_>; 2] = [
            (&claimed.id, Type::INT8),
            (&difference.vanished, Type::BYTEA_ARRAY),
        ];
        let sql = include_str!("../sql/vanish.sql");
        client.query_typed(sql, &parameters).await?;
    }
    let changes = difference.changes();
    finish(client, claimed, reading, (after, took, changes)).await?;
    Ok(Some(changes))
}

/// Begins, and reads what is known of the episodes. `None`: the feed is not ours any more.
async fn held(client: &Connection, claimed: &Claimed) -> Result<Option<Vec<Row>>, DatabaseError> {
    let whose: [Parameter<'_>; 2] = [
        (&claimed.id, Type::INT8),
        (&claimed.next_fetch, Type::TIMESTAMPTZ),
    ];
    let (begun, held, known) = join!(
        client.batch_execute(begin(client)),
        client.query_typed(include_str!("../sql/hold.sql"), &whose),
        client.query_typed(include_str!("../sql/known.sql"), &whose[..1]),
    );
    begun?;
    let is_held = !held?.is_empty();
    Ok(Some(known?).filter(|_| is_held))
}

async fn send(
    client: &Connection,
    claimed: &Claimed,
    sql: &str,
    episodes: &[&Episode],
) -> Result<(), DatabaseError> {
    for part in parts(episodes) {
        let columns = Columns::of(part);
        // As text, so that it is planned each time: a plan from when the table was small reads all of it when it is large.
        client
            .query_typed(sql, &columns.parameters(&claimed.id))
            .await?;
    }
    Ok(())
}

/// The rest, after the episodes, and the commit.
async fn finish(
    client: &Connection,
    claimed: &Claimed,
    reading: Reading<'_>,
    (after, took, changes): (&After, Duration, Changes),
) -> Result<(), DatabaseError> {
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
    let is_whole = feed.is_whole;
    let etag = validators.etag.as_deref().filter(|_| is_whole);
    let last_modified = validators.last_modified.as_deref().filter(|_| is_whole);
    let parameters: [Parameter<'_>; 20] = [
        (&claimed.id, Type::INT8),
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
        (&changes.added, Type::INT8),
        (&changes.changed, Type::INT8),
        (&changes.vanished, Type::INT8),
    ];
    let sql = include_str!("../sql/save.sql");
    let (saved, committed) = join!(
        client.query_typed(sql, &parameters),
        client.batch_execute("COMMIT")
    );
    saved?;
    Ok(committed?)
}
