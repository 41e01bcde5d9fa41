//! A private PostgreSQL, made and started from the machine's own installed binaries.
//!
//! There is no manager process. Whoever needs the server calls [`Cluster::ensure_running`], and
//! three things on disk keep any number of such callers, killed at any point, in agreement:
//!
//! - `lock` is held (flock) by the one process that creates, starts or stops;
//! - `server.log` is locked by *the server itself*: it inherits the locked file as its output, so
//!   that the lock lasts exactly as long as any process of the server (or of `initdb`) lives.
//!   Whoever gets that lock knows that nothing is left of an earlier server, however it died;
//! - `data` appears by a rename, complete or not at all.
//!
//! The server listens on a Unix socket only. Whoever may enter `run` is trusted, and that is its
//! owner and root: authentication is the mode of the directory.

mod account;
mod binaries;
mod create;
mod place;
mod postmaster;
mod wait;

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::sys::signal::Signal;
use thiserror::Error;

use account::Account;
use binaries::Binaries;
use place::Home;
use wait::{Waited, until};

pub use place::default_directory;

/// How long `initdb` may take.
const CREATE_LIMIT: Duration = Duration::from_mins(1);
/// How long a start may take, and what is left of an earlier server may take to die.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long a fast shutdown may take.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// How long to wait for another process that creates and starts the same server.
const TURN_LIMIT: Duration = Duration::from_secs(100);

/// A private PostgreSQL cluster in a directory, running or not, made or not.
#[derive(Debug, Clone)]
pub struct Cluster {
    asked: PathBuf,
    binaries: Option<PathBuf>,
}

/// A server that was ready to be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    /// The process id of its postmaster; `None`: a process that cannot be seen from here.
    pub pid: Option<i32>,
    /// What it took.
    pub start: Start,
}

/// What it took to have a running server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Nothing: it ran already, or another process was just starting it.
    AlreadyRunning,
    /// It was started on the data that were there.
    Started,
    /// It was created, then started.
    Created,
}

/// What came of a request to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// No process of the server is left.
    Stopped,
    /// There was none.
    NotRunning,
}

/// What a cluster is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Nothing was ever created there.
    Absent,
    /// Created, but no server runs.
    Stopped,
    /// It is starting, recovering or shutting down.
    NotReady {
        /// The process id of its postmaster.
        pid: i32,
    },
    /// It takes connections.
    Running {
        /// The process id of its postmaster; `None`: a process that cannot be seen from here.
        pid: Option<i32>,
    },
}

/// Why there is no embedded server.
#[derive(Debug, Error)]
pub enum EmbeddedError {
    /// No PostgreSQL server is installed.
    #[error(
        "no `initdb` found, which makes the embedded database (looked in {}): install the PostgreSQL server\n{PACKAGES}",
        join(.looked)
    )]
    NoBinaries {
        /// Where it was looked for.
        looked: Vec<PathBuf>,
    },
    /// The directory the configuration names lacks a program.
    #[error("`bin_directory` is `{}`, which has no `{program}`", .directory.display())]
    NotABinDirectory {
        /// The directory named.
        directory: PathBuf,
        /// The first program that is missing.
        program: &'static str,
    },
    /// The data are of a major version that is not installed.
    #[error(
        "the data in `{}` were made by PostgreSQL {made_by}, which is not installed (found: {}): \
         install that version's server package, or move the data over with `pg_upgrade`; \
         nothing was changed",
        .data.display(),
        majors(.installed)
    )]
    OtherMajor {
        /// The data directory.
        data: PathBuf,
        /// The major version that made it.
        made_by: u32,
        /// The major versions found.
        installed: Vec<u32>,
    },
    /// There is something in the place of the data that PostgreSQL did not make.
    #[error("`{}` holds no PostgreSQL data: move it away or choose another directory", .0.display())]
    NotData(PathBuf),
    /// The user that runs the server cannot reach its directory.
    #[error(
        "user `{user}`, as which root runs the server, cannot enter `{}`: choose a directory below one that everybody can enter, such as `/var/lib`, or `chmod o+x` that one",
        .closed.display()
    )]
    Unreachable {
        /// The name of the user.
        user: String,
        /// The first directory on the way that is closed.
        closed: PathBuf,
    },
    /// A name needed in a directory that everybody may write to is taken by somebody else.
    #[error(
        "`{}` is not ours: remove it, or choose a directory whose path is at most {} bytes long",
        .0.display(),
        place::LONGEST_DIRECTORY
    )]
    Squatted(PathBuf),
    /// A file or a program could not be used.
    #[error("cannot {what} `{}`: {source}", .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// What came of it.
        source: io::Error,
    },
    /// A program of PostgreSQL failed.
    #[error("{program} failed ({how}); the end of {}:\n{tail}", .log.display())]
    Failed {
        /// The program.
        program: &'static str,
        /// How it ended.
        how: String,
        /// The whole log.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// Something took too long; it was given up, not undone.
    #[error("{what} took longer than {}s; the end of {}:\n{tail}", .limit.as_secs(), .log.display())]
    Slow {
        /// What took too long.
        what: &'static str,
        /// The limit.
        limit: Duration,
        /// The whole log.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// A server answers on the socket, but its process is not to be seen from here.
    #[error(
        "the server of `{}` runs where this process cannot see it (another container?): stop it there",
        .0.display()
    )]
    OutOfSight(PathBuf),
}

/// What to install where, for the message without `initdb`.
const PACKAGES: &str = "  \
  Debian, Ubuntu: apt-get install postgresql
                  (first put `create_main_cluster = false` into
                  /etc/postgresql-common/createcluster.conf if no service shall be started)
  Fedora, RHEL:   dnf install postgresql-server
  Alpine:         apk add postgresql
  Arch:           pacman -S postgresql
or name the directory of its programs as `bin_directory` in `[database]`";

impl Cluster {
    /// The cluster in `directory`, which need not exist yet. Nothing is touched.
    ///
    /// Where root cannot use that directory because it lies below one that the server's user cannot
    /// enter (`/root/project`), the cluster lives under `/var/lib/crontabber` instead, in a
    /// directory named after a hash of the path: see [`Cluster::directory`].
    #[must_use]
    pub fn at(directory: &Path) -> Self {
        Self {
            asked: directory.to_owned(),
            binaries: None,
        }
    }

    /// The same cluster, but run by the programs in `directory` and no others; `None`: whichever are
    /// installed, the newest first, of the data's own major version.
    #[must_use]
    pub fn with_binaries(self, directory: Option<PathBuf>) -> Self {
        Self {
            binaries: directory,
            ..self
        }
    }

    /// Where the cluster really is.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        Home::of(&self.asked).directory().to_owned()
    }

    /// The log of the server, and of its creation.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        Home::of(&self.asked).log()
    }

    /// The URL of its database, for crontabber and for `psql` alike.
    #[must_use]
    pub fn url(&self) -> String {
        Home::of(&self.asked).url()
    }

    /// What it is doing now, by what its files and processes say; no connection is made unless they
    /// leave it open.
    #[must_use]
    pub fn status(&self) -> Status {
        let home = Home::of(&self.asked);
        match postmaster::ready(&home) {
            Some(server) => Status::Running { pid: server.pid },
            None => match postmaster::alive(&home) {
                Some(pid) => Status::NotReady { pid },
                None if home.data().exists() => Status::Stopped,
                None => Status::Absent,
            },
        }
    }

    /// Sees to it that the server takes connections: nothing to do, a start, or `initdb` and a start.
    ///
    /// Any number of processes may call this at once, on any state that a `kill -9` left: they end up
    /// with one server. It outlives them all. When it runs already this costs a few system calls.
    pub fn ensure_running(&self) -> Result<Server, EmbeddedError> {
        let home = Home::of(&self.asked);
        if let Some(server) = postmaster::ready(&home) {
            home.link_socket()?;
            return Ok(server);
        }
        let account = Account::of(&home);
        home.prepare(account.as_ref())?;
        let turn = home.open_lock(account.as_ref())?;
        match wait::lock_or_ready(&turn, &home, TURN_LIMIT, "the start by another process")? {
            Waited::Ready(server) => Ok(server),
            Waited::Locked => self.start(&home, account.as_ref()),
        }
    }

    /// The slow path, with the lock held.
    fn start(&self, home: &Home, account: Option<&Account>) -> Result<Server, EmbeddedError> {
        let log = home.open_log(account)?;
        if let Waited::Ready(server) =
            wait::lock_or_ready(&log, home, START_LIMIT, "an earlier start or stop")?
        {
            return Ok(server);
        }
        let log = home.rotate_log(log, account)?;
        let made_by = home.major()?;
        let binaries = Binaries::find(self.binaries.as_deref(), made_by, &home.data())?;
        let start = if made_by.is_some() {
            Start::Started
        } else {
            create::create(home, &binaries, account, &log)?;
            Start::Created
        };
        let server = postmaster::start(home, &binaries, account, log)?;
        let directory = home.directory().display();
        tracing::info!(%directory, pid = server.pid, ?start, "embedded PostgreSQL started");
        Ok(Server { start, ..server })
    }

    /// Stops the server: clients are disconnected, what was committed is written out.
    pub fn stop(&self) -> Result<Stopped, EmbeddedError> {
        let home = Home::of(&self.asked);
        if !home.data().exists() {
            return Ok(Stopped::NotRunning);
        }
        let account = Account::of(&home);
        let turn = home.open_lock(account.as_ref())?;
        wait::lock(&turn, &home, TURN_LIMIT, "the start by another process")?;
        let Some(pid) = postmaster::alive(&home) else {
            return match postmaster::ready(&home) {
                Some(_) => Err(EmbeddedError::OutOfSight(home.directory().to_owned())),
                None => Ok(Stopped::NotRunning),
            };
        };
        postmaster::signal(&home, pid, Signal::SIGINT)?;
        let log = home.open_log(account.as_ref())?;
        wait::lock(&log, &home, STOP_LIMIT, "the shutdown")?;
        Ok(Stopped::Stopped)
    }

    /// Stops the server and deletes the cluster with everything in it.
    pub fn remove(&self) -> Result<(), EmbeddedError> {
        self.stop()?;
        Home::of(&self.asked).remove()
    }
}

impl EmbeddedError {
    /// Puts what was tried, and with what, beside an error of the system.
    fn io(what: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            what,
            path: path.as_ref().to_owned(),
            source,
        }
    }
}

fn join(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    paths.join(", ")
}

fn majors(installed: &[u32]) -> String {
    let majors: Vec<_> = installed.iter().map(u32::to_string).collect();
    majors.join(", ")
}
