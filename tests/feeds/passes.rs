//! Many feeds in one pass: none of them keeps the others from anything.

use jiff::{SignedDuration, Timestamp};

use crate::{
    SOON, add_all, all_due, by_table, common::until, feed, item, pass, server::Server, world,
};

const TABLE: &str =
    "{\"allow\": [\"127.0.0.1\"], \"gap\": \"0s\", \"parallel\": 2, \"fail_above\": \"100%\"}";

#[tokio::test]
async fn a_host_that_takes_its_time_keeps_only_its_own_feeds_waiting() {
    let (slow, _site, database) = world("").await;
    let quick = Server::start();
    // More than are claimed at once.
    let slow_paths: Vec<String> = (0..60).map(|number| format!("/slow/{number}")).collect();
    let quick_paths: Vec<String> = (0..10).map(|number| format!("/quick/{number}")).collect();
    for path in &slow_paths {
        slow.hangs(path);
    }
    for path in &quick_paths {
        quick.has(path, "", &feed(&[item("1", path)]));
    }
    add_all(&database, &slow, &slow_paths).await;
    add_all(&database, &quick, &quick_paths).await;
    let running = by_table(&database, TABLE).spawn();
    until(SOON, "the feeds of the other host are kept", async || {
        let kept: i64 = database.query_one("SELECT count(*) FROM episodes").await;
        kept == 10
    })
    .await;
    let asked = slow_paths
        .iter()
        .filter(|path| !slow.requests(path).is_empty());
    assert_eq!(asked.count(), 1, "one request at a time to a host");
    for path in &slow_paths {
        slow.has(path, "", &feed(&[item("1", path)]));
    }
    let finished = running.finished().await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.stdout.contains("\"fetched\":70"), "{finished:?}");
}

#[tokio::test]
async fn a_failure_that_cannot_be_written_down_keeps_no_other_from_it() {
    let (first, _site, database) = world("").await;
    let mut servers: Vec<Server> = (0..8).map(|_| Server::start()).collect();
    servers.push(first);
    for (number, server) in servers.iter().enumerate() {
        let path = if number == 4 { "/poison" } else { "/lost" };
        server.says(path, "404 Not Found", "");
        add_all(&database, server, &[path.to_owned()]).await;
    }
    database
        .execute("ALTER TABLE feeds ADD CHECK (last_error NOT LIKE '%poison%')")
        .await;
    let table = TABLE.replace("\"parallel\": 2", "\"parallel\": 9");
    let passed = by_table(&database, &table).run().await;
    assert_eq!(passed.code, Some(0), "{passed:?}");
    assert!(
        passed.stdout.contains("/poison): cannot be written down: "),
        "{passed:?}"
    );
    assert!(
        passed
            .stdout
            .contains("\"fetched\":9,\"not_modified\":0,\"failed\":9"),
        "{passed:?}"
    );
    let noted: i64 = database
        .query_one("SELECT count(*) FROM feeds WHERE last_status = 404 AND error_count = 1")
        .await;
    assert_eq!(noted, 8);
}

#[tokio::test]
async fn a_document_of_thousands_of_episodes_is_kept_whole_or_not_at_all() {
    let (server, site, database) = world("fail_above = \"100%\"").await;
    let all = |title: &dyn Fn(usize) -> String, number| {
        let items: Vec<String> = (0..number)
            .map(|one| item(&one.to_string(), &title(one)))
            .collect();
        feed(&items)
    };
    let path = "/feed".to_owned();
    server.has(&path, "ETag: \"1\"\r\n", &all(&|_| "One".to_owned(), 2_500));
    add_all(&database, &server, std::slice::from_ref(&path)).await;
    let said = pass(&site, &database).await;
    assert!(
        said.contains("\"added\":2500,\"changed\":0,\"vanished\":0"),
        "{said}"
    );

    // In the last part there is one that the table does not take: then nothing of it is there.
    database
        .execute("ALTER TABLE episodes ADD CHECK (title <> 'poison')")
        .await;
    let poisoned = |one| if one == 2_400 { "poison" } else { "Two" }.to_owned();
    server.has(&path, "ETag: \"2\"\r\n", &all(&poisoned, 2_500));
    all_due(&database).await;
    let said = pass(&site, &database).await;
    assert!(said.contains("cannot be kept"), "{said}");
    let row: String = database
        .query_one(
            "SELECT etag || ' ' || (SELECT count(*) FROM episodes WHERE title = 'One') FROM feeds",
        )
        .await;
    assert_eq!(row, "\"1\" 2500");

    let half = |one| if one < 100 { "Three" } else { "One" }.to_owned();
    server.has(&path, "ETag: \"3\"\r\n", &all(&half, 1_500));
    all_due(&database).await;
    let said = pass(&site, &database).await;
    assert!(
        said.contains("\"added\":0,\"changed\":100,\"vanished\":1000"),
        "{said}"
    );
}

#[tokio::test]
async fn a_document_that_is_cut_off_takes_no_episode_away_and_is_asked_for_again() {
    let (server, site, database) = world("").await;
    let whole = feed(&[item("1", "One"), item("2", "Two")]);
    server.has("/feed", "ETag: \"1\"\r\n", &whole);
    add_all(&database, &server, &["/feed".to_owned()]).await;
    pass(&site, &database).await;
    let half = whole
        .find("<guid>2")
        .map(|end| whole[..end].replace("One", "First"));
    server.has("/feed", "ETag: \"2\"\r\n", &half.expect("it is there"));
    all_due(&database).await;
    let said = pass(&site, &database).await;
    assert!(
        said.contains("\"added\":0,\"changed\":1,\"vanished\":0"),
        "{said}"
    );

    server.has("/feed", "ETag: \"2\"\r\n", &feed(&[item("1", "First")]));
    all_due(&database).await;
    let said = pass(&site, &database).await;
    assert!(
        said.contains("\"added\":0,\"changed\":0,\"vanished\":1"),
        "{said}"
    );
    let shown = server.requests("/feed");
    let was_shown = |head: &String| head.to_ascii_lowercase().contains("if-none-match");
    let was_shown: Vec<bool> = shown.iter().map(was_shown).collect();
    assert_eq!(
        was_shown,
        [false, true, false],
        "of half a document there is nothing to show"
    );
}

#[tokio::test]
async fn a_pass_ends_before_the_time_of_its_run_does() {
    let (slow, _site, database) = world("").await;
    let quick = Server::start();
    slow.hangs("/slow");
    quick.has("/quick", "", &feed(&[item("1", "One")]));
    add_all(&database, &slow, &["/slow".to_owned()]).await;
    add_all(&database, &quick, &["/quick".to_owned()]).await;
    let within = |seconds| {
        let end = Timestamp::now() + SignedDuration::from_secs(seconds);
        by_table(&database, TABLE).env("CRONTABBER_DEADLINE", end.to_string())
    };
    let over = within(-1).run().await;
    assert_eq!(over.code, Some(0), "{over:?}");
    assert!(
        over.stdout
            .starts_with("the time of this run is nearly over")
            && over.stdout.contains("\"fetched\":0"),
        "{over:?}"
    );
    let in_time = within(6).run().await;
    assert_eq!(in_time.code, Some(0), "{in_time:?}");
    assert!(
        in_time
            .stdout
            .contains("\"fetched\":2,\"not_modified\":0,\"failed\":1"),
        "{in_time:?}"
    );
    let error: String = database
        .query_one("SELECT last_error FROM feeds WHERE last_error IS NOT NULL")
        .await;
    assert!(
        error.starts_with("it was not done within 2s")
            || error.starts_with("it was not done within 3s"),
        "{error}"
    );
}
