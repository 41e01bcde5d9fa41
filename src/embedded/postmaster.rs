//! The server's process: whether it lives, whether it is ready, starting it, signalling it.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket},
    },
    unistd::Pid,
};

use super::{
    EmbeddedError, START_LIMIT, Server, Start,
    account::{Account, command},
    binaries::Binaries,
    place::Home,
    until, wait,
};

/// How much of the end of a log an error message quotes, in bytes and in lines.
const TAIL: (u64, usize) = (4096, 12);

/// What PostgreSQL writes into `postmaster.pid`.
#[derive(Debug, PartialEq, Eq)]
struct PidFile {
    pid: i32,
    ready: bool,
}

impl PidFile {
    /// Line 1 is the pid, line 8 the status. A file just being written may lack any of it.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let pid = lines.next()?.trim().parse().ok().filter(|&pid| pid > 1)?;
        let ready = lines.nth(6).is_some_and(|status| status.trim() == "ready");
        Some(Self { pid, ready })
    }

    fn read(path: &Path) -> Option<Self> {
        // Unreadable is as good as absent: the server's own start will say what is wrong with it.
        Self::parse(&fs::read_to_string(path).ok()?)
    }
}

fn pid_file(home: &Home) -> PathBuf {
    home.data().join("postmaster.pid")
}

/// What a pid of `postmaster.pid` is today.
#[derive(Debug, PartialEq, Eq)]
enum Process {
    /// Our postmaster: it lives in our data directory.
    Ours,
    /// Another process, or one that has died and is only waiting to be reaped.
    Other,
    /// None.
    Gone,
    /// One that we may not look at.
    Unknown,
}

/// The server, if it takes connections: by its file and `/proc`, and if these leave it open (another
/// pid namespace, a process we may not look at) by whether somebody listens on the socket.
pub(super) fn ready(home: &Home) -> Option<Server> {
    let file = PidFile::read(&pid_file(home)).filter(|file| file.ready)?;
    let pid = match process(home, file.pid) {
        Process::Ours => Some(file.pid),
        _ if listens(&home.socket()) => None,
        _ => return None,
    };
    Some(Server {
        pid,
        start: Start::AlreadyRunning,
    })
}

/// Whether a process listens on the socket. Never waits: a frozen server's queue may be full.
fn listens(path: &Path) -> bool {
    let connect = || {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        connect(socket.as_raw_fd(), &UnixAddr::new(path)?)
    };
    matches!(connect(), Ok(()) | Err(Errno::EAGAIN))
}

/// The pid of the postmaster, ready or not.
pub(super) fn alive(home: &Home) -> Option<i32> {
    let file = PidFile::read(&pid_file(home))?;
    (process(home, file.pid) == Process::Ours).then_some(file.pid)
}

/// PostgreSQL changes into its data directory and stays there, which no stranger that got the pid of
/// a dead server does.
fn process(home: &Home, pid: i32) -> Process {
    let directory = format!("/proc/{pid}");
    let Ok(data) = fs::metadata(home.data()) else {
        return Process::Unknown;
    };
    match fs::metadata(format!("{directory}/cwd")) {
        Ok(cwd) if (cwd.dev(), cwd.ino()) == (data.dev(), data.ino()) => Process::Ours,
        Ok(_) => Process::Other,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Process::Unknown,
        Err(_) if fs::exists(&directory).unwrap_or(false) => Process::Other,
        Err(_) => Process::Gone,
    }
}

/// Deletes the lock files of a dead server whose pid now belongs to something else.
///
/// PostgreSQL sees through a stale file by itself if the pid is free, but refuses to start if it is
/// taken. After a restart of a container it often is, and where nobody reaps, by the dead postmaster
/// itself. The caller has the server's lock, the proof that no process of it is left.
fn forget_stranger(home: &Home) -> Result<(), EmbeddedError> {
    for path in [pid_file(home), home.socket_lock()] {
        let Some(file) = PidFile::read(&path) else {
            continue;
        };
        if process(home, file.pid) == Process::Other {
            tracing::warn!(pid = file.pid, file = %path.display(), "stale: the pid is another process now");
            fs::remove_file(&path).map_err(EmbeddedError::io("delete", &path))?;
        }
    }
    Ok(())
}

/// Starts the server and waits until it takes connections. `log` is locked; the server takes the
/// lock over.
pub(super) fn start(
    home: &Home,
    binaries: &Binaries,
    account: Option<&Account>,
    log: File,
) -> Result<Server, EmbeddedError> {
    forget_stranger(home)?;
    let since = home.log_length();
    launch(home, binaries, account, &log, since)?;
    // From here on the lock is the server's alone: when it is free, the server is dead.
    drop(log);
    let probe = home.open_log(account)?;
    let started = until(START_LIMIT, || {
        if let Some(server) = ready(home) {
            return Ok(Some(server));
        }
        if wait::try_lock(&probe, home)? {
            return Err(failed(
                home,
                "postgres",
                "it ended before it was ready".to_owned(),
                since,
            ));
        }
        Ok(None)
    })?;
    started.ok_or_else(|| slow(home, "the start", START_LIMIT))
}

/// Leaves the forking to `pg_ctl`: it puts the server into a session of its own, with a parent that
/// exits, so that it survives us, holds no terminal and is nobody's zombie.
fn launch(
    home: &Home,
    binaries: &Binaries,
    account: Option<&Account>,
    log: &File,
    since: u64,
) -> Result<(), EmbeddedError> {
    let path = binaries.program("pg_ctl");
    let mut pg_ctl = command(&path, account);
    pg_ctl
        // pg_ctl hands -D to a shell in double quotes; the variable needs no quoting.
        .env("PGDATA", home.data())
        .arg("-p")
        .arg(binaries.program("postgres"))
        .arg("-o")
        .arg(Home::promises())
        .args(["--silent", "--no-wait", "start"]);
    home.write_to(&mut pg_ctl, log)?;
    let exit = pg_ctl.status().map_err(EmbeddedError::io("run", &path))?;
    if exit.success() {
        Ok(())
    } else {
        Err(failed(home, "pg_ctl", exit.to_string(), since))
    }
}

/// Sends a signal to the postmaster; one that has just died is fine.
pub(super) fn signal(home: &Home, pid: i32, signal: Signal) -> Result<(), EmbeddedError> {
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(EmbeddedError::io("stop the server of", home.directory())(
            error.into(),
        )),
    }
}

impl Home {
    /// How long the log is now: what a program writes comes after.
    pub(super) fn log_length(&self) -> u64 {
        fs::metadata(self.log()).map_or(0, |found| found.len())
    }

    /// Sends what a program prints to the log.
    pub(super) fn write_to(&self, command: &mut Command, log: &File) -> Result<(), EmbeddedError> {
        let share = || {
            log.try_clone()
                .map_err(EmbeddedError::io("share", self.log()))
        };
        command
            .stdout(Stdio::from(share()?))
            .stderr(Stdio::from(share()?));
        Ok(())
    }

    /// The last lines of the log from byte `since` on.
    fn log_tail(&self, since: u64) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = File::open(self.log())?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(since.max(length.saturating_sub(TAIL.0))))?;
            let mut bytes = Vec::new();
            file.take(TAIL.0).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = match read() {
            Ok(bytes) => bytes,
            Err(error) => return format!("  (it cannot be read: {error})"),
        };
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<_> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        let last = &lines[lines.len().saturating_sub(TAIL.1)..];
        if last.is_empty() {
            return "  (it is empty)".to_owned();
        }
        last.iter()
            .map(|line| format!("  {line}"))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// A program failed; `since` is where its part of the log begins.
pub(super) fn failed(home: &Home, program: &'static str, how: String, since: u64) -> EmbeddedError {
    EmbeddedError::Failed {
        program,
        how,
        log: home.log(),
        tail: home.log_tail(since),
    }
}

/// Something took longer than its limit.
pub(super) fn slow(home: &Home, what: &'static str, limit: Duration) -> EmbeddedError {
    EmbeddedError::Slow {
        what,
        limit,
        log: home.log(),
        tail: home.log_tail(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: &str =
        "8502\n/d/data\n1795220940\n5432\n../run\n\n 10010875         6\nready   \n";

    #[test]
    fn a_server_is_ready_when_its_eighth_line_says_so() {
        let read = |text: &str| PidFile::parse(text).map(|file| (file.pid, file.ready));
        assert_eq!(read(READY), Some((8502, true)));
        assert_eq!(
            read(&READY.replace("ready   ", "starting")),
            Some((8502, false))
        );
        assert_eq!(
            read(&READY.replace("ready   ", "stopping")),
            Some((8502, false))
        );
    }

    #[test]
    fn a_pid_file_cut_anywhere_is_never_more_than_it_says() {
        let ready = READY.find("ready").expect("it is there") + "ready".len();
        for end in 0..READY.len() {
            let found = PidFile::parse(&READY[..end]);
            assert!(
                found.is_none_or(|file| file.ready == (end >= ready)),
                "cut at {end}"
            );
        }
        for nonsense in ["0\n", "1\n", "-8502\n", "99999999999\n", "x"] {
            assert_eq!(PidFile::parse(nonsense), None, "{nonsense}");
        }
    }
}
