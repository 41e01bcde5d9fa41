//! A socket in front of the server's that writes down what a client says, and how often it waits for an answer.
//!
//! A *trip* is what a client sends before it waits: everything from the moment no answer was owed to it until the
//! server has answered all of it. That is proven, not measured: the proxy withholds every answer to a transaction
//! until it has seen its COMMIT or ROLLBACK, so that a client which waits in between waits for ever.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};
use tokio_postgres::{Config, config::Host};

/// The longest message that is let through, in bytes.
const LONGEST: usize = 16 << 20;

/// A message of a client, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    /// Statements without parameters, in one text.
    Query(String),
    /// A statement with parameters, to be understood.
    Parse(String),
    /// Its parameters.
    Bind,
    /// What will it return?
    Describe,
    /// Do it.
    Execute,
    /// That is all: answer.
    Sync,
    /// Any other, by its letter.
    Other(char),
}

/// What a client sent before it waited.
pub(crate) type Trip = Vec<Message>;

/// What one client has said so far.
type Conversation = Arc<Mutex<Vec<Trip>>>;

/// The proxy; it ends with this value.
#[derive(Debug)]
pub(crate) struct Proxy {
    directory: TempDir,
    behind: Config,
    conversations: Arc<Mutex<Vec<Conversation>>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A proxy in front of the server of this URL, which must lead to a Unix socket.
    pub(crate) fn before(url: &str) -> Self {
        Self::new(url, Announced::AsItIs)
    }

    /// One that announces a process id of its own, as poolers do that have no server yet.
    pub(crate) fn like_a_pooler(url: &str) -> Self {
        Self::new(url, Announced::AsOurs)
    }

    fn new(url: &str, announced: Announced) -> Self {
        let behind: Config = url.parse().expect("the URL of a test's database");
        let directory = tempfile::tempdir().expect("there is room in /tmp");
        let listener = UnixListener::bind(socket(directory.path(), port(&behind)))
            .expect("the directory is ours");
        let conversations = Arc::default();
        let task = tokio::spawn(serve(
            listener,
            socket(&host(&behind), port(&behind)),
            announced,
            Arc::clone(&conversations),
        ));
        Self {
            directory,
            behind,
            conversations,
            task,
        }
    }

    /// The URL of the same database, through the proxy.
    pub(crate) fn url(&self) -> String {
        let user = self.behind.get_user().expect("the URL names its user");
        let database = self
            .behind
            .get_dbname()
            .expect("the URL names its database");
        format!(
            "postgresql:///{database}?host={}&port={}&user={user}",
            self.directory.path().display(),
            port(&self.behind)
        )
    }

    /// How many trips there were so far, on all connections since `said` was asked.
    pub(crate) fn trips(&self) -> usize {
        let conversations = lock(&self.conversations);
        conversations.iter().map(|said| lock(said).len()).sum()
    }

    /// What was said on the connections made since the last time this was asked: the trips of each.
    pub(crate) fn said(&self) -> Vec<Vec<Trip>> {
        let conversations = std::mem::take(&mut *lock(&self.conversations));
        conversations
            .iter()
            .map(|said| lock(said).clone())
            .collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn host(config: &Config) -> PathBuf {
    match config.get_hosts().first() {
        Some(Host::Unix(directory)) => directory.clone(),
        other => panic!("the proxy stands before a Unix socket, not {other:?}"),
    }
}

fn port(config: &Config) -> u16 {
    config.get_ports().first().copied().unwrap_or(5432)
}

fn socket(directory: &Path, port: u16) -> PathBuf {
    directory.join(format!(".s.PGSQL.{port}"))
}

/// A test that panics elsewhere may still want to know.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes connections until it is aborted.
async fn serve(
    listener: UnixListener,
    server: PathBuf,
    announced: Announced,
    conversations: Arc<Mutex<Vec<Conversation>>>,
) {
    loop {
        let (client, _) = listener.accept().await.expect("descriptors are to be had");
        let server = UnixStream::connect(&server)
            .await
            .expect("the server listens");
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let (owed, owes) = watch::channel(Owed::startup());
        let said = Conversation::default();
        lock(&conversations).push(Arc::clone(&said));
        let ear = Ear {
            said,
            owed: owed.clone(),
        };
        // The end of a connection is the business of those who hold it.
        tokio::spawn(async move { ear.pass_on(from_client, to_server).await });
        tokio::spawn(answer(from_server, to_client, announced, owed, owes));
    }
}

/// How the process id of a server reaches its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Announced {
    AsItIs,
    AsOurs,
}

/// What the server still has to say to a client.
#[derive(Debug, Clone, Copy)]
struct Owed {
    /// How many times it has to become ready for a query.
    answers: usize,
    /// The client has heard all that it had asked for: what it says next begins a trip.
    all_heard: bool,
    /// Withheld: the client has begun a transaction and not ended it.
    withheld: bool,
}

impl Owed {
    fn startup() -> Self {
        Self {
            answers: 1,
            all_heard: false,
            withheld: false,
        }
    }
}

/// Listens to one client.
struct Ear {
    said: Conversation,
    owed: watch::Sender<Owed>,
}

impl Ear {
    async fn pass_on(self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
        let startup = read_body(&mut from).await?;
        to.write_all(&startup).await?;
        loop {
            let kind = from.read_u8().await?;
            let body = read_body(&mut from).await?;
            self.hear(kind, &body);
            to.write_all(&[&[kind], &body[..]].concat()).await?;
        }
    }

    /// Writes a message down before it is passed on.
    fn hear(&self, kind: u8, body: &[u8]) {
        let message = match kind {
            // Farewell; nothing is waited for.
            b'X' => return,
            b'Q' => Message::Query(text(body, 0)),
            b'P' => Message::Parse(text(body, 1)),
            b'B' => Message::Bind,
            b'D' => Message::Describe,
            b'E' => Message::Execute,
            b'S' => Message::Sync,
            other => Message::Other(other.into()),
        };
        let mut trips = lock(&self.said);
        self.owed.send_modify(|owed| {
            if std::mem::take(&mut owed.all_heard) {
                trips.push(Trip::new());
            }
            match &message {
                Message::Query(sql) => {
                    owed.answers += 1;
                    if sql.starts_with("BEGIN") {
                        owed.withheld = true;
                    }
                    if sql == "COMMIT" || sql == "ROLLBACK" {
                        owed.withheld = false;
                    }
                }
                Message::Sync => owed.answers += 1,
                _ => {}
            }
        });
        let trip = trips.last_mut();
        trip.expect("nobody speaks before the server is ready for the first time")
            .push(message);
    }
}

/// Passes on what the server says, when it may be heard.
async fn answer(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    announced: Announced,
    owed: watch::Sender<Owed>,
    mut owes: watch::Receiver<Owed>,
) -> io::Result<()> {
    loop {
        let kind = from.read_u8().await?;
        let mut body = read_body(&mut from).await?;
        if kind == b'K' && announced == Announced::AsOurs {
            // The first four bytes after the length.
            body[4..8].copy_from_slice(&i32::MAX.to_be_bytes());
        }
        // It fails when the client has gone, and then there is nobody to answer.
        let may_speak = owes.wait_for(|owed| !owed.withheld).await;
        drop(may_speak.map_err(io::Error::other)?);
        if kind == b'Z' {
            owed.send_modify(|owed| {
                owed.answers -= 1;
                owed.all_heard = owed.answers == 0;
            });
        }
        to.write_all(&[&[kind], &body[..]].concat()).await?;
    }
}

/// The length and the rest of a message, as they were sent.
async fn read_body(from: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let length = from.read_u32().await?;
    let size = usize::try_from(length).expect("at most 32 bits");
    assert!((4..LONGEST).contains(&size), "a message of {size} bytes");
    let mut body = length.to_be_bytes().to_vec();
    body.resize(size, 0);
    from.read_exact(&mut body[4..]).await?;
    Ok(body)
}

/// The text after the length and so many other texts, each ended by a zero.
fn text(body: &[u8], skipped: usize) -> String {
    let text = body[4..].split(|&byte| byte == 0).nth(skipped);
    String::from_utf8_lossy(text.unwrap_or_default()).into_owned()
}
