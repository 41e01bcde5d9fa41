//! Claims in one transaction: each has its own row, its own conditions and its own answer, and what is in the way of one is
//! in the way of no other.

mod common;

use common::{
    Database, Postgres,
    host::{Host, job, noon},
    locked::{Pass, lock},
};
use crontabber::{
    claim::{Claimed, Wanted, claim, claim_all},
    plan::Due,
};

/// A host with these jobs, all of them due, and what its plan has found.
async fn due(database: &Database, names: &[&str]) -> (Host, Vec<Due>) {
    let jobs: Vec<_> = names.iter().map(|name| job(name, "true")).collect();
    let alpha = Host::new("alpha", database, &jobs).at(noon());
    let dues = alpha.dues().await;
    (alpha, dues)
}

/// What comes of claiming all that is due at once, a word for each; if one is in the way of all, of claiming each alone.
async fn claimed(alpha: &Host, dues: &[Due]) -> (&'static str, Vec<&'static str>) {
    let engine = alpha.engine();
    let wanted: Vec<_> = engine
        .graph
        .jobs()
        .iter()
        .zip(dues)
        .map(|(spec, due)| Wanted {
            place: &engine.host.place,
            spec,
            due,
        })
        .collect();
    let together = claim_all(&engine.database, &wanted, engine.now).await;
    let (how, each) = if let Some(each) = together {
        ("together", each)
    } else {
        let mut each = Vec::new();
        for Wanted { place, spec, due } in &wanted {
            each.push(claim(&engine.database, place, spec, due, engine.now).await);
        }
        ("alone", each)
    };
    assert_eq!(each.len(), wanted.len());
    let words = each.iter().zip(&wanted).map(|(claimed, wanted)| {
        match claimed.as_ref().expect("the database is there") {
            Claimed::Ours(claim) => {
                assert_eq!(claim.held().job().as_str(), wanted.spec.name.as_str());
                assert_eq!(claim.held().slot, wanted.due.slot);
                "ours"
            }
            Claimed::Contended => "contended",
            Claimed::Ongoing(_) => "ongoing",
            Claimed::Changed => "changed",
            Claimed::Gone => "gone",
            Claimed::Doubtful(_) => "doubtful",
        }
    });
    (how, words.collect())
}

/// The runs that go on, by job, and in how many transactions they were claimed.
async fn running(database: &Database) -> (Vec<String>, i64) {
    let jobs = "SELECT app_name FROM crontabber_log l JOIN crontabber USING (app_name, run_id, fence, attempt)
                 WHERE outcome = 'running' AND l.slot = run_slot ORDER BY app_name";
    let jobs = database.rows(jobs).await.concat();
    let transactions =
        "SELECT count(DISTINCT xmin::text) FROM crontabber_log WHERE outcome = 'running'";
    (jobs, database.query_one(transactions).await)
}

#[tokio::test]
async fn what_is_due_together_is_claimed_in_one_transaction_and_each_by_its_own_row() {
    let database = Postgres::database().await;
    let (alpha, dues) = due(&database, &["a", "b", "c", "d", "e"]).await;
    database
        .execute(
            "UPDATE crontabber SET paused_until = 'infinity', revision = revision + 1 WHERE app_name = 'b';
             UPDATE crontabber SET run_id = gen_random_uuid(), run_slot = next_run, ongoing = next_run, lease_until = '2031-05-05 13:00Z',
                    host = 'beta', revision = revision + 1 WHERE app_name = 'c';
             DELETE FROM crontabber WHERE app_name = 'd'",
        )
        .await;
    assert_eq!(
        claimed(&alpha, &dues).await,
        (
            "together",
            vec!["ours", "changed", "ongoing", "gone", "ours"]
        )
    );
    assert_eq!(
        running(&database).await,
        (vec!["a".to_owned(), "e".to_owned()], 1)
    );
}

#[tokio::test]
async fn a_row_that_somebody_holds_is_contended_and_the_others_are_claimed_all_the_same() {
    let database = Postgres::database().await;
    let (alpha, dues) = due(&database, &["a", "b", "c"]).await;
    let session = lock(&database, "b").await;
    let each = vec!["ours", "contended", "ours"];
    assert_eq!(claimed(&alpha, &dues).await, ("alone", each));
    // All in one was refused, and has left nothing behind.
    assert_eq!(
        running(&database).await,
        (vec!["a".to_owned(), "c".to_owned()], 2)
    );
    session.batch_execute("ROLLBACK").await.unwrap();
    let each = vec!["ongoing", "ours", "ongoing"];
    assert_eq!(claimed(&alpha, &dues).await, ("together", each));
}

#[tokio::test]
async fn a_running_row_without_a_claim_keeps_its_own_job_back_and_no_other() {
    let database = Postgres::database().await;
    let (alpha, dues) = due(&database, &["a", "b", "c"]).await;
    let orphan = "INSERT INTO crontabber_log (app_name, run_id, slot, attempt, outcome)
                  VALUES ('b', gen_random_uuid(), '2031-05-05 11:00Z', 1, 'running')";
    database.execute(orphan).await;
    let each = vec!["ours", "doubtful", "ours"];
    assert_eq!(claimed(&alpha, &dues).await, ("alone", each));
}

#[tokio::test]
async fn jobs_that_a_pass_starts_together_are_claimed_together() {
    let pass = Pass::new("30s", "").await;
    let both = vec!["held".to_owned(), "other".to_owned()];
    assert_eq!(running(&pass.database).await, (both, 1));
    pass.end("held");
    pass.end("other");
    let finished = pass.tick.finished().await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
}
