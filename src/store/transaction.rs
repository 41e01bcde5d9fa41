//! How every transaction of the protocol begins.

use std::time::Duration;

use futures_util::{future::join_all, join};
use tokio_postgres::Row;

use super::{Connection, Database, error::DatabaseError, limited, recurring::Parameter};

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
pub(super) const SETTLE: &str = "SET lock_timeout = '2s'; SET statement_timeout = '5s'; \
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
    begun_with(client, begin(client), limit, (sql, parameters)).await
}

/// The same, which waits a tenth of a second at most for a row that somebody holds.
pub(crate) async fn run_impatiently(
    database: &Database,
    sql: &'static str,
    parameters: &[Parameter<'_>],
) -> Result<Vec<Row>, DatabaseError> {
    let client = database.get().await?;
    let begin = format!("{}; SET LOCAL lock_timeout = '100ms'", begin(&client));
    begun_with(&client, &begin, LIMIT, (sql, parameters)).await
}

async fn begun_with(
    client: &Connection,
    begin: &str,
    limit: Duration,
    (sql, parameters): (&'static str, &[Parameter<'_>]),
) -> Result<Vec<Row>, DatabaseError> {
    let question = client.question(sql, parameters).await;
    let sent = async {
        let (begun, rows, committed) = join!(
            client.batch_execute(begin),
            question.ask(client),
            client.batch_execute("COMMIT"),
        );
        begun?;
        let rows = rows?;
        committed?;
        Ok::<_, tokio_postgres::Error>(rows)
    };
    limited(limit, client.fuse(), sent).await
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

/// Statements that follow one another in one transaction, all in one round trip; the rows of each.
///
/// Each has a snapshot of its own: what one has locked, the next sees as it is.
pub async fn run_in_turn(
    database: &Database,
    statements: &[(&'static str, &[Parameter<'_>])],
) -> Result<Vec<Vec<Row>>, DatabaseError> {
    let client = database.get().await?;
    let asked = statements
        .iter()
        .map(|(sql, parameters)| client.query_typed(sql, parameters));
    let sent = async {
        let (begun, answers, committed) = join!(
            client.batch_execute(begin(&client)),
            join_all(asked),
            client.batch_execute("COMMIT"),
        );
        begun?;
        let rows = answers.into_iter().collect::<Result<_, _>>()?;
        committed?;
        Ok::<_, tokio_postgres::Error>(rows)
    };
    limited(LIMIT, client.fuse(), sent).await
}
