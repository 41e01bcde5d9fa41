//! A job that prints and waits, on one host, and whoever follows it from another.

use std::{fs::File, io::Write, time::Duration};

use nix::{sys::stat::Mode, unistd::mkfifo};

use super::common::{Database, Finished, Postgres, Running, Site, until};

/// How long a test waits for what must happen.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// What makes a job tell its output while it runs.
pub(crate) const STREAMS: &str = "stream_output = true";

pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) site: Site,
    gate: File,
}

impl World {
    /// A job `long` with these keys that does this; it may wait with `read x < $GATE`.
    pub(crate) async fn new(keys: &str, shell: &str) -> Self {
        Self::on(Postgres::database().await, keys, shell)
    }

    /// The same on a database of the caller's.
    pub(crate) fn on(database: Database, keys: &str, shell: &str) -> Self {
        let site = Site::with(&database, |site| {
            let gate = site.file("gate");
            mkfifo(&gate, Mode::S_IRWXU).expect("the directory is writable");
            let keys = format!(
                "every = \"1h\"\nstart = \"now\"\non_lost = \"hold\"\nenv = {{ GATE = \"{}\" }}\n{keys}",
                gate.display()
            );
            // One connection: what is streamed must not need another of the pool.
            let lease = "lease = \"3s\"";
            format!(
                "[daemon]\nmax_parallel = 1\n{lease}\n[defaults]\n{lease}\n{}",
                site.job("long", &keys, shell)
            )
        });
        // For reading too, so that neither side waits for the other to open it.
        let gate = File::options()
            .read(true)
            .write(true)
            .open(site.file("gate"));
        Self {
            gate: gate.expect("just made"),
            database,
            site,
        }
    }

    /// Lets the job go on.
    pub(crate) fn open_gate(&self) {
        let mut gate = &self.gate;
        gate.write_all(b"\n").expect("a pipe takes a byte");
    }

    /// A pass on `alpha`, which runs the job.
    pub(crate) fn pass(&self) -> Running {
        self.site.on("alpha", &["tick"]).spawn()
    }

    /// The same to its end.
    pub(crate) async fn passed(&self) -> Finished {
        self.pass().finished().await
    }

    /// Somebody on `beta` who follows the job.
    pub(crate) fn follower(&self) -> Running {
        self.site.on("beta", &["logs", "--follow", "long"]).spawn()
    }

    /// Somebody on `beta` who has read this of a run that is going on.
    pub(crate) async fn follower_who_has_read(&self, text: &str) -> Running {
        until(SOON, "something is streamed", async || {
            self.pieces().await > 0
        })
        .await;
        let follower = self.follower();
        until(SOON, "the follower has read it", async || {
            follower.stdout() == text
        })
        .await;
        follower
    }

    /// How many pieces there are; none before the first pass has made the tables.
    pub(crate) async fn pieces(&self) -> i64 {
        let made = "SELECT to_regclass('crontabber_output') IS NOT NULL";
        if !self.database.query_one::<bool>(made).await {
            return 0;
        }
        let sql = "SELECT count(*) FROM crontabber_output";
        self.database.query_one(sql).await
    }

    /// Outcome and output of the run, as the log has them.
    pub(crate) async fn record(&self) -> Vec<String> {
        let sql = "SELECT outcome, output FROM crontabber_log";
        let rows = self.database.rows(sql).await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.concat()
    }
}
