//! Reading what runs are printing, on whatever host they do.

use tokio_postgres::types::Type;
use uuid::Uuid;

use super::KEPT;
use crate::store::{Connection, DatabaseError, limited, recurring::Parameter, transaction};

/// What a run has printed since the last look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// How the run goes, as the log says.
    pub outcome: String,
    /// Pieces by their numbers; the last of a run is empty.
    pub pieces: Vec<(i32, String)>,
}

impl News {
    /// Whether the run is over, and this the rest of what was written of it.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.outcome != "running" && self.pieces.len() < KEPT.unsigned_abs() as usize
    }
}

/// What a run has printed after this piece (-1: all); `None`: the log has no such run.
pub async fn read(
    client: &Connection,
    run_id: Uuid,
    after: i32,
) -> Result<Option<News>, DatabaseError> {
    let parameters: [Parameter<'_>; 3] = [
        (&run_id, Type::UUID),
        (&after, Type::INT4),
        (&i64::from(KEPT), Type::INT8),
    ];
    let asked = client.query_typed(include_str!("../../sql/read_output.sql"), &parameters);
    let rows = limited(transaction::LIMIT, client.fuse(), asked).await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let outcome: Option<String> = first.try_get("outcome")?;
    let mut pieces = Vec::new();
    for row in &rows {
        if let Some(number) = row.try_get("chunk")? {
            pieces.push((number, row.try_get("output")?));
        }
    }
    Ok(Some(News {
        outcome: outcome.unwrap_or_default(),
        pieces,
    }))
}

/// What a job's row says of its runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims {
    /// The run that is going on.
    pub run_id: Option<Uuid>,
    /// The number of the last claim.
    pub fence: i64,
}

/// What the row of a job says; `None`: there is no row.
pub async fn claims(client: &Connection, job: &str) -> Result<Option<Claims>, DatabaseError> {
    let parameters: [Parameter<'_>; 1] = [(&job, Type::TEXT)];
    let asked = client.query_typed(include_str!("../../sql/read_claim.sql"), &parameters);
    let rows = limited(transaction::LIMIT, client.fuse(), asked).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    Ok(Some(Claims {
        run_id: row.try_get("run_id")?,
        fence: row.try_get("fence")?,
    }))
}
