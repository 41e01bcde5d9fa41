//! A server that says exactly the bytes it is told to, and a client with short limits.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use crontabber::http::{
    Answer, Client, Failed, HeaderMap, Limits, Method, Pace, Policy, Request, Settings, Validators,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};

/// Longer than any test needs, and shorter than anybody waits.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// A server on 127.0.0.1, or another address of the loopback.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Lets `answer` talk to every connection after the head of its request; it is given the number of the request, from 0.
    pub(crate) async fn new<Talk>(
        answer: impl Fn(usize, TcpStream) -> Talk + Send + 'static,
    ) -> Self
    where
        Talk: Future<Output = ()> + Send + 'static,
    {
        Self::at("127.0.0.1:0", answer).await
    }

    pub(crate) async fn at<Talk>(
        address: &str,
        answer: impl Fn(usize, TcpStream) -> Talk + Send + 'static,
    ) -> Self
    where
        Talk: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(head) = read_head(&mut stream).await else {
                    continue;
                };
                let number = {
                    let mut log = log.lock().expect("no test panics with it");
                    log.push(head);
                    log.len() - 1
                };
                tokio::spawn(answer(number, stream));
            }
        });
        Self { address, heard }
    }

    /// Says these bytes to every request, and closes.
    pub(crate) async fn saying(bytes: impl Into<Vec<u8>>) -> Self {
        Self::in_turn([bytes.into()]).await
    }

    /// Says the first to the first request, and so on; the last to all others.
    pub(crate) async fn in_turn<Bytes: Into<Vec<u8>>>(
        answers: impl IntoIterator<Item = Bytes>,
    ) -> Self {
        let answers: Vec<Vec<u8>> = answers.into_iter().map(Into::into).collect();
        Self::new(move |number, mut stream| {
            let bytes = answers[number.min(answers.len() - 1)].clone();
            async move {
                // The client may have heard enough.
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
            }
        })
        .await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The heads of all requests so far.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("no test panics with it").clone()
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).expect("a head of ASCII"))
}

/// `HTTP/1.1 200 OK` with these fields and this body; the length is told.
pub(crate) fn ok(fields: &str, body: &[u8]) -> Vec<u8> {
    with_status("200 OK", fields, body)
}

pub(crate) fn with_status(status: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut answer = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{fields}\r\n"
    )
    .into_bytes();
    answer.extend(body);
    answer
}

pub(crate) fn redirect(status: &str, location: &str) -> Vec<u8> {
    with_status(status, &format!("Location: {location}\r\n"), b"")
}

/// Limits that tests need not wait long for, where they are the matter; generous, where they are not.
pub(crate) fn limits() -> Limits {
    Limits {
        connect: LONG,
        read: LONG,
        total: LONG,
        body: 1 << 20,
        bodies: 4 << 20,
        pace: Pace {
            bytes: 0,
            window: LONG,
        },
    }
}

pub(crate) fn client(limits: Limits) -> Client {
    client_allowed(limits, &["127.0.0.1"])
}

pub(crate) fn client_allowed(limits: Limits, allowed: &[&str]) -> Client {
    let allowed = allowed
        .iter()
        .map(|network| network.parse().expect("a network"));
    Client::new(Settings {
        user_agent: "crontabber/test (+mailto:ops@example.com)".to_owned(),
        allowed: allowed.collect(),
        limits,
    })
    .expect("a client")
}

/// What a test asks for; the rest is as usual.
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) validators: Option<Validators>,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) retry: Policy,
    pub(crate) within: Duration,
}

impl Default for Asked {
    /// A GET, and a single one.
    fn default() -> Self {
        Self {
            method: Method::GET,
            headers: HeaderMap::new(),
            validators: None,
            body: None,
            retry: Policy {
                total: 0,
                ..Policy::default()
            },
            within: LONG,
        }
    }
}

impl Asked {
    pub(crate) async fn of(&self, client: &Client, address: &str) -> Result<Answer, Failed> {
        let request = Request {
            method: &self.method,
            address,
            headers: &self.headers,
            validators: self.validators.as_ref(),
            body: self.body.as_deref(),
            retry: &self.retry,
            deadline: Instant::now() + self.within,
        };
        client.send(request).await
    }
}

/// A GET, and a single one.
pub(crate) async fn get(client: &Client, address: &str) -> Result<Answer, Failed> {
    Asked::default().of(client, address).await
}

/// The policy of urllib3's vectors, a hundred times as fast.
pub(crate) fn fast() -> Policy {
    Policy {
        factor: Duration::from_millis(3),
        ..Policy::default()
    }
}
