//! A document, kept whole: its episodes in parts, then the feed, in one transaction.

use std::time::Duration;

use futures_util::join;
use tokio_postgres::{Row, error::SqlState, types::Type};

use super::{
    Changes, Claimed, Reading,
    columns::{Columns, parts},
    copy::copy,
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
    let found = (claimed, reading, (after, took));
    match attempt(database, found, Road::Fast).await {
        Err(error) if is_no_road(&error) => attempt(database, found, Road::Plain).await,
        saved => saved,
    }
}

/// What is saved of which feed.
type Found<'a> = (&'a Claimed, Reading<'a>, (&'a After, Duration));

async fn attempt(
    database: &Database,
    found: Found<'_>,
    road: Road,
) -> Result<Option<Changes>, DatabaseError> {
    let client = database.get().await?;
    // Each statement has the server's limit; all of them have one for a server that does not answer.
    let (_, reading, _) = found;
    let episodes: Vec<&Episode> = reading.feed.episodes.iter().collect();
    let statements = parts(&episodes).len() + OTHERS;
    let limit = LIMIT.saturating_mul(u32::try_from(statements).unwrap_or(u32::MAX));
    client.prepare_for_more().await;
    let saved = async {
        let saved = carried_out(&client, found, road).await;
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

/// How new episodes are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Road {
    /// As COPY, where they are many and it goes.
    Fast,
    /// As INSERT, which goes everywhere.
    Plain,
}

/// So few new episodes are cheaper without a trip of their own.
const FEW: usize = 16;

impl Road {
    async fn of(self, client: &Connection, added: usize) -> Self {
        // Behind a pooler in transaction mode the name of a statement means nothing, and COPY has one.
        if self == Self::Fast && added > FEW && client.is_direct().await {
            Self::Fast
        } else {
            Self::Plain
        }
    }
}

/// Whether COPY is not done where INSERT may be: to a table with row security, by who does not own it.
fn is_no_road(error: &DatabaseError) -> bool {
    error.sql_state() == Some(&SqlState::FEATURE_NOT_SUPPORTED)
}

async fn carried_out(
    client: &Connection,
    (claimed, reading, (after, took)): Found<'_>,
    road: Road,
) -> Result<Option<Changes>, DatabaseError> {
    let Some(known) = held(client, claimed).await? else {
        return Ok(None);
    };
    let difference = Difference::of(reading.feed, Known::of(&known)?);
    drop(known);
    match road.of(client, difference.added.len()).await {
        Road::Fast => copy(client, claimed.id, &difference.added).await?,
        Road::Plain => insert(client, claimed, &difference.added).await?,
    }
    change(client, claimed, &difference.changed).await?;
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
    let hold = client.question_in_a_transaction(include_str!("../sql/hold.sql"), &whose);
    let (begun, held, known) = join!(
        client.batch_execute(begin(client)),
        hold.ask(client),
        // As text, like the change of episodes.
        client.query_typed(include_str!("../sql/known.sql"), &whose[..1]),
    );
    begun?;
    let is_held = !held?.is_empty();
    Ok(Some(known?).filter(|_| is_held))
}

async fn insert(
    client: &Connection,
    claimed: &Claimed,
    episodes: &[&Episode],
) -> Result<(), DatabaseError> {
    let sql = include_str!("../sql/insert_episodes.sql");
    for part in parts(episodes) {
        let columns = Columns::of(part);
        let parameters = columns.parameters(&claimed.id);
        let question = client.question_in_a_transaction(sql, &parameters);
        question.ask(client).await?;
    }
    Ok(())
}

async fn change(
    client: &Connection,
    claimed: &Claimed,
    episodes: &[&Episode],
) -> Result<(), DatabaseError> {
    let sql = include_str!("../sql/change_episodes.sql");
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
    let save = client.question_in_a_transaction(sql, &parameters);
    let (saved, committed) = join!(save.ask(client), client.batch_execute("COMMIT"));
    saved?;
    Ok(committed?)
}
