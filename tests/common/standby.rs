//! A standby of a private server, for tests of failovers.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use nix::unistd::Uid;

use super::{Database, Postgres, Private, until};

/// How long any one step may take.
const LIMIT: Duration = Duration::from_secs(30);

/// What the embedded server promises on its command line, for one that is started by hand.
const OPTIONS: &str = "-c listen_addresses= -c port=5432 -c unix_socket_directories=../run -c unix_socket_permissions=0700";

/// A primary with one standby that streams from it, and a database on both.
#[derive(Debug)]
pub struct Pair {
    // Dropped in this order: databases are dropped where they still can be, then the servers go.
    /// The database, on the primary.
    pub database: Database,
    /// The same one, on the standby: to be read, and after a promotion to be written.
    pub copy: Database,
    /// The server that takes writes.
    pub primary: Private,
    /// The one that follows it.
    pub standby: Private,
}

impl Pair {
    /// Makes both, streaming asynchronously: two seconds.
    pub async fn new() -> Self {
        let primary = Private::new();
        let database = primary.database().await;
        let standby = follower(&primary);
        let copy = Postgres::at(standby.cluster().url()).holding(&database);
        let pair = Self {
            database,
            copy,
            primary,
            standby,
        };
        until(LIMIT, "the standby streams", async || {
            pair.database
                .query_one("SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'")
                .await
        })
        .await;
        pair
    }

    /// From now on no commit is acknowledged that the standby does not have on its disk.
    pub async fn synchronous(&self) {
        // On the primary alone: promoted, the standby has none of its own to wait for.
        self.database
            .execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            .await;
        self.database.execute("SELECT pg_reload_conf()").await;
        until(LIMIT, "commits wait for the standby", async || {
            self.database
                .query_one("SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'")
                .await
        })
        .await;
    }

    /// Waits until the standby shows all that is committed by now.
    pub async fn caught_up(&self) {
        let at: String = self
            .database
            .query_one("SELECT pg_current_wal_flush_lsn()::text")
            .await;
        let sql = format!("SELECT pg_last_wal_replay_lsn() >= '{at}'");
        until(LIMIT, "the standby has caught up", async || {
            self.copy.query_one(&sql).await
        })
        .await;
    }

    /// The standby receives nothing any more, and the primary does not mind.
    pub async fn cut(&self) {
        self.copy
            .execute("ALTER SYSTEM SET primary_conninfo = ''")
            .await;
        self.copy.execute("SELECT pg_reload_conf()").await;
        until(LIMIT, "the standby receives nothing", async || {
            let (receivers, senders) = (
                "SELECT count(*) = 0 FROM pg_stat_wal_receiver",
                "SELECT count(*) = 0 FROM pg_stat_replication",
            );
            self.copy.query_one(receivers).await && self.database.query_one(senders).await
        })
        .await;
    }

    /// Kills the primary, and makes the standby the primary.
    pub async fn fail_over(&self) {
        self.primary.kill();
        assert!(
            self.copy.query_one::<bool>("SELECT pg_promote()").await,
            "the standby is not promoted"
        );
    }

    /// The URL of the database, wherever it takes writes.
    pub fn url(&self) -> String {
        let place = |database: &Database| {
            let (_, rest) = database.url().split_once("host=").expect("it is a socket");
            rest.split('&')
                .next()
                .expect("there is a first part")
                .to_owned()
        };
        let (primary, standby) = (place(&self.database), place(&self.copy));
        let url = self
            .database
            .url()
            .replace(&primary, &format!("{primary},{standby}"));
        format!("{url}&target_session_attrs=read-write")
    }
}

/// A standby of this server. Both are copies of one that was stopped, so no other program is needed.
fn follower(primary: &Private) -> Private {
    primary.stop();
    let standby = Private::absent();
    let (from, to) = (primary.cluster().directory(), standby.cluster().directory());
    let copied = Command::new("cp").arg("-a").args([&from, &to]).status();
    assert!(
        copied.expect("there is cp").success(),
        "cannot copy {}",
        from.display()
    );
    fs::remove_file(to.join("server.log")).expect("it was copied");
    configure(&from, &to.join("data"));
    primary.start();
    start(primary, &to);
    standby
}

fn configure(primary: &Path, data: &Path) {
    let settings = format!(
        "primary_conninfo = 'host={}/run port=5432 user=crontabber'\nwal_retrieve_retry_interval = '100ms'\n",
        primary.display()
    );
    let mut file = OpenOptions::new()
        .append(true)
        .open(data.join("postgresql.auto.conf"))
        .expect("it was copied");
    file.write_all(settings.as_bytes())
        .expect("the directory is ours");
    let signal = data.join("standby.signal");
    File::create(&signal).expect("the directory is ours");
    let owner = fs::metadata(data).expect("it was copied");
    chown(&signal, Some(owner.uid()), Some(owner.gid())).expect("it is ours");
}

/// Starts it with the programs of its primary. Not as a cluster of ours: one of those is ready when it takes writes.
fn start(primary: &Private, directory: &Path) {
    let programs = programs(primary);
    let data = directory.join("data");
    // Held as long as any of its processes lives, as with every embedded server: who removes it waits for that.
    let log = File::create(directory.join("server.log")).expect("the directory is ours");
    log.lock().expect("nobody else has it");
    let share = || Stdio::from(log.try_clone().expect("descriptors are to be had"));
    let mut pg_ctl = Command::new(programs.join("pg_ctl"));
    pg_ctl
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), ("LC_ALL", "C"), ("TZ", "UTC")])
        .env("PGDATA", &data)
        .current_dir("/")
        .arg("-p")
        .arg(programs.join("postgres"))
        .args(["-o", OPTIONS, "--silent", "--wait", "start"])
        .stdin(Stdio::null())
        .stdout(share())
        .stderr(share())
        .process_group(0);
    if Uid::effective().is_root() {
        let owner = fs::metadata(&data).expect("it was copied");
        pg_ctl.uid(owner.uid()).gid(owner.gid());
    }
    let started = pg_ctl.status().expect("pg_ctl is where postgres is");
    let log = || fs::read_to_string(directory.join("server.log")).unwrap_or_default();
    assert!(started.success(), "the standby does not start: {}", log());
}

/// The directory of the programs that the server is run by.
fn programs(server: &Private) -> PathBuf {
    let postgres = fs::read_link(format!("/proc/{}/exe", server.postmaster()));
    let postgres = postgres.expect("it runs");
    postgres.parent().expect("it is a file").to_owned()
}
