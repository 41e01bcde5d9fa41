//! What people ask of the tables and change in them.

use std::fs;

use serde_json::Value;

use super::{
    SOON, add_all, by_hand, by_table,
    common::{Database, tables, until},
    feed, item, pass, world,
};

/// Every feed as a line of what a list hands on.
async fn handed_on(database: &Database) -> Vec<String> {
    let sql = "SELECT concat_ws(' | ', url, title, site_url, every) FROM feeds ORDER BY url";
    database.rows(sql).await.concat()
}

/// What a command prints as JSON.
async fn json(database: &Database, arguments: &[&str]) -> Value {
    let finished = by_hand(database, arguments).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    serde_json::from_str(&finished.stdout).expect("it is JSON")
}

/// A file with this in it.
fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("/tmp takes files");
    fs::write(&file, text).expect("it can be written");
    file
}

#[tokio::test]
async fn feeds_that_are_imported_exported_and_imported_again_are_the_same() {
    let (first, second) = (tables().await, tables().await);
    let list = file(
        "<opml version='1.0'><body><outline text='deep'><outline text='deeper'>
         <outline text='Nights &amp; &lt;days&gt; &quot;é&quot;' xmlUrl='https://example.com/?a=1&amp;b=2#c' htmlUrl='https://example.com/'/>
         </outline></outline><OUTLINE XMLURL='http://example.org/feed'/>
         <outline title='No feed'/></body></opml>",
    );
    let path = list.path().display().to_string();
    let imported = by_hand(&first, &["import", &path, "--every", "6h"]).await;
    assert_eq!(
        (
            imported.code,
            imported.stdout.as_str(),
            imported.stderr.as_str()
        ),
        (Some(0), "2 added, 0 known, 0 refused\n", "")
    );
    let expected = [
        "http://example.org/feed | 06:00:00",
        "https://example.com/?a=1&b=2#c | Nights & <days> \"é\" | https://example.com/ | 06:00:00",
    ];
    assert_eq!(handed_on(&first).await, expected);

    let exported = by_hand(&first, &["export"]).await.stdout;
    let again = file(&exported);
    let path = again.path().display().to_string();
    let imported = by_hand(&second, &["import", &path, "--every", "6h"]).await;
    assert_eq!(
        imported.stdout, "2 added, 0 known, 0 refused\n",
        "{exported}"
    );
    assert_eq!(handed_on(&second).await, expected);
    assert_eq!(by_hand(&second, &["export"]).await.stdout, exported);
    let imported = by_hand(&first, &["import", &path]).await;
    assert_eq!(imported.stdout, "0 added, 2 known, 0 refused\n");
    assert_eq!(handed_on(&first).await, expected);
}

#[tokio::test]
async fn an_export_has_the_active_feeds_or_all_however_many_there_are() {
    let database = tables().await;
    by_hand(&database, &["add", "https://example.com/0"]).await;
    database
        .execute(
            "INSERT INTO feeds (url, state) SELECT 'https://example.com/' || n, CASE WHEN n % 2 = 0 THEN 'active' ELSE 'gone' END
               FROM generate_series(1, 2999) n",
        )
        .await;
    let count = |opml: &str| opml.matches("<outline ").count();
    let active = by_hand(&database, &["export"]).await.stdout;
    assert_eq!(count(&active), 1500);
    assert!(!active.contains("https://example.com/1\""), "{active}");
    let all = by_hand(&database, &["export", "--all"]).await.stdout;
    assert_eq!(count(&all), 3000);
    assert!(all.ends_with("</opml>\n"));
}

#[tokio::test]
async fn a_list_counts_the_episodes_of_each_feed_and_says_that_there_are_more_than_it_has() {
    let database = tables().await;
    by_hand(&database, &["list"]).await;
    database
        .execute(
            "INSERT INTO feeds (url) SELECT 'https://example.com/' || n FROM generate_series(1, 10001) n;
             INSERT INTO episodes (feed_id, key, content_hash)
             SELECT id, sha256(n::text::bytea), '' FROM feeds, generate_series(1, 1 + id % 2) n",
        )
        .await;
    let listed = by_hand(&database, &["list", "--json"]).await;
    assert!(
        listed.stderr.contains("more than these 10000"),
        "{}",
        listed.stderr
    );
    let listed: Value = serde_json::from_str(&listed.stdout).expect("it is JSON");
    let listed = listed.as_array().expect("an array");
    assert_eq!(listed.len(), 10_000);
    for feed in listed {
        let id = feed["id"].as_i64().expect("a number");
        assert_eq!(feed["episodes"], 1 + id % 2, "{feed}");
    }
    database.execute("DELETE FROM feeds WHERE id = 1").await;
    let listed = by_hand(&database, &["list"]).await;
    assert_eq!(
        (listed.stdout.lines().count(), listed.stderr.as_str()),
        (10_000, "")
    );
}

#[tokio::test]
async fn an_import_of_lines_tells_which_are_refused_and_takes_the_others() {
    let database = tables().await;
    let list = file(
        "# mine\nhttps://example.com/a\n\nftp://ann:1234567@example.com/b?1234567\nhttps://example.com/a\nhttps://example.org/c\nfeed:https://example.com/d\n",
    );
    let path = list.path().display().to_string();
    by_hand(&database, &["add", "https://example.org/c"]).await;
    let imported = by_hand(&database, &["import", &path]).await;
    assert_eq!(imported.code, Some(1), "{imported:?}");
    assert_eq!(imported.stdout, "2 added, 1 known, 1 refused\n");
    assert_eq!(
        imported.stderr,
        "line 4: `...@example.com/b` is no address of a feed (https://...): left out\n"
    );

    for (text, why) in [
        ("<rss version='2.0'/>", "a feed itself"),
        ("<html></html>", "the root element is `html`"),
    ] {
        let list = file(text);
        let path = list.path().display().to_string();
        let imported = by_hand(&database, &["import", &path]).await;
        assert_eq!(imported.code, Some(1), "{imported:?}");
        assert!(imported.stderr.contains(why), "{imported:?}");
    }
    let missing = by_hand(&database, &["import", "/nowhere/feeds.opml"]).await;
    assert_eq!(missing.code, Some(74), "{missing:?}");
    assert!(
        missing
            .stderr
            .contains("`/nowhere/feeds.opml` cannot be read"),
        "{missing:?}"
    );
    let feeds: i64 = database.query_one("SELECT count(*) FROM feeds").await;
    assert_eq!(feeds, 3);
    let meant = "SELECT count(*) FROM feeds WHERE url = 'https://example.com/d'";
    assert_eq!(database.query_one::<i64>(meant).await, 1);
}

#[tokio::test]
async fn a_feed_is_shown_with_its_fetches_and_its_newest_episodes_by_number_and_by_address() {
    let (server, site, database) = world("fail_above = \"100%\"").await;
    let items: Vec<String> = (0..7)
        .map(|number| item(&number.to_string(), &format!("Part {number}")))
        .collect();
    server.has("/feed", "ETag: \"1\"\r\n", &feed(&items));
    by_hand(&database, &["add", &server.url("/feed"), "--every", "90m"]).await;
    pass(&site, &database).await;
    server.has("/feed", "ETag: \"2\"\r\n", &feed(&items[2..]));
    super::all_due(&database).await;
    pass(&site, &database).await;
    for _ in 0..10 {
        server.says("/feed", "404 Not Found", "");
        super::all_due(&database).await;
        pass(&site, &database).await;
    }
    let text = by_hand(&database, &["show", "1"]).await.stdout;
    let by_address = by_hand(&database, &["show", &server.url("/feed")]).await;
    assert_eq!(text, by_address.stdout);
    let has = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    for line in [
        format!("feed 1  {}", server.url("/feed")).as_str(),
        "state\tsuspended: ",
        "errors\t10",
        "last error\thttp",
        "every\t1h 30m",
        "kind\trss2.0",
        "title\tNights",
        "unchanged by\tETag \"2\"",
        "episodes\t7",
        "vanished\t2 of them",
    ] {
        assert_eq!(has(line), 1, "{line}: {text}");
    }
    assert_eq!((has("fetch\t"), has("episode\t")), (10, 5), "{text}");
    assert_eq!(has("next fetch"), 0, "{text}");

    let shown = json(&database, &["show", "1", "--json"]).await;
    assert_eq!(shown["url"], server.url("/feed"));
    assert_eq!(
        (&shown["episodes"], &shown["vanished"]),
        (&7.into(), &2.into())
    );
    assert_eq!(
        (&shown["every_seconds"], &shown["next_fetch"]),
        (&5400.into(), &Value::Null)
    );
    assert_eq!(shown["fetches"].as_array().map(Vec::len), Some(10));
    assert_eq!(shown["fetches"][0]["status"], 404);
    assert_eq!(shown["newest_episodes"].as_array().map(Vec::len), Some(5));
    let listed = json(&database, &["list", "--json"]).await;
    assert_eq!(listed[0]["episodes"], 7);
    for key in listed[0].as_object().expect("an object").keys() {
        assert!(shown.get(key).is_some(), "{key}");
    }
}

#[tokio::test]
async fn every_key_of_a_shown_feed_is_in_the_document() {
    let (server, site, database) = world("").await;
    server.has("/feed", "", &feed(&[item("1", "One")]));
    by_hand(&database, &["add", &server.url("/feed")]).await;
    pass(&site, &database).await;
    let document = fs::read_to_string("docs/json.md").expect("it is there");
    let (_, section) = document
        .split_once("## `action feeds list`")
        .expect("a section");
    let (section, _) = section.split_once("\n## What").expect("another section");
    let shown = json(&database, &["show", "1", "--json"]).await;
    for object in [&shown, &shown["fetches"][0], &shown["newest_episodes"][0]] {
        for key in object.as_object().expect("an object").keys() {
            assert!(
                section.contains(&format!("`{key}`")),
                "{key} is not told of"
            );
        }
    }
}

#[tokio::test]
async fn what_is_removed_is_told_and_one_unknown_name_removes_nothing() {
    let (server, site, database) = world("").await;
    let paths = ["/a", "/b", "/c"].map(str::to_owned);
    for path in &paths {
        server.has(path, "", &feed(&[item("1", path), item("2", path)]));
    }
    add_all(&database, &server, &paths).await;
    pass(&site, &database).await;
    let left = async || -> i64 { database.query_one("SELECT count(*) FROM feeds").await };
    for unknown in ["17", "https://ann:1234567@example.com/no?1234567"] {
        for command in ["remove", "resume"] {
            let refused = by_hand(&database, &[command, "1", unknown]).await;
            assert_eq!(refused.code, Some(1), "{refused:?}");
            assert!(
                refused.stderr.starts_with("error: there is no feed "),
                "{refused:?}"
            );
            assert!(
                refused.stderr.contains("crontabber action feeds list"),
                "{refused:?}"
            );
            assert!(!refused.stderr.contains("1234567"), "{refused:?}");
        }
    }
    assert_eq!(left().await, 3);
    let url = server.url("/b");
    let removed = by_hand(&database, &["remove", "1", &url, "1"]).await;
    assert_eq!(removed.code, Some(0), "{removed:?}");
    let mut lines: Vec<&str> = removed.stdout.lines().collect();
    lines.sort_unstable();
    let expected = ["/a", "/b"].map(|path| {
        let number = if path == "/a" { 1 } else { 2 };
        format!("{number}\t{}\tremoved with 2 episodes", server.url(path))
    });
    assert_eq!(lines, expected);
    assert_eq!(left().await, 1);
    let episodes: i64 = database.query_one("SELECT count(*) FROM episodes").await;
    assert_eq!(episodes, 2);
}

#[tokio::test]
async fn a_feed_that_is_removed_while_it_is_fetched_stays_removed() {
    let (server, _site, database) = world("").await;
    server.hangs("/feed");
    by_hand(&database, &["add", &server.url("/feed")]).await;
    let pass = by_table(&database, "{\"allow\": [\"127.0.0.1\"]}").spawn();
    until(SOON, "it is being fetched", async || {
        !server.requests("/feed").is_empty()
    })
    .await;
    let removed = by_hand(&database, &["remove", "1"]).await;
    assert_eq!(removed.code, Some(0), "{removed:?}");
    server.has("/feed", "", &feed(&[item("1", "One")]));
    let finished = pass.finished().await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.stdout.contains("\"taken_over\":1"), "{finished:?}");
    let left: i64 = database
        .query_one("SELECT (SELECT count(*) FROM feeds) + (SELECT count(*) FROM episodes)")
        .await;
    assert_eq!(left, 0);
}

#[tokio::test]
async fn texts_show_no_address_whole_and_documents_do() {
    let database = tables().await;
    let url = "https://ann:1234567@example.com/feed?token=7654321";
    let has_secret = |text: &str| text.contains("1234567") || text.contains("7654321");
    let added = by_hand(&database, &["add", url]).await;
    assert_eq!(added.stdout, "https://example.com/feed\tadded\n");
    let again = by_hand(&database, &["add", url]).await;
    assert_eq!(
        again.stdout,
        "https://example.com/feed\tis there already: feed 1, active\n"
    );
    let by_number = ["show", "1"];
    for command in [&["list"][..], &by_number[..], &["show", url][..]] {
        let text = by_hand(&database, command).await;
        assert_eq!(text.code, Some(0), "{text:?}");
        assert!(text.stdout.contains("https://example.com/feed"), "{text:?}");
        assert!(!has_secret(&text.stdout), "{text:?}");
    }
    assert_eq!(json(&database, &["list", "--json"]).await[0]["url"], url);
    assert_eq!(json(&database, &["show", "1", "--json"]).await["url"], url);
    let exported = by_hand(&database, &["export"]).await.stdout;
    assert!(
        exported.contains("https://ann:1234567@example.com/feed?token=7654321"),
        "{exported}"
    );
    let removed = by_hand(&database, &["remove", url]).await;
    assert_eq!(
        removed.stdout,
        "1\thttps://example.com/feed\tremoved with 0 episodes\n"
    );
}

#[tokio::test]
async fn a_feed_is_resumed_by_its_address() {
    let database = tables().await;
    let url = "https://example.com/feed";
    by_hand(&database, &["add", url]).await;
    database
        .execute("UPDATE feeds SET state = 'suspended', reason = 'why', error_count = 10, next_fetch = 'infinity'")
        .await;
    let resumed = by_hand(&database, &["resume", url]).await;
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    assert!(
        resumed.stdout.ends_with(", and is due now\n"),
        "{resumed:?}"
    );
    let is_due: bool = database
        .query_one("SELECT state = 'active' AND reason IS NULL AND error_count = 0 AND next_fetch <= clock_timestamp() FROM feeds")
        .await;
    assert!(is_due);
}

#[tokio::test]
async fn what_cannot_be_meant_is_a_matter_of_the_command_line() {
    let database = tables().await;
    for (arguments, why) in [
        (&["show"][..], "NUMBER|ADDRESS"),
        (
            &["show", "nights"],
            "neither the number of a feed nor its address",
        ),
        (&["remove"], "NUMBER|ADDRESS"),
        (&["add", "example.com/feed"], "is no address of a feed"),
        (
            &["add", "https://example.com/\u{1b}"],
            "is no address of a feed",
        ),
        (
            &["add", "https://example.com/", "--every", "soon"],
            "is no duration",
        ),
        (&["import", "-", "--every", "1s"], "every minute at most"),
        (&["list", "--state", "broken"], "suspended"),
    ] {
        let refused = by_hand(&database, arguments).await;
        assert_eq!(refused.code, Some(64), "{refused:?}");
        assert!(refused.stderr.contains(why), "{refused:?}");
    }
}
