//! What others do to the tables and the database, by mistake or on purpose, stops no pass and opens no door.

mod common;

use std::time::Duration;

use common::{
    Postgres, Site,
    host::{Host, job},
    until,
};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn an_instant_that_no_calendar_has_concerns_its_own_row_alone() {
    for (column, value, runs) in [
        ("next_run", "infinity", 1),
        ("next_run", "-infinity", 1),
        ("last_run", "20000-01-01", 2),
        ("last_success", "4000-01-01 BC", 2),
    ] {
        let database = Postgres::database().await;
        let alpha = Host::new("alpha", &database, &[job("a", "true"), job("b", "true")]);
        assert_eq!(alpha.tick().await.well, 2);
        database
            .execute(&format!(
                "UPDATE crontabber SET next_run = now();
                 UPDATE crontabber SET {column} = '{value}' WHERE app_name = 'a'"
            ))
            .await;
        assert_eq!(alpha.tick().await.well, runs, "{column} = {value}");
    }
}

#[tokio::test]
async fn an_error_with_a_character_that_no_text_holds_concerns_its_own_row_alone() {
    for (value, shown) in [
        (r"nul \u0000 here", "nul \0 here"),
        // No JSON to us, though PostgreSQL takes it for some: shown as it is written.
        (
            r"half \ud83d a pair",
            r#"{"type": "x", "value": "half \ud83d a pair"}"#,
        ),
        (r#"fünf \u20ac \"quoted\""#, r#"fünf € "quoted""#),
    ] {
        let database = Postgres::database().await;
        let alpha = Host::new("alpha", &database, &[job("a", "true"), job("b", "true")]);
        assert_eq!(alpha.tick().await.well, 2);
        database
            .execute(&format!(
                "UPDATE crontabber SET error_count = 1, last_error = '{{\"type\": \"x\", \"value\": \"{value}\"}}' WHERE app_name = 'a';
                 UPDATE crontabber SET next_run = now() WHERE app_name = 'b'"
            ))
            .await;
        assert_eq!(alpha.tick().await.well, 1, "{value}");
        let reason = alpha
            .planned(|plan| plan.get("a").expect("a job").reason())
            .await;
        assert_eq!(reason, shown);
    }
}

#[tokio::test]
async fn a_run_keeps_its_lease_where_transactions_are_read_only_or_serializable_unless_they_say_otherwise()
 {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        let wait = format!(
            "until [ -e '{}' ]; do sleep 0.02; done",
            site.file("end").display()
        );
        site.job(
            "it",
            "every = \"1h\"\nstart = \"now\"\nlease = \"4s\"",
            &wait,
        )
    });
    assert_eq!(site.on("alpha", &["migrate"]).run().await.code, Some(0));
    let name = database.name().to_owned();
    database
        .execute(&format!(
            "ALTER DATABASE {name} SET default_transaction_read_only = on;
             ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"
        ))
        .await;
    let tick = site.on("alpha", &["tick"]).spawn();
    let lease = async || {
        let sql =
            "SELECT coalesce(max(extract(epoch FROM lease_until)), 0)::float8 FROM crontabber";
        database.query_one::<f64>(sql).await
    };
    until(SOON, "it is claimed", async || lease().await > 0.0).await;
    let first = lease().await;
    until(SOON, "its lease is renewed, or over", async || {
        (lease().await - first).abs() > f64::EPSILON
    })
    .await;
    assert!(lease().await > first, "{}", tick.stderr());
    std::fs::write(site.file("end"), "").unwrap();
    let finished = tick.finished().await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
}

#[tokio::test]
async fn a_stranger_may_not_call_the_fence_and_who_may_cannot_act_as_its_owner() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| site.job("it", "every = \"1h\"", "true"));
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
    let attack = "
        CREATE FUNCTION pg_temp.whoami() RETURNS uuid LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'I act as %', current_user; END $$;
        CREATE TEMP TABLE mine (app_name text, fence bigint);
        INSERT INTO mine VALUES ('it', 1);
        CREATE TEMP VIEW crontabber AS SELECT app_name, fence, pg_temp.whoami() AS run_id FROM mine;
        GRANT ALL ON mine, crontabber TO PUBLIC;";
    let role = format!("stranger_of_{}", database.name());
    database
        .execute(&format!("CREATE ROLE {role}; GRANT {role} TO CURRENT_USER"))
        .await;
    let session = database.connect().await;
    session
        .batch_execute(&format!("SET ROLE {role}; {attack}"))
        .await
        .unwrap();
    let call = "SELECT public.crontabber_assert_fence('it', 1)";
    let denied = session
        .batch_execute(call)
        .await
        .expect_err("nobody has granted it");
    assert_eq!(
        denied.code().map(tokio_postgres::error::SqlState::code),
        Some("42501")
    );
    let grant = format!("GRANT EXECUTE ON FUNCTION crontabber_assert_fence TO {role}");
    database.execute(&grant).await;
    let answer = session.batch_execute(call).await;
    session.batch_execute("DISCARD TEMP").await.unwrap();
    database
        .execute(
            "UPDATE crontabber SET revision = revision + 1, ongoing = now(), run_id = gen_random_uuid(), run_slot = now(),
                    lease_until = now(), fence = 7",
        )
        .await;
    let holder = "SELECT public.crontabber_assert_fence('it', 7)";
    session
        .batch_execute(holder)
        .await
        .expect("it holds the job");
    session.batch_execute("RESET ROLE").await.unwrap();
    drop(session);
    database
        .execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
    let refused = answer.expect_err("nothing holds the fence");
    assert_eq!(
        refused.code().map(|code| code.code().to_owned()).as_deref(),
        Some("CT001"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn what_the_table_says_reaches_no_terminal_raw() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| site.job("it", "every = \"1h\"", "true"));
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
    database
        .execute(
            "UPDATE crontabber SET paused_until = now() + interval '1 hour', pause_reason = E'\\x1b]0;mine\\x07'",
        )
        .await;
    let run = site.on("alpha", &["run", "it"]).run().await;
    assert_eq!(run.code, Some(4));
    assert!(!run.stderr.contains('\u{1b}'), "{:?}", run.stderr);
    database
        .execute(
            "UPDATE crontabber SET revision = revision + 1, paused_until = NULL, ongoing = now(), run_id = gen_random_uuid(),
                    run_slot = now(), lease_until = now() + interval '1 hour', host = E'\\x1b[2J'",
        )
        .await;
    let run = site.on("alpha", &["run", "it"]).run().await;
    assert_eq!(run.code, Some(3));
    assert!(!run.stderr.contains('\u{1b}'), "{:?}", run.stderr);
}

#[tokio::test]
async fn tables_of_an_older_version_are_brought_up_by_migrate_and_by_nothing_else() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| site.job("it", "every = \"1h\"", "true"));
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
    // As a release before the column was thought of would have left them.
    database
        .execute(
            "ALTER TABLE crontabber DROP COLUMN pause_reason; UPDATE crontabber_schema SET version = 0",
        )
        .await;
    let pass = site.on("alpha", &["tick"]).run().await;
    assert_eq!(pass.code, Some(78), "{}", pass.stderr);
    assert_eq!(
        database
            .query_one::<i32>("SELECT version FROM crontabber_schema")
            .await,
        0
    );
    assert_eq!(site.on("alpha", &["migrate"]).run().await.code, Some(0));
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
}

#[tokio::test]
async fn a_run_is_recorded_in_a_database_that_has_no_word_for_what_it_printed() {
    let database = Postgres::database().await;
    let neighbour = Postgres::database().await;
    let name = database.name();
    // The same database in an encoding of western Europe's.
    neighbour.execute(&format!("DROP DATABASE {name}")).await;
    neighbour
        .execute(&format!(
            "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
        ))
        .await;
    let well = job("well", "printf 'caf\\303\\251 \\377\\n'");
    let bad = job("bad", "echo '東 503'; exit 1");
    let alpha = Host::new("alpha", &database, &[well, bad]);
    let pass = alpha.tick().await;
    assert_eq!((pass.well, pass.failed), (1, 1));
    let recorded =
        "SELECT app_name, outcome, reason, output FROM crontabber_log ORDER BY app_name DESC";
    assert_eq!(
        database.rows(recorded).await,
        [
            ["well", "success", "NULL", "caf? ?\n"],
            ["bad", "failure", "exit 1: ? 503", "? 503\n"]
        ]
    );
}
