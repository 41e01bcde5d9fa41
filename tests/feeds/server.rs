//! A server of feeds on this machine, that does what it is told.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// An answer, as it goes over the wire, and how often it was asked for.
#[derive(Default)]
struct Page {
    answer: String,
    requests: Vec<String>,
}

/// In the place of an answer that is still to come.
const LATER: &str = "later";

type Pages = Arc<Mutex<HashMap<String, Page>>>;

/// Listens until the test ends.
pub(crate) struct Server {
    address: SocketAddr,
    pages: Pages,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let pages = Pages::default();
        let served = Arc::clone(&pages);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let pages = Arc::clone(&served);
                thread::spawn(move || serve(&stream, &pages));
            }
        });
        Self { address, pages }
    }

    /// The address of a page.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers with a document and these fields in its head.
    pub(crate) fn has(&self, path: &str, fields: &str, body: &str) {
        let length = body.len();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{fields}\r\n{body}");
        self.set(path, answer);
    }

    /// Answers with a status and nothing else.
    pub(crate) fn says(&self, path: &str, status: &str, fields: &str) {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n{fields}\r\n");
        self.set(path, answer);
    }

    /// Lets whoever asks wait until the page has another answer.
    pub(crate) fn hangs(&self, path: &str) {
        self.set(path, LATER.to_owned());
    }

    fn set(&self, path: &str, answer: String) {
        let mut pages = self.pages.lock().expect("nobody panics with it");
        pages.entry(path.to_owned()).or_default().answer = answer;
    }

    /// The heads of all requests for a page so far.
    pub(crate) fn requests(&self, path: &str) -> Vec<String> {
        let pages = self.pages.lock().expect("nobody panics with it");
        pages
            .get(path)
            .map_or_else(Vec::new, |page| page.requests.clone())
    }
}

fn serve(stream: &TcpStream, pages: &Pages) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let answer = {
            let mut pages = pages.lock().expect("nobody panics with it");
            let page = pages.entry(path.clone()).or_default();
            page.requests.push(head);
            page.answer.clone()
        };
        let answer = match answer.as_str() {
            LATER => awaited(&path, pages),
            _ => answer,
        };
        if answer.is_empty() || (&mut &*stream).write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn awaited(path: &str, pages: &Pages) -> String {
    loop {
        thread::sleep(Duration::from_millis(5));
        let pages = pages.lock().expect("nobody panics with it");
        let page = pages.get(path).expect("it was asked for");
        if page.answer != LATER {
            return page.answer.clone();
        }
    }
}
