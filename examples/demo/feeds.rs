//! Feeds for the job `feeds`, served on this machine: some that are well, and one that refuses.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    thread,
};

use crontabber::store::error::DatabaseError;

use crate::{
    DemoError, database,
    stage::Stage,
    timeline::{Timeline, Tone},
};

/// The networks that a pass may ask although they are not of the world.
pub(crate) const ALLOWED: &str = "127.0.0.1";

/// What the servers of feeds are called here.
const WELL: [&str; 5] = ["news", "science", "history", "music", "weather"];

/// The feed that tells everybody to stay away.
const REFUSES: &str = "members";

/// How many episodes each has.
const EPISODES: usize = 3;

/// Listens from now on, and makes its feeds known to the action.
///
/// The one that refuses has done so twice before: with the third time in a row it is suspended.
pub(crate) fn begin(stage: &Stage) -> Result<(), DemoError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listener = listener.map_err(DemoError::io("listen on", ALLOWED))?;
    let address = listener
        .local_addr()
        .map_err(DemoError::io("listen on", ALLOWED))?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(&stream));
        }
    });
    let urls = WELL.iter().chain([&REFUSES]);
    let urls: Vec<_> = urls.map(|feed| url(address, feed)).collect();
    let mut add = action(stage, "add");
    add.args(&urls).stdout(Stdio::null());
    let status = add
        .status()
        .map_err(DemoError::io("start", stage.program()))?;
    if !status.success() {
        return Err(DemoError::Feeds(status));
    }
    database::ask(&stage.url(), async |client| {
        let refused = "UPDATE feeds SET error_count = 2 WHERE url LIKE '%/' || $1";
        let refused = client.execute(refused, &[&REFUSES]).await;
        refused.map_err(DatabaseError::from)?;
        Ok(())
    })
}

/// Shows them as the action does.
pub(crate) fn list(stage: &Stage, timeline: &Timeline) -> Result<(), DemoError> {
    timeline.say("")?;
    timeline.line("crontabber action feeds list:", Tone::Striking)?;
    let listed = action(stage, "list").status();
    listed.map_err(DemoError::io("start", stage.program()))?;
    Ok(())
}

fn action(stage: &Stage, command: &str) -> Command {
    let mut action = Command::new(stage.program());
    action
        .args(["action", "feeds", command])
        .env("DATABASE_URL", stage.url());
    action
}

fn url(address: SocketAddr, feed: &str) -> String {
    format!("http://{address}/{feed}")
}

/// Answers one connection until it is closed.
fn answer(stream: &TcpStream) {
    let mut reader = BufReader::new(stream);
    while let Some(head) = head(&mut reader) {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let answer = reply(path.trim_start_matches('/'), &head);
        // Who has asked may be gone: a host of this demo is killed.
        if (&mut &*stream).write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// The head of the next request, and `None` at the end.
fn head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

fn reply(feed: &str, head: &str) -> String {
    if feed == REFUSES {
        return "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_owned();
    }
    let etag = format!("\"{feed}-{EPISODES}\"");
    if head.contains(&etag) {
        return format!("HTTP/1.1 304 Not Modified\r\nETag: {etag}\r\n\r\n");
    }
    let body = rss(feed);
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\nETag: {etag}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn rss(feed: &str) -> String {
    let item = |number| {
        format!(
            "<item><guid isPermaLink=\"false\">{feed}-{number}</guid><title>The {feed}, part {number}</title>\
             <pubDate>0{number} Nov 2026 06:00:00 GMT</pubDate></item>"
        )
    };
    let items = (1..=EPISODES).map(item).collect::<Vec<_>>().concat();
    format!("<rss version=\"2.0\"><channel><title>The {feed}</title>{items}</channel></rss>")
}
