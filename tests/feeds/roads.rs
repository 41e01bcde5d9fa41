//! Episodes go to the table as COPY or as INSERT, and nobody can tell from the rows.

use super::{
    add_all, all_due, by_table,
    common::{Bouncer, Database, Finished, Postgres},
    feed, item,
    server::Server,
};

const TABLE: &str = "{\"allow\": [\"127.0.0.1\"], \"gap\": \"0s\"}";

/// All that can be different between rows of one document.
const ROWS: &str = "SELECT encode(key, 'hex'), guid, title, summary, link, enclosure_url, enclosure_type, enclosure_bytes::text,
                           duration::text, published::text, encode(content_hash, 'hex'), changed_at::text, gone_at::text
                      FROM episodes ORDER BY key";

/// Tables without a feed, that note which statements bring episodes.
async fn world() -> (Server, Database) {
    let database = Postgres::database().await;
    pass(&database, database.url()).await;
    database
        .execute(
            "CREATE TABLE roads (statement text);
             CREATE FUNCTION note_road() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
             BEGIN
                 INSERT INTO roads VALUES (substring(current_query() FROM '\\n(COPY|INSERT)'));
                 RETURN NULL;
             END $$;
             CREATE TRIGGER note_road AFTER INSERT ON episodes FOR EACH STATEMENT EXECUTE FUNCTION note_road()",
        )
        .await;
    (Server::start(), database)
}

async fn pass(database: &Database, url: &str) -> Finished {
    let pass = by_table(database, TABLE).env("DATABASE_URL", url);
    let passed = pass.run().await;
    assert_eq!(passed.code, Some(0), "{passed:?}");
    passed
}

async fn roads(database: &Database) -> String {
    let sql = "SELECT coalesce(string_agg(DISTINCT statement, ' '), 'none') FROM roads";
    database.query_one(sql).await
}

/// Episodes that lack what can be lacking, and have what is strange.
fn strange() -> Vec<String> {
    let strange = [
        "<guid>1</guid>",
        "<title>\\N \"quoted\", \ttabbed; \u{1f600} \\. and '</title>",
        "<guid>\\.</guid><title>é</title><description>a&#10;b\\n&lt;p&gt;</description>",
        "<guid>2</guid><pubDate>1965-03-04T05:06:07.123456789Z</pubDate>",
        "<guid>3</guid><pubDate>1999-12-31T23:59:59.9999999Z</pubDate><link>http://example.com/ä</link>",
        "<guid>4</guid><pubDate>2026-11-21T10:00:00.0000006Z</pubDate>",
        "<guid>5</guid><enclosure url=\"http://example.com/a\" length=\"9223372036854775807\"/>",
        "<guid>6</guid><enclosure url=\"http://example.com/b\" length=\"9223372036854775808\" type=\"audio/mpeg\"/>",
    ];
    let tags = ["<guid>7</guid>", "<guid>8</guid>"].map(|guid| {
        format!("{guid}<itunes:duration xmlns:itunes=\"http://www.itunes.com/dtds/podcast-1.0.dtd\">604800</itunes:duration>")
    });
    let strange = strange.into_iter().map(str::to_owned).chain(tags);
    let strange = strange.map(|fields| format!("<item>{fields}</item>"));
    strange
        .chain((0..30).map(|number| item(&format!("usual {number}"), "Usual")))
        .collect()
}

#[tokio::test]
async fn episodes_are_the_same_rows_however_many_of_them_come_at_once() {
    let (server, at_once) = world().await;
    let (_, some_at_a_time) = world().await;
    let items = strange();
    let path = "/feed".to_owned();
    for database in [&at_once, &some_at_a_time] {
        add_all(database, &server, std::slice::from_ref(&path)).await;
    }
    server.has(&path, "", &feed(&items));
    pass(&at_once, at_once.url()).await;
    assert_eq!(roads(&at_once).await, "COPY");
    // Ten are few: each document has ten more than the one before.
    for number in (10..items.len() + 10).step_by(10) {
        server.has(&path, "", &feed(&items[..number.min(items.len())]));
        all_due(&some_at_a_time).await;
        pass(&some_at_a_time, some_at_a_time.url()).await;
    }
    assert_eq!(roads(&some_at_a_time).await, "INSERT");
    let rows = at_once.rows(ROWS).await;
    assert_eq!(rows.len(), items.len());
    assert_eq!(rows, some_at_a_time.rows(ROWS).await);
}

#[tokio::test]
async fn behind_a_pooler_that_lends_sessions_out_many_episodes_are_the_same_rows() {
    let (server, direct) = world().await;
    let (_, pooled) = world().await;
    let Some(bouncer) = Bouncer::before(pooled.url()).await else {
        return;
    };
    let paths: Vec<String> = (0..20).map(|number| format!("/{number}")).collect();
    for path in &paths {
        let mut items = strange();
        items.push(item(path, "Its own"));
        server.has(path, "", &feed(&items));
    }
    for (database, url, road) in [
        (&direct, direct.url(), "COPY"),
        (&pooled, bouncer.url(), "INSERT"),
    ] {
        add_all(database, &server, &paths).await;
        pass(database, url).await;
        assert_eq!(roads(database).await, road);
    }
    let rows = direct.rows(ROWS).await;
    assert_eq!(rows.len(), 20 * (strange().len() + 1));
    assert_eq!(rows, pooled.rows(ROWS).await);
}

#[tokio::test]
async fn many_episodes_that_are_refused_half_way_leave_nothing_of_their_document() {
    let (server, database) = world().await;
    let path = "/feed".to_owned();
    let all = |title: &str| {
        let titled = |one| if one == 2_400 { title } else { "One" };
        let items: Vec<String> = (0..2_500)
            .map(|one| item(&one.to_string(), titled(one)))
            .collect();
        feed(&items)
    };
    database
        .execute("ALTER TABLE episodes ADD CHECK (title <> 'poison')")
        .await;
    server.has(&path, "ETag: \"1\"\r\n", &all("poison"));
    add_all(&database, &server, std::slice::from_ref(&path)).await;
    let table = "{\"allow\": [\"127.0.0.1\"], \"gap\": \"0s\", \"fail_above\": \"100%\"}";
    let refused = by_table(&database, table).run().await;
    assert!(refused.stdout.contains("cannot be kept"), "{refused:?}");
    let row =
        "SELECT concat_ws(' ', error_count, etag, (SELECT count(*) FROM episodes)) FROM feeds";
    assert_eq!(database.query_one::<String>(row).await, "1 0");
    // Taken back with the rest.
    assert_eq!(roads(&database).await, "none");

    server.has(&path, "ETag: \"2\"\r\n", &all("Two"));
    all_due(&database).await;
    pass(&database, database.url()).await;
    assert_eq!(database.query_one::<String>(row).await, "0 \"2\" 2500");
    assert_eq!(roads(&database).await, "COPY");
}

#[tokio::test]
async fn a_table_with_row_security_takes_many_episodes_by_insert() {
    let (server, database) = world().await;
    let role = format!("secured_{}", std::process::id());
    database
        .execute(&format!(
            "DROP ROLE IF EXISTS {role};
             CREATE ROLE {role} LOGIN;
             GRANT SELECT, INSERT, UPDATE ON feeds, episodes, feed_probes TO {role};
             GRANT SELECT, INSERT, DELETE ON feed_fetches TO {role};
             GRANT SELECT ON feeds_schema, episode_durations TO {role};
             ALTER TABLE episodes ENABLE ROW LEVEL SECURITY;
             CREATE POLICY all_of_them ON episodes USING (true)"
        ))
        .await;
    let url = database
        .url()
        .replace("user=crontabber", &format!("user={role}"));
    assert_ne!(url, database.url());
    let path = "/feed".to_owned();
    server.has(&path, "", &feed(&strange()));
    add_all(&database, &server, std::slice::from_ref(&path)).await;
    let passed = pass(&database, &url).await;
    let added = format!("\"added\":{}", strange().len());
    assert!(passed.stdout.contains(&added), "{passed:?}");
    assert_eq!(roads(&database).await, "INSERT");

    // Who owns the table is bound by none of it.
    database
        .execute("TRUNCATE episodes, roads; UPDATE feeds SET next_fetch = clock_timestamp()")
        .await;
    pass(&database, database.url()).await;
    assert_eq!(roads(&database).await, "COPY");
    database
        .execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
}
