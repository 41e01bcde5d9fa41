//! Statements that come again and again on one connection: understood and planned by the server once.
//!
//! Sent as text, a claim is planned each time, and that costs the server more than carrying it out. So a statement
//! that keeps coming on one connection is prepared there. A pass that has one or two things to do sends text: to
//! prepare is a trip of its own.
//!
//! Only where the connection leads to the server itself. Behind a pooler in transaction mode the next transaction
//! meets another server, on which the name of our statement means nothing, or, worse, somebody else's statement:
//! those names are numbers, and every process counts from 0.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio_postgres::{
    Client, Error, Row, Statement,
    error::SqlState,
    types::{ToSql, Type},
};

use super::{Connection, limited, transaction};

/// How often a statement is sent as text before it is prepared.
const SENT_AS_TEXT: u32 = 2;

/// A parameter and its type.
pub(crate) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// What is known of the statements of one connection.
#[derive(Debug, Default)]
pub(super) struct Recurring {
    statements: Mutex<BTreeMap<&'static str, Recurrence>>,
}

#[derive(Debug, Clone)]
enum Recurrence {
    /// It was sent so many times.
    Text(u32),
    /// The same, in the middle of transactions, with parameters of these types.
    Inside(u32, Vec<Type>),
    Prepared(Statement),
    /// It could not be prepared, or not be used: text for ever.
    Refused,
}

/// A statement with its parameters, in the form in which it is sent.
pub(crate) struct Question<'a> {
    recurring: &'a Recurring,
    sql: &'static str,
    statement: Option<Statement>,
    parameters: &'a [Parameter<'a>],
}

impl Connection {
    /// A statement to be sent soon; prepares it if it has come often enough. Never in the middle of a transaction:
    /// to prepare may fail.
    pub(crate) async fn question<'a>(
        &'a self,
        sql: &'static str,
        parameters: &'a [Parameter<'a>],
    ) -> Question<'a> {
        if self.prepare_if_it_recurs(sql, || types(parameters)).await {
            self.settle().await;
        }
        let recurring = self.recurring();
        Question {
            recurring,
            sql,
            statement: recurring.prepared(sql),
            parameters,
        }
    }

    /// Tells the session for good what every transaction needs.
    async fn settle(&self) {
        if self.is_settled() {
            return;
        }
        let told = self.batch_execute(transaction::SETTLE);
        match limited(transaction::LIMIT, self.fuse(), told).await {
            Ok(()) => self.settled(),
            Err(error) => tracing::debug!(%error, "a session could not be told its settings"),
        }
    }

    /// A statement in the middle of a transaction, as it is: prepared or not.
    pub(crate) fn question_in_a_transaction<'a>(
        &'a self,
        sql: &'static str,
        parameters: &'a [Parameter<'a>],
    ) -> Question<'a> {
        let recurring = self.recurring();
        let statement = recurring.prepared(sql);
        if statement.is_none() {
            recurring.came_in_a_transaction(sql, types(parameters));
        }
        Question {
            recurring,
            sql,
            statement,
            parameters,
        }
    }

    /// Prepares, between two transactions, what has come in the middle of them often enough. Whether there was something.
    pub(super) async fn prepare_what_recurs(&self) -> bool {
        let mut is_prepared = false;
        for (sql, types) in self.recurring().what_recurs() {
            is_prepared |= self.prepare_once(sql, types).await;
        }
        is_prepared
    }

    /// The same of transactions that come again and again themselves.
    pub async fn prepare_for_more(&self) {
        if self.prepare_what_recurs().await {
            self.settle().await;
        }
    }

    /// Whether it has prepared the statement.
    async fn prepare_if_it_recurs(
        &self,
        sql: &'static str,
        types: impl FnOnce() -> Vec<Type>,
    ) -> bool {
        self.recurring().is_time_to_prepare(sql) && self.prepare_once(sql, types()).await
    }

    async fn prepare_once(&self, sql: &'static str, types: Vec<Type>) -> bool {
        let prepared = self.prepared(sql, types).await;
        let is_prepared = prepared.is_some();
        let known = prepared.map_or(Recurrence::Refused, Recurrence::Prepared);
        self.recurring().set(sql, known);
        is_prepared
    }

    async fn prepared(&self, sql: &'static str, types: Vec<Type>) -> Option<Statement> {
        if !self.is_direct().await {
            return None;
        }
        let prepare = self.prepare_typed(sql, &types);
        match limited(transaction::LIMIT, self.fuse(), prepare).await {
            Ok(statement) => Some(statement),
            Err(error) => {
                // What is wrong with the connection, its next use will tell.
                tracing::debug!(%error, "a statement could not be prepared");
                None
            }
        }
    }
}

fn types(parameters: &[Parameter<'_>]) -> Vec<Type> {
    parameters.iter().map(|(_, of)| of.clone()).collect()
}

impl Recurring {
    /// Notes that the statement comes once more; whether it has been text often enough.
    fn is_time_to_prepare(&self, sql: &'static str) -> bool {
        let mut statements = self.statements();
        match statements.entry(sql).or_insert(Recurrence::Text(0)) {
            Recurrence::Text(times) => {
                *times += 1;
                *times > SENT_AS_TEXT
            }
            Recurrence::Inside(..) | Recurrence::Prepared(_) | Recurrence::Refused => false,
        }
    }

    fn came_in_a_transaction(&self, sql: &'static str, types: Vec<Type>) {
        let mut statements = self.statements();
        match statements
            .entry(sql)
            .or_insert(Recurrence::Inside(0, types))
        {
            Recurrence::Inside(times, _) => *times += 1,
            Recurrence::Text(_) | Recurrence::Prepared(_) | Recurrence::Refused => {}
        }
    }

    /// What has come in transactions so often that it is time to prepare it.
    fn what_recurs(&self) -> Vec<(&'static str, Vec<Type>)> {
        let statements = self.statements();
        let recurs = statements.iter().filter_map(|(sql, known)| match known {
            Recurrence::Inside(times, types) if *times >= SENT_AS_TEXT => {
                Some((*sql, types.clone()))
            }
            _ => None,
        });
        recurs.collect()
    }

    fn prepared(&self, sql: &str) -> Option<Statement> {
        match self.statements().get(sql) {
            Some(Recurrence::Prepared(statement)) => Some(statement.clone()),
            _ => None,
        }
    }

    fn set(&self, sql: &'static str, recurrence: Recurrence) {
        self.statements().insert(sql, recurrence);
    }

    fn statements(&self) -> MutexGuard<'_, BTreeMap<&'static str, Recurrence>> {
        // Nothing that holds this lock can panic half-way through a change.
        self.statements
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Question<'_> {
    /// Sends it, at the first poll.
    pub(crate) async fn ask(&self, client: &Client) -> Result<Vec<Row>, Error> {
        let Some(statement) = &self.statement else {
            return client.query_typed(self.sql, self.parameters).await;
        };
        let values: Vec<_> = self.parameters.iter().map(|(value, _)| *value).collect();
        let answer = client.query(statement, &values).await;
        if answer.as_ref().is_err_and(is_about_preparing) {
            self.recurring.set(self.sql, Recurrence::Refused);
        }
        answer
    }
}

/// The statement is not known any more, or a table has changed so much that it would return something else.
fn is_about_preparing(error: &Error) -> bool {
    let state = error.code();
    state == Some(&SqlState::INVALID_SQL_STATEMENT_NAME)
        || state == Some(&SqlState::FEATURE_NOT_SUPPORTED)
}
