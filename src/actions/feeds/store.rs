//! The tables of the action, as a pass uses them: claims of feeds that are due, and what their fetches have found.

use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::{Row, types::Type};

use super::{
    parse::{Episode, Feed},
    policy::{After, Before},
};
use crate::{
    http::Validators,
    store::{Database, DatabaseError, recurring::Parameter, transaction::run},
};

/// A feed that this process is to fetch.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Its number.
    pub id: i64,
    /// Its address.
    pub url: String,
    /// What it was shown last time.
    pub validators: Option<Validators>,
    /// Its errors, and how often it is fetched.
    pub before: Before,
    /// What makes the claim this one.
    next_fetch: Timestamp,
}

/// A document that was read, to be kept.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// What it says.
    pub feed: &'a Feed,
    /// The address to ask from now on.
    pub url: &'a str,
    /// What to show next time.
    pub validators: &'a Validators,
    /// How many bytes it had.
    pub bytes: usize,
}

/// How many episodes a document has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changes {
    /// Those that were not there before.
    pub added: i64,
    /// Those that were, and were another.
    pub changed: i64,
    /// Those that are not there any more.
    pub vanished: i64,
}

/// Takes up to so many feeds that are due, for so long.
pub async fn claim(
    database: &Database,
    number: i64,
    lasting: Duration,
) -> Result<Vec<Claimed>, DatabaseError> {
    let sql = include_str!("sql/claim.sql");
    let lasting = lasting.as_secs_f64();
    let parameters: [Parameter<'_>; 2] = [(&number, Type::INT8), (&lasting, Type::FLOAT8)];
    let rows = run(database, sql, &parameters).await?;
    rows.iter().map(claimed).collect()
}

fn claimed(row: &Row) -> Result<Claimed, DatabaseError> {
    let whose = row.try_get::<_, Option<String>>("validators_url")?;
    let (etag, last_modified) = (row.try_get("etag")?, row.try_get("last_modified")?);
    let errors: i32 = row.try_get("error_count")?;
    Ok(Claimed {
        id: row.try_get("id")?,
        url: row.try_get("url")?,
        validators: whose.map(|address| Validators {
            address,
            etag,
            last_modified,
        }),
        before: Before {
            errors: errors.unsigned_abs(),
            every: Duration::try_from_secs_f64(row.try_get("every")?).unwrap_or_default(),
        },
        next_fetch: row.try_get("next_fetch")?,
    })
}

/// Keeps a document. `None`: the feed is not this process's any more, and nothing was kept.
pub async fn save(
    database: &Database,
    claimed: &Claimed,
    reading: Reading<'_>,
    after: &After,
    took: Duration,
) -> Result<Option<Changes>, DatabaseError> {
    let Reading {
        feed,
        url,
        validators,
        bytes,
    } = reading;
    let columns = Columns::of(&feed.episodes);
    let (state, wait) = (after.state.as_str(), after.wait.as_secs_f64());
    let (took, bytes) = (took.as_secs_f64(), i64::try_from(bytes).unwrap_or(i64::MAX));
    let kind = feed.kind.as_str();
    let parameters: [Parameter<'_>; 29] = [
        (&claimed.id, Type::INT8),
        (&claimed.next_fetch, Type::TIMESTAMPTZ),
        (&state, Type::TEXT),
        (&after.reason, Type::TEXT),
        (&wait, Type::FLOAT8),
        (&200_i32, Type::INT4),
        (&url, Type::TEXT),
        (&validators.etag, Type::TEXT),
        (&validators.last_modified, Type::TEXT),
        (&validators.address, Type::TEXT),
        (&kind, Type::TEXT),
        (&feed.title, Type::TEXT),
        (&feed.author, Type::TEXT),
        (&feed.site_url, Type::TEXT),
        (&feed.image_url, Type::TEXT),
        (&feed.language, Type::TEXT),
        (&took, Type::FLOAT8),
        (&bytes, Type::INT8),
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
    let rows = run(database, include_str!("sql/save.sql"), &parameters).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let count = |name| row.try_get::<_, i32>(name).map(i64::from);
    Ok(Some(Changes {
        added: count("added")?,
        changed: count("changed")?,
        vanished: count("vanished")?,
    }))
}

/// Writes down a fetch that has brought no document. `false`: the feed is not this process's any more.
pub async fn note(
    database: &Database,
    claimed: &Claimed,
    (status, error): (Option<u16>, Option<&str>),
    after: &After,
    took: Duration,
) -> Result<bool, DatabaseError> {
    let (state, wait) = (after.state.as_str(), after.wait.as_secs_f64());
    let errors = i32::try_from(after.errors).unwrap_or(i32::MAX);
    let (status, took) = (status.map(i32::from), took.as_secs_f64());
    let parameters: [Parameter<'_>; 9] = [
        (&claimed.id, Type::INT8),
        (&claimed.next_fetch, Type::TIMESTAMPTZ),
        (&state, Type::TEXT),
        (&after.reason, Type::TEXT),
        (&wait, Type::FLOAT8),
        (&status, Type::INT4),
        (&errors, Type::INT4),
        (&error, Type::TEXT),
        (&took, Type::FLOAT8),
    ];
    let rows = run(database, include_str!("sql/note.sql"), &parameters).await?;
    Ok(!rows.is_empty())
}

/// Ends a feed whose new address another feed has already. `false`: no other has it.
pub async fn end_as_duplicate(
    database: &Database,
    claimed: &Claimed,
    url: &str,
) -> Result<bool, DatabaseError> {
    let parameters: [Parameter<'_>; 3] = [
        (&claimed.id, Type::INT8),
        (&claimed.next_fetch, Type::TIMESTAMPTZ),
        (&url, Type::TEXT),
    ];
    let rows = run(database, include_str!("sql/duplicate.sql"), &parameters).await?;
    Ok(!rows.is_empty())
}

/// What the table takes for a duration: no more than a week.
fn duration(episode: &Episode) -> Option<i32> {
    let seconds = episode.duration.filter(|seconds| *seconds <= 604_800);
    seconds.and_then(|seconds| seconds.try_into().ok())
}

/// Episodes as a statement takes them: a list for each column.
#[derive(Default)]
struct Columns<'a> {
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
    fn of(episodes: &'a [Episode]) -> Self {
        let mut columns = Self::default();
        for episode in episodes {
            let enclosure = episode.enclosure.as_ref();
            let bytes = enclosure.and_then(|enclosure| enclosure.length);
            columns.key.push(&episode.key);
            columns.guid.push(episode.guid.as_deref());
            columns.title.push(episode.title.as_deref());
            columns.summary.push(episode.summary.as_deref());
            columns.link.push(episode.link.as_deref());
            columns
                .enclosure_url
                .push(enclosure.map(|enclosure| enclosure.url.as_str()));
            columns
                .enclosure_type
                .push(enclosure.and_then(|enclosure| enclosure.media_type.as_deref()));
            columns
                .enclosure_bytes
                .push(bytes.and_then(|bytes| bytes.try_into().ok()));
            columns.duration.push(duration(episode));
            columns.published.push(episode.published);
            columns.content_hash.push(&episode.content_hash);
        }
        columns
    }
}
