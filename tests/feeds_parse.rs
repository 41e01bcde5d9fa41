//! Whole documents: well kept, and as they are.

use std::time::{Duration, Instant};

use crontabber::actions::feeds::parse::{
    Enclosure, Episode, Feed, Kind, MOST_EPISODES, Remark, Unreadable, parse,
};
use jiff::civil::Weekday;
use proptest::prelude::ProptestConfig;

const URL: &str = "https://feeds.example.org/show/feed.xml";

fn read(document: &str) -> Feed {
    parse(document.as_bytes(), None, URL).expect("a feed")
}

fn rss(items: &str) -> Feed {
    read(&format!(
        "<rss version='2.0' xmlns:itunes='http://www.itunes.com/dtds/podcast-1.0.dtd'><channel>{items}</channel></rss>"
    ))
}

/// A document of many parts.
fn each(numbers: std::ops::Range<usize>, part: impl Fn(usize) -> String) -> String {
    numbers.map(part).collect::<Vec<_>>().concat()
}

fn titles(feed: &Feed) -> Vec<&str> {
    let titles = feed.episodes.iter().map(|episode| episode.title.as_deref());
    titles.map(Option::unwrap_or_default).collect()
}

fn remarks(feed: &Feed) -> Vec<String> {
    feed.remarks
        .listed()
        .iter()
        .map(Remark::to_string)
        .collect()
}

fn link(episode: &Episode) -> &str {
    episode.link.as_deref().unwrap_or_default()
}

fn enclosure(url: &str, media_type: &str, length: u64) -> Enclosure {
    Enclosure {
        url: url.to_owned(),
        media_type: Some(media_type.to_owned()),
        length: Some(length),
    }
}

#[test]
fn a_podcast_is_read_with_all_it_has() {
    let feed = read(include_str!("feeds_parse/podcast.xml"));
    assert_eq!(feed.kind, Kind::Rss20);
    assert_eq!(feed.kind.as_str(), "rss2.0");
    assert_eq!(feed.title.as_deref(), Some("Café & Clocks"));
    assert_eq!(
        feed.site_url.as_deref(),
        Some("https://clocks.example.org/")
    );
    assert_eq!(
        feed.image_url.as_deref(),
        Some("https://clocks.example.org/big.jpg")
    );
    assert_eq!(feed.language.as_deref(), Some("en-gb"));
    assert_eq!(feed.author.as_deref(), Some("Ann Hour"));
    assert_eq!(
        feed.moved_to.as_deref(),
        Some("https://new.example.org/feed")
    );
    assert!(feed.is_complete);
    assert_eq!(feed.interval_hint, Some(Duration::from_hours(12)));
    assert_eq!(feed.skip_hours, [0, 3, 23]);
    assert_eq!(feed.skip_days, [Weekday::Saturday, Weekday::Sunday]);
    assert_eq!(titles(&feed), ["Two & a half", "One"]);
    let episode = &feed.episodes[0];
    assert_eq!(episode.guid.as_deref(), Some("clocks-2"));
    assert_eq!(
        episode.summary.as_deref(),
        Some("<p>About <b>time</b>.</p>")
    );
    assert_eq!(link(episode), "https://feeds.example.org/two");
    assert_eq!(
        episode.enclosure,
        Some(enclosure(
            "https://cdn.example.org/2.mp3?a=1&b=2",
            "audio/mpeg",
            1_234
        ))
    );
    assert_eq!(episode.duration, Some(3_723));
    assert_eq!(
        episode.published,
        Some("2026-01-31T11:00:00Z".parse().unwrap())
    );
    assert_eq!(feed.episodes[1].enclosure.as_ref().unwrap().length, None);
    assert_eq!(remarks(&feed), [""; 0]);
}

#[test]
fn atom_is_read_with_its_links_and_its_markup() {
    let feed = read(include_str!("feeds_parse/atom.xml"));
    assert_eq!(feed.kind, Kind::Atom10);
    assert_eq!(feed.title.as_deref(), Some("Less < more"));
    assert_eq!(feed.site_url.as_deref(), Some("https://atom.example.org/"));
    assert_eq!(feed.language.as_deref(), Some("de"));
    assert_eq!(feed.author.as_deref(), Some("Bob"));
    assert_eq!(
        titles(&feed),
        ["An emphasised title", "Plain <b>", "Copied"]
    );
    let episode = &feed.episodes[0];
    assert_eq!(episode.guid.as_deref(), Some("tag:example.org,2026:1"));
    assert_eq!(link(episode), "https://atom.example.org/blog/1");
    assert_eq!(
        episode.enclosure,
        Some(enclosure(
            "https://atom.example.org/blog/1.ogg",
            "audio/ogg",
            99
        ))
    );
    assert_eq!(
        episode.summary.as_deref(),
        Some(r#"<div xmlns="http://www.w3.org/1999/xhtml"><p>One &amp; two</p></div>"#)
    );
    assert_eq!(
        episode.published,
        Some("2026-01-01T00:00:00Z".parse().unwrap())
    );
    assert_eq!(
        feed.episodes[1].published,
        Some("2026-02-02T00:00:00Z".parse().unwrap())
    );
    assert_eq!(remarks(&feed), [""; 0]);
}

#[test]
fn older_formats_are_told_apart_and_read() {
    let rdf = "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='NAMESPACE' \
        xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:sy='http://purl.org/rss/1.0/modules/syndication/'>\
        <channel rdf:about='http://r/'><title>R</title><link>http://r/</link><sy:updatePeriod>weekly</sy:updatePeriod>\
        <sy:updateFrequency>2</sy:updateFrequency></channel>\
        <item rdf:about='http://r/1'><title>T</title><link>http://r/1</link><dc:date>2026-01-31</dc:date></item></rdf:RDF>";
    let ten = rdf.replace("NAMESPACE", "http://purl.org/rss/1.0/");
    let ninety = rdf.replace("NAMESPACE", "http://my.netscape.com/rdf/simple/0.9/");
    let item = "<channel><title>R</title><item><title>T</title></item></channel>";
    let vectors = [
        (ten.clone(), Kind::Rss1),
        (ninety, Kind::Rss09x),
        (format!("<rss version='0.91'>{item}</rss>"), Kind::Rss09x),
        (format!("<rss version='2.0'>{item}</rss>"), Kind::Rss20),
        (format!("<rss>{item}</rss>"), Kind::Rss20),
        (format!("<RSS>{}</RSS>", item.to_uppercase()), Kind::Rss20),
        ("<feed version='0.3' xmlns='http://purl.org/atom/ns#'><title>R</title><entry><title>T</title></entry></feed>".to_owned(), Kind::Atom03),
        ("<feed><title>R</title><entry><title>T</title></entry></feed>".to_owned(), Kind::Atom10),
        ("<a:feed xmlns:a='http://www.w3.org/2005/Atom'><a:title>R</a:title><a:entry><a:title>T</a:title></a:entry></a:feed>".to_owned(), Kind::Atom10),
    ];
    for (document, kind) in vectors {
        let feed = read(&document);
        assert_eq!(feed.kind, kind, "{document}");
        assert_eq!(feed.title.as_deref(), Some("R"), "{document}");
        assert_eq!(titles(&feed), ["T"], "{document}");
        assert_eq!(remarks(&feed), [""; 0], "{document}");
    }
    let feed = read(&ten);
    assert_eq!(feed.interval_hint, Some(Duration::from_hours(84)));
    assert_eq!(feed.episodes[0].guid.as_deref(), Some("http://r/1"));
    assert_eq!(
        feed.episodes[0].published,
        Some("2026-01-31T00:00:00Z".parse().unwrap())
    );
}

#[test]
fn json_feed_is_read_and_an_item_without_id_left_out() {
    let feed = read(include_str!("feeds_parse/feed.json"));
    assert_eq!(feed.kind, Kind::Json);
    assert_eq!(feed.title.as_deref(), Some("JSON & co"));
    assert_eq!(feed.author.as_deref(), Some("Cy"));
    assert!(feed.is_complete);
    assert_eq!(titles(&feed), ["First", ""]);
    assert_eq!(feed.left_out, 3);
    let (first, second) = (&feed.episodes[0], &feed.episodes[1]);
    assert_eq!(
        first.enclosure,
        Some(enclosure("https://j/1.mp3", "audio/mpeg", 10))
    );
    assert_eq!(first.duration, Some(61));
    assert_eq!(first.summary.as_deref(), Some("no NUL"));
    assert_eq!(second.guid.as_deref(), Some("17"));
    assert_eq!(link(second), "https://feeds.example.org/17");
    let whole =
        r#"{"version":"https://jsonfeed.org/version/1.1","items":[{"id":"1"},{"id":"2"},{"id"#;
    let cut = read(whole);
    assert_eq!((cut.episodes.len(), remarks(&cut).len()), (2, 1));
    assert!(feed.is_whole && !cut.is_whole);
}

#[test]
fn a_prefix_is_what_its_namespace_says_in_any_case() {
    let document = "<rss xmlns:x='HTTP://WWW.ITUNES.COM/DTDS/Podcast-1.0.DTD' xmlns:itunes='http://example.org/'>\
        <channel><item><guid>1</guid><itunes:duration>5</itunes:duration><x:duration>6</x:duration></item></channel></rss>";
    assert_eq!(read(document).episodes[0].duration, Some(6));
    let undeclared = "<rss><channel><item><guid>1</guid><itunes:duration>1:00</itunes:duration></item></channel></rss>";
    let feed = read(undeclared);
    assert_eq!(feed.episodes[0].duration, Some(60));
    assert_eq!(
        remarks(&feed),
        ["the prefix `itunes` is not declared: taken for what it usually means"]
    );
}

#[test]
fn a_feed_that_is_cut_off_gives_what_came_before() {
    let whole = "<rss><channel><title>T</title>\
        <item><guid>1</guid><title>a</title></item><item><guid>2</guid><title>b</title>\
        <description><![CDATA[some text]]></description></item></channel></rss>";
    let second = whole.find("<guid>2").unwrap();
    for end in whole.find("<channel").unwrap()..whole.len() {
        let feed = read(&whole[..end]);
        assert!(
            remarks(&feed)
                .iter()
                .any(|remark| remark.contains("cut off")),
            "{}",
            &whole[..end]
        );
        assert!(!feed.is_whole);
        let has_second = end >= second + "<guid>2</guid>".len();
        let has_first = end >= whole.find("</guid>").unwrap() + "</guid>".len();
        assert_eq!(
            feed.episodes.len(),
            usize::from(has_first) + usize::from(has_second),
            "{}",
            &whole[..end]
        );
    }
    assert!(read(whole).is_whole);
    let inside = read(&whole[..whole.find("text").unwrap()]);
    assert_eq!(inside.episodes[1].summary.as_deref(), Some("some"));
}

#[test]
fn no_item_spoils_another() {
    let vectors = [
        ("<item><guid>1</guid><title>a & b</title></item>", "a & b"),
        (
            "<item><guid>1</guid><title>a &nbsp;&eacute;&nosuch; b</title></item>",
            "a é&nosuch; b",
        ),
        ("<item><guid>1</guid><title>a<b></title></item>", "a"),
        ("<item><guid>1</guid><title>a</item>", "a"),
        (
            "<item><guid>1</guid><title>a<link>http://x/</link></item>",
            "a",
        ),
        ("<item><guid>1</guid><title>a</title>", "a"),
        ("<item><guid>1</guid><title>1 < 2</title></item>", "1 < 2"),
        ("<item><guid>1</guid><title>a</titel></item>", "a"),
        ("<item><guid>1</guid><title>a</title></foo></item>", "a"),
        (
            "<item><guid>1</guid><title>a</title><pubDate>soon</pubDate></item>",
            "a",
        ),
        (
            "<item><guid>1</guid><title>a</title><itunes:duration>long</itunes:duration></item>",
            "a",
        ),
        (
            "<item><guid>1</guid><title>a</title><description><p x=\"y>z</p></description></item>",
            "a",
        ),
    ];
    for (item, title) in vectors {
        let feed = rss(&format!(
            "{item}<item><guid>2</guid><title>next</title></item>"
        ));
        assert_eq!(titles(&feed), [title, "next"], "{item}");
        assert!(!feed.remarks.is_empty(), "{item}");
    }
}

#[test]
fn a_bad_date_and_a_bad_duration_are_shown_as_they_are_written() {
    let feed = rss(
        "<item><guid>1</guid><pubDate>morgen früh</pubDate><itunes:duration>1h</itunes:duration></item>",
    );
    assert_eq!(
        remarks(&feed),
        ["no date: `morgen früh`", "no duration: `1h`"]
    );
    let zone = rss("<item><guid>1</guid><pubDate>1 Jan 2026 10:00 IST</pubDate></item>");
    assert_eq!(
        zone.episodes[0].published,
        Some("2026-01-01T10:00:00Z".parse().unwrap())
    );
    assert_eq!(
        remarks(&zone),
        ["unknown zone, read as UTC: `1 Jan 2026 10:00 IST`"]
    );
}

#[test]
fn the_bytes_are_read_in_the_encoding_that_they_are_in() {
    let item = "<rss><channel><title>café</title></channel></rss>";
    let latin: Vec<u8> = item
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    let wide: Vec<u8> = item.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let vectors = [
        (item.as_bytes(), None),
        (&latin, Some("text/xml; charset=iso-8859-1")),
        (&latin, None),
        (&wide, None),
    ];
    for (body, content_type) in vectors {
        let feed = parse(body, content_type, URL).unwrap();
        assert_eq!(feed.title.as_deref(), Some("café"), "{content_type:?}");
    }
}

#[test]
fn what_is_no_feed_says_what_it_is() {
    let vectors: [(&str, &str); 9] = [
        (" \n", "the body is empty"),
        (
            "<!DOCTYPE html><html><body>",
            "this is an HTML page and no feed",
        ),
        (
            "<!doctype HTML><title>x",
            "this is an HTML page and no feed",
        ),
        ("<HTML>", "this is an HTML page and no feed"),
        (
            "<opml version='2.0'/>",
            "no feed in it: the root element is `opml`",
        ),
        (
            "Not found",
            "neither XML nor JSON: it begins with `Not found`",
        ),
        ("{\"a\": 1}", "JSON, but no JSON Feed: neither"),
        ("[1]", "JSON, but no JSON Feed"),
        ("{\"a\": ", "JSON, but no JSON Feed: EOF"),
    ];
    for (body, expected) in vectors {
        let error = parse(body.as_bytes(), None, URL).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{body}: {error}");
    }
    assert_eq!(parse(b"\xef\xbb\xbf", None, URL), Err(Unreadable::Empty));
}

#[test]
fn what_is_too_much_is_bounded() {
    let laughs = each(1..20, |n| {
        format!("<!ENTITY l{n} '&l{};&l{};'>", n - 1, n - 1)
    });
    let feed = read(&format!(
        "<!DOCTYPE rss [<!ENTITY l0 'ha'>{laughs}]><rss><channel><title>&l0;&l19;</title></channel></rss>"
    ));
    assert_eq!(feed.title.as_deref(), Some("ha&l19;"));

    let deep = "<x>".repeat(100_000);
    let feed = rss(&format!(
        "<item><guid>1</guid><description>{deep}</description></item><item><guid>2</guid></item>"
    ));
    assert_eq!(feed.episodes.len(), 2);

    let feed = rss(&"<item><foo/></item>".repeat(1_000));
    assert_eq!(
        (
            feed.left_out,
            feed.remarks.listed().len(),
            feed.remarks.unlisted()
        ),
        (1_000, 20, 980)
    );

    let long = "y".repeat(100_000);
    let feed = rss(&format!(
        "<item><guid>{long}1</guid><title>{long}</title><description>{long}</description></item>\
        <item><guid>{long}2</guid></item>"
    ));
    let episode = &feed.episodes[0];
    let lengths =
        [&episode.guid, &episode.title, &episode.summary].map(|text| text.as_ref().unwrap().len());
    assert_eq!(lengths, [8 << 10, 1_000, 64 << 10]);
    assert_ne!(episode.key, feed.episodes[1].key);

    let items = each(0..MOST_EPISODES + 1, |n| {
        format!("<item><guid>{n}</guid></item>")
    });
    let feed = rss(&items);
    assert_eq!((feed.episodes.len(), feed.left_out), (MOST_EPISODES, 1));
}

#[test]
fn an_episode_that_has_not_changed_is_known_by_its_hash() {
    let item = |title: &str| format!("<item><guid>1</guid><title>{title}</title></item>");
    let hashes = |title: &str, more: &str| {
        rss(&format!("{more}{}", item(title)))
            .episodes
            .pop()
            .unwrap()
    };
    let first = hashes("a", "");
    assert_eq!(first, hashes("a", "<item><guid>2</guid></item>"));
    let changed = hashes("b", "");
    assert_eq!(first.key, changed.key);
    assert_ne!(first.content_hash, changed.content_hash);
}

#[test]
fn five_thousand_items_are_read_at_once() {
    let text = "Lorem ipsum dolor sit amet ".repeat(10);
    let items = each(0..5_000, |n| {
        format!(
            "<item><guid isPermaLink='false'>show-{n}</guid><title>Episode {n}</title>\
        <link>https://x/{n}</link><description><![CDATA[<p>{text}</p>]]></description><pubDate>Sat, 31 Jan 2026 12:00:00 GMT</pubDate>\
        <enclosure url='https://x/{n}.mp3' type='audio/mpeg' length='1234567'/><itunes:duration>1:02:03</itunes:duration></item>\n"
        )
    });
    let started = Instant::now();
    let feed = rss(&items);
    let took = started.elapsed();
    println!("{} bytes: {took:?}", items.len());
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(feed.episodes.len(), 5_000);
    assert!(feed.remarks.is_empty());
}

proptest::proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_document_is_too_strange(pieces in proptest::collection::vec(proptest::sample::select(vec![
        "<rss>", "<channel>", "<item>", "</item>", "<guid>", "</guid>", "<title>", "</title>", "<a href='", "'>", "\"",
        "<![CDATA[", "]]>", "<!--", "-->", "&", ";", "&#0;", "\0", "<", ">", "é", "<link/>", "<feed>", "<entry>", "{", "[",
        "</channel>", " xml:base='", " xmlns:a='", "<!DOCTYPE rss [<!ENTITY a 'b'>", "<enclosure url='x' length='-1'/>"]), 0..60)) {
        let text = pieces.concat();
        let first = parse(text.as_bytes(), None, URL);
        proptest::prop_assert_eq!(first, parse(text.as_bytes(), None, URL));
    }

    #[test]
    fn no_bytes_are_too_strange(mut body: Vec<u8>, is_feed: bool) {
        if is_feed {
            body.splice(0..0, *b"<rss><channel><item>");
        }
        let _ = parse(&body, Some("text/xml; charset=utf-16"), "-");
    }
}

/// Peak memory of this process so far, in KiB.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let words = line.and_then(|line| line.split_whitespace().nth(1));
    words.and_then(|kib| kib.parse().ok()).expect("a number")
}

/// Not a test by itself: it is run alone in a process by the test below.
#[test]
fn made_to_read_lists_by_the_test_below() {
    if std::env::var_os("LISTS").is_none() {
        return;
    }
    let lists = format!("[{}[]]", "[],".repeat(1_000_000));
    let document = format!(
        "{{\"version\": \"https://jsonfeed.org/version/1.1\", \"extra\": {lists}, \"title\": {lists}, \"items\": [\
         {{\"id\": 1, \"_ours\": {lists}, \"title\": {lists}, \"attachments\": {lists}}}, {{\"id\": 2, \"title\": \"Two\"}}]}}"
    );
    let before = peak();
    let feed = read(&document);
    println!("grown: {} KiB", peak() - before);
    assert_eq!(titles(&feed), ["", "Two"]);
    assert_eq!(remarks(&feed), ["`title` is not what it should be"]);
}

#[test]
fn what_is_not_wanted_of_json_is_passed_over_and_never_kept() {
    let alone = std::process::Command::new(std::env::current_exe().expect("this test"))
        .args([
            "--exact",
            "made_to_read_lists_by_the_test_below",
            "--nocapture",
        ])
        .env("LISTS", "1")
        .output()
        .expect("it can be run again");
    let said = String::from_utf8_lossy(&alone.stdout);
    assert!(alone.status.success(), "{said}");
    let grown = said.lines().find_map(|line| line.split_once("grown: "));
    let grown: usize = grown
        .and_then(|(_, grown)| grown.split(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("{said}"));
    assert!(grown < 8 << 10, "a document of 15 MB took {grown} KiB");
}
