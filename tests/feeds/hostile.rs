//! A whole pass over servers that want to do harm, beside others that do not.

mod pages;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    SOON,
    common::{Database, Finished, tables, until},
    {by_hand, by_table, item},
};
use pages::{Comes, PAGES, feed};

/// As an operator would write it who knows such servers; the limit for a fetch is what the test waits for.
const TABLE: &str = "{\"allow\": [\"127.0.0.0/8\"], \"timeout\": \"25s\", \"gap\": \"0s\", \"fail_above\": \"100%\"}";

/// How many feeds are as they should be.
const GOOD: usize = 20;

/// Servers of good and of hostile feeds, each at an address of its own.
struct Web {
    port: u16,
    /// Connections that are open.
    open: Arc<AtomicUsize>,
}

impl Web {
    fn start() -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").expect("a free port");
        let address: SocketAddr = listener.local_addr().expect("it listens");
        let open = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&open);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let open = Arc::clone(&counted);
                open.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    serve(stream);
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self {
            port: address.port(),
            open,
        }
    }

    /// The address of a page, on a host of its own.
    fn url(&self, host: usize, path: &str) -> String {
        format!("http://127.0.1.{}:{}{path}", host + 1, self.port)
    }

    fn good(&self) -> Vec<String> {
        let url = |number| self.url(number, &format!("/good/{number}"));
        (0..GOOD).map(url).collect()
    }

    fn hostile(&self) -> Vec<String> {
        let pages = PAGES.iter().enumerate();
        let url = |(number, (path, ..)): (usize, &(&str, _, _))| self.url(100 + number, path);
        pages.map(url).collect()
    }
}

/// One answer for each connection.
fn serve(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().expect("descriptors are to be had"));
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let path = head.split(' ').nth(1).unwrap_or_default();
    let page = PAGES.iter().find(|(known, ..)| *known == path);
    // Who asks may have heard enough.
    let _ = match page {
        Some((_, talk, _)) => talk(&mut stream),
        None => feed(
            &mut stream,
            "",
            &[item("1", path), item("2", path), item("3", path)].concat(),
        ),
    };
}

async fn add(database: &Database, urls: &[String]) {
    let mut arguments = vec!["add"];
    arguments.extend(urls.iter().map(String::as_str));
    let added = by_hand(database, &arguments).await;
    assert_eq!(added.code, Some(0), "{added:?}");
}

/// A pass, and the most memory that it has had, in KiB.
async fn pass(database: &Database) -> (Finished, usize) {
    let mut running = by_table(database, TABLE).limit(SOON * 4).spawn();
    let status = format!("/proc/{}/status", running.pid());
    let mut peak = 0;
    while !running.has_ended() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(kib.unwrap_or(0));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (running.finished().await, peak)
}

#[tokio::test]
async fn a_web_of_enemies_costs_them_their_own_feeds_and_nobody_elses() {
    let (web, database) = (Web::start(), tables().await);
    add(&database, &web.good()).await;
    let (peaceful, usual) = pass(&database).await;
    assert_eq!(peaceful.code, Some(0), "{peaceful:?}");
    database
        .execute("DELETE FROM episodes; UPDATE feeds SET next_fetch = clock_timestamp(), last_success = NULL")
        .await;

    add(&database, &web.hostile()).await;
    let since = Instant::now();
    let (passed, peak) = pass(&database).await;
    let took = since.elapsed();
    assert_eq!(passed.code, Some(0), "{passed:?}");
    let grown = peak.saturating_sub(usual) >> 10;
    println!("{took:?}, {} MiB usually, {grown} MiB more", usual >> 10);

    let good: i64 = database
        .query_one(
            "SELECT count(*) FROM episodes JOIN feeds ON id = feed_id WHERE url LIKE '%/good/%'",
        )
        .await;
    assert_eq!(good, 3 * i64::try_from(GOOD).expect("a few"));
    let told = told(&database).await;
    let wrong: Vec<String> = PAGES
        .iter()
        .filter_map(|(path, _, comes)| is_wrong(&told, path, *comes))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // 32 MiB of bodies, as much again that is made of them, and the rest of a hundred thousand episodes.
    assert!(grown <= 96, "{grown} MiB more than usually");
    assert!(took < Duration::from_secs(50), "{took:?}");

    let claimed: i64 = database
        .query_one("SELECT count(*) FROM feeds WHERE last_status IS NULL AND last_error IS NULL")
        .await;
    assert_eq!(claimed, 0, "feeds of which nobody knows what has become");
    let leaked: i64 = database
        .query_one("SELECT count(*) FROM episodes WHERE concat(title, summary) LIKE '%root:%'")
        .await;
    assert_eq!(leaked, 0, "a file of this host is in an episode");
    until(SOON, "no connection is open", async || {
        web.open.load(Ordering::SeqCst) == 0
    })
    .await;
}

/// Of each feed: its address, its last error, how many episodes it has.
async fn told(database: &Database) -> Vec<Vec<String>> {
    let sql = "SELECT url, coalesce(last_error, ''), (SELECT count(*) FROM episodes WHERE feed_id = id)::text FROM feeds";
    database.rows(sql).await
}

/// What is not as it should be with a page.
fn is_wrong(told: &[Vec<String>], path: &str, comes: Comes) -> Option<String> {
    let Some([_, error, episodes]) = told
        .iter()
        .find(|row| row[0].ends_with(path))
        .map(Vec::as_slice)
    else {
        return Some(format!("{path}: not in the table"));
    };
    let is_well = match comes {
        Comes::To(words) => error.contains(words),
        Comes::With(number) => error.is_empty() && *episodes == number.to_string(),
    };
    (!is_well).then(|| format!("{path}: `{error}`, {episodes} episodes; expected {comes:?}"))
}
