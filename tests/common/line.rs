//! A line to the server that may go dead without anybody closing it.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream, UnixStream},
    sync::watch,
    task::JoinHandle,
};
use tokio_postgres::{Config, config::Host};

use super::{Database, postgres_config};

/// What passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passes {
    /// Everything.
    All,
    /// Nothing, either way. Connections stay open, new ones are accepted, and nothing is lost: what was sent arrives
    /// when the line is whole again.
    Nothing,
    /// What the client says; no answer.
    Questions,
    /// Nothing, and both sides are told: connections are reset, new ones refused.
    Refusals,
}

/// A TCP port that leads to the server of a database. Its connections are gone with this value.
#[derive(Debug)]
pub struct Line {
    url: String,
    passes: watch::Sender<Passes>,
    traps: Arc<Traps>,
    serving: JoinHandle<()>,
    /// Bound and never listening: the port stays ours while connections are refused.
    _port: TcpSocket,
}

/// What freezes the connection on which it is said: nothing passes there any more, all others go on.
#[derive(Debug, Default)]
struct Traps {
    set: Mutex<Vec<Vec<u8>>>,
    sprung: AtomicUsize,
}

impl Line {
    /// A line to the server of this database, whole.
    pub fn to(database: &Database) -> Self {
        let config = postgres_config(database.url());
        let port = socket(0);
        let address = port.local_addr().expect("it is bound");
        let user = config.get_user().expect("the harness names one");
        let password = config.get_password().map_or_else(String::new, |password| {
            format!(":{}", str::from_utf8(password).expect("it is text"))
        });
        let url = format!(
            "postgresql://{user}{password}@{address}/{}?sslmode=disable",
            database.name()
        );
        let (passes, state) = watch::channel(Passes::All);
        let traps = Arc::<Traps>::default();
        let listener = listen(address);
        let serving = tokio::spawn(serve(
            (address, listener),
            config,
            state,
            Arc::clone(&traps),
        ));
        Self {
            url,
            passes,
            traps,
            serving,
            _port: port,
        }
    }

    /// The URL of the database through this line.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Lets this pass from now on, on every connection.
    pub fn pass(&self, what: Passes) {
        self.passes.send_replace(what);
    }

    /// Freezes the next connection on which the client says this in one go, for ever, before the server hears it.
    pub fn freeze_at(&self, text: &str) {
        let mut set = self
            .traps
            .set
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        set.push(text.as_bytes().to_vec());
    }

    /// How many connections are frozen.
    pub fn frozen(&self) -> usize {
        self.traps.sprung.load(SeqCst)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A socket bound to this port of this machine, shared with others of ours.
fn socket(port: u16) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("descriptors are to be had");
    socket.set_reuseport(true).expect("it is new");
    // Also while old connections linger there.
    socket.set_reuseaddr(true).expect("it is new");
    socket
        .bind((Ipv4Addr::LOCALHOST, port).into())
        .expect("the port is ours");
    socket
}

fn listen(address: SocketAddr) -> TcpListener {
    socket(address.port())
        .listen(128)
        .expect("nobody else listens there")
}

async fn serve(
    (address, first): (SocketAddr, TcpListener),
    server: Config,
    passes: watch::Receiver<Passes>,
    traps: Arc<Traps>,
) {
    let mut listener = Some(first);
    let mut state = passes.clone();
    loop {
        let listening = listener.take().unwrap_or_else(|| listen(address));
        loop {
            tokio::select! {
                refused = state.wait_for(|passes| *passes == Passes::Refusals) => {
                    if refused.is_err() {
                        return;
                    }
                    break;
                }
                accepted = listening.accept() => {
                    let Ok((client, _)) = accepted else { continue };
                    tokio::spawn(carry(client, server.clone(), passes.clone(), Arc::clone(&traps)));
                }
            }
        }
        drop(listening);
        let whole = state.wait_for(|passes| *passes != Passes::Refusals).await;
        if whole.is_err() {
            return;
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

async fn connect(server: &Config) -> io::Result<Box<dyn Stream>> {
    let port = server.get_ports().first().copied().unwrap_or(5432);
    Ok(match server.get_hosts().first() {
        Some(Host::Unix(directory)) => {
            Box::new(UnixStream::connect(directory.join(format!(".s.PGSQL.{port}"))).await?)
        }
        Some(Host::Tcp(name)) => Box::new(TcpStream::connect((name.as_str(), port)).await?),
        None => Box::new(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?),
    })
}

/// Carries bytes both ways until one side is gone, the line refuses, or its value is dropped.
async fn carry(
    mut client: TcpStream,
    server: Config,
    mut passes: watch::Receiver<Passes>,
    traps: Arc<Traps>,
) {
    let Ok(server) = connect(&server).await else {
        return;
    };
    let (from_server, to_server) = tokio::io::split(server);
    let (from_client, to_client) = client.split();
    let questions = |passes: Passes| matches!(passes, Passes::All | Passes::Questions);
    let answers = |passes: Passes| passes == Passes::All;
    let is_refused = tokio::select! {
        () = pump(from_client, to_server, passes.clone(), questions, Some(&traps)) => false,
        () = pump(from_server, to_client, passes.clone(), answers, None) => false,
        refused = passes.wait_for(|passes| *passes == Passes::Refusals) => refused.is_ok(),
    };
    if is_refused {
        // Closed so, it is reset.
        let _ = client.set_zero_linger();
    }
}

/// Carries bytes one way while they pass.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut passes: watch::Receiver<Passes>,
    may: impl Fn(Passes) -> bool,
    traps: Option<&Traps>,
) {
    let mut bytes = vec![0; 1 << 16];
    loop {
        if passes.wait_for(|passes| may(*passes)).await.is_err() {
            return;
        }
        let Ok(length @ 1..) = from.read(&mut bytes).await else {
            return;
        };
        if traps.is_some_and(|traps| traps.spring(&bytes[..length])) {
            std::future::pending::<()>().await;
        }
        // It may have gone dead while nothing was said.
        if passes.wait_for(|passes| may(*passes)).await.is_err()
            || to.write_all(&bytes[..length]).await.is_err()
        {
            return;
        }
    }
}

impl Traps {
    fn spring(&self, said: &[u8]) -> bool {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let said = |text: &Vec<u8>| said.windows(text.len()).any(|part| part == text);
        let Some(at) = set.iter().position(said) else {
            return false;
        };
        set.remove(at);
        self.sprung.fetch_add(1, SeqCst);
        true
    }
}
