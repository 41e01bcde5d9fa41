//! Bodies that are not what they seem.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crontabber::http::{HttpError, Limits, Timeout};
use tokio::io::AsyncWriteExt;

use crate::common::{Server, client, get, limits, ok, with_status};

/// `hello feeds` in three encodings: by Python's `gzip` and `zlib`, and as a stored block of RFC 7932.
const HELLO: &[u8] = b"hello feeds";
const GZIP: &[u8] = &[
    0x1f, 0x8b, 0x8, 0x0, 0x0, 0x0, 0x0, 0x0, 0x2, 0x3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0x48,
    0x4b, 0x4d, 0x4d, 0x29, 0x6, 0x0, 0xe9, 0xf5, 0x14, 0x6d, 0xb, 0x0, 0x0, 0x0,
];
const ZLIB: &[u8] = &[
    0x78, 0xda, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0x48, 0x4b, 0x4d, 0x4d, 0x29, 0x6, 0x0, 0x19,
    0x66, 0x4, 0x3c,
];
const BROTLI: &[u8] = &[
    0xa0, 0x0, 0x10, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x20, 0x66, 0x65, 0x65, 0x64, 0x73, 0x3,
];

async fn error_of(server: &Server, limits: Limits) -> HttpError {
    get(&client(limits), &server.url("/"))
        .await
        .expect_err("no answer")
        .error
}

#[tokio::test]
async fn every_encoding_that_is_asked_for_is_read() {
    for (encoding, body) in [
        ("gzip", GZIP),
        ("deflate", ZLIB),
        ("br", BROTLI),
        ("identity", HELLO),
    ] {
        let server = Server::saying(ok(&format!("Content-Encoding: {encoding}\r\n"), body)).await;
        let answer = get(&client(limits()), &server.url("/"))
            .await
            .expect(encoding);
        assert_eq!(answer.body, HELLO, "{encoding}");
        let head = server.heard()[0].to_lowercase();
        for asked in ["gzip", "deflate", "br"] {
            let line = head
                .lines()
                .find(|line| line.starts_with("accept-encoding:"));
            assert!(line.is_some_and(|line| line.contains(asked)), "{head}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_not_in_the_encoding_it_names_is_an_error_that_says_so() {
    let mut wrong_sum = GZIP.to_vec();
    *wrong_sum.last_mut().expect("a byte") ^= 1;
    for (encoding, body) in [
        ("gzip", HELLO),
        ("deflate", b"\xff\xff\xff\xff"),
        ("br", b"\xff\xff\xff\xff\xff\xff"),
        ("gzip", &GZIP[..GZIP.len() / 2]),
        ("br", &BROTLI[..BROTLI.len() / 2]),
        ("gzip", &wrong_sum),
    ] {
        let server = Server::saying(ok(&format!("Content-Encoding: {encoding}\r\n"), body)).await;
        let answer = get(&client(limits()), &server.url("/")).await;
        assert!(
            matches!(
                answer.as_ref().map_err(|failed| &failed.error),
                Err(HttpError::BadEncoding(_))
            ),
            "{encoding} {body:x?}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn what_comes_after_the_end_of_a_packed_body_is_an_error() {
    let fields = "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n";
    let mut answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n").into_bytes();
    for piece in [GZIP, b"and more"] {
        answer.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        answer.extend([piece, b"\r\n"].concat());
    }
    answer.extend(b"0\r\n\r\n");
    let error = error_of(&Server::saying(answer).await, limits()).await;
    assert!(matches!(error, HttpError::BadEncoding(_)), "{error:?}");
}

#[tokio::test]
async fn an_encoding_that_nobody_asked_for_is_an_error_and_not_a_body() {
    for encoding in ["zstd", "gzip, br", "GZIP", "aes128gcm"] {
        let server = Server::saying(ok(&format!("Content-Encoding: {encoding}\r\n"), GZIP)).await;
        let error = error_of(&server, limits()).await;
        assert_eq!(error, HttpError::UnknownEncoding(encoding.to_owned()));
    }
    let nothing = with_status("304 Not Modified", "Content-Encoding: zstd\r\n", b"");
    let server = Server::saying(nothing).await;
    let answer = get(&client(limits()), &server.url("/"))
        .await
        .expect("no body to decode");
    assert_eq!((answer.status, answer.body.len()), (304, 0));
}

#[tokio::test]
async fn a_body_that_is_too_big_is_not_taken() {
    let small = Limits {
        body: 10,
        ..limits()
    };
    let too_big = HttpError::TooBig { limit: 10 };
    let told = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello feeds";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n5\r\nfeeds\r\n0\r\n\r\n";
    let until_closed = "HTTP/1.1 200 OK\r\n\r\nhello feeds";
    let packed = ok("Content-Encoding: gzip\r\n", GZIP);
    for answer in [told.into(), chunked.into(), until_closed.into(), packed] {
        let server = Server::saying(answer).await;
        assert_eq!(error_of(&server, small).await, too_big);
        let fits = Limits { body: 11, ..small };
        let answer = get(&client(fits), &server.url("/")).await.expect("it fits");
        assert_eq!(answer.body, HELLO);
    }
}

#[tokio::test]
async fn an_endless_body_ends_at_the_limit() {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let server = Server::new(move |_, mut stream| {
        let count = Arc::clone(&count);
        async move {
            let mut piece: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";
            while stream.write_all(piece).await.is_ok() {
                piece = &[b'x'; 1 << 13];
                count.fetch_add(piece.len(), Ordering::Relaxed);
            }
        }
    })
    .await;
    assert_eq!(
        error_of(&server, limits()).await,
        HttpError::TooBig { limit: 1 << 20 }
    );
    // What the kernel's buffers hold, and no more.
    assert!(sent.load(Ordering::Relaxed) < 32 << 20, "{sent:?}");
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up() {
    let server = Server::new(|_, mut stream| async move {
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
            .await;
        std::future::pending::<()>().await;
    })
    .await;
    let read = Duration::from_millis(100);
    let impatient = Limits { read, ..limits() };
    assert_eq!(
        error_of(&server, impatient).await,
        Timeout::Idle(read).into()
    );
    let total = Duration::from_millis(100);
    let brief = Limits { total, ..limits() };
    assert_eq!(error_of(&server, brief).await, Timeout::Total(total).into());
}

/// A byte every 20 ms.
async fn drip(mut stream: tokio::net::TcpStream) {
    let mut piece: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    while stream.write_all(piece).await.is_ok() {
        piece = b"x";
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_byte_now_and_then_is_too_slow_although_it_is_never_idle() {
    let server = Server::new(|_, stream| drip(stream)).await;
    let demanding = Limits {
        read: Duration::from_secs(5),
        pace: crontabber::http::Pace {
            bytes: 1_000,
            window: Duration::from_millis(300),
        },
        ..limits()
    };
    assert_eq!(
        error_of(&server, demanding).await,
        HttpError::TooSlow(demanding.pace)
    );
}

#[tokio::test]
async fn a_byte_now_and_then_ends_with_the_time_for_all_of_it() {
    let server = Server::new(|_, stream| drip(stream)).await;
    let total = Duration::from_millis(300);
    let brief = Limits { total, ..limits() };
    assert_eq!(error_of(&server, brief).await, Timeout::Total(total).into());
}

#[tokio::test]
async fn a_short_body_is_an_error_and_not_a_body() {
    for (answer, bytes) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello", 5),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            5,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello",
            5,
        ),
    ] {
        let server = Server::saying(answer).await;
        let error = error_of(&server, limits()).await;
        let HttpError::CutShort { bytes: came, .. } = &error else {
            panic!("{answer}: {error:?}");
        };
        assert_eq!(*came, bytes, "{answer}");
    }
    // And of one that is packed, it is the connection that is to blame.
    let half = &GZIP[..GZIP.len() / 2];
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        GZIP.len()
    );
    let server = Server::saying([head.as_bytes(), half].concat()).await;
    let error = error_of(&server, limits()).await;
    assert!(matches!(error, HttpError::CutShort { .. }), "{error:?}");
}

#[tokio::test]
async fn a_connection_that_is_reset_in_the_middle_is_an_error() {
    let server = Server::new(|_, mut stream| async move {
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
            .await;
        stream.set_zero_linger().expect("a socket");
    })
    .await;
    let error = error_of(&server, limits()).await;
    assert!(
        matches!(error, HttpError::CutShort { .. } | HttpError::NoAnswer(_)),
        "{error:?}"
    );
}

#[tokio::test]
async fn what_comes_after_the_length_is_not_the_body() {
    let server = Server::saying("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello feeds").await;
    let answer = get(&client(limits()), &server.url("/"))
        .await
        .expect("an answer");
    assert_eq!(answer.body, b"hello");
}

#[tokio::test]
async fn two_lengths_that_disagree_are_no_answer() {
    let server = Server::saying(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 11\r\n\r\nhello feeds",
    )
    .await;
    let error = error_of(&server, limits()).await;
    assert!(matches!(error, HttpError::NoAnswer(_)), "{error:?}");
}

/// Peak memory of this process so far, in KiB.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let words = line.and_then(|line| line.split_whitespace().nth(1));
    words.and_then(|kib| kib.parse().ok()).expect("a number")
}

/// Not a test by itself: it is run alone in a process by the test below.
#[tokio::test]
async fn bombed_by_the_test_below() {
    let Ok(address) = std::env::var("BOMB") else {
        return;
    };
    let client = client(limits());
    let before = peak();
    let failed = get(&client, &address).await.expect_err("too big");
    assert_eq!(failed.error, HttpError::TooBig { limit: 1 << 20 });
    println!("grown: {} KiB", peak() - before);
}

/// The head of a gzip stream whose only block gives the repetition of 258 zeros two bits, both of them 0: every byte
/// of zeros that follows is a kilobyte.
const FUSE: &[u8] = &[
    0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0x02, 0x03, 0xec, 0xc1, 0x01, 0x01, 0, 0, 0, 0x80, 0x90, 0xfe,
    0xaf, 0xee, 0x08, 0x0a,
];

#[tokio::test]
async fn a_bomb_does_not_go_off() {
    let bomb = [FUSE, &vec![0; 100 << 10]].concat();
    let server = Server::saying(ok("Content-Encoding: gzip\r\n", &bomb)).await;
    let mut command = std::process::Command::new(std::env::current_exe().expect("this program"));
    command
        .args(["--exact", "bodies::bombed_by_the_test_below", "--nocapture"])
        .env("BOMB", server.url("/"));
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let output = output.expect("no panic").expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout);
    let grown = told
        .lines()
        .find_map(|line| line.strip_prefix("grown: ")?.strip_suffix(" KiB"));
    let grown: usize = grown
        .unwrap_or_else(|| panic!("{told}"))
        .parse()
        .expect("a number");
    // The limit is 1 MiB, the bomb 100 MiB.
    assert!(grown < 8 << 10, "{grown} KiB");
}
