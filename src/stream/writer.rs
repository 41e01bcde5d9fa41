//! Writing the pieces of all runs, now and then, and clearing away those of runs that are long over.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::{error::SqlState, types::Type};
use uuid::Uuid;

use super::{Batch, KEPT, Shared};
use crate::{
    record::ascii,
    store::{Connection, Database, DatabaseError, recurring::Parameter, transaction},
};

/// How often pieces are written at most, but for the last ones of a run.
const PACE: Duration = Duration::from_millis(500);

/// How long it is left alone when the database does not take them.
const AGAIN: Duration = Duration::from_secs(5);

/// How long one statement may take.
const LIMIT: Duration = Duration::from_secs(5);

/// How long a connection is kept that nothing is written on.
const IDLE: Duration = Duration::from_mins(1);

/// How often the pieces of runs that are long over are cleared away, while there is something to write.
const CLEAR_EVERY: Duration = Duration::from_mins(5);

/// How many pieces are cleared away at once.
const CLEARED: i32 = 1_000;

/// Writes whatever comes, for ever.
pub(super) async fn write(shared: Arc<Shared>, database: Database, now: Option<Timestamp>) {
    let mut writer = Writer {
        database,
        now,
        connection: None,
        clear_at: Instant::now(),
    };
    let mut not_before = Instant::now();
    let mut left_out = 0;
    loop {
        while shared.desk().is_empty() {
            let news = shared.changed.notified();
            if writer.connection.is_none() {
                news.await;
            } else if timeout(IDLE, news).await.is_err() {
                // Unused, it holds a place at the server.
                writer.connection = None;
            }
        }
        pause(&shared, not_before).await;
        let written = match writer.ready().await {
            Ok(()) => {
                let batch = shared.desk().take();
                let written = writer.send(&batch).await;
                if written.is_err() {
                    left_out += batch.pieces.len();
                }
                written
            }
            Err(error) => Err(error),
        };
        not_before = Instant::now() + if written.is_ok() { PACE } else { AGAIN };
        let was_failing = shared.fails(written.is_err().then_some(not_before));
        match written {
            Err(error) if !was_failing => {
                tracing::warn!(%error, "cannot write streamed output; the runs go on, and their records have it");
            }
            Ok(()) if was_failing => {
                tracing::info!(pieces = left_out, "streamed output is written again");
                left_out = 0;
            }
            _ => {}
        }
    }
}

/// Waits until then, or for less if the record of a run waits, too.
async fn pause(shared: &Shared, not_before: Instant) {
    loop {
        let is_urgent = shared.desk().is_awaited();
        if is_urgent
            || timeout_at(not_before, shared.changed.notified())
                .await
                .is_err()
        {
            return;
        }
    }
}

impl Shared {
    /// Notes until when there is no next try, if this one has failed; whether the one before had. Nobody goes on
    /// waiting for a database that is away.
    fn fails(&self, until: Option<Instant>) -> bool {
        let mut desk = self.desk();
        if until.is_some() {
            for run in desk.runs.values_mut() {
                run.ended = None;
            }
        }
        std::mem::replace(&mut desk.failing_until, until).is_some()
    }
}

/// The one connection, and what is done on it.
struct Writer {
    database: Database,
    now: Option<Timestamp>,
    connection: Option<Connection>,
    clear_at: Instant,
}

impl Writer {
    /// Makes sure that there is a connection: before anything is taken that would be lost without one.
    async fn ready(&mut self) -> Result<(), DatabaseError> {
        if self
            .connection
            .as_ref()
            .is_none_or(|open| !open.is_usable())
        {
            self.connection = None;
            self.connection = Some(self.database.dedicated().await?);
        }
        if Instant::now() >= self.clear_at {
            self.clear().await;
        }
        Ok(())
    }

    async fn send(&self, batch: &Batch) -> Result<(), DatabaseError> {
        let (run_ids, numbers): (Vec<Uuid>, Vec<i32>) = batch
            .pieces
            .iter()
            .map(|(run_id, piece)| (*run_id, piece.number))
            .unzip();
        if run_ids.is_empty() {
            return Ok(());
        }
        let texts: Vec<&str> = batch
            .pieces
            .iter()
            .map(|(_, piece)| piece.text.as_str())
            .collect();
        let written = self.insert(&run_ids, &numbers, &texts).await;
        match written {
            // A database that is not in UTF-8 has no such character.
            Err(error) if error.sql_state() == Some(&SqlState::UNTRANSLATABLE_CHARACTER) => {
                let plain: Vec<String> = texts.into_iter().map(ascii).collect();
                let plain: Vec<&str> = plain.iter().map(String::as_str).collect();
                self.insert(&run_ids, &numbers, &plain).await
            }
            written => written,
        }
    }

    async fn insert(
        &self,
        run_ids: &[Uuid],
        numbers: &[i32],
        texts: &[&str],
    ) -> Result<(), DatabaseError> {
        let parameters: [Parameter<'_>; 5] = [
            (&run_ids, Type::UUID_ARRAY),
            (&numbers, Type::INT4_ARRAY),
            (&texts, Type::TEXT_ARRAY),
            (&KEPT, Type::INT4),
            (&self.now, Type::TIMESTAMPTZ),
        ];
        let sql = crate::faults::planted(include_str!("../../sql/write_output.sql"));
        self.run(sql, &parameters).await.map(drop)
    }

    /// Clears away what nobody follows any more. Another host that does the same in this moment, or a right that is
    /// missing, is no reason to write nothing.
    async fn clear(&mut self) {
        let parameters: [Parameter<'_>; 2] =
            [(&CLEARED, Type::INT4), (&self.now, Type::TIMESTAMPTZ)];
        let cleared = self
            .run(include_str!("../../sql/clear_output.sql"), &parameters)
            .await;
        let is_more = match cleared {
            Ok(cleared) => cleared == usize::try_from(CLEARED).unwrap_or_default(),
            Err(error) => {
                tracing::debug!(%error, "cannot clear streamed output away");
                false
            }
        };
        self.clear_at = Instant::now() + if is_more { PACE } else { CLEAR_EVERY };
    }

    /// Sends one statement; how many rows came back.
    async fn run(
        &self,
        sql: &'static str,
        parameters: &[Parameter<'_>],
    ) -> Result<usize, DatabaseError> {
        let Some(client) = &self.connection else {
            return Ok(0);
        };
        let rows = transaction::run_on(client, LIMIT, sql, parameters).await?;
        Ok(rows.len())
    }
}
