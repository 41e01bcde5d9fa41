//! The tables: made by whoever comes first, widened when somebody asks for it, refused when they do not fit.

mod common;

use std::time::Duration;

use common::{Database, Finished, Gate, Postgres, Site, legacy, until};

const SOON: Duration = Duration::from_secs(20);

/// A site that knows the jobs of a legacy database.
fn site(database: &Database) -> Site {
    Site::with(database, |site| {
        legacy::JOBS
            .map(|name| site.job(name, "every = \"1h\"", "true"))
            .concat()
    })
}

/// Twelve processes of this command in one instant.
async fn twelve(site: &Site, arguments: &[&str]) -> Vec<Finished> {
    let gate = Gate::new(&site.file(""));
    let hosts = (0..12).map(|number| site.on(&format!("host{number}"), arguments));
    let waiting = gate.gather(hosts).await;
    gate.open(12, Duration::ZERO);
    let mut finished = Vec::new();
    for running in waiting {
        finished.push(running.finished().await);
    }
    finished
}

const IS_CURRENT: &str = "SELECT count(*) = 1 AND bool_and(version >= 3) FROM crontabber_schema";

#[tokio::test]
async fn twelve_programs_that_make_the_tables_of_an_empty_database_at_once_all_succeed() {
    for command in ["tick", "migrate"] {
        let database = Postgres::database().await;
        let site = site(&database);
        for finished in twelve(&site, &[command]).await {
            assert_eq!(finished.code, Some(0), "{command}: {finished:?}");
        }
        assert!(database.query_one::<bool>(IS_CURRENT).await, "{command}");
        assert_eq!(site.on("last", &["tick"]).run().await.code, Some(0));
        let rows = database
            .rows("SELECT app_name FROM crontabber ORDER BY app_name")
            .await
            .concat();
        assert_eq!(rows, legacy::JOBS, "{command}");
    }
}

#[tokio::test]
async fn the_tables_of_python_are_refused_by_a_pass_and_left_as_they_are() {
    let database = legacy::database().await;
    let site = site(&database);
    let before = legacy::contents(&database).await;
    for arguments in [&["tick"][..], &["run", "well"]] {
        let finished = site.on("alpha", arguments).run().await;
        assert_eq!(finished.code, Some(78), "{finished:?}");
        assert!(
            finished.stderr.contains("crontabber migrate"),
            "{}",
            finished.stderr
        );
    }
    let plan = site.on("alpha", &["migrate", "--plan"]).run().await;
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    assert!(
        plan.stdout.contains("ALTER TABLE crontabber"),
        "{}",
        plan.stdout
    );
    assert_eq!(legacy::contents(&database).await, before);
    let ours = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'crontabber' AND column_name = 'run_id'";
    assert_eq!(database.query_one::<i64>(ours).await, 0);
    assert!(site.ledger().starts().is_empty());
}

#[tokio::test]
async fn the_tables_of_python_are_widened_in_place_with_every_row_and_all_history_kept() {
    let database = legacy::database().await;
    let site = site(&database);
    let before = legacy::contents(&database).await;
    let widened = twelve(&site, &["migrate"]).await;
    for finished in &widened {
        assert_eq!(finished.code, Some(0), "{finished:?}");
    }
    let says = |what: &str| {
        widened
            .iter()
            .filter(|finished| finished.stdout.contains(what))
            .count()
    };
    assert!(
        says("widened") >= 1 && says("widened") + says("current") == 12,
        "{widened:?}"
    );
    assert_eq!(legacy::contents(&database).await, before);
    let id = "SELECT atttypid = 'int8'::regtype FROM pg_attribute WHERE attrelid = 'crontabber_log'::regclass AND attname = 'id'";
    assert!(database.query_one::<bool>(id).await);

    // The children of a job that is well need not wait for its next success.
    let well =
        "SELECT app_name FROM crontabber WHERE success_slot = last_success ORDER BY app_name";
    assert_eq!(database.rows(well).await.concat(), ["running", "well"]);

    // What was due is run; what fails waits for its time; what a Python host runs is its own.
    let pass = site.on("alpha", &["tick"]).run().await;
    assert_eq!(pass.code, Some(0), "{}", pass.stderr);
    let ran: Vec<_> = site
        .ledger()
        .starts()
        .into_iter()
        .map(|start| start.job)
        .collect();
    assert_eq!(ran, ["well"]);
    let history = "SELECT count(*) FROM crontabber_log WHERE run_id IS NULL";
    assert_eq!(database.query_one::<i64>(history).await, 53);
    let errors = "SELECT error_count FROM crontabber WHERE app_name = 'failing'";
    assert_eq!(database.query_one::<i32>(errors).await, 3);
    let theirs =
        "SELECT ongoing IS NOT NULL AND run_id IS NULL FROM crontabber WHERE app_name = 'running'";
    assert!(database.query_one::<bool>(theirs).await);
}

#[tokio::test]
async fn a_migration_steps_aside_for_a_reader_and_comes_again() {
    let database = legacy::database().await;
    let site = site(&database);
    let dump = database.connect().await;
    dump.batch_execute("BEGIN; SELECT FROM crontabber; SELECT FROM crontabber_log")
        .await
        .unwrap();
    let migrate = site.on("alpha", &["migrate"]).spawn();
    let waits =
        "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'crontabber'::regclass";
    until(SOON, "the migration waits for the reader", async || {
        database.query_one::<bool>(waits).await
    })
    .await;
    until(SOON, "it has stepped aside", async || {
        !database.query_one::<bool>(waits).await
    })
    .await;
    dump.batch_execute("ROLLBACK").await.unwrap();
    let migrated = migrate.finished().await;
    assert_eq!(migrated.code, Some(0), "{}", migrated.stderr);
    assert!(database.query_one::<bool>(IS_CURRENT).await);
}

#[tokio::test]
async fn a_newer_schema_is_used_unless_it_says_that_this_program_is_too_old() {
    let database = Postgres::database().await;
    let site = site(&database);
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));

    database
        .execute("UPDATE crontabber_schema SET version = 99")
        .await;
    database
        .execute("UPDATE crontabber SET next_run = clock_timestamp() WHERE app_name = 'well'")
        .await;
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
    assert_eq!(site.ledger().starts().len(), 1);
    // Not even `migrate` takes a schema back.
    assert_eq!(site.on("alpha", &["migrate"]).run().await.code, Some(0));
    assert_eq!(
        database
            .query_one::<i32>("SELECT version FROM crontabber_schema")
            .await,
        99
    );

    database
        .execute("UPDATE crontabber_schema SET compatible_from = 99")
        .await;
    database
        .execute("UPDATE crontabber SET next_run = clock_timestamp() WHERE app_name = 'well'")
        .await;
    for arguments in [&["tick"][..], &["run", "well"]] {
        let refused = site.on("alpha", arguments).run().await;
        assert_eq!(refused.code, Some(78), "{refused:?}");
        assert!(
            refused.stderr.contains("upgrade it on this host"),
            "{}",
            refused.stderr
        );
    }
    assert_eq!(site.ledger().starts().len(), 1);
}

#[tokio::test]
async fn migrate_puts_the_guard_where_it_should_be_whatever_became_of_it() {
    const GUARD: &str = "SELECT count(*), string_agg(DISTINCT tgenabled::text, ''), string_agg(DISTINCT split_part(encode(tgargs, 'escape'), '\\000', 1), ' ') FROM pg_trigger WHERE tgrelid = 'crontabber'::regclass AND NOT tgisinternal";
    let database = Postgres::database().await;
    let job = "[jobs.a]\nevery = \"1h\"\nshell = \"true\"\n";
    let site = Site::with(&database, |_| job.to_owned());
    let stands = "the guard stands: runs of crontabber 0.18 are respected for ";
    assert_eq!(site.on("alpha", &["migrate"]).run().await.code, Some(0));
    assert_eq!(database.rows(GUARD).await.concat(), ["3", "O", "12 hours"]);
    let again = site.on("alpha", &["migrate"]).run().await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(!again.stdout.contains("guard"), "{again:?}");

    let six_hours = format!("[daemon]\nmax_ongoing_age = \"6h\"\n{job}");
    site.configure(database.url(), &six_hours);
    for harm in [
        "SELECT 'nothing but another age'",
        "ALTER TABLE crontabber DISABLE TRIGGER crontabber_guard_delete",
        "ALTER TABLE crontabber ENABLE REPLICA TRIGGER crontabber_guard_update",
        "DROP TRIGGER crontabber_guard_insert ON crontabber",
    ] {
        database.execute(harm).await;
        let mended = site.on("alpha", &["migrate"]).run().await;
        assert!(
            mended.stdout.ends_with(&format!("{stands}6h\n")),
            "{harm}: {mended:?}"
        );
        let guard = database.rows(GUARD).await.concat();
        assert_eq!(guard, ["3", "O", "21600 seconds"], "{harm}");
    }

    let dropped = site.on("alpha", &["migrate", "--drop-guard"]).run().await;
    assert_eq!(dropped.code, Some(0), "{dropped:?}");
    assert_eq!(database.rows(GUARD).await.concat()[0], "0");
    let audit = "SELECT who LIKE '%@alpha' FROM crontabber_audit WHERE what = 'drop_guard'";
    assert!(database.query_one::<bool>(audit).await);
    // A pass leaves it away: that is what somebody wanted.
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
    assert_eq!(database.rows(GUARD).await.concat()[0], "0");
    let back = site.on("alpha", &["migrate"]).run().await;
    assert!(back.stdout.ends_with(&format!("{stands}6h\n")), "{back:?}");
}

#[tokio::test]
async fn migrate_makes_again_what_somebody_has_dropped_where_the_tables_are() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |_| {
        "[jobs.a]\nstart = \"now\"\nevery = \"1h\"\nsql = \"SELECT 1\"\n".to_owned()
    });
    assert_eq!(site.on("alpha", &["migrate"]).run().await.code, Some(0));
    let version = "SELECT version FROM crontabber_schema";
    let before = database.query_one::<i32>(version).await;
    let functions = "SELECT string_agg(oid::regprocedure::text, ' ' ORDER BY proname) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'crontabber%'";
    let all = database.query_one::<String>(functions).await;
    database
        .execute("DROP FUNCTION crontabber_execute(), crontabber_assert_fence(text, bigint), crontabber_guard() CASCADE")
        .await;
    // Now the first in the search path is not where the tables are.
    database
        .execute("CREATE SCHEMA AUTHORIZATION CURRENT_USER")
        .await;
    let planned = site.on("alpha", &["migrate", "--plan"]).run().await;
    assert!(
        planned
            .stdout
            .contains("CREATE FUNCTION crontabber_execute"),
        "{planned:?}"
    );
    assert!(!planned.stdout.contains("CREATE TABLE"), "{planned:?}");
    let mended = site.on("alpha", &["migrate"]).run().await;
    assert_eq!(mended.code, Some(0), "{mended:?}");
    for step in ["002_guard", "003_fence", "007_execute"] {
        assert!(mended.stdout.contains(step), "{mended:?}");
    }
    assert_eq!(database.query_one::<String>(functions).await, all);
    assert_eq!(database.query_one::<i32>(version).await, before);
    let triggers = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'crontabber'::regclass AND NOT tgisinternal";
    assert_eq!(database.query_one::<i64>(triggers).await, 3);
    let pass = site.on("alpha", &["tick"]).run().await;
    assert_eq!(pass.code, Some(0), "{pass:?}");
    let again = site.on("alpha", &["migrate"]).run().await;
    assert!(again.stdout.contains("are current"), "{again:?}");
}

#[tokio::test]
async fn what_is_made_for_tables_leaves_alone_what_belongs_to_others_further_on_in_the_search_path()
{
    let database = Postgres::database().await;
    database
        .execute("CREATE SCHEMA AUTHORIZATION CURRENT_USER; CREATE FUNCTION public.crontabber_execute() RETURNS int LANGUAGE sql AS 'SELECT 7'")
        .await;
    let site = Site::with(&database, |_| {
        "[jobs.a]\nstart = \"now\"\nevery = \"1h\"\nsql = \"SELECT 1\"\n".to_owned()
    });
    for again in [false, true] {
        if again {
            database.execute("DROP FUNCTION crontabber_execute()").await;
        }
        let migrated = site.on("alpha", &["migrate"]).run().await;
        assert!(migrated.stdout.contains("007_execute"), "{migrated:?}");
        let theirs = "SELECT public.crontabber_execute()";
        assert_eq!(database.query_one::<i32>(theirs).await, 7);
        let is_ours = "SELECT pronamespace = relnamespace FROM pg_proc, pg_class
                        WHERE pg_proc.oid = 'crontabber_execute()'::regprocedure AND pg_class.oid = 'crontabber'::regclass";
        assert!(database.query_one::<bool>(is_ours).await);
    }
}
