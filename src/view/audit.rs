//! Who changed what, when and why.

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::types::{ToSql, Type};

use crate::store::{Connection, error::DatabaseError, limited, transaction};

use super::{
    Medium, Times,
    mark::{Mark, Tone},
    table::{Column, Row, render},
    text,
};

/// A row of the audit. In JSON as it stands here.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Audited {
    /// Its number; later ones are larger.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who: `anna@web1`.
    pub who: String,
    /// On which host it was typed.
    pub host: Option<String>,
    /// What was done: `pause resume reset cancel mark remove_ghost trigger untrigger drain undrain forget_host drop_guard`,
    /// or a word of a newer version.
    pub what: String,
    /// The job.
    pub name: Option<String>,
    /// Why, in that person's words.
    pub reason: Option<String>,
    /// What it changed: columns before and after.
    pub detail: serde_json::Value,
}

/// The newest rows of the audit, newest first; of some rows or of all.
pub async fn newest(
    client: &Connection,
    jobs: Option<&[&str]>,
    rows: u32,
) -> Result<Vec<Audited>, DatabaseError> {
    let parameters: [(&(dyn ToSql + Sync), Type); 2] =
        [(&jobs, Type::TEXT_ARRAY), (&i64::from(rows), Type::INT8)];
    let query = client.query_typed(include_str!("../../sql/read_audit.sql"), &parameters);
    let rows = limited(transaction::LIMIT, client.fuse(), query).await?;
    let audited = rows.iter().map(|row| {
        Ok::<_, tokio_postgres::Error>(Audited {
            id: row.try_get("id")?,
            at: row.try_get("at")?,
            who: row.try_get("who")?,
            host: row.try_get("host")?,
            what: row.try_get("what")?,
            name: row.try_get("app_name")?,
            reason: row.try_get("reason")?,
            detail: row.try_get("detail")?,
        })
    });
    Ok(audited.collect::<Result<_, _>>()?)
}

/// A table, newest first.
#[must_use]
pub fn text(audited: &[Audited], now: Timestamp, medium: Medium) -> String {
    let times = Times { now, medium };
    let columns = [
        Column::left("WHEN"),
        Column::left("WHO"),
        Column::left("WHAT").toned(),
        Column::left("JOB").yields(2, 16),
        Column::left("REASON").yields(1, 30),
    ];
    let rows: Vec<Row> = audited
        .iter()
        .map(|audited| Row {
            mark: Mark {
                sign: '·',
                tone: Tone::Plain,
            },
            cells: vec![
                times.when(audited.at),
                audited.who.clone(),
                audited.what.clone(),
                audited.name.clone().unwrap_or_default(),
                audited.reason.clone().unwrap_or_default(),
            ],
        })
        .collect();
    match (medium, rows.as_slice()) {
        (Medium::Terminal { .. }, []) => "nobody has changed anything by hand\n".to_owned(),
        _ => render(&columns, &rows, medium),
    }
}

/// An array of objects.
#[must_use]
pub fn json(audited: &[Audited]) -> String {
    text::json(&audited)
}
