//! What this host means by its jobs now, and meant when it announced itself last.

use std::collections::HashSet;

use tokio_postgres::types::{ToSql, Type};

use crate::{
    spec::JobSpec,
    store::{Database, error::DatabaseError, transaction},
};

use super::names_of;

/// What announcing a host has changed of the jobs.
#[derive(Debug, Default)]
pub struct Replanned {
    /// The jobs whose pending slot has moved.
    pub moved: Vec<String>,
    /// Whether any row was written: what was read of them is old now.
    pub is_written: bool,
}

/// A job that this host has announced with another definition than it has now.
pub(super) struct Changed<'a> {
    pub(super) spec: &'a JobSpec,
    /// The hashes of the two.
    pub(super) before: String,
    pub(super) now: String,
}

/// Makes this host's definitions of these rows the newest, each with its hash; returns those that nobody held.
pub(super) async fn define(
    rows: Vec<(&str, &str)>,
    database: &Database,
) -> Result<HashSet<String>, DatabaseError> {
    if rows.is_empty() {
        return Ok(HashSet::new());
    }
    let (names, hashes): (Vec<&str>, Vec<&str>) = rows.into_iter().unzip();
    let parameters: [(&(dyn ToSql + Sync), Type); 2] =
        [(&names, Type::TEXT_ARRAY), (&hashes, Type::TEXT_ARRAY)];
    let sql = include_str!("../../sql/define_jobs.sql");
    let rows = transaction::run(database, sql, &parameters).await?;
    Ok(names_of(&rows)?.into_iter().collect())
}
