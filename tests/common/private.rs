//! A server of one's own, for tests that mistreat it.

use std::{
    env, fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process, thread,
    time::{Duration, Instant},
};

use crontabber::embedded::{Cluster, Status};
use nix::{
    sys::{
        signal::{Signal, kill},
        statvfs::statvfs,
    },
    unistd::{Pid, Uid},
};
use tempfile::TempDir;

use super::{Database, Postgres, children};

/// Their directories are called so, with the pid of the test that made them.
const PREFIX: &str = "crontabber-private-";

/// A cluster in a directory of its own, running; stopped and removed with this value.
#[derive(Debug)]
pub struct Private {
    cluster: Cluster,
    directory: TempDir,
}

impl Private {
    /// Makes and starts it: half a second.
    pub fn new() -> Self {
        let private = Self::absent();
        private.start();
        private
    }

    /// A place for one, where nothing has been made yet.
    pub fn absent() -> Self {
        sweep();
        let directory = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-", process::id()))
            // Root's server runs as somebody else, who must get there.
            .permissions(fs::Permissions::from_mode(0o711))
            .tempdir_in(top())
            .expect("everybody may make directories there");
        let cluster = Cluster::at(&directory.path().join("postgres"));
        Self { cluster, directory }
    }

    /// The cluster itself.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// A directory of this test's own, removed with the server.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A fresh, empty database on it.
    pub async fn database(&self) -> Database {
        Postgres::at(self.cluster.url()).fresh().await
    }

    /// Starts it, if it does not run.
    pub fn start(&self) {
        let started = self.cluster.ensure_running();
        started.unwrap_or_else(|error| panic!("the private server does not start: {error}"));
    }

    /// Stops it in good order: clients are disconnected.
    pub fn stop(&self) {
        let stopped = self.cluster.stop();
        stopped.unwrap_or_else(|error| panic!("the private server does not stop: {error}"));
    }

    /// Stops it in good order and starts it again.
    pub fn restart(&self) {
        self.stop();
        self.start();
    }

    /// Stops it without a checkpoint: the next start recovers from the log.
    pub fn immediate(&self) {
        let pid = self.postmaster();
        let all = self.processes();
        send(pid, Signal::SIGQUIT);
        gone(&all);
    }

    /// `kill -9` of all its processes at once.
    pub fn kill(&self) {
        let all = self.processes();
        for pid in &all {
            send(*pid, Signal::SIGKILL);
        }
        gone(&all);
    }

    /// Freezes all its processes: connections stay open and nothing answers.
    pub fn freeze(&self) {
        // The parent first, so that it cannot add to what is listed next.
        send(self.postmaster(), Signal::SIGSTOP);
        for pid in self.processes() {
            send(pid, Signal::SIGSTOP);
        }
    }

    /// Ends what `freeze` began.
    pub fn thaw(&self) {
        for pid in self.processes() {
            send(pid, Signal::SIGCONT);
        }
    }

    /// The pid of its postmaster.
    pub fn postmaster(&self) -> i32 {
        match self.cluster.status() {
            Status::Running { pid: Some(pid) } | Status::NotReady { pid } => pid,
            status => panic!("the private server should be running: {status:?}"),
        }
    }

    /// The pids of all its processes, the postmaster first.
    pub fn processes(&self) -> Vec<i32> {
        let postmaster = self.postmaster();
        let mut all = vec![postmaster];
        all.extend(children(postmaster));
        all
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        if !matches!(self.cluster.status(), Status::Absent | Status::Stopped) {
            self.thaw();
        }
        if let Err(error) = self.cluster.remove() {
            // The next private server tries again, once this process has ended.
            eprintln!("the private server is still there: {error}");
        }
    }
}

/// Where private clusters are: in memory if there is plenty, for on some disks it takes seconds to
/// delete a cluster's thousand files. To a server that is killed the two are the same.
fn top() -> PathBuf {
    const PLENTY: u64 = 1 << 30;
    let memory = Path::new("/dev/shm");
    match statvfs(memory) {
        Ok(found) if found.blocks_available() * found.fragment_size() > PLENTY => memory.into(),
        _ => env::temp_dir(),
    }
}

/// Removes the servers of tests that were killed.
fn sweep() {
    let entries = fs::read_dir(top()).expect("everybody may read it");
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        let Some(pid) = pid else { continue };
        let ours = entry
            .metadata()
            .is_ok_and(|found| found.uid() == Uid::effective().as_raw());
        if ours && !Path::new("/proc").join(pid).exists() {
            // Other tests may be sweeping too; what fails here is theirs, or the next one's.
            let _ = Cluster::at(&entry.path().join("postgres")).remove();
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn send(pid: i32, signal: Signal) {
    // It may have ended since it was listed.
    let _ = kill(Pid::from_raw(pid), signal);
}

/// Waits until none of them is running; a zombie that nobody reaps is not.
fn gone(pids: &[i32]) {
    let since = Instant::now();
    let lives = |pid: &i32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok();
    while pids.iter().any(lives) {
        assert!(
            since.elapsed() < Duration::from_secs(20),
            "the server's processes do not die"
        );
        thread::sleep(Duration::from_millis(2));
    }
}
