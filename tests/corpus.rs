//! Other people's feeds: feedparser's own test files, and what it says of each, beside what we say.
//!
//! Only where `CRONTABBER_CORPUS` names the directory that `scripts/feedparser-corpus` made (`make corpus`).
//! `docs/feeds-corpus.md` says where the two differ, and why.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crontabber::actions::feeds::parse::{Feed, Unreadable, parse};
use serde_json::Value;

/// What feedparser says of a file, and what we say.
struct Compared {
    file: String,
    theirs: Value,
    ours: Result<Feed, Unreadable>,
}

impl Compared {
    fn entries(&self) -> &[Value] {
        self.theirs["entries"].as_array().map_or(&[], Vec::as_slice)
    }

    /// How many items we see: those with nothing to tell them by are seen, too.
    fn items(&self) -> usize {
        self.ours
            .as_ref()
            .map_or(0, |feed| feed.episodes.len() + feed.left_out)
    }
}

fn corpus() -> Option<PathBuf> {
    env::var_os("CRONTABBER_CORPUS").map(PathBuf::from)
}

fn compared(corpus: &Path) -> Vec<Compared> {
    let said = fs::read_to_string(corpus.join("said.jsonl")).expect("what feedparser says");
    let compare = |line: &str| {
        let theirs: Value = serde_json::from_str(line).expect("a line of JSON");
        let file = theirs["file"].as_str().expect("a name").to_owned();
        let body = fs::read(corpus.join("source/tests").join(&file)).expect("the file");
        let url = theirs["url"].as_str().expect("an address");
        let content_type = theirs["content_type"].as_str();
        let started = Instant::now();
        let ours = parse(&body, content_type, url);
        let took = started.elapsed();
        assert!(took < Duration::from_secs(10), "{file} took {took:?}");
        assert_eq!(ours, parse(&body, content_type, url), "{file}");
        Compared { file, theirs, ours }
    };
    said.lines().map(compare).collect()
}

/// A text as a reader sees it: tags away, references undone, white space folded; and addresses without what upper and
/// lower case in their scheme make different.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut is_tag = false;
    for character in text.chars() {
        match character {
            '<' => is_tag = true,
            '>' if is_tag => is_tag = false,
            _ if is_tag => (),
            _ => plain.push(character),
        }
    }
    let references = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#38;", "&"),
        ("&#x26;", "&"),
        ("&amp;", "&"),
    ];
    for (name, character) in references {
        plain = plain.replace(name, character);
    }
    folded(&plain).replace("HTTP://", "http://")
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether they are the same to a reader. feedparser hands out HTML where the feed has it and text where it has that, and
/// does not say which it is; we hand out text. So either reading of theirs will do.
fn agree(theirs: &str, ours: Option<&str>) -> bool {
    let ours = ours.unwrap_or_default();
    plain(theirs) == folded(ours) || plain(theirs) == plain(ours) || folded(theirs) == folded(ours)
}

/// Every share must be reached; what misses it is printed.
fn reaches(what: &str, share: f64, total: usize, misses: &[String]) {
    let held = total - misses.len();
    #[expect(clippy::cast_precision_loss, reason = "thousands at most")]
    let reached = held as f64 / total as f64;
    println!("{what}: {held} of {total} ({:.2} %)", reached * 100.0);
    let mut by_folder: BTreeMap<&str, usize> = BTreeMap::new();
    for miss in misses {
        let file = miss.split(": ").next().unwrap_or_default();
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        *by_folder.entry(folder).or_default() += 1;
        println!("    {miss}");
    }
    println!("    {by_folder:?}");
    assert!(total > 0 && reached >= share, "{what}: {reached}");
}

#[test]
fn entries_are_found_where_feedparser_finds_them() {
    let Some(corpus) = corpus() else { return };
    let compared = compared(&corpus);
    assert!(compared.len() > 2_000, "{} files", compared.len());
    let with_entries = compared.iter().filter(|file| !file.entries().is_empty());
    let mut total = 0;
    let mut misses = Vec::new();
    for file in with_entries {
        total += 1;
        if file.items() != file.entries().len() {
            let (theirs, ours) = (file.entries().len(), file.items());
            let why = file.ours.as_ref().err().map(ToString::to_string);
            misses.push(format!("{}: {ours} of {theirs} {why:?}", file.file));
        }
    }
    reaches("entries", 0.97, total, &misses);
    let left_out = |file: &Compared| file.ours.as_ref().map_or(0, |feed| feed.left_out);
    let total: usize = compared.iter().map(left_out).sum();
    println!("left out, with nothing to tell them by: {total}");
    for file in compared.iter().filter(|file| left_out(file) > 0) {
        println!("    {}: {}", file.file, left_out(file));
    }
}

/// One field of the entries: feedparser's name of it, and ours.
fn fields_agree(name: &str, ours: fn(&Feed, usize) -> Option<&str>) {
    let Some(corpus) = corpus() else { return };
    let mut total = 0;
    let mut misses = Vec::new();
    for file in &compared(&corpus) {
        for (index, entry) in file.entries().iter().enumerate() {
            let theirs = entry[name].as_str().unwrap_or_default();
            let is_made_up = name == "link" && entry["is_link_an_id"] == true;
            if plain(theirs).is_empty() || is_made_up {
                continue;
            }
            total += 1;
            let feed = file.ours.as_ref().ok();
            let found = feed.and_then(|feed| ours(feed, index));
            if !agree(theirs, found) {
                misses.push(format!("{}: {theirs:?} is {found:?} to us", file.file));
            }
        }
    }
    reaches(name, 0.95, total, &misses);
}

#[test]
fn titles_are_what_feedparser_says() {
    fields_agree("title", |feed, index| {
        feed.episodes.get(index)?.title.as_deref()
    });
}

#[test]
fn links_are_what_feedparser_says() {
    fields_agree("link", |feed, index| {
        feed.episodes.get(index)?.link.as_deref()
    });
}

#[test]
fn titles_of_feeds_are_what_feedparser_says() {
    let Some(corpus) = corpus() else { return };
    let mut total = 0;
    let mut misses = Vec::new();
    for file in &compared(&corpus) {
        let theirs = file.theirs["title"].as_str().unwrap_or_default();
        // Two hundred files there are a title each in one of Python's encodings, of which browsers know a third.
        if plain(theirs).is_empty() || file.file.starts_with("encoding/") {
            continue;
        }
        total += 1;
        let feed = file.ours.as_ref().ok();
        let found = feed.and_then(|feed| feed.title.as_deref());
        if !agree(theirs, found) {
            misses.push(format!("{}: {theirs:?} is {found:?} to us", file.file));
        }
    }
    reaches("titles of feeds", 0.95, total, &misses);
}
