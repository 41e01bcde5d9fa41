//! What the server makes of the statements that are sent for each run: they look up the few rows that they are about.

mod common;

use common::{Database, tables};
use crontabber::store::transaction::SETTLE;
use tokio_postgres::{Client, SimpleQueryMessage};

/// Each with the types of its parameters.
const STATEMENTS: [(&str, &str); 5] = [
    (include_str!("../sql/claim_lock.sql"), "text[]"),
    (
        include_str!("../sql/claim.sql"),
        "text, text, timestamptz, text[], uuid[], timestamptz[], timestamptz[], timestamptz[], bigint[], text[], float8[], \
         text[], text[], timestamptz[], float8[], timestamptz[], float8[], uuid[], timestamptz[], text[], text[], \
         timestamptz[], boolean[]",
    ),
    (
        include_str!("../sql/record.sql"),
        "timestamptz, text, uuid, bigint, text, text, text, text, timestamptz, timestamptz, boolean",
    ),
    (
        include_str!("../sql/record_log.sql"),
        "timestamptz, uuid, text, text, integer, integer, text, text, boolean",
    ),
    (
        include_str!("../sql/record_skipped.sql"),
        "timestamptz, uuid, text, timestamptz, timestamptz, bigint",
    ),
];

/// A table of some hundreds of jobs and their log, as the server knows them after a vacuum.
async fn some_hundreds() -> Database {
    let database = tables().await;
    database
        .execute(
            "INSERT INTO crontabber (app_name, next_run, last_error)
             SELECT 'job-' || i, clock_timestamp(), '{}' FROM generate_series(1, 500) AS i",
        )
        .await;
    // The rows have been written again since, as by every run.
    database
        .execute("UPDATE crontabber SET revision = revision + 1")
        .await;
    database
        .execute(
            "INSERT INTO crontabber_log (app_name, run_id, slot, attempt, outcome, started_at)
             SELECT 'job-' || i, gen_random_uuid(), clock_timestamp(), 1, 'success', clock_timestamp()
               FROM generate_series(1, 500) AS i, generate_series(1, 3)",
        )
        .await;
    database.execute("VACUUM ANALYZE crontabber").await;
    database.execute("VACUUM ANALYZE crontabber_log").await;
    database
}

/// How the statement would be carried out, with parameters that the server does not know yet.
async fn plan(client: &Client, (sql, types): (&str, &str)) -> String {
    let parameters = vec!["NULL"; types.split(',').count()].join(", ");
    let prepare = format!("DEALLOCATE ALL; PREPARE statement ({types}) AS {sql}");
    client.batch_execute(&prepare).await.expect("it is ours");
    let explain = format!("EXPLAIN EXECUTE statement ({parameters})");
    let lines = client.simple_query(&explain).await.expect("it is prepared");
    let lines = lines.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_rows_of_a_run_are_looked_up_however_few_rows_the_tables_have() {
    let database = some_hundreds().await;
    let client = database.connect().await;
    client.batch_execute(SETTLE).await.expect("anybody may");
    for statement in STATEMENTS {
        let plan = plan(&client, statement).await;
        assert!(!plan.contains("Seq Scan"), "{}\n{plan}", statement.0);
        // That index has the rows of whatever is running: to find one of them in it is to read them all.
        assert!(
            !plan.contains("crontabber_log_running"),
            "{}\n{plan}",
            statement.0
        );
    }
}

#[tokio::test]
async fn at_the_servers_own_prices_the_table_would_be_read_from_end_to_end() {
    let database = some_hundreds().await;
    let client = database.connect().await;
    client
        .batch_execute("SET plan_cache_mode = 'force_generic_plan'")
        .await
        .expect("anybody may");
    let plan = plan(&client, STATEMENTS[0]).await;
    assert!(plan.contains("Seq Scan on crontabber"), "{plan}");
}
