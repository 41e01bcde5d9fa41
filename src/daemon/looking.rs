//! Reading the table: one question at a time, and what is wanted meanwhile put together.

use std::{collections::BTreeSet, pin::Pin, sync::Arc, time::Duration};

use super::clock::DatabaseClock;
use crate::{
    clock::Boottime,
    engine::Engine,
    store::{
        again::Again,
        error::DatabaseError,
        table::{Said, Table},
    },
};

/// How soon to look again for what is just happening on this machine.
pub(super) const SOON: Duration = Duration::from_millis(250);

/// What is to be read, what is being read, and how that goes.
#[derive(Default)]
pub(super) struct Looking {
    /// Everything is wanted.
    all: bool,
    /// These rows are.
    rows: BTreeSet<String>,
    question: Option<Pin<Box<dyn Future<Output = Seen>>>>,
    /// When to look at everything though nothing happens.
    next: Option<Boottime>,
    away: Option<Away>,
}

/// A database that does not answer.
#[derive(Debug)]
struct Away {
    since: Boottime,
    again: Again,
    error: String,
}

/// What a question brought.
#[derive(Debug)]
pub(super) struct Seen {
    what: What,
    /// The rows that were wanted when it was sent.
    rows: Vec<String>,
    /// What the database's clock has said since, and when here.
    clock: Option<Said>,
}

#[derive(Debug)]
enum What {
    All(Result<Table, DatabaseError>),
    Rows(Result<Table, DatabaseError>),
}

/// What it means.
#[derive(Debug)]
pub(super) enum Answer {
    /// The whole table, and which rows of it were wanted.
    All(Vec<String>, Table),
    /// These rows of it.
    Rows(Vec<String>, Table),
    /// The database is away; it is asked again.
    Away,
    /// It is there, and this is not what it was made for: it is asked again, too, in case somebody mends that.
    Never(DatabaseError),
}

impl Looking {
    /// Wants the whole table, now.
    pub(super) fn want_all(&mut self) {
        // While it is away, everybody wants it, and the pause is what decides.
        if self.away.is_none() {
            self.all = true;
        }
    }

    /// Wants the whole table after this time.
    pub(super) fn want_all_in(&mut self, pause: Duration) {
        let at = Boottime::now() + pause;
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    /// Wants these rows.
    pub(super) fn want_rows(&mut self, rows: Vec<String>) {
        self.rows.extend(rows);
    }

    /// Whether a question is under way.
    pub(super) fn is_asking(&self) -> bool {
        self.question.is_some()
    }

    /// When it has something to do by itself.
    pub(super) fn due_at(&self) -> Option<Boottime> {
        if self.question.is_some() {
            return None;
        }
        self.next
    }

    /// Wants what is due.
    pub(super) fn wake(&mut self, now: Boottime) {
        if self.next.is_some_and(|at| at <= now) {
            self.next = None;
            self.all = true;
        }
    }

    /// Whether the database is away, as far as the last question tells.
    pub(super) fn is_away(&self) -> bool {
        self.away.is_some()
    }

    /// Since when, and why.
    pub(super) fn away(&self) -> Option<(Boottime, &str)> {
        let away = self.away.as_ref()?;
        Some((away.since, &away.error))
    }

    /// Asks for what is wanted, unless a question is under way.
    pub(super) fn start(&mut self, engine: &Arc<Engine>) {
        let is_first = self.next.is_none() && self.away.is_none();
        if self.question.is_some() || !(self.all || is_first || !self.rows.is_empty()) {
            return;
        }
        let engine = Arc::clone(engine);
        let is_all = self.all || is_first;
        let rows: Vec<String> = std::mem::take(&mut self.rows).into_iter().collect();
        self.all = false;
        self.question = Some(Box::pin(async move {
            if is_all {
                all(&engine, rows).await
            } else {
                some(&engine, rows).await
            }
        }));
    }

    /// Waits for the answer. To be dropped and asked again at will.
    pub(super) async fn next(&mut self) -> Seen {
        let Some(question) = &mut self.question else {
            return std::future::pending().await;
        };
        let seen = question.await;
        self.question = None;
        seen
    }

    /// Takes up the answer.
    pub(super) fn answered(
        &mut self,
        Seen {
            what,
            rows,
            clock: said,
        }: Seen,
        poll: Duration,
        clock: &mut DatabaseClock,
    ) -> Answer {
        let (is_all, result) = match what {
            What::All(result) => (true, result),
            What::Rows(result) => (false, result),
        };
        let table = match result {
            Ok(table) => table,
            Err(error) => return self.failed(error),
        };
        if let Some(times) = table.read {
            clock.learn(table.now, times);
        }
        if let Some((now, times)) = said {
            clock.learn(now, times);
        }
        if let Some(away) = self.away.take() {
            let for_ = Boottime::now().saturating_since(away.since);
            tracing::info!(?for_, "the database is back");
            if !is_all {
                self.all = true;
            }
        }
        if !is_all {
            return Answer::Rows(rows, table);
        }
        self.next = Some(Boottime::now() + poll);
        Answer::All(rows, table)
    }

    fn failed(&mut self, error: DatabaseError) -> Answer {
        let now = Boottime::now();
        let text = error.to_string();
        let is_new = self.away.as_ref().is_none_or(|away| away.error != text);
        if is_new {
            tracing::error!(%error, "cannot look at the table; trying again");
        }
        let away = self.away.get_or_insert(Away {
            since: now,
            again: Again::default(),
            error: String::new(),
        });
        away.error = text;
        self.next = Some(now + away.again.pause());
        (self.all, self.rows) = (false, BTreeSet::new());
        if error.is_transient() {
            Answer::Away
        } else {
            Answer::Never(error)
        }
    }
}

async fn all(engine: &Engine, rows: Vec<String>) -> Seen {
    let what = What::All(engine.look().await);
    // The answer was long, and says little about what time it is. Without this one it is what there is.
    let clock = match &what {
        What::All(Ok(_)) => engine.read_clock().await,
        _ => None,
    };
    Seen { what, rows, clock }
}

async fn some(engine: &Engine, rows: Vec<String>) -> Seen {
    let what = What::Rows(engine.look_at(&rows).await);
    let clock = None;
    Seen { what, rows, clock }
}
