//! A web of feeds on this machine: a server that has as many hosts as there are addresses of the loopback.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::documents::document;

/// What the feed of a number says when it is asked: nothing new to who has seen it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Web {
    port: u16,
    ready: &'static Ready,
}

/// Documents that were made before anybody asks: where times are compared, making them is neither side's work.
#[derive(Debug, Default)]
struct Ready(Mutex<HashMap<(usize, usize), Arc<str>>>);

impl Ready {
    fn documents(&self) -> MutexGuard<'_, HashMap<(usize, usize), Arc<str>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the feed of a number with so many episodes says.
    fn document(&self, number: usize, episodes: usize) -> Arc<str> {
        let made = self.documents().get(&(number, episodes)).cloned();
        made.unwrap_or_else(|| document(number, episodes).into())
    }
}

impl Web {
    /// Serves feeds until this program ends, from a thread of its own; a feed has as many episodes as its address says.
    pub(crate) fn start() -> Self {
        let (told, port) = std::sync::mpsc::channel();
        // It serves until this program ends.
        let ready: &'static Ready = Box::leak(Box::default());
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime needs a few descriptors only");
            runtime.block_on(async {
                let listener = TcpListener::bind("0.0.0.0:0").await;
                let listener = listener.expect("a free port");
                let address: SocketAddr = listener.local_addr().expect("it listens");
                told.send(address.port()).expect("somebody wants to know");
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, ready));
                }
            });
        });
        Self {
            port: port.recv().expect("the server says its port"),
            ready,
        }
    }

    /// Makes the documents of feeds with so many episodes, numbered from 1, and forgets all others.
    pub(crate) fn make_ready(self, sizes: &[usize]) {
        let numbered = (1..).zip(sizes);
        let made = numbered.map(|(number, &size)| ((number, size), document(number, size).into()));
        *self.ready.documents() = made.collect();
    }

    /// SQL for the address of feed `number` with `episodes`, both expressions: each feed has a host of its own.
    pub(crate) fn address(self, number: &str, episodes: &str) -> String {
        let port = self.port;
        format!(
            "'http://127.' || 1 + ({number}) / 62500 || '.' || ({number}) / 250 % 250 || '.' || 1 + ({number}) % 250 \
             || ':{port}/' || ({number}) || '/' || ({episodes})"
        )
    }
}

async fn serve(mut stream: TcpStream, ready: &Ready) {
    // Nothing waits for more to come.
    let _ = stream.set_nodelay(true);
    let mut head = Vec::new();
    loop {
        head.clear();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_buf(&mut head).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let is_last = text.contains("\r\nconnection: close\r\n");
        let (head, body) = answer(&text, is_last, ready);
        for part in [head.as_str(), &body] {
            if stream.write_all(part.as_bytes()).await.is_err() {
                return;
            }
        }
        if is_last {
            return;
        }
    }
}

/// Head and body.
fn answer(head: &str, is_last: bool, ready: &Ready) -> (String, Arc<str>) {
    let nothing = || Arc::from("");
    let path = head.split(' ').nth(1).unwrap_or_default();
    let mut numbers = path.split('/').skip(1).map(str::parse::<usize>);
    let (Some(Ok(number)), Some(Ok(episodes))) = (numbers.next(), numbers.next()) else {
        let head = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        return (head.to_owned(), nothing());
    };
    let connection = if is_last { "Connection: close\r\n" } else { "" };
    let tag = format!("ETag: \"{number}\"\r\n");
    if head.contains(&format!("\r\nif-none-match: \"{number}\"\r\n")) {
        let head = format!("HTTP/1.1 304 Not Modified\r\n{tag}{connection}\r\n");
        return (head, nothing());
    }
    let body = ready.document(number, episodes);
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\nContent-Length: {length}\r\n{tag}{connection}\r\n"
    );
    (head, body)
}
