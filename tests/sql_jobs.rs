//! Jobs of SQL: their effects and their record are one commit.

mod common;

use std::{fs, time::Duration};

use common::{
    Database, Postgres,
    bank::{AT_WORK, Bank, MOVE, TAKE_THE_CLAIM_AWAY, job, past_the_lease_of_another},
    until,
};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn the_effects_are_there_when_the_run_is_recorded_with_what_it_changed() {
    let bank = Bank::new("", MOVE).await;
    let pass = bank.tick().await;
    assert_eq!(pass.code, Some(0), "{pass:?}");
    assert_eq!((bank.balance("a").await, bank.balance("b").await), (99, 1));
    assert_eq!(
        bank.last().await,
        ["success", "NULL", "account: 2 updated\n", "NULL"]
    );
    let again = bank.tick().await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(bank.balance("b").await, 1, "the slot is done");
}

#[tokio::test]
async fn what_it_changed_is_not_counted_where_there_are_thousands_of_tables_to_ask() {
    let bank = Bank::new("", MOVE).await;
    let many = "DO $$ BEGIN FOR i IN 1..1000 LOOP
        EXECUTE format('CREATE TABLE many_%s (id int PRIMARY KEY, words text)', i); END LOOP; END $$";
    bank.database.execute(many).await;
    assert_eq!(bank.tick().await.code, Some(0));
    assert_eq!((bank.balance("a").await, bank.balance("b").await), (99, 1));
    assert_eq!(bank.last().await, ["success", "NULL", "NULL", "NULL"]);
}

#[tokio::test]
async fn what_it_says_while_it_works_is_its_output() {
    let sql = "DO $$ BEGIN RAISE NOTICE 'half %', 'way'; RAISE WARNING 'careful'; END $$;";
    let bank = Bank::new("", sql).await;
    assert_eq!(bank.tick().await.code, Some(0));
    let said = "NOTICE: half way\nWARNING: careful\n";
    assert_eq!(bank.last().await, ["success", "NULL", said, "NULL"]);
}

#[tokio::test]
async fn a_commit_inside_is_refused_and_leaves_no_effect() {
    let procedure = "CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$ BEGIN UPDATE account SET balance = 7; COMMIT; END $$";
    for (sql, code) in [
        (format!("{MOVE} COMMIT; {MOVE}"), "0A000"),
        (format!("{MOVE} ROLLBACK;"), "0A000"),
        (format!("SAVEPOINT s; {MOVE}"), "0A000"),
        ("CALL commits();".to_owned(), "2D000"),
    ] {
        let bank = Bank::new("", &sql).await;
        bank.database.execute(procedure).await;
        let pass = bank.tick().await;
        assert_eq!(pass.code, Some(1), "{sql}: {pass:?}");
        assert_eq!(bank.balance("a").await, 100, "{sql}");
        let last = bank.last().await;
        assert_eq!(last[0], "failure", "{sql}");
        assert!(last[1].starts_with(code), "{sql}: {last:?}");
    }
}

#[tokio::test]
async fn an_error_rolls_everything_back_and_names_the_line() {
    let bank = Bank::new("", &format!("{MOVE}\nSELECT 1;\nSELECT * FROM nowhere;")).await;
    assert_eq!(bank.tick().await.code, Some(1));
    assert_eq!(bank.balance("a").await, 100);
    let last = bank.last().await;
    assert_eq!(
        last[..2],
        [
            "failure",
            "42P01: relation \"nowhere\" does not exist (line 3)"
        ]
    );
    assert_eq!(
        last[2],
        "ERROR: relation \"nowhere\" does not exist (line 3)\n"
    );
    let error = "SELECT error_count = 1 AND last_error->>'value' LIKE '42P01%' FROM crontabber";
    assert!(bank.database.query_one::<bool>(error).await);
}

#[tokio::test]
async fn what_was_put_off_to_the_commit_is_checked_before_it() {
    let bank = Bank::with(|_| job("", "INSERT INTO child VALUES (1)")).await;
    let tables = "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)";
    bank.database.execute(tables).await;
    assert_eq!(bank.tick().await.code, Some(1));
    let last = bank.last().await;
    assert_eq!(last[0], "failure");
    assert!(last[1].starts_with("23503: "), "{last:?}");
}

#[tokio::test]
async fn it_is_told_what_every_run_is_told() {
    let sql = "CREATE TABLE told AS SELECT current_setting('crontabber.job') AS job, current_setting('crontabber.slot')::timestamptz AS slot, current_setting('crontabber.attempt')::int AS attempt, current_setting('crontabber.run_id')::uuid AS run_id, current_setting('crontabber.run_key') AS run_key, current_setting('crontabber.fence')::bigint AS fence; SELECT crontabber_assert_fence('move', current_setting('crontabber.fence')::bigint)";
    let bank = Bank::new("", sql).await;
    assert_eq!(bank.tick().await.code, Some(0), "{:?}", bank.last().await);
    let same = "SELECT count(*) FROM told JOIN crontabber_log USING (run_id, slot, attempt, fence) WHERE job = 'move' AND run_key LIKE 'move/20%Z' AND outcome = 'success'";
    assert_eq!(bank.database.query_one::<i64>(same).await, 1);
}

#[tokio::test]
async fn no_setting_role_or_temporary_table_of_its_own_keeps_it_from_being_recorded() {
    for sql in [
        "SET search_path = nowhere",
        "CREATE TEMPORARY TABLE crontabber AS SELECT 1 AS nothing",
        "SET ROLE pg_monitor",
        "SET LOCAL ROLE pg_monitor",
        "SET statement_timeout = '1ms'",
        "SET client_min_messages = 'error'",
        "SET synchronous_commit = 'off'",
    ] {
        let bank = Bank::new("", &format!("{MOVE} {sql}")).await;
        let pass = bank.tick().await;
        assert_eq!(pass.code, Some(0), "{sql}: {pass:?}");
        assert_eq!(
            (bank.balance("b").await, bank.last().await[0].as_str()),
            (1, "success"),
            "{sql}"
        );
    }
}

#[tokio::test]
async fn at_its_timeout_it_is_cancelled_on_the_server() {
    let bank = Bank::new("timeout = \"1s\"", &format!("{MOVE} SELECT pg_sleep(60)")).await;
    let pass = bank.tick().await;
    assert_eq!(pass.code, Some(1), "{pass:?}");
    assert_eq!(bank.database.query_one::<i64>(AT_WORK).await, 0);
    let last = bank.last().await;
    assert_eq!(last[0], "timeout");
    assert_eq!(bank.balance("a").await, 100);
}

#[tokio::test]
async fn a_cancelled_run_ends_on_the_server_and_is_final() {
    let bank = Bank::new("lease = \"3s\"", &format!("{MOVE} SELECT pg_sleep(60)")).await;
    let pass = bank.on("alpha", &["tick"]).spawn();
    until(SOON, "the server is at work", async || {
        bank.database.query_one::<i64>(AT_WORK).await == 1
    })
    .await;
    bank.database
        .execute("UPDATE crontabber SET cancel_run_id = run_id")
        .await;
    let pass = pass.finished().await;
    assert_eq!(pass.code, Some(0), "{pass:?}");
    assert_eq!(bank.database.query_one::<i64>(AT_WORK).await, 0);
    assert_eq!(bank.last().await[0], "cancelled");
    assert_eq!(bank.balance("a").await, 100);
}

#[tokio::test]
async fn a_run_whose_claim_was_taken_away_commits_nothing() {
    let bank = Bank::new("lease = \"3s\"", &format!("{MOVE} SELECT pg_sleep(60)")).await;
    let pass = bank.on("alpha", &["tick"]).spawn();
    until(SOON, "the server is at work", async || {
        bank.database.query_one::<i64>(AT_WORK).await == 1
    })
    .await;
    // As another host's reaper would: the claim goes, the log row is closed.
    let reaped = "UPDATE crontabber SET revision = revision + 1, ongoing = NULL, run_id = NULL, run_slot = NULL, lease_until = NULL; UPDATE crontabber_log SET outcome = 'lost' WHERE outcome = 'running'";
    bank.database.execute(reaped).await;
    let pass = pass.finished().await;
    assert_eq!(pass.code, Some(1), "{pass:?}");
    assert_eq!(bank.balance("a").await, 100);
    assert_eq!(bank.last().await[0], "lost");
    assert_eq!(bank.database.query_one::<i64>(AT_WORK).await, 0);
}

#[tokio::test]
async fn a_record_that_finds_the_claim_gone_rolls_the_effects_back() {
    // The text itself takes the claim away: what it says to the row is undone with everything else.
    let bank = Bank::new("", &format!("{MOVE} {TAKE_THE_CLAIM_AWAY}")).await;
    let pass = bank.tick().await;
    assert_eq!(pass.code, Some(1), "{pass:?}");
    assert_eq!(bank.balance("a").await, 100);
}

#[tokio::test]
async fn without_a_transaction_it_may_do_what_no_transaction_allows() {
    let bank = Bank::new("transaction = false", "VACUUM account").await;
    assert_eq!(bank.tick().await.code, Some(0), "{:?}", bank.last().await);
    assert_eq!(bank.last().await[0], "success");
    let shown = bank.on("alpha", &["show", "move"]).run().await;
    assert!(shown.stdout.contains("at least once"), "{shown:?}");
}

#[tokio::test]
async fn with_a_transaction_the_same_is_refused_and_show_tells_what_is_promised() {
    let bank = Bank::new("", "VACUUM account").await;
    assert_eq!(bank.tick().await.code, Some(1));
    assert!(
        bank.last().await[1].starts_with("25001: "),
        "{:?}",
        bank.last().await
    );
    let shown = bank.on("alpha", &["show", "move"]).run().await;
    assert!(
        shown
            .stdout
            .contains("exactly once: effects and record are one commit"),
        "{shown:?}"
    );
}

#[tokio::test]
async fn without_a_transaction_it_is_cancelled_at_its_timeout_too() {
    let bank = Bank::new(
        "timeout = \"1s\"\ntransaction = false",
        "SELECT pg_sleep(60)",
    )
    .await;
    assert_eq!(bank.tick().await.code, Some(1));
    assert_eq!(bank.last().await[0], "timeout");
    let busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()";
    assert_eq!(bank.database.query_one::<i64>(busy).await, 0);
}

#[tokio::test]
async fn a_transaction_that_its_text_leaves_open_is_no_success() {
    for (sql, outcome, moved) in [
        (format!("BEGIN; {MOVE}"), "failure", 0),
        (format!("BEGIN; {MOVE} COMMIT; SELECT 1"), "success", 1),
        (MOVE.to_owned(), "success", 1),
    ] {
        let bank = Bank::new("transaction = false", &sql).await;
        bank.tick().await;
        let last = bank.last().await;
        assert_eq!(last[0], outcome, "{sql}: {last:?}");
        assert_eq!(bank.balance("b").await, moved, "{sql}");
    }
}

#[tokio::test]
async fn rows_that_nobody_reads_take_no_memory() {
    // Half a gigabyte of rows, and a process that may have less.
    let sql = "SELECT repeat('x', 1000000) FROM generate_series(1, 500)";
    let bank = Bank::new("transaction = false", sql).await;
    let tick = bank.on("alpha", &["tick"]);
    let pass = tick
        .behind_shell("ulimit -v 400000; exec \"$@\"")
        .run()
        .await;
    assert_eq!(pass.code, Some(0), "{pass:?}");
    assert_eq!(bank.last().await[..3], ["success", "NULL", "500 rows\n"]);
}

#[tokio::test]
async fn an_error_of_its_own_making_is_one_harmless_line() {
    let sql = "DO $$ BEGIN RAISE EXCEPTION E'first\\nsecond \\x1b[31mred'; END $$";
    for keys in ["", "transaction = false"] {
        let bank = Bank::new(keys, sql).await;
        assert_eq!(bank.tick().await.code, Some(1));
        let reason = "P0001: first second  [31mred";
        assert_eq!(bank.last().await[..2], ["failure", reason]);
        let error = "SELECT last_error->>'value' FROM crontabber";
        assert_eq!(bank.database.query_one::<String>(error).await, reason);
    }
}

#[tokio::test]
async fn a_timeout_longer_than_the_server_can_count_is_one() {
    let keys = "timeout = \"60d\"\nlease = \"30d\"";
    let sql = format!("{MOVE} SELECT 1 / (current_setting('statement_timeout') = '0')::int");
    let bank = Bank::new(keys, &sql).await;
    assert_eq!(bank.tick().await.code, Some(0), "{:?}", bank.last().await);
    assert_eq!(bank.balance("b").await, 1);
}

#[tokio::test]
async fn the_slots_it_has_passed_are_told_when_it_is_recorded_and_not_when_it_began() {
    let bank = Bank::with(|_| {
        "[jobs.move]\nstart = \"now\"\nevery = \"1s\"\nsql = \"SELECT pg_sleep(2.5)\"\n".to_owned()
    })
    .await;
    assert_eq!(bank.tick().await.code, Some(0), "{:?}", bank.last().await);
    let late = "SELECT count(*) FROM crontabber_log passed JOIN crontabber_log run USING (app_name)
                 WHERE run.outcome = 'success' AND passed.reason = 'missed' AND passed.log_time > run.started_at + interval '2 seconds'";
    assert_eq!(bank.database.query_one::<i64>(late).await, 1);
}

/// One whose job carries out this text in another database.
async fn with_a_warehouse(other: &Database, sql: &str) -> Bank {
    let url = other.url();
    Bank::with(|_| {
        let job = job("database = \"warehouse\"", sql);
        format!("[database.warehouse]\nurl = \"{url}\"\n\n{job}")
    })
    .await
}

#[tokio::test]
async fn another_database_holds_the_effects_and_the_referee_the_record() {
    let other = Postgres::database().await;
    other.execute("CREATE TABLE fact (n int)").await;
    let bank = with_a_warehouse(&other, "INSERT INTO fact VALUES (1)").await;
    assert_eq!(bank.tick().await.code, Some(0), "{:?}", bank.last().await);
    assert_eq!(other.query_one::<i64>("SELECT count(*) FROM fact").await, 1);
    assert_eq!(
        bank.last().await,
        ["success", "NULL", "fact: 1 inserted\n", "NULL"]
    );
    let shown = bank.on("alpha", &["show", "move"]).run().await;
    assert!(shown.stdout.contains("at least once"), "{shown:?}");
}

/// What the output says when a function that the text calls raises an error.
async fn output_of_an_error_in_a_function(bank: &Bank, database: &Database) -> String {
    let raises =
        "CREATE FUNCTION raises() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$";
    database.execute(raises).await;
    assert_eq!(bank.tick().await.code, Some(1));
    bank.last().await.swap_remove(2)
}

#[tokio::test]
async fn an_error_tells_where_in_the_text_and_nothing_of_how_that_was_carried_out() {
    let sql = "SELECT raises()";
    let said = "ERROR: no\nCONTEXT: PL/pgSQL function raises() line 1 at RAISE\n";
    let here = Bank::new("", sql).await;
    let output = output_of_an_error_in_a_function(&here, &here.database).await;
    assert_eq!(output, said);
    let other = Postgres::database().await;
    let there = with_a_warehouse(&other, sql).await;
    assert_eq!(output_of_an_error_in_a_function(&there, &other).await, said);
}

#[tokio::test]
async fn an_error_behind_the_text_or_without_a_transaction_of_ours_keeps_its_own_context() {
    let raises = "CREATE PROCEDURE raises() LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$";
    let by_itself = Bank::new("transaction = false", "CALL raises()").await;
    by_itself.database.execute(raises).await;
    let checks = "CREATE FUNCTION checks() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
                  CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON account DEFERRABLE INITIALLY DEFERRED
                  FOR EACH ROW EXECUTE FUNCTION checks()";
    let at_the_end = Bank::new("", MOVE).await;
    at_the_end.database.execute(checks).await;
    for (bank, where_it_was) in [
        (by_itself, "raises() line 1 at RAISE"),
        (at_the_end, "checks() line 1 at RAISE"),
    ] {
        assert_eq!(bank.tick().await.code, Some(1));
        let said = format!("ERROR: no\nCONTEXT: PL/pgSQL function {where_it_was}\n");
        assert_eq!(bank.last().await[2], said);
    }
}

#[tokio::test]
async fn in_another_database_a_commit_inside_is_refused_as_well_and_leaves_no_effect() {
    let other = Postgres::database().await;
    other.execute("CREATE TABLE fact (n int)").await;
    let bank = with_a_warehouse(&other, "INSERT INTO fact VALUES (1); COMMIT").await;
    assert_eq!(bank.tick().await.code, Some(1));
    let last = bank.last().await;
    assert!(last[1].starts_with("0A000"), "{last:?}");
    assert_eq!(other.query_one::<i64>("SELECT count(*) FROM fact").await, 0);
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_fails_the_job_and_not_the_pass() {
    let bank = Bank::with(|_| {
        let nowhere = "[database.warehouse]\nurl = \"postgres://127.0.0.1:1/nowhere\"\n\n";
        let keys = "database = \"warehouse\"";
        format!(
            "{nowhere}{}[jobs.other]\nstart = \"now\"\nevery = \"1h\"\nsql = \"SELECT 1\"\n",
            job(keys, "SELECT 1")
        )
    })
    .await;
    assert_eq!(bank.tick().await.code, Some(1));
    let outcomes = bank
        .database
        .rows("SELECT app_name, outcome FROM crontabber_log ORDER BY 1")
        .await;
    assert_eq!(outcomes, [["move", "failure"], ["other", "success"]]);
}

#[tokio::test]
async fn a_file_of_sql_is_read_from_beside_the_file_that_names_it() {
    let bank = Bank::with(|_| {
        "[jobs.move]\nstart = \"now\"\nevery = \"1h\"\nsql_file = \"move.sql\"\n".to_owned()
    })
    .await;
    fs::write(bank.site.file("move.sql"), MOVE).expect("the directory is writable");
    assert_eq!(bank.tick().await.code, Some(0));
    assert_eq!(bank.balance("b").await, 1);
}

#[tokio::test]
async fn a_job_waits_for_its_sql_parent_like_for_any_other() {
    let bank = Bank::with(|_| {
        format!("{}[jobs.child]\ndepends_on = [\"move\"]\nsql = \"UPDATE account SET balance = balance * 2 WHERE name = 'b'\"\n", job("", MOVE))
    })
    .await;
    assert_eq!(bank.tick().await.code, Some(0));
    assert_eq!(bank.balance("b").await, 2);
}

#[tokio::test]
async fn while_somebody_holds_its_row_the_record_waits_and_nothing_is_lost() {
    let bank = Bank::new(
        "lease = \"30s\"",
        &format!("{MOVE} SELECT pg_advisory_xact_lock(7)"),
    )
    .await;
    let gate = bank.database.connect().await;
    gate.batch_execute("SELECT pg_advisory_lock(7)")
        .await
        .expect("it is free");
    let pass = bank.on("alpha", &["tick"]).spawn();
    until(SOON, "the server is at work", async || {
        bank.database.query_one::<i64>(AT_WORK).await == 1
    })
    .await;
    let psql = bank.database.connect().await;
    psql.batch_execute("BEGIN; SELECT FROM crontabber FOR UPDATE")
        .await
        .expect("it is free");
    gate.batch_execute("SELECT pg_advisory_unlock(7)")
        .await
        .expect("it is ours");
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '-- record:%' AND wait_event_type = 'Lock'";
    until(SOON, "the record waits", async || {
        bank.database.query_one::<i64>(waiting).await == 1
    })
    .await;
    psql.batch_execute("COMMIT").await.expect("it is open");
    let pass = pass.finished().await;
    assert_eq!(pass.code, Some(0), "{pass:?}");
    assert_eq!(bank.balance("b").await, 1);
}

#[tokio::test]
async fn a_frozen_host_that_wakes_after_the_takeover_commits_nothing() {
    let (alpha, moved) = past_the_lease_of_another().await;
    assert_eq!(alpha.code, Some(1), "{alpha:?}");
    assert_eq!(moved, 1);
}
