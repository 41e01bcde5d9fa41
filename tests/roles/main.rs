//! The rights that docs/operations.md grants: with them everything works, without any one of them something does not.

#![cfg(feature = "embedded")]

#[path = "../common/mod.rs"]
mod common;

mod granted;
mod world;

use std::time::Duration;

use common::Database;
use crontabber::{
    reap,
    spec::Lease,
    store::{self, Address, Environment},
};
use granted::Role;
use uuid::Uuid;
use world::{World, code, codes, connect, deprive, ended, refused, site, url};

const HOST: &str = "crontabber_tick";

/// A right is missing.
const REFUSED: Option<i32> = Some(77);

/// What all that reads answers, where there is a [`LOST_RUN`].
const READING: [&[&str]; 10] = [
    &["list"],
    &["hosts"],
    &["ongoing"],
    &["why", "good"],
    &["show", "good"],
    &["history"],
    &["logs", "good"],
    &["logs", "00000000-0000-4000-8000-000000000009"],
    &["tick", "--dry-run"],
    &["check", "--job", "good"],
];

/// What operators do, after a pass.
const OPERATING: [&[&str]; 13] = [
    &["pause", "good", "--reason", "a test"],
    &["resume", "good"],
    &["reset", "bad"],
    &["mark", "good", "--success"],
    &["cancel", "good"],
    &["trigger", "good"],
    &["cancel", "good"],
    &["drain", "web1"],
    &["drain", "web1", "--undo"],
    &["ghosts"],
    &["ghosts", "--remove", "old", "--yes"],
    &["hosts", "--forget", "gone"],
    &["audit"],
];

/// A row that no configuration knows, and a host that was seen long ago.
const LEFT_BEHIND: &str = "\
INSERT INTO crontabber (app_name, next_run, revision) VALUES ('old', now(), 1);
INSERT INTO crontabber_host (host, boot_id, pid_namespace, version, configuration, seen_at)
VALUES ('gone', '', '', '0', '', now() - interval '30 days')";

/// A run without a record: whoever reads it reads what was streamed of it.
const LOST_RUN: &str = "\
INSERT INTO crontabber_log (app_name, run_id, outcome) VALUES ('gone', '00000000-0000-4000-8000-000000000009', 'lost')";

/// Where output is while it is being printed.
const STREAMED: &str = "crontabber_output";

/// A run whose host died.
const DEAD_RUN: &str = "\
UPDATE crontabber SET run_id = '00000000-0000-4000-8000-000000000001', run_slot = slot, run_trigger = 'schedule',
       attempt = 7, host = 'dead', ongoing = now(), lease_until = now(), on_lost = 'retry', revision = revision + 1
 WHERE app_name = 'good';
INSERT INTO crontabber_log (app_name, run_id, slot, attempt, host, outcome, started_at)
SELECT app_name, run_id, slot, 7, host, 'running', now() FROM crontabber WHERE app_name = 'good'";

/// Reaps as this role, some years from now.
async fn reaped(database: &Database, role: &Role) -> usize {
    let address = Address::parse(&url(database, &role.name), &Environment::of_this_process());
    let limit = Duration::from_secs(10);
    let store = store::Database::new(address.expect("the test's own URL"), "roles", 1, limit);
    let terms = Lease::of(Duration::from_secs(12));
    let now = Some(common::host::noon());
    let claims = "SELECT run_id FROM crontabber WHERE run_id IS NOT NULL";
    let claims = database.rows(claims).await.into_iter().flatten();
    let expired: Vec<Uuid> = claims
        .map(|run_id| run_id.parse().expect("a run id"))
        .collect();
    let reaped = reap::reap(&store, &terms, (&expired, &[]), now).await;
    let orphans = reap::reap_orphans(&store, &terms, now).await;
    reaped.expect("it has the rights").len() + orphans.expect("it has the rights").len()
}

#[tokio::test]
async fn with_the_rights_of_a_host_jobs_run_are_recorded_and_reaped_and_nothing_else_can_be_done() {
    let role = Role::documented(HOST);
    let world = World::new(&[&role]).await;
    let database = world.database(&[&role]).await;
    let site = site(&database, HOST);
    // One of the jobs fails, and all are recorded.
    assert_eq!(code(&site, &["tick"]).await, Some(1));
    let runs =
        "SELECT string_agg(app_name || ' ' || outcome, ', ' ORDER BY app_name) FROM crontabber_log";
    assert_eq!(
        database.query_one::<String>(runs).await,
        "bad failure, counted success, good success"
    );
    let hosts = "SELECT string_agg(host, ', ') FROM crontabber_host";
    assert_eq!(database.query_one::<String>(hosts).await, "web1");
    assert_eq!(code(&site, &["run", "good", "--force"]).await, Some(0));
    database.execute(LOST_RUN).await;
    assert_eq!(codes(&site, &READING).await, [Some(0); READING.len()]);
    database.execute(DEAD_RUN).await;
    assert_eq!(reaped(&database, &role).await, 1);

    for beyond in [
        "DELETE FROM crontabber",
        "DELETE FROM crontabber_log",
        "TRUNCATE crontabber_host",
        "SELECT FROM crontabber_audit",
        "UPDATE crontabber_schema SET version = 1",
        "CREATE TABLE of_a_host ()",
        "CREATE TEMPORARY TABLE of_a_host ()",
    ] {
        assert_eq!(refused(&database, HOST, beyond).await, "42501", "{beyond}");
    }
}

#[tokio::test]
async fn without_any_right_of_a_host_a_pass_ends_with_the_name_of_what_it_lacks() {
    let role = Role::documented(HOST);
    let world = World::new(&[&role]).await;
    for lacking in &role.rights {
        let database = world.database(&[&role]).await;
        deprive(&database, &role, lacking).await;
        let ended = ended(&site(&database, HOST), &["tick"]).await;
        let said = &ended.stderr;
        // Without a right to stream a pass goes on; that one job fails is meant.
        let is_needed = lacking.object() != STREAMED;
        let code = if is_needed { REFUSED } else { Some(1) };
        assert_eq!(ended.code, code, "without {lacking:?}: {said}");
        let lacking = lacking.there(&database);
        let is_named = said.contains("permission denied") && said.contains(lacking.object());
        assert!(is_named, "without {lacking:?}: {said}");
    }
}

#[tokio::test]
async fn the_doctor_finds_a_host_with_its_rights_well_and_names_any_that_it_lacks() {
    let role = Role::documented(HOST);
    let world = World::new(&[&role]).await;
    let database = world.database(&[&role]).await;
    let tick = site(&database, HOST);
    assert_eq!(code(&tick, &["tick"]).await, Some(1));
    let doctor = ended(&tick, &["doctor"]).await;
    assert_eq!(doctor.code, Some(0), "{doctor:?}");
    for bad in ["problem\t", "warning\t"] {
        assert!(!doctor.stdout.contains(bad), "{}", doctor.stdout);
    }
    let well = "ok\trights\tcrontabber_tick has all that a host needs; not `migrate`, which is for crontabber_owner";
    assert!(doctor.stdout.contains(well), "{}", doctor.stdout);

    for lacking in role.inside() {
        let database = world.database(&[&role]).await;
        deprive(&database, &role, lacking).await;
        let doctor = ended(&site(&database, HOST), &["doctor"]).await;
        // Without a right to stream runs go on.
        let is_needed = lacking.object() != STREAMED;
        let (code, level) = if is_needed {
            (1, "problem\t")
        } else {
            (0, "warning\t")
        };
        assert_eq!(doctor.code, Some(code), "without {lacking:?}: {doctor:?}");
        let bad = |line: &&str| line.starts_with(level) && !line.contains("\thosts\t");
        let mut bad = doctor.stdout.lines().filter(bad);
        let problem = bad.next().unwrap_or_default();
        assert!(
            problem.contains(lacking.object()),
            "without {lacking:?}: {problem}"
        );
        assert_eq!(bad.next(), None, "without {lacking:?}: one thing is wrong");
        // What it says to type is typed, and all is well.
        if let Some((_, grants)) = problem.split_once("as the owner of the tables: ") {
            database.execute(grants).await;
            let cured = ended(&site(&database, HOST), &["doctor"]).await;
            assert_eq!(cured.code, Some(0), "{cured:?}");
        }
    }
}

/// It is everybody's by a migration; and may be taken from everybody by whoever tidies up.
#[tokio::test]
async fn the_doctor_names_the_function_that_jobs_of_sql_call_and_what_to_type() {
    let role = Role::documented(HOST);
    let world = World::new(&[&role]).await;
    let database = world.database(&[&role]).await;
    database
        .execute("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC")
        .await;
    let tick = site(&database, HOST);
    let doctor = ended(&tick, &["doctor"]).await;
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    let (_, grants) = doctor
        .stdout
        .split_once("as the owner of the tables: ")
        .expect("it says what to type");
    let grant = grants.lines().next().expect("a line");
    assert_eq!(
        grant,
        format!("GRANT EXECUTE ON FUNCTION crontabber_execute() TO {HOST}")
    );
    database.execute(grant).await;
    assert_eq!(code(&tick, &["doctor"]).await, Some(0));
}

#[tokio::test]
async fn rights_on_every_column_are_as_good_as_those_on_the_table() {
    let role = Role::documented(HOST);
    let world = World::new(&[&role]).await;
    let database = world.database(&[&role]).await;
    let columns: String = database
        .query_one("SELECT string_agg(attname, ', ') FROM pg_attribute WHERE attrelid = 'crontabber_log'::regclass AND attnum > 0")
        .await;
    let by_column = |columns: &str| {
        format!(
            "REVOKE ALL ON crontabber_log FROM {HOST};
             GRANT SELECT ({columns}), INSERT ({columns}), UPDATE ({columns}) ON crontabber_log TO {HOST}"
        )
    };
    database.execute(&by_column(&columns)).await;
    let tick = site(&database, HOST);
    assert_eq!(code(&tick, &["doctor"]).await, Some(0));
    assert_eq!(code(&tick, &["tick"]).await, Some(1));
    database.execute(&by_column("id, app_name")).await;
    assert_eq!(code(&tick, &["doctor"]).await, Some(1));
}

#[tokio::test]
async fn a_reader_needs_the_rights_of_a_reader_and_each_of_them() {
    let (host, reader) = (Role::documented(HOST), Role::documented("crontabber_read"));
    let world = World::new(&[&host, &reader]).await;
    let ran = async || {
        let database = world.database(&[&host, &reader]).await;
        assert_eq!(code(&site(&database, HOST), &["tick"]).await, Some(1));
        database.execute(LOST_RUN).await;
        database
    };

    let database = ran().await;
    let site = site(&database, &reader.name);
    assert_eq!(codes(&site, &READING).await, [Some(0); READING.len()]);
    assert_eq!(code(&site, &["run", "good", "--force"]).await, REFUSED);
    assert_eq!(code(&site, &["pause", "good"]).await, REFUSED);

    for lacking in &reader.rights {
        let database = ran().await;
        deprive(&database, &reader, lacking).await;
        let codes = codes(&self::site(&database, &reader.name), &READING).await;
        assert!(codes.contains(&REFUSED), "without {lacking:?}: {codes:?}");
    }
}

#[tokio::test]
async fn an_operator_needs_the_rights_of_an_operator_and_each_of_them() {
    let host = Role::documented(HOST);
    let operator = Role::documented("crontabber_control");
    let world = World::new(&[&host, &operator]).await;
    let ran = async || {
        let database = world.database(&[&host, &operator]).await;
        assert_eq!(code(&site(&database, HOST), &["tick"]).await, Some(1));
        database.execute(LEFT_BEHIND).await;
        database
    };

    let database = ran().await;
    let codes_with_all = codes(&site(&database, &operator.name), &OPERATING).await;
    assert!(!codes_with_all.contains(&REFUSED), "{codes_with_all:?}");
    let audited = "SELECT string_agg(what, ' ' ORDER BY id) FROM crontabber_audit";
    assert_eq!(
        database.query_one::<String>(audited).await,
        "pause resume reset trigger untrigger drain undrain remove_ghost forget_host"
    );
    let rewritten = "UPDATE crontabber_audit SET who = 'nobody'";
    assert_eq!(refused(&database, &operator.name, rewritten).await, "42501");

    for lacking in &operator.rights {
        let database = ran().await;
        deprive(&database, &operator, lacking).await;
        let codes = codes(&site(&database, &operator.name), &OPERATING).await;
        assert!(codes.contains(&REFUSED), "without {lacking:?}: {codes:?}");
    }
}

#[tokio::test]
async fn only_the_owner_migrates() {
    let role = Role::documented(HOST);
    let world = World::new(&[&role]).await;
    let database = world.database(&[&role]).await;
    let (host, owner) = (site(&database, HOST), site(&database, "crontabber_owner"));
    // Nothing to do is nothing to ask a right for.
    assert_eq!(code(&host, &["migrate"]).await, Some(0));

    let older = "UPDATE crontabber_schema SET version = version - 1";
    database.execute(older).await;
    let refused = ended(&host, &["migrate"]).await;
    assert_eq!(refused.code, REFUSED, "{}", refused.stderr);
    let advice = "connect as the owner of the tables";
    assert!(refused.stderr.contains(advice), "{}", refused.stderr);
    assert_eq!(code(&host, &["tick"]).await, Some(78));
    assert_eq!(code(&owner, &["migrate"]).await, Some(0));
    assert_eq!(code(&host, &["tick"]).await, Some(1));
}

#[tokio::test]
async fn a_host_makes_no_tables_where_its_role_may_make_none() {
    let role = Role::documented(HOST);
    let world = World::new(&[&role]).await;
    let empty = world.postgres.fresh().await;
    let closed = "REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA public TO crontabber_tick";
    empty.execute(closed).await;
    let early = ended(&site(&empty, HOST), &["tick"]).await;
    assert_eq!(early.code, REFUSED, "{}", early.stderr);
    let said = early.stderr.contains("permission denied for schema public");
    assert!(said, "{}", early.stderr);
}

#[tokio::test]
async fn a_job_asks_for_its_fence_and_sees_nothing() {
    let role = Role::documented("a_job");
    let world = World::new(&[&role]).await;
    let asks = "SELECT crontabber_assert_fence('good', 4711)";
    let claimed = async || {
        let database = world.database(&[&role]).await;
        let claim = "INSERT INTO crontabber (app_name, next_run, ongoing, run_id, run_slot, lease_until, fence) \
             VALUES ('good', now(), now(), gen_random_uuid(), now(), now(), 4711)";
        database.execute(claim).await;
        database
    };
    let database = claimed().await;
    let job = connect(&database, &role.name)
        .await
        .expect("it may connect");
    assert!(job.batch_execute(asks).await.is_ok());
    let old = asks.replace("4711", "4710");
    assert_eq!(refused(&database, &role.name, &old).await, "CT001");
    let looks = "SELECT FROM crontabber";
    assert_eq!(refused(&database, &role.name, looks).await, "42501");

    for lacking in &role.rights {
        let database = claimed().await;
        deprive(&database, &role, lacking).await;
        let is_asked = match connect(&database, &role.name).await {
            Ok(job) => job.batch_execute(asks).await.is_ok(),
            Err(_) => false,
        };
        assert!(!is_asked, "without {lacking:?}");
    }
}
