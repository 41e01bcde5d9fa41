//! The action `feeds`, from a job to its tables.

mod by_hand;
#[path = "../common/mod.rs"]
mod common;
mod hostile;
mod passes;
mod probe;
mod roads;
mod server;
mod sources;
mod stats;
mod tables;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use common::{Crontabber, Database, Finished, Site, tables, until};
use nix::sys::signal::Signal;
use server::Server;

const SOON: Duration = Duration::from_secs(30);

/// A job of the action, whose tables are beside crontabber's own.
async fn world(with: &str) -> (Server, Site, Database) {
    let database = tables().await;
    let site = Site::with(&database, |_| {
        let url = database.url();
        format!(
            "[jobs.feeds]\nevery = \"1h\"\nstart = \"now\"\naction = \"feeds\"\nenv = {{ DATABASE_URL = \"{url}\" }}\n\
             [jobs.feeds.with]\nallow = [\"127.0.0.1\"]\ngap = \"0s\"\n{with}\n"
        )
    });
    (Server::start(), site, database)
}

/// A command of the action, by hand.
async fn by_hand(database: &Database, arguments: &[&str]) -> Finished {
    let arguments = ["action", "feeds"]
        .into_iter()
        .chain(arguments.iter().copied());
    Crontabber::new(arguments.collect::<Vec<_>>())
        .env("DATABASE_URL", database.url())
        .run()
        .await
}

/// A pass of crontabber in which the job is due; what its run has printed.
async fn pass(site: &Site, database: &Database) -> String {
    for sql in [
        "UPDATE crontabber SET revision = revision + 1, slot = date_trunc('minute', clock_timestamp()) - interval '1 minute',
                next_run = date_trunc('minute', clock_timestamp()) - interval '1 minute' WHERE app_name = 'feeds'",
        "DELETE FROM crontabber_log WHERE outcome <> 'running'",
    ] {
        database.execute(sql).await;
    }
    let pass = site.on("alpha", &["tick"]).run().await;
    assert!(matches!(pass.code, Some(0 | 1)), "{pass:?}");
    let sql = "SELECT outcome || ': ' || output FROM crontabber_log WHERE app_name = 'feeds' ORDER BY id DESC LIMIT 1";
    database.query_one(sql).await
}

/// All feeds are due.
async fn all_due(database: &Database) {
    let sql = "UPDATE feeds SET next_fetch = clock_timestamp() - interval '1 second'";
    database.execute(sql).await;
}

/// Adds these pages of the server.
async fn add_all(database: &Database, server: &Server, paths: &[String]) {
    let urls: Vec<String> = paths.iter().map(|path| server.url(path)).collect();
    let mut add = vec!["add"];
    add.extend(urls.iter().map(String::as_str));
    assert_eq!(by_hand(database, &add).await.code, Some(0));
}

fn item(guid: &str, title: &str) -> String {
    format!(
        "<item><guid>{guid}</guid><title>{title}</title><pubDate>Sat, 21 Nov 2026 10:00:00 GMT</pubDate>\
         <enclosure url=\"https://example.com/{guid}.mp3\" length=\"1000\" type=\"audio/mpeg\"/></item>"
    )
}

fn feed(items: &[String]) -> String {
    let items = items.concat();
    format!("<rss version=\"2.0\"><channel><title>Nights</title>{items}</channel></rss>")
}

#[tokio::test]
async fn what_a_feed_has_is_kept_and_told_from_what_was_there() {
    let (server, site, database) = world("").await;
    let url = server.url("/feed");
    server.has("/feed", "", &feed(&[item("1", "One"), item("2", "Two")]));
    let added = by_hand(&database, &["add", &url]).await;
    assert_eq!(
        (added.code, added.stdout),
        (Some(0), format!("{url}\tadded\n"))
    );
    let said = pass(&site, &database).await;
    let expected = "success: {\"fetched\":1,\"not_modified\":0,\"failed\":0,\"ended\":{},\"added\":2,\"changed\":0,\
                    \"vanished\":0,\"taken_over\":0}\n";
    assert_eq!(said, expected);

    // One is as it was, one is another, one is new; and the next time the first is gone.
    server.has(
        "/feed",
        "",
        &feed(&[item("1", "One"), item("2", "Second"), item("3", "Three")]),
    );
    all_due(&database).await;
    let said = pass(&site, &database).await;
    assert!(
        said.contains("\"added\":1,\"changed\":1,\"vanished\":0"),
        "{said}"
    );
    let untouched: bool = database
        .query_one("SELECT xmax = 0 AND changed_at IS NULL FROM episodes WHERE guid = '1'")
        .await;
    assert!(untouched, "an episode that has not changed is not written");
    server.has(
        "/feed",
        "",
        &feed(&[item("2", "Second"), item("3", "Three")]),
    );
    all_due(&database).await;
    let said = pass(&site, &database).await;
    assert!(
        said.contains("\"added\":0,\"changed\":0,\"vanished\":1"),
        "{said}"
    );
    let kept: String = database
        .query_one("SELECT title FROM episodes WHERE gone_at IS NOT NULL")
        .await;
    assert_eq!(kept, "One");
}

#[tokio::test]
async fn a_server_is_shown_its_own_validators_word_for_word_and_nothing_is_written_when_nothing_is_new()
 {
    let (server, site, database) = world("").await;
    let fields = "ETag: W/\"a b\"\r\nLast-Modified: Sat, 21 Nov 2026 10:00:00 GMT\r\n";
    server.has("/feed", fields, &feed(&[item("1", "One")]));
    by_hand(&database, &["add", &server.url("/feed")]).await;
    pass(&site, &database).await;
    server.says("/feed", "304 Not Modified", "");
    all_due(&database).await;
    let said = pass(&site, &database).await;
    assert!(
        said.contains("\"fetched\":1,\"not_modified\":1,\"failed\":0"),
        "{said}"
    );
    let requests = server.requests("/feed");
    let head = requests[1].to_ascii_lowercase();
    assert!(head.contains("if-none-match: w/\"a b\"\r\n"), "{head}");
    assert!(
        head.contains("if-modified-since: sat, 21 nov 2026 10:00:00 gmt\r\n"),
        "{head}"
    );
    assert!(
        !requests[0].to_ascii_lowercase().contains("if-"),
        "{}",
        requests[0]
    );
}

#[tokio::test]
async fn validators_of_a_document_that_cannot_be_read_are_not_kept() {
    let (server, site, database) = world("").await;
    server.has(
        "/feed",
        "ETag: \"broken\"\r\n",
        "<html><body>moved</body></html>",
    );
    by_hand(&database, &["add", &server.url("/feed")]).await;
    let said = pass(&site, &database).await;
    assert!(said.starts_with("failure: feed 1 ("), "{said}");
    assert!(said.contains("this is an HTML page and no feed"), "{said}");
    let kept: bool = database
        .query_one("SELECT etag IS NOT NULL FROM feeds")
        .await;
    assert!(!kept);
}

#[tokio::test]
async fn a_feed_that_is_gone_is_asked_for_once_and_one_that_fails_ever_more_rarely() {
    let (server, site, database) = world("fail_above = \"100%\"").await;
    server.says("/gone", "410 Gone", "");
    server.says("/busy", "503 Service Unavailable", "Retry-After: 18000\r\n");
    server.says("/lost", "404 Not Found", "");
    for path in ["/gone", "/busy", "/lost"] {
        by_hand(&database, &["add", &server.url(path)]).await;
    }
    database
        .execute("UPDATE feeds SET error_count = 9 WHERE url LIKE '%/lost'")
        .await;
    let said = pass(&site, &database).await;
    assert!(said.starts_with("success: "), "{said}");
    assert!(
        said.contains("\"failed\":3,\"ended\":{\"gone\":1,\"suspended\":1}"),
        "{said}"
    );
    let rows = database
        .rows(
            "SELECT concat_ws(' ', substring(url from '[a-z]+$'), state, error_count, last_status,
                              CASE WHEN state = 'active' THEN round(extract(epoch FROM next_fetch - clock_timestamp()) / 3600) END)
               FROM feeds ORDER BY id",
        )
        .await
        .concat();
    assert_eq!(
        rows,
        [
            "gone gone 1 410",
            "busy active 1 503 5",
            "lost suspended 10 404"
        ]
    );
    all_due(&database).await;
    pass(&site, &database).await;
    assert_eq!(server.requests("/gone").len(), 1);

    let listed = by_hand(&database, &["list", "--state", "suspended"])
        .await
        .stdout;
    let cells: Vec<&str> = listed.trim_end().split('\t').collect();
    assert_eq!(cells[..4], ["3", "suspended", "10", "0"], "{listed}");
    let resumed = by_hand(&database, &["resume", "3"]).await;
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    server.has("/lost", "", &feed(&[item("1", "One")]));
    pass(&site, &database).await;
    let state: String = database
        .query_one("SELECT state || ' ' || error_count FROM feeds WHERE id = 3")
        .await;
    assert_eq!(state, "active 0");
}

#[tokio::test]
async fn a_feed_that_moves_for_good_is_asked_for_there_and_one_that_moves_to_another_ends() {
    let (server, site, database) = world("").await;
    let there = server.url("/there");
    server.says(
        "/old",
        "301 Moved Permanently",
        &format!("Location: {there}\r\n"),
    );
    server.says("/for-now", "302 Found", &format!("Location: {there}\r\n"));
    server.has("/there", "", &feed(&[item("1", "One")]));
    for path in ["/old", "/for-now"] {
        by_hand(&database, &["add", &server.url(path)]).await;
    }
    pass(&site, &database).await;
    let rows = database
        .rows("SELECT url FROM feeds ORDER BY id")
        .await
        .concat();
    assert_eq!(rows, [there.clone(), server.url("/for-now")]);

    by_hand(&database, &["add", &server.url("/old")]).await;
    let said = pass(&site, &database).await;
    assert!(said.contains("\"ended\":{\"duplicate\":1}"), "{said}");
    let row: String = database
        .query_one("SELECT state || ' of ' || duplicate_of FROM feeds WHERE id = 3")
        .await;
    assert_eq!(row, "duplicate of 1");
}

#[tokio::test]
async fn passes_at_the_same_time_fetch_each_feed_once() {
    let (server, _site, database) = world("").await;
    let paths: Vec<String> = (0..40).map(|number| format!("/{number}")).collect();
    for path in &paths {
        server.has(path, "", &feed(&[item("1", path)]));
    }
    add_all(&database, &server, &paths).await;
    let table = "{\"allow\": [\"127.0.0.1\"], \"gap\": \"0s\"}";
    let one = || by_table(&database, table).run();
    let (first, second, third) = tokio::join!(one(), one(), one());
    for pass in [&first, &second, &third] {
        assert_eq!(pass.code, Some(0), "{pass:?}");
    }
    for path in &paths {
        assert_eq!(server.requests(path).len(), 1, "{path}");
    }
    let episodes: i64 = database.query_one("SELECT count(*) FROM episodes").await;
    assert_eq!(episodes, 40);
}

#[tokio::test]
async fn what_may_be_secret_in_an_address_is_told_nowhere() {
    let (server, site, database) = world("fail_above = \"100%\"").await;
    server.says("/missing?token=1234567", "404 Not Found", "");
    server.has("/page?token=1234567", "", "<html></html>");
    for path in ["/missing?token=1234567", "/page?token=1234567"] {
        by_hand(&database, &["add", &server.url(path)]).await;
    }
    let said = pass(&site, &database).await;
    assert!(said.contains("\"failed\":2"), "{said}");
    assert!(!said.contains("1234567"), "{said}");
    let errors: Vec<String> = database
        .rows("SELECT last_error FROM feeds UNION SELECT error FROM feed_fetches")
        .await
        .concat();
    assert!(!errors.is_empty());
    assert!(
        errors.iter().all(|error| !error.contains("1234567")),
        "{errors:?}"
    );
    let allow = [
        "look",
        "--allow",
        "127.0.0.1",
        &server.url("/page?token=1234567"),
    ];
    let looked = by_hand(&database, &allow).await;
    assert_eq!(looked.code, Some(1));
    assert!(!looked.stderr.contains("1234567"), "{}", looked.stderr);
}

#[tokio::test]
async fn who_only_uses_the_tables_needs_no_right_to_make_any() {
    let (server, _site, database) = world("").await;
    server.has("/feed", "", &feed(&[item("1", "One")]));
    by_hand(&database, &["add", &server.url("/feed")]).await;
    let role = format!("reader_{}", std::process::id());
    database
        .execute(&format!(
            "DROP ROLE IF EXISTS {role};
             CREATE ROLE {role} LOGIN;
             REVOKE CREATE ON SCHEMA public FROM PUBLIC;
             GRANT SELECT, INSERT, UPDATE, DELETE ON feeds, episodes, feed_fetches, feed_probes TO {role};
             GRANT SELECT ON feeds_schema, episode_durations TO {role}"
        ))
        .await;
    let url = database
        .url()
        .replace("user=crontabber", &format!("user={role}"));
    assert_ne!(url, database.url());
    let work = || by_table(&database, "{\"allow\": [\"127.0.0.1\"]}").env("DATABASE_URL", &url);
    let worked = work().run().await;
    assert_eq!(worked.code, Some(0), "{worked:?}");
    assert!(worked.stdout.contains("\"added\":1"), "{}", worked.stdout);

    // And one who lacks a right is told which.
    database
        .execute(&format!("REVOKE INSERT ON episodes FROM {role}"))
        .await;
    all_due(&database).await;
    server.has("/feed", "", &feed(&[item("2", "Two")]));
    let refused = work().run().await;
    assert_ne!(refused.code, Some(0));
    assert!(
        refused
            .stderr
            .contains("permission denied for table episodes"),
        "{refused:?}"
    );
    database
        .execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
}

#[tokio::test]
async fn a_feed_that_cannot_be_kept_keeps_no_other_from_it() {
    let (server, site, database) = world("fail_above = \"50%\"").await;
    for path in ["/poison", "/sound"] {
        server.has(path, "ETag: \"1\"\r\n", &feed(&[item("1", &path[1..])]));
        by_hand(&database, &["add", &server.url(path)]).await;
    }
    database
        .execute("ALTER TABLE episodes ADD CHECK (title <> 'poison')")
        .await;
    let said = pass(&site, &database).await;
    assert!(said.starts_with("success: feed 1 ("), "{said}");
    assert!(
        said.contains("\"fetched\":2,\"not_modified\":0,\"failed\":1"),
        "{said}"
    );
    let rows = database
        .rows("SELECT concat_ws(' ', etag, left(last_error, 14)) FROM feeds ORDER BY id")
        .await
        .concat();
    assert_eq!(rows, ["cannot be kept", "\"1\""]);
}

/// A pass by hand, of this table.
fn by_table(database: &Database, table: &str) -> Crontabber {
    Crontabber::new(["action", "feeds"])
        .env("DATABASE_URL", database.url())
        .behind_shell(&format!("exec \"$@\" <<'END'\n{table}\nEND"))
}

#[tokio::test]
async fn passes_that_are_killed_half_way_lose_nothing_and_double_nothing() {
    let (server, _site, database) = world("").await;
    let paths: Vec<String> = (0..24).map(|number| format!("/{number}")).collect();
    for path in &paths {
        server.has(
            path,
            "ETag: \"1\"\r\n",
            &feed(&[item("1", path), item("2", path)]),
        );
    }
    let hanging: Vec<&String> = paths.iter().step_by(2).collect();
    for path in &hanging {
        server.hangs(path);
    }
    add_all(&database, &server, &paths).await;

    let table = "{\"allow\": [\"127.0.0.1\"], \"gap\": \"0s\", \"parallel\": 3}";
    let passes = [(); 2].map(|()| by_table(&database, table).spawn());
    let is_asked_for = |path: &&String| !server.requests(path).is_empty();
    // One request at a time to a host: each waits for one answer.
    until(SOON, "both passes wait for an answer", async || {
        hanging.iter().copied().filter(is_asked_for).count() == 2
    })
    .await;
    for pass in passes {
        pass.signal(Signal::SIGKILL);
        pass.finished().await;
    }
    let ahead: i64 = database
        .query_one(
            "SELECT count(*) FROM feeds WHERE etag IS NOT NULL
                AND (SELECT count(*) FROM episodes WHERE feed_id = feeds.id) <> 2",
        )
        .await;
    assert_eq!(ahead, 0, "a validator is ahead of its episodes");
    let asked: Vec<&String> = paths.iter().filter(is_asked_for).collect();
    for path in &hanging {
        server.has(
            path,
            "ETag: \"1\"\r\n",
            &feed(&[item("1", path), item("2", path)]),
        );
    }
    // What the dead have claimed nobody takes before their time is over.
    let before = by_table(&database, table).run().await;
    assert_eq!(before.code, Some(0), "{before:?}");
    for path in asked {
        assert_eq!(server.requests(path).len(), 1, "{path}");
    }
    database
        .execute("UPDATE feeds SET next_fetch = clock_timestamp() WHERE last_success IS NULL")
        .await;
    let after = by_table(&database, table).run().await;
    assert_eq!(after.code, Some(0), "{after:?}");
    let episodes: i64 = database.query_one("SELECT count(*) FROM episodes").await;
    assert_eq!(episodes, 48);
    for path in &paths {
        let requests = server.requests(path).len();
        assert!(requests <= 2, "{path} was asked for {requests} times");
    }
}

#[test]
fn the_engine_knows_no_action() {
    fn look(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).expect("a directory").flatten() {
            let path = entry.path();
            if path.ends_with("src/actions") || path.ends_with("src/cli/action") {
                continue;
            }
            if path.is_dir() {
                look(&path, found);
            } else if fs::read_to_string(&path).is_ok_and(|text| text.contains("actions::feeds")) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    look(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test]
async fn a_table_that_makes_no_sense_is_told_and_is_tried_again_by_nobody() {
    let (_server, site, database) = world("evry = \"6h\"").await;
    let said = pass(&site, &database).await;
    let expected = "failure: error: the table of this job: unknown field `evry`, expected one of `feeds`, `opml`";
    assert!(said.starts_with(expected), "{said}");
    let code: i32 = database
        .query_one("SELECT exit_code FROM crontabber_log ORDER BY id DESC LIMIT 1")
        .await;
    assert_eq!(code, 78);
}
