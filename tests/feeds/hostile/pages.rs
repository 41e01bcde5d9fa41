//! What a server may do to who asks it, on purpose or not, and what is to come of it.

use std::{
    io::{self, Write as _},
    net::TcpStream,
    os::fd::AsFd as _,
    thread,
    time::Duration,
};

use nix::{
    libc::linger,
    sys::socket::{setsockopt, sockopt::Linger},
};

/// What a page does once it was asked for; an error is a client that has heard enough.
type Talk = fn(&mut TcpStream) -> io::Result<()>;

/// What is to come of a feed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Comes {
    /// An error with these words.
    To(&'static str),
    /// So many episodes, whatever is wrong with the rest.
    With(i64),
}

use Comes::{To, With};

const TOO_LARGE: Comes = To("the answer is larger than 15728640 bytes");
/// The whole fetch has this limit in the test.
const OVER: Comes = To("it was not done within 25s");

/// Every page, with what is to come of it.
pub(super) const PAGES: [(&str, Talk, Comes); 34] = [
    ("/bomb/gzip", gzip_bomb, TOO_LARGE),
    ("/bomb/brotli", brotli_bomb, TOO_LARGE),
    (
        "/bomb/not-gzip",
        not_gzip,
        To("is not in the encoding it names"),
    ),
    ("/gigabyte/told", gigabyte_told, TOO_LARGE),
    (
        "/gigabyte/denied",
        gigabyte_denied,
        To("neither XML nor JSON"),
    ),
    ("/gigabyte/untold", gigabyte_untold, TOO_LARGE),
    ("/gigabyte/in-chunks", endless_chunks, TOO_LARGE),
    ("/slow/head", dripping_head, OVER),
    (
        "/slow/body",
        dripping_body,
        To("comes too slowly: less than 4096 bytes in 20s"),
    ),
    ("/slow/silent", silent, OVER),
    ("/slow/continue", endless_continue, OVER),
    (
        "/to/metadata",
        |s| redirect(s, "http://169.254.169.254/latest/meta-data/"),
        To("which is link-local: not asked"),
    ),
    (
        "/to/router",
        |s| redirect(s, "http://192.168.0.1/"),
        To("which is private: not asked"),
    ),
    (
        "/to/number",
        |s| redirect(s, "http://2852039166/"),
        To("169.254.169.254, which is link-local"),
    ),
    (
        "/to/mapped",
        |s| redirect(s, "http://[::ffff:169.254.169.254]/"),
        To("not asked"),
    ),
    (
        "/to/file",
        |s| redirect(s, "file:///etc/passwd"),
        To("`file:` is neither http: nor https:"),
    ),
    (
        "/to/gopher",
        |s| redirect(s, "gopher://127.0.0.1:5432/_x"),
        To("`gopher:` is neither http: nor https:"),
    ),
    (
        "/to/itself",
        |s| redirect(s, "/to/itself"),
        To("the redirects go in a circle"),
    ),
    ("/head/many", many_headers, To("no answer: ")),
    ("/head/long", long_header, To("no answer: ")),
    (
        "/head/garbage",
        |s| s.write_all(b"\x16\x03\x01 what is this\r\n\r\n"),
        To("no answer: "),
    ),
    ("/cut/at-once", |_| Ok(()), To("no answer: ")),
    ("/cut/reset", reset, To("the answer was cut short after")),
    (
        "/cut/longer",
        |s| s.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n<rss>"),
        To("the answer was cut short after"),
    ),
    (
        "/cut/chunk",
        |s| {
            s.write_all(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx",
            )
        },
        To("the answer was cut short after"),
    ),
    (
        "/cut/nothing",
        |s| document(s, "", b""),
        To("the body is empty"),
    ),
    ("/xml/laughs", laughs, With(1)),
    ("/xml/external", external_entity, With(1)),
    ("/xml/deep", deep, With(1)),
    ("/xml/many", many_items, With(100_000)),
    ("/xml/guids", long_guids, With(10)),
    (
        "/xml/nul",
        |s| feed(s, "", "<item><guid>a\0b</guid><title>x\0y</title></item>"),
        With(1),
    ),
    (
        "/xml/charset",
        |s| {
            feed(
                s,
                "Content-Type: image/png; charset=utf-7\r\n",
                "<item><guid>\u{e9}</guid></item>",
            )
        },
        With(1),
    ),
    ("/json/surrogates", surrogates, With(1)),
];

/// A document with its length; `fields` are lines of the head.
pub(super) fn document(stream: &mut TcpStream, fields: &str, body: &[u8]) -> io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{fields}\r\n"
    )?;
    stream.write_all(body)
}

pub(super) fn feed(stream: &mut TcpStream, fields: &str, items: &str) -> io::Result<()> {
    let body = format!("<rss version=\"2.0\"><channel><title>x</title>{items}</channel></rss>");
    document(stream, fields, body.as_bytes())
}

fn redirect(stream: &mut TcpStream, location: &str) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 301 Moved Permanently\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    )
}

/// A gigabyte of something, as far as anybody listens.
fn gigabyte(stream: &mut TcpStream) -> io::Result<()> {
    let mebibyte = vec![b'x'; 1 << 20];
    (0..1 << 10).try_for_each(|_| stream.write_all(&mebibyte))
}

/// The head of a gzip stream whose only block gives the repetition of 258 zeros two bits, both of them 0: every byte
/// of zeros that follows is a kilobyte.
const FUSE: &[u8] = &[
    0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0x02, 0x03, 0xec, 0xc1, 0x01, 0x01, 0, 0, 0, 0x80, 0x90, 0xfe,
    0xaf, 0xee, 0x08, 0x0a,
];

fn gzip_bomb(stream: &mut TcpStream) -> io::Result<()> {
    document(
        stream,
        "Content-Encoding: gzip\r\n",
        &[FUSE, &vec![0; 1 << 20]].concat(),
    )
}

/// 128 MiB of zeros, with a window of 16 MiB.
const BROTLI: &[u8] = &[
    0xcf, 0xff, 0xff, 0x7f, 0, 0x24, 0, 0xe2, 0xb1, 0x40, 0x72, 0xef, 0xff, 0xf9, 0xff, 0xff, 0xf,
    0x80, 4, 0x40, 0x1c, 0x16, 0x80, 0xee, 0xfd, 0x3f, 0xff, 0xff, 0xff, 1, 0x90, 0, 0x88, 0xc3, 2,
    0xd0, 0xbd, 0xff, 0xe7, 0xff, 0xff, 0x3f, 0, 0x12, 0, 0x71, 0x58, 0, 0xba, 0xf7, 0xff, 0xfc,
    0xff, 0xff, 7, 0x40, 2, 0x20, 0xe, 0xb, 0x40, 0xf7, 0xfe, 0x9f, 0xff, 0xff, 0xff, 0, 0x48, 0,
    0xc4, 0x61, 1, 0xe8, 0xde, 0xff, 0xf3, 0xff, 0xff, 0x1f, 0, 9, 0x80, 0x38, 0x2c, 0, 0xdd, 0xfb,
    0x7f, 0xfe, 0xff, 0xff, 3, 0x20, 1, 0x10, 0x87, 5, 0xa0, 0x7b, 0xff, 0x3f,
];

fn brotli_bomb(stream: &mut TcpStream) -> io::Result<()> {
    document(stream, "Content-Encoding: br\r\n", BROTLI)
}

fn not_gzip(stream: &mut TcpStream) -> io::Result<()> {
    document(stream, "Content-Encoding: gzip\r\n", b"<rss></rss>")
}

fn gigabyte_told(stream: &mut TcpStream) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
        1 << 30
    )?;
    gigabyte(stream)
}

fn gigabyte_denied(stream: &mut TcpStream) -> io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")?;
    gigabyte(stream)
}

fn gigabyte_untold(stream: &mut TcpStream) -> io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\n\r\n")?;
    gigabyte(stream)
}

fn endless_chunks(stream: &mut TcpStream) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    )?;
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    loop {
        stream.write_all(chunk.as_bytes())?;
    }
}

/// A piece now and then, for ever.
fn drip(stream: &mut TcpStream, piece: &[u8]) -> io::Result<()> {
    loop {
        stream.write_all(piece)?;
        thread::sleep(Duration::from_millis(200));
    }
}

fn dripping_head(stream: &mut TcpStream) -> io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nX: ")?;
    drip(stream, b"x")
}

fn dripping_body(stream: &mut TcpStream) -> io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")?;
    drip(stream, b"x")
}

fn silent(stream: &mut TcpStream) -> io::Result<()> {
    // Until the other side has gone.
    io::copy(stream, &mut io::sink()).map(drop)
}

fn endless_continue(stream: &mut TcpStream) -> io::Result<()> {
    drip(stream, &b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1_000))
}

fn many_headers(stream: &mut TcpStream) -> io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\n")?;
    (0..100_000).try_for_each(|number| write!(stream, "X-{number}: x\r\n"))?;
    write!(stream, "Content-Length: 0\r\n\r\n")
}

fn long_header(stream: &mut TcpStream) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nX: {}\r\n\r\n",
        "x".repeat(10 << 20)
    )
}

/// Closes in the middle of a body, and not as one does who has said everything.
fn reset(stream: &mut TcpStream) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<rss>"
    )?;
    let at_once = linger {
        l_onoff: 1,
        l_linger: 0,
    };
    setsockopt(&stream.as_fd(), Linger, &at_once)?;
    Ok(())
}

fn laughs(stream: &mut TcpStream) -> io::Result<()> {
    let entity = |level: usize| {
        let below = format!("&l{};", level - 1).repeat(10);
        format!("<!ENTITY l{level} \"{below}\">")
    };
    let entities = (1..30).map(entity).collect::<String>();
    let item =
        "<item><guid>1</guid><title>&l29;</title><description>&l29;&l29;</description></item>";
    let body = format!(
        "<!DOCTYPE rss [<!ENTITY l0 \"ha\">{entities}]><rss version=\"2.0\"><channel>{item}</channel></rss>"
    );
    document(stream, "", body.as_bytes())
}

fn external_entity(stream: &mut TcpStream) -> io::Result<()> {
    let entity = "<!DOCTYPE rss [<!ENTITY e SYSTEM \"file:///etc/passwd\"><!ENTITY % p SYSTEM \"http://169.254.169.254/\">%p;]>";
    let item = "<item><guid>1</guid><title>passwd: &e;</title></item>";
    let body = format!("{entity}<rss version=\"2.0\"><channel>{item}</channel></rss>");
    document(stream, "", body.as_bytes())
}

fn deep(stream: &mut TcpStream) -> io::Result<()> {
    feed(
        stream,
        "",
        &format!("<item><guid>1</guid></item>{}", "<a>".repeat(100_000)),
    )
}

fn many_items(stream: &mut TcpStream) -> io::Result<()> {
    let items: Vec<String> = (0..100_010)
        .map(|number| format!("<item><guid>{number}</guid></item>"))
        .collect();
    feed(stream, "", &items.concat())
}

fn long_guids(stream: &mut TcpStream) -> io::Result<()> {
    let long = "x".repeat(1 << 20);
    let items: Vec<String> = (0..10)
        .map(|number| format!("<item><guid>{long}{number}</guid></item>"))
        .collect();
    feed(stream, "", &items.concat())
}

fn surrogates(stream: &mut TcpStream) -> io::Result<()> {
    let body = br#"{"version": "https://jsonfeed.org/version/1.1", "title": "\u0000",
                    "items": [{"id": "1", "title": "a\u0000b"}, {"id": "2", "title": "\ud800"}]}"#;
    document(stream, "", body)
}
