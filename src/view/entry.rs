//! The log, entry by entry: a run, or a range of slots that did not run.

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};
use uuid::Uuid;

use crate::store::{Connection, error::DatabaseError, limited, transaction};

use super::counts::{self, Counts};

/// An entry of the log. In JSON as it stands here, without the output.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The run; `None`: slots that did not run, or a Python host's run.
    pub run_id: Option<Uuid>,
    /// The job.
    pub name: String,
    /// The instant it was for; the first of a range.
    pub slot: Option<Timestamp>,
    /// The last slot of a range.
    pub slot_until: Option<Timestamp>,
    /// How many slots the range holds.
    pub slots: Option<i64>,
    /// Which attempt at the slot, from 1; 0 = did not run.
    pub attempt: Option<i32>,
    /// The fence of its claim.
    pub fence: Option<i64>,
    /// Where.
    pub host: Option<String>,
    /// What made it run.
    pub trigger: Option<String>,
    /// `running success failure timeout cancelled lost skipped`, or a word of a newer version.
    pub outcome: String,
    /// Why.
    pub reason: Option<String>,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it ended, or when the verdict was written.
    pub finished_at: Option<Timestamp>,
    /// Its exit code.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it has counted, if it says so at the end of what it printed.
    pub counts: Option<Counts>,
    /// What it printed, as far as it was asked for.
    #[serde(skip)]
    pub output: Option<String>,
}

/// Which part of the log is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Of these rows; `None`: of all.
    pub jobs: Option<&'a [&'a str]>,
    /// Only failures, timeouts and losses.
    pub failed: bool,
    /// How many, at most.
    pub entries: u32,
    /// How many characters of the end of each output; [`counts::LONGEST`] for what it has
    /// counted.
    pub output: u32,
}

/// The newest entries, newest first.
pub async fn newest(client: &Connection, wanted: &Wanted<'_>) -> Result<Vec<Entry>, DatabaseError> {
    let output = i32::try_from(wanted.output).unwrap_or(i32::MAX);
    let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
        (&wanted.jobs, Type::TEXT_ARRAY),
        (&wanted.failed, Type::BOOL),
        (&i64::from(wanted.entries), Type::INT8),
        (&output, Type::INT4),
    ];
    entries(
        client,
        include_str!("../../sql/read_history.sql"),
        &parameters,
    )
    .await
}

/// The newest run of these rows with all of its output.
pub async fn newest_run(
    client: &Connection,
    jobs: &[&str],
) -> Result<Option<Entry>, DatabaseError> {
    Ok(runs(client, Some(jobs), (Uuid::nil(), Uuid::max()), 1)
        .await?
        .pop())
}

/// The run that was claimed for a request of this instant, with all of its output.
pub async fn triggered_run(
    client: &Connection,
    job: &str,
    at: Timestamp,
) -> Result<Option<Entry>, DatabaseError> {
    let parameters: [(&(dyn ToSql + Sync), Type); 2] =
        [(&job, Type::TEXT), (&at, Type::TIMESTAMPTZ)];
    let sql = include_str!("../../sql/read_triggered_run.sql");
    Ok(entries(client, sql, &parameters).await?.pop())
}

/// What the log says of one slot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfSlot {
    /// Its attempts, and the range in which it was left behind.
    pub its: Vec<Entry>,
    /// The runs that tell why: the one that began when it was left behind, and the one that was going on when it fell due.
    pub others: Vec<Entry>,
}

/// The entries of the slot that an instant names, or else of the newest before it, without their output but for what they have
/// counted.
pub async fn of_slot(
    client: &Connection,
    job: &str,
    at: Timestamp,
) -> Result<OfSlot, DatabaseError> {
    let parameters: [(&(dyn ToSql + Sync), Type); 3] = [
        (&job, Type::TEXT),
        (&at, Type::TIMESTAMPTZ),
        (&i32::from(counts::LONGEST), Type::INT4),
    ];
    let rows = rows(client, include_str!("../../sql/read_slot.sql"), &parameters).await?;
    let mut of_slot = OfSlot::default();
    for row in &rows {
        let entries = if row.try_get("is_its")? {
            &mut of_slot.its
        } else {
            &mut of_slot.others
        };
        entries.push(Entry::from_row(row)?);
    }
    Ok(of_slot)
}

/// Up to `limit` runs whose id begins like this, with their output.
pub async fn runs_like(
    client: &Connection,
    prefix: Prefix,
    limit: i64,
) -> Result<Vec<Entry>, DatabaseError> {
    runs(client, None, (prefix.first, prefix.last), limit).await
}

async fn runs(
    client: &Connection,
    jobs: Option<&[&str]>,
    (first, last): (Uuid, Uuid),
    limit: i64,
) -> Result<Vec<Entry>, DatabaseError> {
    let parameters: [(&(dyn ToSql + Sync), Type); 4] = [
        (&jobs, Type::TEXT_ARRAY),
        (&first, Type::UUID),
        (&last, Type::UUID),
        (&limit, Type::INT8),
    ];
    entries(client, include_str!("../../sql/read_run.sql"), &parameters).await
}

async fn entries(
    client: &Connection,
    sql: &str,
    parameters: &[(&(dyn ToSql + Sync), Type)],
) -> Result<Vec<Entry>, DatabaseError> {
    let rows = rows(client, sql, parameters).await?;
    Ok(rows.iter().map(Entry::from_row).collect::<Result<_, _>>()?)
}

async fn rows(
    client: &Connection,
    sql: &str,
    parameters: &[(&(dyn ToSql + Sync), Type)],
) -> Result<Vec<Row>, DatabaseError> {
    limited(
        transaction::LIMIT,
        client.fuse(),
        client.query_typed(sql, parameters),
    )
    .await
}

impl Entry {
    fn from_row(row: &Row) -> Result<Self, tokio_postgres::Error> {
        let output: Option<String> = row.try_get("output")?;
        Ok(Self {
            counts: output.as_deref().and_then(Counts::at_the_end_of),
            run_id: row.try_get("run_id")?,
            // Nullable in a table that Python made; such a row has no job to be asked for.
            name: row
                .try_get::<_, Option<String>>("app_name")?
                .unwrap_or_default(),
            slot: row.try_get("slot")?,
            slot_until: row.try_get("slot_until")?,
            slots: row.try_get("slots")?,
            attempt: row.try_get("attempt")?,
            fence: row.try_get("fence")?,
            host: row.try_get("host")?,
            trigger: row.try_get("trigger")?,
            outcome: row
                .try_get::<_, Option<String>>("outcome")?
                .unwrap_or_default(),
            reason: row.try_get("reason")?,
            started_at: row.try_get("started_at")?,
            finished_at: row.try_get("finished_at")?,
            exit_code: row.try_get("exit_code")?,
            signal: row.try_get("signal")?,
            output,
        })
    }

    /// Whether it is a run and not a range of slots that did not run.
    #[must_use]
    pub fn is_run(&self) -> bool {
        self.outcome != "skipped"
    }
}

/// The beginning of a run id, as people type it: all ids that begin so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    first: Uuid,
    last: Uuid,
}

impl Prefix {
    /// Hexadecimal digits, hyphens anywhere; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        const DIGITS: usize = 32;
        let digits: String = text.chars().filter(|&c| c != '-').collect();
        if digits.is_empty()
            || digits.len() > DIGITS
            || !digits.bytes().all(|b| b.is_ascii_hexdigit())
        {
            return None;
        }
        let filled = |fill: &str| {
            let missing = fill.repeat(DIGITS - digits.len());
            Uuid::parse_str(&format!("{digits}{missing}")).ok()
        };
        Some(Self {
            first: filled("0")?,
            last: filled("f")?,
        })
    }
}

/// As much of a run id as people need to read and type.
#[must_use]
pub fn short(run_id: Uuid) -> String {
    let mut text = run_id.to_string();
    text.truncate(8);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_stands_for_all_ids_that_begin_so() {
        let prefix = Prefix::parse("9B1deb4d-3").unwrap();
        assert_eq!(
            prefix.first.to_string(),
            "9b1deb4d-3000-0000-0000-000000000000"
        );
        assert_eq!(
            prefix.last.to_string(),
            "9b1deb4d-3fff-ffff-ffff-ffffffffffff"
        );
        let id = Uuid::new_v4();
        let whole = Prefix::parse(&id.to_string()).unwrap();
        assert_eq!((whole.first, whole.last), (id, id));
    }

    #[test]
    fn what_is_not_hexadecimal_is_no_prefix() {
        for text in [
            "",
            "-",
            "fetch",
            "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d0",
            "é",
            " 9b",
        ] {
            assert_eq!(Prefix::parse(text), None, "{text}");
        }
    }
}
