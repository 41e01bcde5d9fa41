//! Addresses that a query of the operator's gives.
//!
//! It is one statement, for the protocol of prepared statements takes no other, in a transaction that can write nothing;
//! and its rows are fetched a few at a time, so that it cannot fill this process.

use tokio_postgres::{
    Column, Error, Row,
    error::SqlState,
    types::{FromSql as _, Type},
};

use super::NoSource;
use crate::{
    actions::feeds::parse::MOST_OUTLINES,
    store::{
        Connection, Database, DatabaseError,
        error::Doing,
        limited,
        transaction::{BEGIN, LIMIT},
    },
};

/// The next rows; a thousand of the longest addresses are 8 MiB.
const PORTION: &str = "FETCH FORWARD 1000 FROM feeds_of_query";

/// How many bytes of addresses are taken at most.
const MOST_BYTES: usize = 64 << 20;

/// The rows of a query, one portion more than [`MOST_OUTLINES`] at most; an empty text for NULL.
pub(super) async fn addresses(database: &Database, sql: &str) -> Result<Vec<String>, NoSource> {
    let client = database.get().await?;
    let asked = limited(LIMIT, client.fuse(), ask(&client, sql)).await;
    // What the query may have left in its session, or what is still open in it, goes with it.
    client.retire();
    asked.map_err(whose)?.map_err(NoSource::Query)
}

/// `Ok(Err(_))`: what it gives is not what it should be.
async fn ask(client: &Connection, sql: &str) -> Result<Result<Vec<String>, String>, Error> {
    let begin = format!("{BEGIN}; SET TRANSACTION READ ONLY");
    client.batch_execute(&begin).await?;
    let declare = format!("DECLARE feeds_of_query NO SCROLL CURSOR FOR {sql}");
    client.query_typed(&declare, &[]).await?;
    let (mut addresses, mut bytes) = (Vec::new(), 0);
    loop {
        let rows = client.query_typed(PORTION, &[]).await?;
        if rows.is_empty() || addresses.len() > MOST_OUTLINES {
            return Ok(Ok(addresses));
        }
        for row in &rows {
            let address = match address(row) {
                Ok(address) => address?,
                Err(why) => return Ok(Err(why)),
            };
            bytes += address.len();
            if bytes > MOST_BYTES {
                return Ok(Err("it gives more than 64 MiB of addresses".to_owned()));
            }
            addresses.push(address);
        }
    }
}

fn address(row: &Row) -> Result<Result<String, Error>, String> {
    let types: Vec<&Type> = row.columns().iter().map(Column::type_).collect();
    match types.as_slice() {
        [one] if String::accepts(one) => Ok(row
            .try_get::<_, Option<String>>(0)
            .map(Option::unwrap_or_default)),
        [other] => Err(format!(
            "it gives one column of type {other}: one of text is wanted, as in `SELECT url::text FROM ...`"
        )),
        others => Err(format!(
            "it gives {} columns: one of text is wanted, as in `SELECT url FROM ...`",
            others.len()
        )),
    }
}

/// Whose mistake it is: that of who wrote the query, if the server has understood us and not the query, may not do what it
/// says, or has not done it in time.
fn whose(error: DatabaseError) -> NoSource {
    if let DatabaseError::TimedOut {
        doing: Doing::Working,
        limit,
    } = error
    {
        let limit = limit.as_secs();
        return NoSource::Query(format!("it has not given its rows within {limit} s"));
    }
    let told = error.server().and_then(|server| {
        let code = server.code().code();
        let is_its = ["0A", "22", "25", "42"]
            .iter()
            .any(|class| code.starts_with(class));
        if *server.code() == SqlState::QUERY_CANCELED {
            Some("it takes longer than the 5 s that a statement has".to_owned())
        } else {
            is_its.then(|| format!("{} (SQLSTATE {code})", server.message()))
        }
    });
    match told {
        Some(why) => NoSource::Query(why),
        None => NoSource::Database(error),
    }
}
