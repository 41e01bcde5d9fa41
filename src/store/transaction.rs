//! How every transaction of the protocol begins.

use std::{future::poll_fn, task::Poll, time::Duration};

use futures_util::{
    FutureExt as _,
    future::{MaybeDone, maybe_done},
    join,
};
use tokio_postgres::Row;

use super::{
    Connection, Database,
    error::DatabaseError,
    limited,
    recurring::{Parameter, Question},
};

/// The first message of a transaction: the words that a database's defaults must not change, and a limit on
/// every wait; and notices down to warnings, because a commit that is acknowledged with one is not durable. `SET LOCAL`,
/// because it works behind a pooler in transaction mode.
pub const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
    SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '5s'; \
    SET LOCAL idle_in_transaction_session_timeout = '5s'; SET LOCAL synchronous_commit = 'on'; \
    SET LOCAL client_min_messages = 'warning'";

/// How it begins in a session that was told all this for good, or is told it otherwise: each word costs the server as
/// much as a small statement.
pub(crate) const BEGIN_ONLY: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// What a session is told that keeps being used: the words of [`BEGIN`]; to plan our statements once, not the first
/// five times anew; and that pages are at hand, as those of our tables are, which are read every minute. At the server's
/// own prices a plan that does not know how many jobs it is asked for reads a table of some hundreds from end to end, with
/// all that its rows have been since the last vacuum.
pub const SETTLE: &str = "SET lock_timeout = '2s'; SET statement_timeout = '5s'; \
    SET idle_in_transaction_session_timeout = '5s'; SET synchronous_commit = 'on'; \
    SET client_min_messages = 'warning'; SET plan_cache_mode = 'force_generic_plan'; \
    SET seq_page_cost = 0.1; SET random_page_cost = 0.1";

/// The first message of a transaction on this connection.
pub(crate) fn begin(client: &Connection) -> &'static str {
    if client.is_settled() {
        BEGIN_ONLY
    } else {
        BEGIN
    }
}

/// How long this side waits for the answer to one transaction. Longer than the server's own limits, so that
/// only a server that does not answer at all runs into it.
pub const LIMIT: Duration = Duration::from_secs(8);

/// One statement in a transaction of its own, all in one round trip.
///
/// On an error that leaves the outcome open (a lost acknowledgement) the caller decides: every statement run
/// through this is safe to repeat.
pub async fn run(
    database: &Database,
    sql: &'static str,
    parameters: &[Parameter<'_>],
) -> Result<Vec<Row>, DatabaseError> {
    run_on(&*database.get().await?, LIMIT, sql, parameters).await
}

/// The same on a connection of the caller's, with a limit of the caller's.
pub async fn run_on(
    client: &Connection,
    limit: Duration,
    sql: &'static str,
    parameters: &[Parameter<'_>],
) -> Result<Vec<Row>, DatabaseError> {
    let asked = [(sql, parameters)];
    let mut answers = begun_with(client, begin(client), limit, &asked).await?;
    Ok(answers.pop().unwrap_or_default())
}

/// A statement with its parameters.
pub(crate) type Asked<'a> = (&'static str, Vec<Parameter<'a>>);

/// Statements that follow one another in one transaction, all in one round trip; the rows of each.
///
/// Each has a snapshot of its own: what one has locked, the next sees as it is.
pub(crate) async fn run_in_turn<'a>(
    database: &Database,
    statements: &[(&'static str, impl AsRef<[Parameter<'a>]>)],
) -> Result<Vec<Vec<Row>>, DatabaseError> {
    let client = database.get().await?;
    begun_with(&client, begin(&client), LIMIT, statements).await
}

/// The same, which waits a tenth of a second at most for a row that somebody holds.
pub(crate) async fn run_impatiently(
    database: &Database,
    statements: &[Asked<'_>],
) -> Result<Vec<Vec<Row>>, DatabaseError> {
    let client = database.get().await?;
    let begin = format!("{}; SET LOCAL lock_timeout = '100ms'", begin(&client));
    begun_with(&client, &begin, LIMIT, statements).await
}

async fn begun_with<'a>(
    client: &Connection,
    begin: &str,
    limit: Duration,
    statements: &[(&'static str, impl AsRef<[Parameter<'a>]>)],
) -> Result<Vec<Vec<Row>>, DatabaseError> {
    let mut questions = Vec::with_capacity(statements.len());
    for (sql, parameters) in statements {
        questions.push(client.question(sql, parameters.as_ref()).await);
    }
    let sent = async {
        let (begun, answers, committed) = join!(
            client.batch_execute(begin),
            ask_in_turn(client, &questions),
            client.batch_execute("COMMIT"),
        );
        begun?;
        let answers = answers?;
        committed?;
        Ok::<_, tokio_postgres::Error>(answers)
    };
    limited(limit, client.fuse(), sent).await
}

/// Sends them in their order at the first poll, however many they are; the rows of each.
pub(super) async fn ask_in_turn(
    client: &Connection,
    questions: &[Question<'_>],
) -> Result<Vec<Vec<Row>>, tokio_postgres::Error> {
    // Not `join_all`: it says nothing of the order in which it first polls many.
    let asked = questions
        .iter()
        .map(|question| question.ask(client).boxed());
    let mut asked: Vec<_> = asked.map(maybe_done).collect();
    poll_fn(|context| {
        let mut is_waiting = false;
        for asked in &mut asked {
            is_waiting |= asked.poll_unpin(context).is_pending();
        }
        if is_waiting {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
    let answers = asked.into_iter().filter_map(|asked| match asked {
        MaybeDone::Done(answer) => Some(answer),
        MaybeDone::Future(_) | MaybeDone::Gone => None,
    });
    answers.collect()
}

/// The rows of a question that changes nothing.
pub(super) async fn read(
    client: &Connection,
    sql: &str,
    parameters: &[Parameter<'_>],
) -> Result<Vec<Row>, DatabaseError> {
    let query = client.query_typed(sql, parameters);
    limited(LIMIT, client.fuse(), query).await
}
