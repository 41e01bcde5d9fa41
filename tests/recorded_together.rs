//! Runs that end together, recorded in few transactions: each has its own rows and its own answer.

mod common;

use std::sync::Arc;

use common::{
    Database, Postgres,
    host::{Host, job, noon},
};
use crontabber::{
    claim::{Claimed, Wanted, claim_all},
    engine::Engine,
    record::{Recorded, record},
    run::{Finished, run},
    spec::{JobSpec, SecretRef},
};
use futures_util::future::join_all;

/// More than go into one transaction.
const RUNS: usize = 70;

/// A job that has failed as soon as it is to start, without a process.
fn lacks_its_secret(name: &str) -> JobSpec {
    let nowhere = SecretRef::Env("CRONTABBER_TEST_NEVER_SET".to_owned());
    JobSpec {
        secrets: vec![("NEVER_SET".to_owned(), nowhere)],
        ..job(name, "true")
    }
}

/// A host, and its runs, which have ended.
async fn ended(database: &Database) -> (Arc<Engine>, Vec<Finished>) {
    let jobs: Vec<_> = (0..RUNS)
        .map(|number| lacks_its_secret(&format!("job-{number:02}")))
        .collect();
    let alpha = Host::new("alpha", database, &jobs).at(noon());
    let dues = alpha.dues().await;
    let engine = alpha.engine();
    let jobs = engine.graph.jobs().iter().zip(&dues);
    let wanted: Vec<_> = jobs
        .map(|(spec, due)| Wanted {
            place: &engine.host.place,
            spec,
            due,
        })
        .collect();
    let claimed = claim_all(&engine.database, &wanted, engine.now).await;
    let mut ended = Vec::new();
    for claimed in claimed.expect("nobody else is here") {
        let Ok(Claimed::Ours(claim)) = claimed else {
            panic!("{claimed:?}");
        };
        ended.push(run(*claim, &engine.means()).await);
    }
    (engine, ended)
}

/// Records all of them at once.
async fn recorded(engine: &Engine, ended: Vec<Finished>) -> Vec<Recorded> {
    let records = ended
        .into_iter()
        .map(|finished| record(finished, engine.recorder()));
    let recorded = join_all(records).await.into_iter();
    let recorded = recorded.map(|recorded| recorded.expect("the database is there").1);
    recorded.collect()
}

#[tokio::test]
async fn however_many_end_at_once_the_two_rows_of_each_are_written_in_one_transaction() {
    let database = Postgres::database().await;
    let (engine, ended) = ended(&database).await;
    let recorded = recorded(&engine, ended).await;
    let is_written = |recorded: &Recorded| matches!(recorded, Recorded::Written(_));
    assert!(recorded.iter().all(is_written), "{recorded:?}");
    let whole = "SELECT count(*) FROM crontabber_log l JOIN crontabber j USING (app_name)
                  WHERE l.outcome = 'failure' AND j.run_id IS NULL AND j.error_count = 1 AND l.xmin = j.xmin";
    let whole: i64 = database.query_one(whole).await;
    assert_eq!(usize::try_from(whole), Ok(RUNS));
    let transactions = "SELECT count(DISTINCT xmin::text) FROM crontabber";
    let transactions: i64 = database.query_one(transactions).await;
    assert!(transactions <= 10, "{transactions} transactions");
}

#[tokio::test]
async fn one_whose_claim_is_gone_is_told_so_and_the_others_are_written_all_the_same() {
    let database = Postgres::database().await;
    let (engine, ended) = ended(&database).await;
    database
        .execute(
            "UPDATE crontabber SET run_id = gen_random_uuid(), fence = fence + 1000, host = 'beta', revision = revision + 1
              WHERE app_name = 'job-07'",
        )
        .await;
    let recorded = recorded(&engine, ended).await;
    for (number, recorded) in recorded.iter().enumerate() {
        let expected = if number == 7 {
            matches!(recorded, Recorded::Fenced)
        } else {
            matches!(recorded, Recorded::Written(_))
        };
        assert!(expected, "job-{number:02}: {recorded:?}");
    }
    let others = "SELECT app_name, host FROM crontabber WHERE run_id IS NOT NULL";
    assert_eq!(database.rows(others).await, [["job-07", "beta"]]);
    let open = "SELECT app_name FROM crontabber_log WHERE outcome = 'running'";
    assert_eq!(database.rows(open).await, [["job-07"]]);
}
