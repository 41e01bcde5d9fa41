//! Probes of several passes in one instant.

use crontabber::{
    actions::feeds::probe::{Probe, Probed, probe},
    store::{self, Address, Environment},
};

use super::{SOON, World, by_table, until};

/// The probes of a pass, in this process: one that is started takes its time to come to them.
async fn probes(url: String, how: Probe) -> Probed {
    let address =
        Address::parse(&url, &Environment::of_this_process()).expect("the test's own URL");
    let database = store::Database::new(address, "a test", 4, SOON);
    let allowed = ["127.0.0.1".parse().expect("a network")];
    let probed = probe(&database, &how, &allowed, None, |_| {}).await;
    probed.expect("the database is there")
}

impl World {
    fn probe(&self) -> Probe {
        Probe {
            argv: vec![self.file("probe").display().to_string(), "-x".to_owned()],
            timeout: SOON,
            parallel: 2,
            most: 50,
        }
    }

    /// So many files, in the tables and not probed yet.
    async fn files(&self, number: usize) -> Vec<String> {
        let url = |number| self.server.url(&format!("/{number:02}.mp3"));
        let files: Vec<String> = (0..number).map(url).collect();
        let episodes: Vec<_> = files
            .iter()
            .map(|file| (file.as_str(), file.as_str(), None))
            .collect();
        self.has("/feed", &episodes).await;
        let table = "{\"allow\": [\"127.0.0.1\"]}";
        let fetched = by_table(&self.database, table).run().await;
        assert_eq!(fetched.code, Some(0), "{fetched:?}");
        files
    }

    /// Until so many wait for a lock.
    async fn waiting(&self, number: i64) {
        let sql = format!(
            "SELECT count(*) = {number} FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        );
        until(SOON, "all of them wait", async || {
            self.database.query_one::<bool>(&sql).await
        })
        .await;
    }
}

#[tokio::test]
async fn passes_at_the_same_time_probe_each_file_once() {
    let world = World::new("echo 5").await;
    let files = world.files(24).await;
    let holder = world.database.connect().await;
    let lock = "BEGIN; LOCK TABLE feed_probes IN EXCLUSIVE MODE";
    holder
        .batch_execute(lock)
        .await
        .expect("nobody else has it");
    let passes = [(); 4].map(|()| {
        let url = world.database.url().to_owned();
        tokio::spawn(probes(url, world.probe()))
    });
    world.waiting(4).await;
    holder.batch_execute("COMMIT").await.expect("it is open");
    let mut probed = 0;
    for pass in passes {
        probed += pass.await.expect("it does not panic").probed;
    }
    assert_eq!(probed, world.asked().len());
    // What all of them left to each other.
    world.passed("").await;
    let mut asked = world.asked();
    asked.sort();
    assert_eq!(asked, files);
}

#[tokio::test]
async fn a_file_that_another_takes_at_this_moment_is_left_to_it() {
    let world = World::new("echo 5").await;
    let files = world.files(1).await;
    let other = world.database.connect().await;
    let taken = format!(
        "BEGIN; INSERT INTO feed_probes (url, next_probe) VALUES ('{}', clock_timestamp() + interval '1 hour')",
        files[0]
    );
    other.batch_execute(&taken).await.expect("it is new");
    let url = world.database.url().to_owned();
    let pass = tokio::spawn(probes(url, world.probe()));
    world.waiting(1).await;
    other.batch_execute("COMMIT").await.expect("it is open");
    let probed = pass.await.expect("it does not panic");
    assert_eq!((probed, world.asked()), (Probed::default(), Vec::new()));
}
