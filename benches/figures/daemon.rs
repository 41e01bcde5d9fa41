//! A host that stays: how late it is, what it costs while nothing happens, and how much it starts at once.

pub(crate) mod bursts;
pub(crate) mod idle;
pub(crate) mod lateness;
pub(crate) mod takeovers;

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tokio::time::sleep;
use tokio_postgres::{Client, types::FromSqlOwned};

use super::{
    CRONTABBER, Effort,
    server::{Server, connect},
};

/// How long anything may take here before it counts as never.
const PATIENCE: Duration = Duration::from_mins(2);

/// A database of its own, and a configuration for it.
struct Site<'a> {
    server: &'a Server,
    name: &'static str,
    url: String,
    client: Client,
}

impl<'a> Site<'a> {
    /// `sections` is the configuration but for the address.
    async fn new(server: &'a Server, name: &'static str, sections: &str) -> Self {
        let url = server.database(name).await;
        let client = connect(&url).await;
        let site = Self {
            server,
            name,
            url,
            client,
        };
        site.configure(&site.url, sections);
        site
    }

    /// Writes the configuration, with this address.
    fn configure(&self, url: &str, sections: &str) {
        let text = format!("[database]\nurl = \"{url}\"\n\n{sections}");
        fs::write(self.file("toml"), text).expect("the directory is ours");
    }

    fn file(&self, extension: &str) -> PathBuf {
        let name = format!("{}.{extension}", self.name);
        self.server.directory().join(name)
    }

    /// A daemon that is ready, on a host of this name.
    async fn daemon(&self, host: &str) -> Daemon {
        let log = self.file(&format!("{host}.log"));
        let stderr = File::create(&log).expect("the directory is ours");
        let child = Command::new(CRONTABBER)
            .args(["daemon", "--log-format", "line", "--host", host, "--config"])
            .arg(self.file("toml"))
            .env_clear()
            .env("HOME", self.server.directory())
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .expect("it is built");
        let daemon = Daemon { child, log };
        until("the daemon is ready", async || {
            daemon.log().contains(" ready ")
        })
        .await;
        daemon
    }

    async fn execute(&self, sql: &str) {
        let done = self.client.batch_execute(sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    async fn ask<T: FromSqlOwned>(&self, sql: &str) -> T {
        let row = self.client.query_one(sql, &[]).await;
        row.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
            .get(0)
    }

    /// Waits until a question is answered with yes.
    async fn until(&self, sql: &str) {
        until(sql, async || self.ask(sql).await).await;
    }
}

/// A daemon at work; killed with this value.
struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    /// As a machine that loses power does it, as far as one process is concerned.
    fn kill(&mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let since = Instant::now();
    while !holds().await {
        assert!(
            since.elapsed() < PATIENCE,
            "it takes too long until: {what}"
        );
        sleep(Duration::from_millis(10)).await;
    }
}
