//! Where feeds come from, beside who adds them by hand.

use std::fs;

use nix::{sys::stat::Mode, unistd::mkfifo};

use super::{
    all_due, by_hand, by_table,
    common::{Database, Finished},
    feed, item, pass, world,
};

/// What a pass by hand with this source says.
async fn with(database: &Database, source: &str) -> Finished {
    let table = format!("{{\"allow\": [\"127.0.0.1\"], \"gap\": \"0s\", {source}}}");
    by_table(database, &table).run().await
}

/// The table of a job whose only source is this query.
fn query(sql: &str) -> String {
    format!("\"query\": {}", serde_json::Value::from(sql))
}

fn opml(urls: &[String]) -> String {
    let outlines = urls.iter().enumerate().map(|(number, url)| {
        format!("<outline text=\"Feed {number}\" type=\"rss\" xmlUrl=\"{url}\"/>\n")
    });
    let outlines: String = outlines.collect();
    format!(
        "<opml version=\"2.0\"><body><outline text=\"all\">\n{outlines}</outline></body></opml>"
    )
}

async fn addresses(database: &Database) -> Vec<String> {
    let sql = "SELECT url FROM feeds ORDER BY id";
    database.rows(sql).await.concat()
}

#[tokio::test]
async fn feeds_of_an_opml_file_are_fetched_and_those_that_leave_it_stay() {
    let file = tempfile::NamedTempFile::new().expect("/tmp takes files");
    let path = file.path().display().to_string();
    let (server, site, database) = world(&format!("opml = \"{path}\"")).await;
    let urls = ["/a", "/b", "/c"].map(|path| server.url(path));
    for path in ["/a", "/b", "/c"] {
        server.has(path, "", &feed(&[item("1", path)]));
    }
    fs::write(&file, opml(&urls[..2])).expect("it can be written");
    let said = pass(&site, &database).await;
    assert!(said.contains("\"fetched\":2,"), "{said}");

    fs::write(&file, opml(&urls[1..])).expect("it can be written");
    all_due(&database).await;
    let said = pass(&site, &database).await;
    assert!(said.contains("\"fetched\":3,"), "{said}");
    assert_eq!(addresses(&database).await, urls);
}

#[tokio::test]
async fn an_opml_file_that_is_cut_off_gives_the_feeds_that_are_there_and_says_so() {
    let (server, _site, database) = world("").await;
    server.has("/a", "", &feed(&[item("1", "One")]));
    let file = tempfile::NamedTempFile::new().expect("/tmp takes files");
    let whole = opml(&[server.url("/a"), server.url("/b?x=1&y=2")]);
    let end = whole.find("x=1").expect("it is there");
    fs::write(&file, &whole[..end]).expect("it can be written");
    let said = with(&database, &format!("\"opml\": {:?}", file.path())).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.stdout.starts_with("`opml`: the document is cut off"),
        "{}",
        said.stdout
    );
    assert_eq!(addresses(&database).await, [server.url("/a")]);
}

#[tokio::test]
async fn an_opml_file_that_gives_nothing_ends_the_run_before_anything_is_fetched() {
    let (server, _site, database) = world("").await;
    let known = server.url("/known");
    by_hand(&database, &["add", &known]).await;
    let directory = tempfile::tempdir().expect("/tmp takes directories");
    let place = |name: &str| directory.path().join(name);
    fs::write(place("feed"), feed(&[])).expect("it can be written");
    fs::write(place("text"), "https://example.com/feed\n").expect("it can be written");
    mkfifo(&place("pipe"), Mode::S_IRWXU).expect("/tmp takes pipes");
    fs::create_dir(place("directory")).expect("/tmp takes directories");
    for (name, why) in [
        ("missing", "cannot be read: No such file"),
        ("directory", "cannot be read: it is no file"),
        ("pipe", "cannot be read: it is no file"),
        ("feed", "a feed itself and no list"),
        ("text", "is no OPML"),
    ] {
        let said = with(&database, &format!("\"opml\": {:?}", place(name))).await;
        assert_eq!(said.code, Some(78), "{said:?}");
        let names_it = said
            .stderr
            .starts_with("error: `opml` of the job's table: `")
            && said.stderr.contains(&format!("/{name}`"));
        assert!(names_it && said.stderr.contains(why), "{}", said.stderr);
    }
    assert_eq!(server.requests("/known").len(), 0);
    assert_eq!(addresses(&database).await, [known]);
}

#[tokio::test]
async fn feeds_of_a_query_are_fetched_and_what_is_no_address_is_told_without_its_secrets() {
    let (server, _site, database) = world("").await;
    server.has("/a", "", &feed(&[item("1", "One")]));
    let url = server.url("/a");
    database
        .execute(&format!(
            "CREATE TABLE podcasts (id integer, url varchar(100));
             INSERT INTO podcasts VALUES (1, '{url}'), (2, NULL), (3, 'ftp://ann:1234567@example.com/feed?token=1234567'),
                                         (4, '{url}')"
        ))
        .await;
    let said = with(&database, &query("SELECT url FROM podcasts ORDER BY id; ")).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stdout.contains("\"fetched\":1,"), "{}", said.stdout);
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(
        lines[..2],
        [
            "`query`: row 2: `` is no address of a feed (https://...): left out",
            "`query`: row 3: `...@example.com/feed` is no address of a feed (https://...): left out",
        ]
    );
    assert!(!said.stdout.contains("1234567"), "{}", said.stdout);

    // What it does not give any more stays, and takes no numbers from those that come.
    database.execute("DELETE FROM podcasts").await;
    database
        .execute(&format!(
            "INSERT INTO podcasts SELECT n, '{url}' FROM generate_series(1, 50) n"
        ))
        .await;
    with(&database, &query("SELECT url FROM podcasts")).await;
    by_hand(&database, &["add", &server.url("/b")]).await;
    let numbers = database
        .rows("SELECT id::text FROM feeds ORDER BY id")
        .await;
    assert_eq!(numbers.concat(), ["1", "2"]);
}

/// Queries that write or make no sense, and what is said of them.
const WRONG: [(&str, &str); 11] = [
    (
        "SELECT sneak()",
        "cannot execute INSERT in a read-only transaction",
    ),
    (
        "SELECT nextval('numbers')::text",
        "cannot execute nextval() in a read-only transaction",
    ),
    (
        "INSERT INTO mine VALUES ('x') RETURNING text",
        "syntax error",
    ),
    (
        "WITH x AS (INSERT INTO mine VALUES ('x') RETURNING text) SELECT text FROM x",
        "must not contain data-modifying statements",
    ),
    (
        "SELECT 'x'; DROP TABLE mine",
        "cannot insert multiple commands",
    ),
    (
        "SELECT 'x'; COMMIT; DROP TABLE mine",
        "cannot insert multiple commands",
    ),
    ("COMMIT", "syntax error"),
    (
        "SELECT set_config('transaction_read_only', 'off', true) || sneak()",
        "transaction read-write mode must be set before any query",
    ),
    (
        "SELECT text, text FROM mine UNION SELECT 'a', 'b'",
        "it gives 2 columns",
    ),
    ("SELECT 1", "it gives one column of type int4"),
    (
        "SELECT url FROM nowhere",
        "relation \"nowhere\" does not exist",
    ),
];

#[tokio::test]
async fn a_query_can_change_nothing_and_what_is_wrong_with_it_ends_the_run() {
    let (server, _site, database) = world("").await;
    let known = server.url("/known");
    by_hand(&database, &["add", &known]).await;
    database
        .execute(
            "CREATE TABLE mine (text text);
             CREATE SEQUENCE numbers;
             CREATE FUNCTION sneak() RETURNS text LANGUAGE sql AS
             $$ INSERT INTO mine VALUES ('sneaked in') RETURNING text $$",
        )
        .await;
    for (sql, why) in WRONG {
        let said = with(&database, &query(sql)).await;
        assert_eq!(said.code, Some(78), "{sql}: {said:?}");
        assert!(
            said.stderr
                .starts_with("error: `query` of the job's table: "),
            "{sql}: {}",
            said.stderr
        );
        assert!(said.stderr.contains(why), "{sql}: {}", said.stderr);
    }
    let written: i64 = database.query_one("SELECT count(*) FROM mine").await;
    assert_eq!(written, 0);
    assert_eq!(server.requests("/known").len(), 0);
    assert_eq!(addresses(&database).await, [known]);
}

#[tokio::test]
async fn a_query_that_never_ends_is_cancelled_and_one_that_gives_too_much_is_cut() {
    let (server, _site, database) = world("").await;
    by_hand(&database, &["add", &server.url("/known")]).await;
    let said = with(&database, &query("SELECT pg_sleep(600)::text")).await;
    assert_eq!(said.code, Some(78), "{said:?}");
    assert!(
        said.stderr
            .contains("`query` of the job's table: it takes longer than the 5 s"),
        "{said:?}"
    );
    assert_eq!(server.requests("/known").len(), 0);

    server.says("/known", "404 Not Found", "");
    let endless = "SELECT 'x' || generate_series(1, 1000000000)";
    let said = with(&database, &query(endless)).await;
    assert!(
        said.stdout
            .starts_with("`query`: more than 100,000 rows: the rest is left out\n"),
        "{said:?}"
    );
    assert!(
        said.stdout
            .contains("`query`: rows: 99990 more like these are left out\n"),
        "{}",
        said.stdout
    );
    let wide = "SELECT repeat('x', 8000 + 0 * generate_series(1, 1000000000))";
    let said = with(&database, &query(wide)).await;
    assert_eq!(said.code, Some(78), "{said:?}");
    assert!(said.stderr.contains("more than 64 MiB"), "{}", said.stderr);
}
