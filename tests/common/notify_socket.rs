//! A service manager's end of `sd_notify`, for tests of the real program.

use std::{
    io::ErrorKind,
    os::unix::net::UnixDatagram,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::until;

/// How often the listener looks whether it is needed any more.
const LOOK: Duration = Duration::from_millis(20);

/// Something that listens where `NOTIFY_SOCKET` says: give its [`path`](Self::path) to the program. Closed with this
/// value.
#[derive(Debug)]
pub struct NotifySocket {
    directory: TempDir,
    heard: Arc<Mutex<Vec<Heard>>>,
    over: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// When it came.
    pub at: Instant,
    /// Its lines.
    pub lines: Vec<String>,
}

impl Heard {
    /// Whether this is one of its lines.
    pub fn says(&self, line: &str) -> bool {
        self.lines.iter().any(|said| said == line)
    }

    /// The value of this variable, if it names it: `STATUS`.
    pub fn value(&self, name: &str) -> Option<&str> {
        let pairs = self.lines.iter().filter_map(|line| line.split_once('='));
        pairs
            .into_iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }
}

impl NotifySocket {
    /// One that listens from now on.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("/tmp takes directories");
        let socket = UnixDatagram::bind(directory.path().join("notify")).expect("it is empty");
        socket.set_read_timeout(Some(LOOK)).expect("it is not zero");
        let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let over = Arc::new(AtomicBool::new(false));
        let listener = thread::spawn({
            let (heard, over) = (Arc::clone(&heard), Arc::clone(&over));
            move || listen(&socket, &heard, &over)
        });
        Self {
            directory,
            heard,
            over,
            listener: Some(listener),
        }
    }

    /// What `NOTIFY_SOCKET` is to name.
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("notify")
    }

    /// All messages so far, in their order.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many messages have held this line.
    pub fn count(&self, line: &str) -> usize {
        let heard = self.heard();
        heard.iter().filter(|message| message.says(line)).count()
    }

    /// What `systemctl status` would show: the last status.
    pub fn status(&self) -> Option<String> {
        let heard = self.heard();
        let mut statuses = heard.iter().rev().filter_map(|heard| heard.value("STATUS"));
        statuses.next().map(ToOwned::to_owned)
    }

    /// Waits for a message with this line (`READY=1`), or takes the first that came already.
    pub async fn until(&self, limit: Duration, line: &str) -> Heard {
        self.until_after(0, limit, line).await
    }

    /// The same, but for the first so many messages: those that the test has dealt with.
    pub async fn until_after(&self, known: usize, limit: Duration, line: &str) -> Heard {
        let found = || {
            self.heard()
                .into_iter()
                .skip(known)
                .find(|heard| heard.says(line))
        };
        let what = format!("the service manager has been told {line}");
        until(limit, &what, async || found().is_some()).await;
        found().expect("it was there")
    }
}

impl Drop for NotifySocket {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(listener) = self.listener.take() {
            // It panics when a message was no text, and the test has seen so.
            let _ = listener.join();
        }
    }
}

fn listen(socket: &UnixDatagram, heard: &Mutex<Vec<Heard>>, over: &AtomicBool) {
    // As much as systemd takes.
    let mut bytes = [0; 4096];
    while !over.load(Ordering::Relaxed) {
        let length = match socket.recv(&mut bytes) {
            Ok(length) => length,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                continue;
            }
            Err(error) => panic!("the notify socket: {error}"),
        };
        let text = str::from_utf8(&bytes[..length]).expect("the protocol is text");
        let message = Heard {
            at: Instant::now(),
            lines: text.lines().map(ToOwned::to_owned).collect(),
        };
        heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(message);
    }
}
