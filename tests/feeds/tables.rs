//! The tables of the action: made step by step, and told where something of them is missing.

use std::sync::atomic::{AtomicU32, Ordering};

use super::{Finished, Server, all_due, by_hand, by_table, feed, item};
use crate::common::{Database, Postgres};

/// With a probe that is never started: the files are at an address that is not asked.
const TABLE: &str = "{\"allow\": [\"127.0.0.1\"], \"gap\": \"0s\", \"probe\": [\"false\"]}";

/// The steps that were taken.
const STEPS: &str = "SELECT version || ' ' || name FROM feeds_schema ORDER BY version";

/// The shape from before there were steps.
const WITHOUT_STEPS: &str = "DROP VIEW episode_durations; DROP TABLE feed_probes, feeds_schema;
                             DROP INDEX episodes_to_probe, feed_fetches_at";

async fn pass(database: &Database) -> Finished {
    by_table(database, TABLE).run().await
}

/// A document with these episodes, whose files are nowhere.
fn document(items: &[String]) -> String {
    feed(items).replace("https://example.com/", "http://10.0.0.1/")
}

/// An empty database, and a server with one feed in it.
async fn world() -> (Server, Database) {
    let server = Server::start();
    server.has("/feed", "ETag: \"1\"\r\n", &document(&[item("1", "One")]));
    (server, Postgres::database().await)
}

/// The same with the tables, and the feed in them.
async fn world_with_feed() -> (Server, Database) {
    let (server, database) = world().await;
    let added = by_hand(&database, &["add", &server.url("/feed")]).await;
    assert_eq!(added.code, Some(0), "{added:?}");
    (server, database)
}

/// A role of a test's own, that may log in and nothing else.
struct Role<'a> {
    database: &'a Database,
    name: String,
}

impl<'a> Role<'a> {
    async fn new(database: &'a Database) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("fetcher_{}_{number}", std::process::id());
        let sql = format!(
            "DROP ROLE IF EXISTS {name}; CREATE ROLE {name} LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC"
        );
        database.execute(&sql).await;
        Self { database, name }
    }

    /// With all that the commands of the action need.
    async fn granted(self) -> Self {
        let name = &self.name;
        self.database
            .execute(&format!(
                "GRANT SELECT, INSERT, UPDATE ON feeds, episodes, feed_probes TO {name};
                 GRANT SELECT, INSERT, DELETE ON feed_fetches TO {name};
                 GRANT SELECT ON feeds_schema, episode_durations TO {name}"
            ))
            .await;
        self
    }

    async fn pass(&self) -> Finished {
        let as_this = format!("user={}", self.name);
        let url = self.database.url().replace("user=crontabber", &as_this);
        assert_ne!(url, self.database.url());
        by_table(self.database, TABLE)
            .env("DATABASE_URL", url)
            .run()
            .await
    }

    async fn gone(self) {
        let name = &self.name;
        self.database
            .execute(&format!("DROP OWNED BY {name}; DROP ROLE {name}"))
            .await;
    }
}

#[tokio::test]
async fn passes_that_make_the_tables_at_once_all_succeed_and_take_each_step_once() {
    let (_server, database) = world().await;
    let passes = [(); 6].map(|()| by_table(&database, TABLE).spawn());
    for pass in passes {
        let pass = pass.finished().await;
        assert_eq!(pass.code, Some(0), "{pass:?}");
    }
    let steps = database.rows(STEPS).await.concat();
    assert_eq!(steps, ["1 001_tables", "2 002_probes", "3 003_pruning"]);
}

#[tokio::test]
async fn tables_from_before_there_were_steps_go_on_with_every_row() {
    let (server, database) = world_with_feed().await;
    assert_eq!(pass(&database).await.code, Some(0));
    database.execute(WITHOUT_STEPS).await;
    server.has(
        "/feed",
        "",
        &document(&[item("1", "One"), item("2", "Two")]),
    );
    all_due(&database).await;
    let passed = pass(&database).await;
    assert_eq!(passed.code, Some(0), "{passed:?}");
    assert!(
        passed.stdout.contains("\"added\":1,\"changed\":0"),
        "{passed:?}"
    );
    assert_eq!(database.rows(STEPS).await.len(), 3);
    let fetches: i64 = database
        .query_one("SELECT count(*) FROM feed_fetches")
        .await;
    assert_eq!(fetches, 2);
}

#[tokio::test]
async fn tables_of_a_newer_program_are_used_where_it_says_so_and_else_left_alone() {
    let (server, database) = world_with_feed().await;
    database
        .execute("INSERT INTO feeds_schema VALUES (99, 1, '099_more')")
        .await;
    let passed = pass(&database).await;
    assert_eq!(passed.code, Some(0), "{passed:?}");
    assert_eq!(server.requests("/feed").len(), 1);

    database
        .execute("UPDATE feeds_schema SET compatible_from = 98 WHERE version = 99")
        .await;
    all_due(&database).await;
    let refused = pass(&database).await;
    assert_eq!(refused.code, Some(78), "{refused:?}");
    let why = "the tables of the feeds have version 99, which needs a crontabber that knows version 98 or later";
    assert!(refused.stderr.contains(why), "{refused:?}");
    assert_eq!(server.requests("/feed").len(), 1);
    assert_eq!(database.rows(STEPS).await.len(), 4);
}

#[tokio::test]
async fn who_may_make_no_tables_is_told_what_to_type_and_typing_it_helps() {
    let (_server, database) = world().await;
    let role = Role::new(&database).await;
    let refused = role.pass().await;
    assert_eq!(refused.code, Some(77), "{refused:?}");
    let grant = format!("GRANT CREATE ON SCHEMA public TO {}", role.name);
    for part in [
        "permission denied for schema public",
        "migration 001_tables",
        &grant,
    ] {
        assert!(refused.stderr.contains(part), "{part}: {refused:?}");
    }
    let made: i64 = database
        .query_one("SELECT count(*) FROM pg_class WHERE relname LIKE 'feed%'")
        .await;
    assert_eq!(made, 0);
    database.execute(&grant).await;
    let passed = role.pass().await;
    assert_eq!(passed.code, Some(0), "{passed:?}");
    role.gone().await;
}

#[tokio::test]
async fn who_does_not_own_the_tables_is_told_which_migration_they_need_and_who_does() {
    let (server, database) = world_with_feed().await;
    let role = Role::new(&database).await.granted().await;
    database
        .execute("DELETE FROM feeds_schema WHERE version > 1; DROP VIEW episode_durations; DROP TABLE feed_probes")
        .await;
    let refused = role.pass().await;
    assert_eq!(refused.code, Some(77), "{refused:?}");
    for part in [
        "the migration 002_probes",
        "run once as crontabber, and not as",
        "crontabber action feeds list",
    ] {
        assert!(refused.stderr.contains(part), "{part}: {refused:?}");
    }
    assert!(server.requests("/feed").is_empty());
    assert_eq!(by_hand(&database, &["list"]).await.code, Some(0));
    let role = role.granted().await;
    let passed = role.pass().await;
    assert_eq!(passed.code, Some(0), "{passed:?}");
    role.gone().await;
}

#[tokio::test]
async fn who_lacks_a_right_is_told_which_and_typing_it_helps() {
    let (server, database) = world_with_feed().await;
    let role = Role::new(&database).await.granted().await;
    let rights = [
        ("feeds_schema", "SELECT"),
        ("feeds", "SELECT"),
        ("feeds", "UPDATE"),
        ("episodes", "SELECT"),
        ("episodes", "INSERT"),
        ("episodes", "UPDATE"),
        ("feed_fetches", "INSERT"),
        ("feed_fetches", "DELETE"),
        ("feed_probes", "SELECT"),
        ("feed_probes", "INSERT"),
        ("feed_probes", "UPDATE"),
    ];
    for (round, (table, right)) in rights.into_iter().enumerate() {
        database
            .execute(&format!("REVOKE {right} ON {table} FROM {}", role.name))
            .await;
        // One episode that is new each time, and one that is another: all that a pass may do is needed.
        server.has(
            "/feed",
            &format!("ETag: \"{round}\"\r\n"),
            &document(&[
                item("1", &round.to_string()),
                item(&format!("new in {round}"), "New"),
            ]),
        );
        all_due(&database).await;
        let refused = role.pass().await;
        assert_eq!(refused.code, Some(77), "{table} {right}: {refused:?}");
        let denied = format!("permission denied for table {table}");
        let grant = format!("GRANT {right} ON {table} TO {}", role.name);
        for part in [&denied, &grant] {
            assert!(refused.stderr.contains(part), "{part}: {refused:?}");
        }
        let ahead: i64 = database
            .query_one(&format!(
                "SELECT count(*) FROM feeds WHERE error_count > 0
                     OR (etag = '\"{round}\"' AND NOT EXISTS (SELECT FROM episodes WHERE title = '{round}'))"
            ))
            .await;
        assert_eq!(ahead, 0, "{table} {right}");
        database.execute(&grant).await;
        all_due(&database).await;
        let passed = role.pass().await;
        assert_eq!(passed.code, Some(0), "{table} {right}: {passed:?}");
    }
    role.gone().await;
}

#[tokio::test]
async fn who_may_use_no_schema_is_told_that() {
    let (_server, database) = world_with_feed().await;
    let role = Role::new(&database).await.granted().await;
    database
        .execute("REVOKE USAGE ON SCHEMA public FROM PUBLIC")
        .await;
    let refused = role.pass().await;
    assert_eq!(refused.code, Some(78), "{refused:?}");
    let grant = format!("GRANT USAGE ON SCHEMA public TO {}", role.name);
    assert!(refused.stderr.contains(&grant), "{refused:?}");
    role.gone().await;
}

#[tokio::test]
async fn a_table_that_somebody_has_dropped_is_named_before_anything_is_fetched() {
    for table in ["feeds", "episodes", "feed_fetches", "feed_probes"] {
        let (server, database) = world_with_feed().await;
        database
            .execute(&format!("DROP TABLE {table} CASCADE"))
            .await;
        let refused = pass(&database).await;
        assert_eq!(refused.code, Some(78), "{table}: {refused:?}");
        let why = format!("missing in the database: {table}");
        assert!(refused.stderr.contains(&why), "{table}: {refused:?}");
        assert!(
            refused.stderr.contains("restore it from a backup"),
            "{table}: {refused:?}"
        );
        assert!(server.requests("/feed").is_empty());
        // And by commands that use what is left.
        let listed = by_hand(&database, &["list"]).await;
        assert_eq!(listed.code, Some(78), "{table}: {listed:?}");
    }
}

#[tokio::test]
async fn what_is_told_about_a_lost_table_brings_it_back_with_what_the_feeds_have() {
    let (_server, database) = world_with_feed().await;
    assert_eq!(pass(&database).await.code, Some(0));
    database.execute("DROP TABLE episodes CASCADE").await;
    let refused = pass(&database).await.stderr;
    let told = refused
        .split("ask for everything: ")
        .nth(1)
        .expect("what to type");
    database.execute(told).await;
    all_due(&database).await;
    let passed = pass(&database).await;
    assert_eq!(passed.code, Some(0), "{passed:?}");
    assert!(
        passed
            .stdout
            .contains("\"not_modified\":0,\"failed\":0,\"ended\":{},\"added\":1"),
        "{passed:?}"
    );
}

#[tokio::test]
async fn a_full_disk_is_told_counts_against_no_feed_and_leaves_nothing_half_written() {
    let (_server, database) = world_with_feed().await;
    // What the server says when it cannot extend a file.
    database
        .execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 RAISE 'could not extend file \"base/1/2\": No space left on device' USING ERRCODE = '53100';
             END $$;
             CREATE TRIGGER full_disk BEFORE INSERT ON episodes FOR EACH ROW EXECUTE FUNCTION full_disk()",
        )
        .await;
    let refused = pass(&database).await;
    assert_eq!(refused.code, Some(69), "{refused:?}");
    for part in [
        "no room",
        "No space left on device (SQLSTATE 53100)",
        "a quarter of an hour",
    ] {
        assert!(refused.stderr.contains(part), "{part}: {refused:?}");
    }
    let row = "SELECT concat_ws(' ', state, error_count, etag, last_error, last_success, next_fetch > clock_timestamp(),
                                next_fetch <= clock_timestamp() + interval '15 minutes',
                                (SELECT count(*) FROM episodes), (SELECT count(*) FROM feed_fetches)) FROM feeds";
    assert_eq!(database.query_one::<String>(row).await, "active 0 t t 0 0");

    database.execute("DROP TRIGGER full_disk ON episodes").await;
    all_due(&database).await;
    let passed = pass(&database).await;
    assert!(passed.stdout.contains("\"added\":1"), "{passed:?}");
}

/// Fetches of the one feed, a minute apart, the last so many days ago.
async fn fetched(database: &Database, number: i64, days: i64) {
    let sql = format!(
        "ALTER TABLE feed_fetches DISABLE TRIGGER ALL;
         INSERT INTO feed_fetches (feed_id, at)
         SELECT 1, clock_timestamp() - interval '{days} days' - n * interval '1 second' FROM generate_series(1, {number}) n"
    );
    database.execute(&sql).await;
}

const FETCHES: &str = "SELECT count(*) FROM feed_fetches";

#[tokio::test]
async fn fetches_that_are_long_ago_are_forgotten_but_for_the_last_of_each_feed() {
    let (_server, database) = world_with_feed().await;
    database
        .execute("UPDATE feeds SET state = 'suspended'; INSERT INTO feeds (url, state) VALUES ('https://a/', 'suspended')")
        .await;
    fetched(&database, 10_500, 31).await;
    fetched(&database, 3, 29).await;
    database
        .execute("INSERT INTO feed_fetches (feed_id, at) SELECT 2, '2020-01-01'::timestamptz FROM generate_series(1, 5)")
        .await;
    assert_eq!(pass(&database).await.code, Some(0));
    let left = "SELECT concat_ws(' ', feed_id, count(*), max(id) = (SELECT max(id) FROM feed_fetches f WHERE f.feed_id = feed_fetches.feed_id))
                  FROM feed_fetches GROUP BY feed_id ORDER BY feed_id";
    assert_eq!(database.rows(left).await.concat(), ["1 3 t", "2 1 t"]);
    let passed = by_table(&database, "{\"keep_fetches\": \"28d\"}")
        .run()
        .await;
    assert_eq!(passed.code, Some(0), "{passed:?}");
    assert_eq!(database.query_one::<i64>(FETCHES).await, 2);
}

#[tokio::test]
async fn a_pass_forgets_so_many_fetches_and_leaves_the_others_to_the_next() {
    let (_server, database) = world_with_feed().await;
    database
        .execute("UPDATE feeds SET state = 'suspended'")
        .await;
    fetched(&database, 200_700, 31).await;
    assert_eq!(pass(&database).await.code, Some(0));
    assert_eq!(database.query_one::<i64>(FETCHES).await, 700);
    assert_eq!(pass(&database).await.code, Some(0));
    assert_eq!(database.query_one::<i64>(FETCHES).await, 1);
}
