//! How much there is to listen to.

use serde_json::{Value, json};

use super::{Finished, by_hand, tables};
use crate::common::Database;

/// Four feeds: one of half a year, one of two weeks and a day, one of six days, and one whose only episode has no date.
async fn world() -> Database {
    let database = tables().await;
    assert_eq!(by_hand(&database, &["list"]).await.code, Some(0));
    database
        .execute(
            "INSERT INTO feeds (url, title) SELECT 'https://a/' || n, 'Feed ' || n FROM generate_series(1, 5) n;
             INSERT INTO episodes (feed_id, key, content_hash, duration, published, gone_at)
             SELECT 1, int4send(n), '', 1800, '2026-01-01 00:00+00'::timestamptz + n * interval '168 hours',
                    CASE WHEN n < 10 THEN clock_timestamp() END
               FROM generate_series(0, 26) n;
             INSERT INTO episodes (feed_id, key, content_hash, duration, published, enclosure_url) VALUES
                 (2, '1', '', 3600, '2026-03-01 00:00+00', NULL),
                 (2, '2', '', NULL, '2026-03-08 12:00+00', 'https://a/2.mp3'),
                 (2, '3', '', NULL, '2026-03-10 00:00+00', 'https://a/3.mp3'),
                 (2, '4', '', 3600, '2026-03-16 00:00+00', NULL),
                 (3, '1', '', 3600, '2026-03-01 00:00+00', NULL),
                 (3, '2', '', 3600, '2026-03-07 00:00+00', NULL),
                 (4, '1', '', 3600, NULL, NULL);
             INSERT INTO feed_probes (url, duration) VALUES ('https://a/2.mp3', 7200)",
        )
        .await;
    database
}

async fn stats(database: &Database, arguments: &[&str]) -> Finished {
    let arguments = [&["stats"], arguments].concat();
    by_hand(database, &arguments).await
}

#[tokio::test]
async fn a_feed_brings_its_hours_over_the_time_from_its_oldest_to_its_newest_episode() {
    let database = world().await;
    let said = stats(&database, &["--json"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let said: Value = serde_json::from_str(&said.stdout).expect("JSON");
    // 4 hours in 15 days, one of the four by a probe and one unknown; 13.5 hours in 26 weeks; the others have no rate.
    let second = json!({
        "id": 2, "title": "Feed 2", "episodes": 4, "without_duration": 1, "hours": 4.0,
        "hours_per_day": 0.2667, "hours_per_week": 1.8667, "hours_per_month": 8.1167,
    });
    assert_eq!(said["feeds"][0], second);
    let first = json!({
        "id": 1, "title": "Feed 1", "episodes": 27, "without_duration": 0, "hours": 13.5,
        "hours_per_day": 0.0742, "hours_per_week": 0.5192, "hours_per_month": 2.2577,
    });
    assert_eq!(said["feeds"][1], first);
    for (place, id) in [(2, 3), (3, 4), (4, 5)] {
        let feed = &said["feeds"][place];
        assert_eq!(
            (&feed["id"], &feed["hours_per_week"]),
            (&json!(id), &Value::Null)
        );
    }
    let total = json!({
        "feeds": 5, "without_rate": 3, "episodes": 34, "without_duration": 1, "hours": 20.5,
        "hours_per_day": 0.3408, "hours_per_week": 2.3859, "hours_per_month": 10.3744,
    });
    assert_eq!(said["total"], total);
}

#[tokio::test]
async fn those_that_bring_most_are_listed_first_and_all_of_them_last() {
    let database = world().await;
    database
        .execute(
            "INSERT INTO feeds (url) SELECT 'https://b/' || n FROM generate_series(1, 30) n;
             INSERT INTO episodes (feed_id, key, content_hash, duration, published)
             SELECT id, int4send(n), '', 60, '2026-01-01 00:00+00'::timestamptz + n * interval '10 weeks'
               FROM feeds, generate_series(0, 1) n WHERE url LIKE 'https://b/%'",
        )
        .await;
    let said = stats(&database, &[]).await.stdout;
    let lines: Vec<Vec<&str>> = said
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(lines.len(), 21, "{said}");
    assert_eq!(
        lines[0],
        ["2", "4", "25%", "4.0", "0.27", "1.87", "8.12", "Feed 2"]
    );
    assert_eq!(lines[1][0], "1");
    assert_eq!(
        lines[20],
        [
            "all",
            "94",
            "1%",
            "21.5",
            "0.36",
            "2.49",
            "10.81",
            "35 feeds, 3 without a rate"
        ]
    );
    let all = stats(&database, &["--all"]).await.stdout;
    assert_eq!(all.lines().count(), 36, "{all}");
}

#[tokio::test]
async fn one_feed_is_counted_alone_and_one_that_is_not_there_is_told() {
    let database = world().await;
    let said = stats(&database, &["--feed", "3"]).await;
    assert_eq!(
        said.stdout,
        "3\t2\t0%\t2.0\t\t\t\tFeed 3\nall\t2\t0%\t2.0\t\t\t\t1 feed, 1 without a rate\n"
    );
    let said = stats(&database, &["--feed", "99"]).await;
    assert_eq!(said.code, Some(1));
    assert!(
        said.stderr.contains("there is no feed 99"),
        "{}",
        said.stderr
    );
}
