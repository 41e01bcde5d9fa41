//! What it may cost.

use jiff::Timestamp;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::{
    common::tables,
    world::{STREAMS, World},
};

const WRITE: &str = include_str!("../../sql/write_output.sql");

#[tokio::test]
async fn ten_mebibytes_in_a_second_leave_a_mebibyte_in_the_table_and_the_record_is_whole() {
    let world = World::new(STREAMS, "yes streamed | head -c 10M; echo; echo end").await;
    assert_eq!(world.passed().await.code, Some(0));
    let size = "SELECT count(*), coalesce(sum(octet_length(output)), 0) <= 64 * 16384, max(octet_length(output)) <= 16384, \
                max(chunk) >= count(*) FROM crontabber_output";
    let size = world.database.rows(size).await.concat();
    assert!((2..=64).contains(&world.pieces().await), "{size:?}");
    assert_eq!(size[1..], ["t", "t", "t"], "{size:?}");
    let last = "SELECT string_agg(output, '' ORDER BY chunk) LIKE E'%streamed\\n%end\\n' FROM crontabber_output";
    assert!(world.database.query_one::<bool>(last).await);
    let [outcome, output] = &world.record().await[..] else {
        panic!("two columns");
    };
    assert_eq!(outcome, "success");
    let left_out = 10 * 1024 * 1024 + "\nend\n".len() - 64 * 1024;
    assert!(output.contains(&format!("[... {left_out} bytes left out ...]")));
    assert!(output.starts_with("streamed\n") && output.ends_with("\nend\n"));
}

/// Writes forty batches of five pieces with this statement; how many pieces are there then, and from which on.
async fn written(statement: &str) -> (i64, i32) {
    let database = tables().await;
    let client = database.connect().await;
    let run = Uuid::new_v4();
    for batch in 0..40 {
        let numbers: Vec<i32> = (batch * 5..batch * 5 + 5).collect();
        let runs = vec![run; 5];
        let texts = vec!["x"; 5];
        let now = None::<Timestamp>;
        let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
            (&runs, Type::UUID_ARRAY),
            (&numbers, Type::INT4_ARRAY),
            (&texts, Type::TEXT_ARRAY),
            (&64, Type::INT4),
            (&now, Type::TIMESTAMPTZ),
        ];
        let written = client.query_typed(statement, &parameters).await;
        written.expect("the tables take it");
    }
    let row = client
        .query_one("SELECT count(*), min(chunk) FROM crontabber_output", &[])
        .await
        .expect("it is a table");
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn a_run_keeps_its_newest_64_pieces() {
    assert_eq!(written(WRITE).await, (64, 136));
}

#[tokio::test]
async fn a_statement_that_deletes_nothing_keeps_them_all_and_the_count_sees_it() {
    let planted = WRITE.replace("o.chunk <= n.newest - $4", "o.chunk + $4 < 0");
    assert_ne!(planted, WRITE);
    assert_eq!(written(&planted).await, (200, 0));
}
