//! What the service manager is told, and what it asks for: `sd_notify(3)`.
//!
//! Not the crate `sd-notify`: it sends on a socket that waits, and a daemon whose service manager is slow must not
//! stand still; and it knows no abstract socket, which containers use.
//!
//! `NOTIFY_SOCKET` and its like stay in this process's environment, where nobody but [`Manager::from_environment`] reads
//! them. No child has them: whatever this program starts, it starts with an environment of its own making. Else a job
//! could say for its daemon that all is well.

use std::{
    env,
    ffi::OsStr,
    fmt::Write as _,
    io::{self, ErrorKind},
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    process,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::clock;

/// The longest status, in bytes: systemd takes no message of more than 4096 in all, and people read one line.
const LONGEST_STATUS: usize = 1024;

/// The service manager, if this process has one that wants to hear of it; else every word falls on the floor.
///
/// Nothing here waits and nothing fails: what a service manager does not hear is its loss, never a job's.
#[derive(Debug, Default)]
pub struct Manager {
    line: Option<Line>,
    watchdog: Option<Duration>,
}

/// The way to it.
#[derive(Debug)]
struct Line {
    socket: UnixDatagram,
    /// Named with each message and not connected to once: a service manager may make its socket anew.
    address: SocketAddr,
    /// The change of state that its full queue has turned away. It goes with the next message: nobody repeats it, and
    /// without READY a start ends in a kill.
    owed: Mutex<String>,
    /// Whether a failure has been told already.
    complained: AtomicBool,
}

impl Manager {
    /// The one that `NOTIFY_SOCKET` names, with the watchdog of `WATCHDOG_USEC`, if that is meant for this process.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::of(|name| env::var_os(name))
    }

    fn of<V: AsRef<OsStr>>(variable: impl Fn(&str) -> Option<V>) -> Self {
        let text = |name| Some(variable(name)?.as_ref().to_str()?.to_owned());
        let line = variable("NOTIFY_SOCKET").and_then(|name| {
            let line = Line::to(name.as_ref());
            line.inspect_err(|error| tracing::debug!(%error, "NOTIFY_SOCKET cannot be used"))
                .ok()
        });
        Self {
            line,
            watchdog: watchdog(text("WATCHDOG_USEC"), text("WATCHDOG_PID")),
        }
    }

    /// Everything is proven and work begins, or goes on after a reload.
    pub fn ready(&self, status: &str) {
        self.send("READY=1\n", &said(status));
    }

    /// What goes on, in one line, for `systemctl status`.
    pub fn status(&self, status: &str) {
        self.send("", &said(status));
    }

    /// The configuration is being read again; [`ready`](Self::ready) says that this is over, however it went.
    pub fn reloading(&self) {
        let now = clock::monotonic().as_micros();
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={now}\n"), "");
    }

    /// Nothing more is started.
    pub fn stopping(&self, status: &str) {
        self.send("STOPPING=1\n", &said(status));
    }

    /// The loop comes round. To be said by the loop itself: from a thread beside it this would prove nothing.
    pub fn watchdog(&self) {
        self.send("", "WATCHDOG=1\n");
    }

    /// A start, reload or stop may take this long from now on.
    pub fn extend(&self, by: Duration) {
        self.send("", &format!("EXTEND_TIMEOUT_USEC={}\n", by.as_micros()));
    }

    /// How often to call [`watchdog`](Self::watchdog): twice in the time after which this process is taken for hung.
    #[must_use]
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog
    }

    fn send(&self, state: &str, rest: &str) {
        if let Some(line) = &self.line {
            line.send(state, rest);
        }
    }
}

impl Line {
    fn to(name: &OsStr) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            // vsock, in virtual machines: it speaks to no service manager of a service.
            _ => return Err(io::Error::from(ErrorKind::Unsupported)),
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            address,
            owed: Mutex::default(),
            complained: AtomicBool::new(false),
        })
    }

    /// Sends a change of state, or the one that is owed, and what is said with it.
    fn send(&self, state: &str, rest: &str) {
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.is_empty() {
            // The last one holds: no more than one is owed.
            state.clone_into(&mut owed);
        }
        let message = format!("{owed}{rest}");
        match self.socket.send_to_addr(message.as_bytes(), &self.address) {
            Ok(_) => owed.clear(),
            Err(error) if !self.complained.swap(true, Ordering::Relaxed) => {
                tracing::debug!(%error, "the service manager does not listen");
            }
            Err(_) => {}
        }
    }
}

/// A status as a line of the protocol: whatever it holds, it is one line, and short.
fn said(status: &str) -> String {
    let mut line = String::from("STATUS=");
    for part in status.chars() {
        if line.len() + part.len_utf8() > LONGEST_STATUS {
            break;
        }
        line.push(if part.is_control() { ' ' } else { part });
    }
    // Writing to a String cannot fail.
    let _ = writeln!(line);
    line
}

/// Half of the time that is given, if it is this process that the service manager watches.
fn watchdog(usec: Option<String>, pid: Option<String>) -> Option<Duration> {
    let ours = pid.is_none_or(|pid| pid.parse() == Ok(process::id()));
    let limit: u64 = usec.filter(|_| ours)?.parse().ok()?;
    (limit > 0).then(|| Duration::from_micros(limit) / 2)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tempfile::TempDir;
    use uuid::Uuid;

    use super::*;

    /// A service manager's end, and a [`Manager`] that speaks to it.
    fn pair() -> (UnixDatagram, Manager, TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = listening(&SocketAddr::from_pathname(&path).unwrap());
        (socket, at(&path), directory)
    }

    fn listening(address: &SocketAddr) -> UnixDatagram {
        let socket = UnixDatagram::bind_addr(address).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }

    fn at(path: &Path) -> Manager {
        given(&[("NOTIFY_SOCKET", path.to_str().unwrap())])
    }

    fn given(variables: &[(&str, &str)]) -> Manager {
        Manager::of(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn heard(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 4096];
        let length = socket.recv(&mut bytes).expect("a message has been sent");
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    #[test]
    fn each_word_is_one_message_of_lines() {
        let (socket, manager, _directory) = pair();
        manager.ready("2 jobs");
        assert_eq!(heard(&socket), "READY=1\nSTATUS=2 jobs\n");
        manager.status("1 running");
        assert_eq!(heard(&socket), "STATUS=1 running\n");
        manager.stopping("draining");
        assert_eq!(heard(&socket), "STOPPING=1\nSTATUS=draining\n");
        manager.watchdog();
        assert_eq!(heard(&socket), "WATCHDOG=1\n");
        manager.extend(Duration::from_millis(1500));
        assert_eq!(heard(&socket), "EXTEND_TIMEOUT_USEC=1500000\n");
    }

    #[test]
    fn a_reload_says_when_it_began_so_that_no_older_ready_ends_it() {
        let (socket, manager, _directory) = pair();
        let before = clock::monotonic();
        manager.reloading();
        let message = heard(&socket);
        let usec = message
            .strip_prefix("RELOADING=1\nMONOTONIC_USEC=")
            .unwrap();
        let at = Duration::from_micros(usec.trim_end().parse().unwrap());
        assert!(before <= at + Duration::from_micros(1) && at <= clock::monotonic());
    }

    #[test]
    fn an_abstract_socket_is_reached() {
        let name = format!("crontabber-test-{}", Uuid::new_v4());
        let socket = listening(&SocketAddr::from_abstract_name(&name).unwrap());
        given(&[("NOTIFY_SOCKET", &format!("@{name}"))]).watchdog();
        assert_eq!(heard(&socket), "WATCHDOG=1\n");
    }

    #[test]
    fn without_a_service_manager_nothing_is_said_and_nothing_fails() {
        for socket in [None, Some("vsock:2:1234"), Some("notify"), Some("")] {
            let variables = socket.map(|name| ("NOTIFY_SOCKET", name));
            let manager = given(variables.as_slice());
            assert!(manager.line.is_none(), "{socket:?}");
            manager.ready("");
            manager.watchdog();
            assert_eq!(manager.watchdog_interval(), None);
        }
        let gone = at(Path::new("/nonexistent/notify"));
        gone.ready("");
        gone.stopping("");
    }

    #[test]
    fn a_status_is_one_short_line_whatever_it_holds() {
        let (socket, manager, _directory) = pair();
        manager.status("fetch\nREADY=1\r\u{1b}[2J");
        assert_eq!(heard(&socket), "STATUS=fetch READY=1  [2J\n");
        manager.status(&"ü".repeat(5000));
        let message = heard(&socket);
        assert!(
            message.len() <= LONGEST_STATUS + 1 && message.ends_with("ü\n"),
            "{}",
            message.len()
        );
    }

    #[test]
    fn a_full_queue_keeps_nobody_waiting_and_the_state_is_told_later() {
        let (socket, manager, _directory) = pair();
        let full = |manager: &Manager| !manager.line.as_ref().unwrap().complained();
        while full(&manager) {
            manager.status("busy");
        }
        manager.ready("ready");
        manager.status("lost");
        while socket.recv(&mut [0; 64]).is_ok() {}
        manager.watchdog();
        assert_eq!(heard(&socket), "READY=1\nWATCHDOG=1\n");
        manager.watchdog();
        assert_eq!(heard(&socket), "WATCHDOG=1\n");
    }

    #[test]
    fn a_service_manager_that_comes_back_hears_the_next_word() {
        let (socket, manager, directory) = pair();
        drop(socket);
        manager.watchdog();
        let path = directory.path().join("notify");
        std::fs::remove_file(&path).unwrap();
        let socket = listening(&SocketAddr::from_pathname(&path).unwrap());
        manager.watchdog();
        assert_eq!(heard(&socket), "WATCHDOG=1\n");
    }

    #[test]
    fn the_watchdog_is_told_twice_in_its_time_by_the_process_it_watches() {
        let ours = process::id().to_string();
        let half = |usec: &str, pid: Option<&str>| {
            watchdog(Some(usec.to_owned()), pid.map(ToOwned::to_owned))
        };
        assert_eq!(half("60000000", Some(&ours)), Some(Duration::from_secs(30)));
        assert_eq!(half("60000000", None), Some(Duration::from_secs(30)));
        for (usec, pid) in [
            ("60000000", Some("1")),
            ("60000000", Some("me")),
            ("0", None),
            ("-1", None),
            ("soon", None),
        ] {
            assert_eq!(half(usec, pid), None, "{usec} {pid:?}");
        }
        assert_eq!(watchdog(None, Some(ours)), None);
    }

    impl Line {
        fn complained(&self) -> bool {
            self.complained.load(Ordering::Relaxed)
        }
    }
}
