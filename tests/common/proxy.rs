//! A wire to the server that breaks at the worst moment: around one commit.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::Notify,
    task::JoinHandle,
};

use super::Database;

/// The socket of a server in its directory.
const SOCKET: &str = ".s.PGSQL.5432";

/// A `COMMIT` as a client sends it.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// The answer to it, as far as it matters.
const COMMITTED: &[u8] = b"COMMIT\0";

/// The answer if something in the transaction had been refused.
const TAKEN_BACK: &[u8] = b"ROLLBACK\0";

/// A question of our own behind what the server must have carried out, and the answer as it is found in the bytes.
const ASIDE: &[u8] = b"Q\0\0\0\x17SELECT 'so far so'\0";
const ANSWERED: &[u8] = b"so far so";

/// What breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The commit goes through, and its acknowledgement is lost.
    Answer,
    /// The commit is lost, and the transaction with it.
    Commit,
    /// The client is cut off when the server has carried out what comes before the commit, and the commit reaches the
    /// server when the test says so.
    Late,
    /// The client is cut off with nothing carried out, and statement and commit reach the server when the test says so.
    LateStatement,
    /// As `Answer`, and nobody gets through any more until the test says so.
    AnswerAndAll,
}

/// A directory with a socket that leads to the server, and the first transaction through it that holds a statement
/// of this name is cut.
#[derive(Debug)]
pub struct Proxy {
    directory: TempDir,
    wire: Arc<Wire>,
    listening: JoinHandle<()>,
}

#[derive(Debug)]
struct Wire {
    server: PathBuf,
    /// How the text of the statement begins.
    statement: String,
    cut: Cut,
    has_struck: AtomicBool,
    is_down: AtomicBool,
    go_on: Notify,
    /// What the server has said to what came late and was not committed.
    taken_back: Mutex<Vec<u8>>,
}

impl Proxy {
    /// A wire to the server of a database, which must have a Unix socket.
    pub fn new(database: &Database, statement: &str, cut: Cut) -> Self {
        // A pooler that goes through it is another user's where root runs the tests.
        let open = |mode| fs::Permissions::from_mode(mode);
        let directory = tempfile::Builder::new().permissions(open(0o755)).tempdir();
        let directory = directory.expect("/tmp takes directories");
        let wire = Arc::new(Wire {
            server: Path::new(host(database.url())).join(SOCKET),
            statement: format!("-- {statement}: "),
            cut,
            has_struck: AtomicBool::new(false),
            is_down: AtomicBool::new(false),
            go_on: Notify::new(),
            taken_back: Mutex::default(),
        });
        let path = directory.path().join(SOCKET);
        let socket = UnixListener::bind(&path).expect("it is a fresh directory");
        fs::set_permissions(&path, open(0o777)).expect("it is ours");
        let listening = tokio::spawn(listen(socket, Arc::clone(&wire)));
        Self {
            directory,
            wire,
            listening,
        }
    }

    /// The URL of the same database through this wire.
    pub fn url(&self, database: &Database) -> String {
        let through = self
            .directory
            .path()
            .to_str()
            .expect("the paths of tests are text");
        database.url().replace(host(database.url()), through)
    }

    /// The socket itself, for whoever has to open it to others.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join(SOCKET)
    }

    /// Whether the transaction has come by and was cut.
    pub fn has_struck(&self) -> bool {
        self.wire.has_struck.load(SeqCst)
    }

    /// Whether a late statement and its commit have arrived and were taken back, for this reason.
    pub fn has_been_taken_back(&self, reason: &str) -> bool {
        let said = self.wire.taken_back.lock().expect("nobody panics with it");
        find(&said, reason.as_bytes()).is_some()
    }

    /// Lets what is late, or everybody, through.
    pub fn go_on(&self) {
        self.wire.is_down.store(false, SeqCst);
        self.wire.go_on.notify_one();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// The directory of the socket in a URL of the harness.
fn host(url: &str) -> &str {
    let (_, rest) = url
        .split_once("host=")
        .unwrap_or_else(|| panic!("`{url}` names no directory"));
    rest.split('&').next().expect("there is a first part")
}

async fn listen(socket: UnixListener, wire: Arc<Wire>) {
    while let Ok((client, _)) = socket.accept().await {
        // Dropped, it is closed.
        if !wire.is_down.load(SeqCst) {
            tokio::spawn(carry(client, Arc::clone(&wire)));
        }
    }
}

/// Carries bytes both ways until one side is gone, or the wire is cut.
async fn carry(mut client: UnixStream, wire: Arc<Wire>) {
    let Ok(mut server) = UnixStream::connect(&wire.server).await else {
        return;
    };
    let mut asked = Vec::new();
    let page = || Vec::with_capacity(1 << 16);
    let (mut from_client, mut from_server) = (page(), page());
    loop {
        let carried = tokio::select! {
            read = client.read_buf(&mut from_client) => {
                asked.extend_from_slice(&from_client);
                if let Some(at) = wire.strikes(&asked, &from_client) {
                    return wire.strike(client, server, &from_client, at).await;
                }
                passed_on(read, &mut from_client, &mut server).await
            }
            read = server.read_buf(&mut from_server) => {
                passed_on(read, &mut from_server, &mut client).await
            }
        };
        if carried.is_none() {
            return;
        }
    }
}

/// Hands on what was read; `None`: one side is gone.
async fn passed_on(
    read: io::Result<usize>,
    bytes: &mut Vec<u8>,
    to: &mut UnixStream,
) -> Option<()> {
    read.ok().filter(|&length| length > 0)?;
    to.write_all(bytes).await.ok()?;
    bytes.clear();
    Some(())
}

/// Waits until these bytes have come, and keeps them for itself.
async fn swallow(from: &mut UnixStream, mut heard: Vec<u8>, awaited: &[u8]) -> Vec<u8> {
    while find(&heard, awaited).is_none() {
        let Ok(1..) = from.read_buf(&mut heard).await else {
            break;
        };
    }
    heard
}

impl Wire {
    /// Where in the last of what a client has sent begins what is to be cut; it is, from now on.
    fn strikes(&self, asked: &[u8], last: &[u8]) -> Option<usize> {
        let statement = find(asked, self.statement.as_bytes())?;
        let at = if self.cut == Cut::LateStatement {
            // Its message: a letter, a length of four bytes, a name.
            asked[..statement - 5]
                .iter()
                .rposition(|&byte| byte == b'P')?
        } else {
            statement + find(&asked[statement..], COMMIT)?
        };
        if self.has_struck.swap(true, SeqCst) {
            return None;
        }
        self.is_down.store(self.cut == Cut::AnswerAndAll, SeqCst);
        // Its beginning may have come before, and be with the server already: that is nothing to carry out yet.
        Some(at.saturating_sub(asked.len() - last.len()))
    }

    /// Cuts: these bytes hold what is to be cut, from `at`. A server that is gone is for the test to find out.
    async fn strike(
        &self,
        mut client: UnixStream,
        mut server: UnixStream,
        bytes: &[u8],
        at: usize,
    ) {
        let (before, cut) = bytes.split_at(at);
        if server.write_all(before).await.is_err() || self.cut == Cut::Commit {
            return;
        }
        match self.cut {
            Cut::Late => {
                let _ = server.write_all(ASIDE).await;
                swallow(&mut server, Vec::new(), ANSWERED).await;
                drop(client);
                self.go_on.notified().await;
                let _ = server.write_all(cut).await;
                swallow(&mut server, Vec::new(), COMMITTED).await;
            }
            Cut::LateStatement => {
                let cut = swallow(&mut client, cut.to_owned(), COMMIT).await;
                drop(client);
                self.go_on.notified().await;
                let _ = server.write_all(&cut).await;
                let taken_back = swallow(&mut server, Vec::new(), TAKEN_BACK).await;
                *self.taken_back.lock().expect("nobody panics with it") = taken_back;
            }
            _ => {
                let _ = server.write_all(cut).await;
                swallow(&mut server, Vec::new(), COMMITTED).await;
                // The client must not be told before the server has committed.
                drop(client);
            }
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
