//! A port of this machine that leads to the server of a test's database, whoever comes: the server's own socket is
//! its owner's alone.

use std::path::PathBuf;

use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpListener, TcpStream, UnixStream},
    task::JoinHandle,
};
use tokio_postgres::{
    Config,
    config::Host::{Tcp, Unix},
};

use super::common::Database;

/// A way to a database over TCP; closed with this value.
pub(crate) struct Relay {
    url: String,
    listening: JoinHandle<()>,
}

#[derive(Clone)]
enum Server {
    Socket(PathBuf),
    Port(String, u16),
}

impl Relay {
    /// A way to this database.
    pub(crate) async fn to(database: &Database) -> Self {
        let config: Config = database.url().parse().expect("the test's own URL");
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let server = match &config.get_hosts()[0] {
            Tcp(name) => Server::Port(name.clone(), port),
            Unix(directory) => Server::Socket(directory.join(format!(".s.PGSQL.{port}"))),
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("a port is free");
        let here = listener.local_addr().expect("it is bound");
        let user = config
            .get_user()
            .map_or(String::new(), |user| format!("{user}@"));
        let password = config.get_password().map(|word| {
            let word = String::from_utf8_lossy(word);
            format!("?password={word}")
        });
        let url = format!(
            "postgres://{user}{here}/{}{}",
            database.name(),
            password.unwrap_or_default()
        );
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relayed(client, server.clone()));
            }
        });
        Self { url, listening }
    }

    /// The URL of the database through it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn relayed(client: TcpStream, server: Server) {
    match server {
        Server::Socket(path) => both_ways(client, UnixStream::connect(path).await).await,
        Server::Port(name, port) => both_ways(client, TcpStream::connect((name, port)).await).await,
    }
}

async fn both_ways(
    mut client: TcpStream,
    server: std::io::Result<impl AsyncRead + AsyncWrite + Unpin>,
) {
    if let Ok(mut server) = server {
        // Whichever end closes: the other one sees it.
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}
