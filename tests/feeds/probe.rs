//! Durations that a feed does not say.

mod at_once;

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{SOON, Server, all_due, by_hand, by_table, feed, tables};
use crate::common::{Crontabber, Database, until};

/// A server, a database, and a program that is asked how long files are.
struct World {
    server: Server,
    database: Database,
    directory: TempDir,
}

impl World {
    /// With a shell's text as the program: `$1` is `-x`, `$2` the address. Every address is written down first.
    async fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().expect("/tmp takes directories");
        let world = Self {
            server: Server::start(),
            database: tables().await,
            directory,
        };
        world.probe_is(text);
        world
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn probe_is(&self, text: &str) {
        let home = self.directory.path().display();
        // Another file each time: one that is being run cannot be written.
        let _ = fs::remove_file(self.file("probe"));
        let text = format!("#!/bin/sh\nhome={home}\necho \"$2\" >> $home/asked\n{text}\n");
        fs::write(self.file("probe"), text).expect("a file");
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.file("probe"), mode).expect("it is ours");
    }

    /// A page whose episodes are these: guid, the file's address, and the duration if it is said.
    async fn has(&self, path: &str, episodes: &[(&str, &str, Option<&str>)]) {
        let items = episodes.iter().enumerate().map(|(place, episode)| {
            let (guid, url, duration) = episode;
            let duration =
                duration.map_or_else(String::new, |text| format!("<itunes:duration>{text}</itunes:duration>"));
            let day = 28 - place;
            format!(
                "<item><guid>{guid}</guid><title>{guid}</title><pubDate>{day} Nov 2026 10:00:00 GMT</pubDate>{duration}\
                 <enclosure url=\"{url}\" length=\"1000\" type=\"audio/mpeg\"/></item>"
            )
        });
        let text = feed(&items.collect::<Vec<_>>());
        let namespace = "<rss xmlns:itunes=\"http://www.itunes.com/dtds/podcast-1.0.dtd\"";
        self.server.has(path, "", &text.replace("<rss", namespace));
        by_hand(&self.database, &["add", &self.server.url(path)]).await;
        all_due(&self.database).await;
    }

    fn pass(&self, keys: &str) -> Crontabber {
        let probe = self.file("probe");
        let probe = probe.display();
        by_table(
            &self.database,
            &format!(
                "{{\"allow\": [\"127.0.0.1\"], \"gap\": \"0s\", \"probe\": [\"{probe}\", \"-x\"]{keys}}}"
            ),
        )
    }

    /// What a pass says at its end; its run is well.
    async fn passed(&self, keys: &str) -> Value {
        let pass = self.pass(keys).run().await;
        assert_eq!(pass.code, Some(0), "{pass:?}");
        let last = pass.stdout.lines().last().expect("a line");
        serde_json::from_str(last).expect("JSON")
    }

    /// The addresses that were probed, in order.
    fn asked(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file("asked")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    async fn durations(&self) -> Vec<String> {
        let sql = "SELECT concat_ws(' ', guid, d.duration, duration_from)
                     FROM episodes e JOIN episode_durations d USING (feed_id, key) ORDER BY feed_id, guid";
        self.database.rows(sql).await.concat()
    }

    /// What was probed and failed may be probed again.
    async fn hours_later(&self) {
        let sql = "UPDATE feed_probes SET next_probe = clock_timestamp() - interval '1 second' WHERE next_probe IS NOT NULL";
        self.database.execute(sql).await;
    }
}

/// How many it has found out and how many not.
fn counts(said: &Value) -> (&Value, &Value) {
    (&said["probed"], &said["probe_failures"])
}

#[tokio::test]
async fn durations_that_a_feed_does_not_say_are_probed_and_the_others_are_not() {
    let world = World::new("env > $home/environment; echo 61.7").await;
    let (said, unsaid) = (
        world.server.url("/1.mp3"),
        world.server.url("/2.mp3?token=1"),
    );
    world
        .has(
            "/feed",
            &[("1", &said, Some("30:00")), ("2", &unsaid, None)],
        )
        .await;
    let pass = world.passed("").await;
    assert_eq!(counts(&pass), (&json!(1), &json!(0)));
    assert_eq!(world.asked(), [unsaid]);
    assert_eq!(world.durations().await, ["1 1800 feed", "2 62 probe"]);
    let environment = fs::read_to_string(world.file("environment")).expect("it was written");
    assert!(!environment.contains("DATABASE_URL"), "{environment}");

    let pass = world.passed("").await;
    assert_eq!(counts(&pass), (&json!(0), &json!(0)));
    assert_eq!(world.asked().len(), 1);
    let without = by_table(&world.database, "{}").run().await.stdout;
    assert!(!without.contains("probe"), "{without}");
}

#[tokio::test]
async fn a_file_is_asked_once_whoever_has_it_and_no_saving_of_a_feed_forgets_it() {
    let world = World::new("echo 100").await;
    let (file, other) = (world.server.url("/1.mp3"), world.server.url("/2.mp3"));
    world.has("/one", &[("1", &file, None)]).await;
    world.has("/two", &[("2", &file, None)]).await;
    world.passed("").await;
    assert_eq!(world.durations().await, ["1 100 probe", "2 100 probe"]);

    // The same episode beside a new one of the same file: it has not changed, and nothing is asked.
    world
        .has("/one", &[("1", &file, None), ("3", &file, None)])
        .await;
    let pass = world.passed("").await;
    assert_eq!((&pass["added"], &pass["changed"]), (&json!(1), &json!(0)));
    assert_eq!(counts(&pass), (&json!(0), &json!(0)));
    assert_eq!(
        world.durations().await,
        ["1 100 probe", "3 100 probe", "2 100 probe"]
    );
    assert_eq!(world.asked(), std::slice::from_ref(&file));

    // Another address is another file, and what a feed says itself is believed.
    world.probe_is("echo 200");
    world
        .has("/one", &[("1", &other, None), ("3", &file, Some("150"))])
        .await;
    world.passed("").await;
    assert_eq!(
        world.durations().await,
        ["1 200 probe", "3 150 feed", "2 100 probe"]
    );
    assert_eq!(world.asked(), [file, other]);
}

#[tokio::test]
async fn a_probe_that_fails_fails_no_run_and_is_tried_three_times_ever_later() {
    let world = World::new("echo \"$2: Server returned 404\" >&2; exit 1").await;
    let file = world.server.url("/1.mp3?token=1234567");
    world.has("/feed", &[("1", &file, None)]).await;
    let row = "SELECT concat_ws(' ', errors, round(extract(epoch FROM next_probe - clock_timestamp()) / 3600)) FROM feed_probes";
    for (errors, row_then) in [(1, "1 1"), (2, "2 2"), (3, "3")] {
        let pass = world.pass("").run().await;
        assert_eq!(pass.code, Some(0), "{pass:?}");
        assert!(
            pass.stdout.contains("\"probed\":0,\"probe_failures\":1"),
            "{pass:?}"
        );
        assert!(pass.stdout.contains("/1.mp3: exit status: 1: "), "{pass:?}");
        assert!(!pass.stdout.contains("1234567"), "{pass:?}");
        assert_eq!(world.database.query_one::<String>(row).await, row_then);
        // Not before its time, and after the third time not at all.
        world.passed("").await;
        assert_eq!(world.asked().len(), errors);
        world.hours_later().await;
    }
    let pass = world.passed("").await;
    assert_eq!(counts(&pass), (&json!(0), &json!(0)));
    assert_eq!(world.asked().len(), 3);
    let error: String = world
        .database
        .query_one("SELECT last_error FROM feed_probes")
        .await;
    assert!(
        error.contains("404") && !error.contains("1234567"),
        "{error}"
    );
}

#[tokio::test]
async fn a_failure_in_between_is_forgotten_with_the_next_success() {
    let world = World::new("echo N/A").await;
    world
        .has("/feed", &[("1", &world.server.url("/1.mp3"), None)])
        .await;
    world.passed("").await;
    let error: String = world
        .database
        .query_one("SELECT last_error FROM feed_probes")
        .await;
    assert_eq!(
        error,
        "says `N/A` and no number of seconds from 1 to 604800"
    );
    world.probe_is("echo 7");
    world.hours_later().await;
    assert_eq!(counts(&world.passed("").await), (&json!(1), &json!(0)));
    let row: String = world
        .database
        .query_one(
            "SELECT concat_ws(' ', duration, errors, last_error, next_probe) FROM feed_probes",
        )
        .await;
    assert_eq!(row, "7 0");
}

#[tokio::test]
async fn a_probe_that_hangs_is_killed_with_all_that_it_has_started() {
    let world =
        World::new("sleep 1000 & echo $$ $! > $home/pids.new; mv $home/pids.new $home/pids; wait")
            .await;
    world
        .has("/feed", &[("1", &world.server.url("/1.mp3"), None)])
        .await;
    let pass = world.passed(", \"probe_timeout\": \"1s\"").await;
    assert_eq!(counts(&pass), (&json!(0), &json!(1)));
    let error: String = world
        .database
        .query_one("SELECT last_error FROM feed_probes")
        .await;
    assert_eq!(error, "took too long");
    let pids = fs::read_to_string(world.file("pids")).expect("it was written");
    let is_alive = |pid: &str| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.contains("sleep") && !stat.contains(") Z ")
    };
    until(SOON, "nothing of the probe is left", async || {
        !pids.split_whitespace().any(is_alive)
    })
    .await;
}

#[tokio::test]
async fn a_probe_that_never_stops_talking_is_stopped() {
    let world = World::new("exec yes").await;
    world
        .has("/feed", &[("1", &world.server.url("/1.mp3"), None)])
        .await;
    assert_eq!(counts(&world.passed("").await), (&json!(0), &json!(1)));
    let error: String = world
        .database
        .query_one("SELECT last_error FROM feed_probes")
        .await;
    assert_eq!(error, "says more than 16384 bytes");
}

#[tokio::test]
async fn a_probe_that_cannot_be_started_is_told_and_blames_no_file() {
    let world = World::new("").await;
    world
        .has("/feed", &[("1", &world.server.url("/1.mp3"), None)])
        .await;
    let table = "{\"allow\": [\"127.0.0.1\"], \"probe\": [\"/there/is/none\"]}";
    let pass = by_table(&world.database, table).run().await;
    assert_eq!(pass.code, Some(0), "{pass:?}");
    let told = "the probe `/there/is/none` cannot be started: No such file";
    assert!(pass.stdout.contains(told), "{pass:?}");
    let errors: i32 = world
        .database
        .query_one("SELECT errors FROM feed_probes")
        .await;
    assert_eq!(errors, 0);
}

#[tokio::test]
async fn no_probe_is_let_at_an_address_of_this_host_or_at_what_is_no_address() {
    let world = World::new("echo 5").await;
    let addresses = [
        "http://10.0.0.1/1.mp3",
        "http://[::1]/1.mp3",
        "http://0xa9fea9fe/latest/meta-data",
        "ftp://example.com/1.mp3",
        "file:///etc/passwd",
    ];
    let episodes = addresses.map(|address| (address, address, None));
    world.has("/feed", &episodes).await;
    assert_eq!(counts(&world.passed("").await), (&json!(0), &json!(3)));
    assert_eq!(world.asked(), [""; 0]);
    let errors = world
        .database
        .rows("SELECT last_error FROM feed_probes ORDER BY url")
        .await
        .concat();
    assert!(
        errors
            .iter()
            .all(|error| error.contains("not asked unless its network is allowed")),
        "{errors:?}"
    );
    // Nor as a word that the program would take for an option.
    world
        .database
        .execute("UPDATE episodes SET enclosure_url = '-version'")
        .await;
    world.passed("").await;
    assert_eq!(world.asked(), [""; 0]);
}

#[tokio::test]
async fn a_name_that_leads_to_this_host_is_looked_through() {
    let world = World::new("echo 5").await;
    world
        .has("/feed", &[("1", "http://localhost/1.mp3", None)])
        .await;
    // The fetch of the feed needs 127.0.0.1, so it is done before, without a probe.
    let fetched = by_table(&world.database, "{\"allow\": [\"127.0.0.1\"]}")
        .run()
        .await;
    assert_eq!(fetched.code, Some(0), "{fetched:?}");
    let probe = world.file("probe");
    let table = format!("{{\"probe\": [\"{}\", \"-x\"]}}", probe.display());
    let pass = by_table(&world.database, &table).run().await;
    assert!(pass.stdout.contains("`localhost` resolves to "), "{pass:?}");
    assert_eq!(world.asked(), [""; 0]);
}

#[tokio::test]
async fn a_pass_probes_so_many_and_the_newest_first() {
    let world = World::new("echo 5").await;
    let files: Vec<String> = (0..9)
        .map(|number| world.server.url(&format!("/{number}.mp3")))
        .collect();
    let episodes: Vec<_> = files
        .iter()
        .map(|file| (file.as_str(), file.as_str(), None))
        .collect();
    world.has("/feed", &episodes).await;
    let keys = ", \"probes\": 4, \"probe_parallel\": 2";
    assert_eq!(counts(&world.passed(keys).await), (&json!(4), &json!(0)));
    let mut asked = world.asked();
    asked.sort();
    assert_eq!(asked, files[..4]);
    assert_eq!(counts(&world.passed(keys).await), (&json!(4), &json!(0)));
    assert_eq!(counts(&world.passed(keys).await), (&json!(1), &json!(0)));
}
