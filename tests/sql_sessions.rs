//! The sessions that jobs of SQL run in: one after the other may have the same, and none meets what another has left.

mod common;

use std::time::Duration;

use common::{Database, Postgres, Site, until};

const SOON: Duration = Duration::from_secs(30);

/// Writes down which session it had, and what it found there.
const LOOK: &str = "INSERT INTO met SELECT pg_backend_pid(),
       (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())
     + (SELECT count(*) FROM pg_cursors WHERE is_holdable)
     + (SELECT count(*) FROM pg_listening_channels())
     + (SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND pg_table_is_visible(oid))
     + (SELECT count(*) FROM pg_prepared_statements WHERE from_sql)
     + has_had_a_number()
     + (current_setting('application_name') = 'left')::int
     + (coalesce(current_setting('behind.it', true), '') <> '')::int
     + (current_user <> session_user)::int";

/// Where it is written down, and whether the session has had a number of some sequence, which nothing else says without an
/// error.
const SCENE: &str = "CREATE TABLE met (session int, things bigint); CREATE SEQUENCE numbers;
     CREATE FUNCTION has_had_a_number() RETURNS int LANGUAGE plpgsql AS $$
     BEGIN PERFORM lastval(); RETURN 1; EXCEPTION WHEN object_not_in_prerequisite_state THEN RETURN 0; END $$";

/// A job that leaves something in its session, and one that looks afterwards; both have run, and not for the first time.
async fn after(leaves: &str) -> Database {
    let database = Postgres::database().await;
    database.execute(SCENE).await;
    let look = LOOK;
    let site = Site::with(&database, |_| {
        format!(
            "[jobs.first]\nstart = \"now\"\nevery = \"1h\"\nsql = '''\nINSERT INTO met SELECT pg_backend_pid(), 0;\n{leaves}\n'''\n\n\
             [jobs.second]\ndepends_on = [\"first\"]\nsql = '''\n{look}\n'''\n"
        )
    });
    for again in [false, true] {
        if again {
            database
                .execute("TRUNCATE met; UPDATE crontabber SET next_run = now(), slot = now(), revision = revision + 1 WHERE app_name = 'first'")
                .await;
        }
        let pass = site.on("alpha", &["tick"]).run().await;
        assert_eq!(pass.code, Some(0), "{pass:?}");
        assert_eq!(met(&database, "count(*)").await, 2, "{pass:?}");
    }
    database
}

async fn met(database: &Database, what: &str) -> i64 {
    database.query_one(&format!("SELECT {what} FROM met")).await
}

#[tokio::test]
async fn a_job_may_have_the_session_of_the_one_before_and_meets_nothing_of_it() {
    for leaves in [
        "SELECT 1",
        "SELECT pg_advisory_lock(7)",
        "DECLARE held CURSOR WITH HOLD FOR SELECT 1",
        "LISTEN somebody",
        "CREATE TEMPORARY TABLE left_behind AS SELECT 1 AS one",
        "SELECT nextval('numbers')",
        "SET application_name = 'left'",
        "SET behind.it = 'yes'",
        "SET ROLE pg_monitor",
    ] {
        let database = after(leaves).await;
        assert_eq!(met(&database, "sum(things)::bigint").await, 0, "{leaves}");
        assert_eq!(
            met(&database, "count(DISTINCT session)").await,
            1,
            "{leaves}"
        );
    }
}

#[tokio::test]
async fn what_a_run_is_not_told_is_missing_in_its_session_whatever_the_run_before_was_told() {
    let database = Postgres::database().await;
    let missing = "current_setting('crontabber.last_success', true) IS NULL";
    database.execute("CREATE TABLE met (is_missing bool)").await;
    let second = format!(
        "[jobs.second]\ndepends_on = [\"first\"]\nsql = \"INSERT INTO met SELECT {missing}\"\n"
    );
    let first = "[jobs.first]\nstart = \"now\"\nevery = \"1h\"\nsql = \"SELECT 1\"\n\n";
    let site = Site::with(&database, |_| first.to_owned());
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
    // Now the first has had a success, and the second has not.
    site.configure(database.url(), &format!("{first}{second}"));
    database
        .execute("UPDATE crontabber SET next_run = now(), slot = now(), revision = revision + 1")
        .await;
    let pass = site.on("alpha", &["tick"]).run().await;
    assert_eq!(pass.code, Some(0), "{pass:?}");
    let is_missing = "SELECT is_missing FROM met";
    assert!(database.query_one::<bool>(is_missing).await, "{pass:?}");
}

#[tokio::test]
async fn a_session_with_names_that_a_job_has_given_to_statements_is_nobodys_any_more() {
    let database = after("PREPARE mine AS SELECT 1").await;
    assert_eq!(met(&database, "sum(things)::bigint").await, 0);
    assert_eq!(met(&database, "count(DISTINCT session)").await, 2);
}

#[tokio::test]
async fn the_session_of_a_job_that_has_failed_is_nobodys_any_more() {
    let database = Postgres::database().await;
    database.execute(SCENE).await;
    let site = Site::with(&database, |_| {
        let fails = "SELECT nextval('numbers'), pg_advisory_lock(7); SELECT 1 / 0";
        format!(
            "[daemon]\nmax_parallel = 1\n\n[defaults]\nstart = \"now\"\nevery = \"1h\"\n\n\
             [jobs.fails]\nsql = \"{fails}\"\n\n[jobs.looks]\nsql = '''\n{LOOK}\n'''\n"
        )
    });
    let pass = site.on("alpha", &["tick"]).run().await;
    assert_eq!(pass.code, Some(1), "{pass:?}");
    // Whichever came first.
    assert_eq!(met(&database, "sum(things)::bigint").await, 0);
    // Of this database: others may have such a lock, too. A server hears a little later that somebody has hung up.
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    until(SOON, "the session has gone with its lock", async || {
        database.query_one::<i64>(locks).await == 0
    })
    .await;
}

/// From its third run on a session knows by a name how a text is carried out.
#[tokio::test]
async fn in_a_session_that_has_had_many_jobs_an_error_and_a_commit_are_told_as_in_a_new_one() {
    let texts = [
        ("fails", "INSERT INTO kept VALUES (1);\n SELECT 1 / 0"),
        ("commits", "INSERT INTO kept VALUES (1); COMMIT"),
    ];
    for (last, text) in texts {
        let database = Postgres::database().await;
        database.execute("CREATE TABLE kept (n int)").await;
        let site = Site::with(&database, |_| {
            let chain = ["b", "c", "d"].map(|job| {
                let before = char::from(job.as_bytes()[0] - 1);
                format!("[jobs.{job}]\ndepends_on = [\"{before}\"]\nsql = \"SELECT 1\"\n\n")
            });
            format!(
                "[jobs.a]\nstart = \"now\"\nevery = \"1h\"\nsql = \"SELECT 1\"\n\n{}\
                 [jobs.{last}]\ndepends_on = [\"d\"]\nsql = '''\n{text}\n'''\n",
                chain.concat()
            )
        });
        let pass = site.on("alpha", &["tick"]).run().await;
        assert_eq!(pass.code, Some(1), "{pass:?}");
        let reasons = database
            .rows("SELECT reason FROM crontabber_log WHERE outcome = 'failure'")
            .await
            .concat();
        let expected = match last {
            "fails" => "22012: division by zero",
            _ => "0A000: EXECUTE of transaction commands is not implemented",
        };
        assert_eq!(reasons, [expected], "{pass:?}");
        assert_eq!(
            database.query_one::<i64>("SELECT count(*) FROM kept").await,
            0
        );
    }
}

#[tokio::test]
async fn what_is_counted_is_what_this_job_has_changed_and_not_the_one_before_it() {
    let database =
        after("INSERT INTO met VALUES (pg_backend_pid(), 0); DELETE FROM met WHERE ctid = '(0,2)'")
            .await;
    assert_eq!(met(&database, "count(DISTINCT session)").await, 1);
    let outputs =
        "SELECT string_agg(app_name || ' ' || output, '' ORDER BY started_at) FROM crontabber_log";
    let said: String = database.query_one(outputs).await;
    let each = "first met: 2 inserted, 1 deleted\nsecond met: 1 inserted\n";
    assert_eq!(said, each.repeat(2));
}

#[tokio::test]
async fn many_that_take_long_are_under_way_at_the_same_time() {
    let database = Postgres::database().await;
    let gate = database.connect().await;
    gate.batch_execute("SELECT pg_advisory_lock(8)")
        .await
        .expect("it is free");
    let site = crowd(&database, 40, "SELECT pg_advisory_xact_lock_shared(8)");
    let pass = site.on("alpha", &["tick"]).spawn();
    let at_work = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 8 AND NOT granted
                      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    until(SOON, "all of them are at work", async || {
        database.query_one::<i64>(at_work).await == 40
    })
    .await;
    gate.batch_execute("SELECT pg_advisory_unlock(8)")
        .await
        .expect("it is ours");
    let pass = pass.finished().await;
    assert_eq!(pass.code, Some(0), "{pass:?}");
}

/// So many jobs of this text, all due, and room for all of them.
fn crowd(database: &Database, jobs: usize, text: &str) -> Site {
    Site::with(database, |_| {
        let job = |number| format!("[jobs.job-{number}]\nsql = \"{text}\"\n");
        let jobs: Vec<_> = (0..jobs).map(job).collect();
        format!(
            "[daemon]\nmax_parallel = {}\n\n[defaults]\nstart = \"now\"\nevery = \"1h\"\n\n{}",
            jobs.len(),
            jobs.join("\n")
        )
    })
}
