//! A PostgreSQL for the measurements alone: the machine's own programs, a real disk, and default settings but for
//! autovacuum, which is off: it would disturb one side or the other.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process,
};

use crontabber::embedded::Cluster;
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// The directories are called so, with the pid of the program that made them.
const PREFIX: &str = "crontabber-bench-";

/// A running server in a directory of its own; stopped and removed with this value.
#[derive(Debug)]
pub(crate) struct Server {
    cluster: Cluster,
    directory: TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        sweep();
        let directory = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-", process::id()))
            // Root's server runs as somebody else, who must get there.
            .permissions(fs::Permissions::from_mode(0o711))
            .tempdir_in(env::temp_dir())
            .expect("everybody may make directories there");
        let cluster = Cluster::at(&directory.path().join("postgres"));
        if let Err(error) = cluster.ensure_running() {
            panic!("the measurements need a PostgreSQL server (scripts/need postgres): {error}");
        }
        Self { cluster, directory }
    }

    /// Sees to it that the server does nothing that nobody has asked for.
    pub(crate) async fn alone(&self) {
        let admin = connect(&self.url()).await;
        for sql in [
            "ALTER SYSTEM SET autovacuum = off",
            "SELECT pg_reload_conf()",
        ] {
            admin.batch_execute(sql).await.expect("a superuser may");
        }
    }

    /// The URL of the database it comes with.
    pub(crate) fn url(&self) -> String {
        self.cluster.url()
    }

    /// A directory for files.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Makes an empty database; its URL.
    pub(crate) async fn database(&self, name: &str) -> String {
        let admin = connect(&self.url()).await;
        let sql = format!("CREATE DATABASE {name}");
        admin.batch_execute(&sql).await.expect("the name is free");
        let url = self.url();
        assert!(
            url.contains(":///crontabber?"),
            "`{url}` names another database"
        );
        url.replace(":///crontabber?", &format!(":///{name}?"))
    }

    /// One of the programs that came with this server, not a wrapper on the PATH.
    pub(crate) async fn program(&self, name: &str) -> PathBuf {
        let sql = "SELECT setting FROM pg_config WHERE name = 'BINDIR'";
        let row = connect(&self.url()).await.query_one(sql, &[]).await;
        let directory: String = row.expect("a superuser may ask").get(0);
        Path::new(&directory).join(name)
    }

    /// The machine, in a line.
    pub(crate) fn about(&self) -> String {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let data = self.cluster.directory().join("data/PG_VERSION");
        let postgres = fs::read_to_string(data).unwrap_or_default();
        let cpus = read("/proc/cpuinfo");
        let model = cpus
            .lines()
            .find_map(|line| line.strip_prefix("model name"));
        format!(
            "PostgreSQL {}, {} x {}, Linux {}, load average {}",
            postgres.trim(),
            std::thread::available_parallelism().map_or(1, usize::from),
            model.map_or("a processor without a name", |model| model
                .trim_start_matches([' ', '\t', ':'])),
            read("/proc/sys/kernel/osrelease").trim(),
            read("/proc/loadavg").split(' ').next().unwrap_or_default(),
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.cluster.remove() {
            eprintln!(
                "{} is still there: {error}",
                self.directory.path().display()
            );
        }
    }
}

/// Removes the servers of measurements that were killed.
fn sweep() {
    let entries = fs::read_dir(env::temp_dir()).expect("everybody may read it");
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            // Another user's, or one that is being swept already, stays.
            let _ = Cluster::at(&entry.path().join("postgres")).remove();
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A plain connection, for everything that is not measured.
pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .expect("the server runs");
    // Its end is seen by the client, as an error of the next statement.
    tokio::spawn(connection);
    client
}
