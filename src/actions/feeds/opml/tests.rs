use super::*;
use crate::actions::feeds::parse::{MOST_OUTLINES, outlines};

fn feed(place: usize, url: &str, title: Option<&str>, site: Option<&str>) -> Outline {
    Outline {
        place,
        url: url.to_owned(),
        title: title.map(str::to_owned),
        site_url: site.map(str::to_owned),
    }
}

/// The feeds of a list, and the remarks in words.
fn read(body: &str) -> (Vec<Outline>, Vec<String>) {
    let list = outlines(body.as_bytes()).expect("a list");
    let remarks = list.remarks.listed().iter().map(ToString::to_string);
    (list.feeds, remarks.collect())
}

const SOUND: &str = r#"<?xml version="1.0"?>
<!-- <outline xmlUrl="https://example.com/commented-out"/> -->
<opml version="2.0"><head><title>Mine</title></head><body>
<outline text="Talks">
  <outline text="Nights &amp; days" title="" type="rss" xmlUrl="https://example.com/a?b=1&amp;c=2" htmlUrl="https://example.com/"/>
  <OUTLINE TEXT='https://example.com/b' XMLURL=' https://example.com/b '></OUTLINE>
</outline>
<outline xmlurl="https://example.com/a?b=1&amp;c=2" text="again"/>
<outline text="a page" type="link" url="https://example.com/page"/>
</body></opml>"#;

#[test]
fn a_list_has_the_feeds_of_all_its_outlines_each_once() {
    let (feeds, remarks) = read(SOUND);
    assert_eq!(
        feeds,
        [
            feed(
                5,
                "https://example.com/a?b=1&c=2",
                Some("Nights & days"),
                Some("https://example.com/")
            ),
            feed(6, "https://example.com/b", None, None),
        ]
    );
    assert!(remarks.is_empty(), "{remarks:?}");
}

#[test]
fn a_list_that_is_cut_off_anywhere_has_what_comes_before_and_says_so() {
    let whole = read(SOUND).0;
    for end in SOUND.find("<head>").expect("it is there")..SOUND.len() {
        let (feeds, remarks) = read(&SOUND[..end]);
        assert_eq!(feeds, whole[..feeds.len()], "{end}");
        let is_said = remarks
            .iter()
            .any(|remark| remark.starts_with("the document is cut off"));
        assert!(is_said, "{end}: {remarks:?}");
    }
}

#[test]
fn what_is_wrong_in_a_list_is_got_over_and_said() {
    let vectors = [
        (
            "<opml><outline xmlUrl='https://example.com/?a=1&b=2'/></opml>",
            "https://example.com/?a=1&b=2",
            "a `&` that should be `&amp;`",
        ),
        (
            "<opml><outline xmlUrl='https://example.com/&nosuch;'/></opml>",
            "https://example.com/&nosuch;",
            "unknown entity `&nosuch;`",
        ),
        (
            "<opml><outline text='a' <outline xmlUrl=https://example.com/ ></opml>",
            "https://example.com/",
            "a `<` that begins no tag",
        ),
        (
            "<!DOCTYPE opml [<!ENTITY far SYSTEM 'file:///etc/passwd'><!ENTITY ha 'haha'>]>\
             <opml><outline xmlUrl='https://example.com/&far;&ha;'/></opml>",
            "https://example.com/&far;&ha;",
            "unknown entity `&far;`",
        ),
    ];
    for (body, url, remark) in vectors {
        let (feeds, remarks) = read(body);
        assert_eq!(feeds, [feed(1, url, None, None)], "{body}");
        let is_said = remarks.iter().any(|said| said.starts_with(remark));
        assert!(is_said, "{body}: {remarks:?}");
    }
}

#[test]
fn outlines_as_deep_as_anybody_likes_are_read_in_no_time_at_all() {
    let deep = 200_000;
    let body = format!(
        "<opml>{}<outline xmlUrl='https://example.com/deep'/>{}</opml>",
        "<outline text='in'>".repeat(deep),
        "</outline>".repeat(deep)
    );
    assert_eq!(
        read(&body).0,
        [feed(1, "https://example.com/deep", None, None)]
    );
}

#[test]
fn more_feeds_than_are_read_are_left_out_and_said() {
    let lines: Vec<String> = (0..=MOST_OUTLINES)
        .map(|number| format!("https://example.com/{number}"))
        .collect();
    let (feeds, remarks) = read(&lines.join("\n"));
    assert_eq!(feeds.len(), MOST_OUTLINES);
    assert_eq!(remarks, ["more items than are read: the rest is left out"]);
}

#[test]
fn a_text_has_an_address_a_line_with_its_number() {
    let text = "\u{feff}# mine\r\n\r\n https://example.com/a \r\nnonsense\nhttps://example.com/a";
    let (feeds, remarks) = read(text);
    assert_eq!(
        feeds,
        [
            feed(3, "https://example.com/a", None, None),
            feed(4, "nonsense", None, None),
        ]
    );
    assert!(remarks.is_empty(), "{remarks:?}");
}

#[test]
fn a_list_in_another_encoding_is_read_too() {
    let text = "<?xml version='1.0' encoding='utf-16'?><opml><outline text='é' xmlUrl='https://example.com/'/></opml>";
    let wide: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(text.encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    let list = outlines(&wide).expect("a list");
    assert_eq!(list.feeds[0].title.as_deref(), Some("é"));
}

#[test]
fn what_is_no_list_is_told_from_one_that_is_empty() {
    for (body, why) in [
        ("<rss version='2.0'><channel/></rss>", "a feed itself"),
        ("<html><body/></html>", "the root element is `html`"),
        ("< nonsense", "there is no element in it"),
    ] {
        let error = outlines(body.as_bytes()).expect_err(body).to_string();
        assert!(error.contains(why), "{body}: {error}");
    }
    for body in ["<opml/>", "<opml><body></body></opml>", "", "# nothing\n"] {
        assert_eq!(read(body), (Vec::new(), Vec::new()), "{body}");
    }
}

/// A whole document of these.
fn written(feeds: &[Outline]) -> String {
    let outlines: String = feeds.iter().map(outline).collect();
    format!("{BEGINNING}{outlines}{END}")
}

/// What a strict reader of XML finds in the outlines of a document.
fn strictly(document: &str) -> Vec<Vec<(String, String)>> {
    use quick_xml::{Reader, XmlVersion, events::Event};
    let mut reader = Reader::from_str(document);
    let mut found = Vec::new();
    loop {
        match reader.read_event().expect("it is well-formed") {
            Event::Eof => return found,
            Event::Empty(tag) => {
                let attributes = tag.attributes().map(|attribute| {
                    let attribute = attribute.expect("it is well-formed");
                    let value = attribute.normalized_value(XmlVersion::Explicit1_0);
                    let key = attribute.key.as_ref();
                    (
                        key.to_owned(),
                        value.expect("its references are known").into_owned(),
                    )
                });
                found.push(attributes.collect());
            }
            _ => {}
        }
    }
}

#[test]
fn what_is_written_is_xml_whatever_is_in_it() {
    let document = written(&[feed(
        1,
        "https://example.com/?a=1&b=\"<'>\"",
        Some("a\u{1b}b\n\u{ffff}&amp;"),
        None,
    )]);
    let expected = [
        ("type", "rss"),
        ("text", "a\u{fffd}b\n\u{fffd}&amp;"),
        ("title", "a\u{fffd}b\n\u{fffd}&amp;"),
        ("xmlUrl", "https://example.com/?a=1&b=\"<'>\""),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(strictly(&document), [expected]);
}

proptest::proptest! {
    #[test]
    fn what_is_written_is_read_again(titles in proptest::collection::vec("[ -~é<>&\"']{0,12}", 0..6)) {
        let feeds: Vec<Outline> = titles.iter().enumerate().map(|(number, title)| {
            let words: Vec<&str> = title.split_whitespace().collect();
            let title = Some(words.join(" ")).filter(|title| !title.is_empty());
            let url = format!("https://example.com/{number}?a=1&amp=2&{}", title.as_deref().unwrap_or_default().replace(' ', "+"));
            // The first is in the seventh line.
            feed(number + 7, &url, title.as_deref(), Some("https://example.com/?<&>"))
        }).collect();
        let document = written(&feeds);
        strictly(&document);
        let (again, remarks) = read(&document);
        proptest::prop_assert_eq!(again, feeds);
        proptest::prop_assert!(remarks.is_empty(), "{:?}", remarks);
    }

    #[test]
    fn no_list_is_too_strange(pieces in proptest::collection::vec(
        proptest::sample::select(vec!["<", ">", "/", "opml", "outline", " xmlUrl=", " text=", "'", "\"", "&", ";", "#",
            "https://", "\n", " ", "é", "<!--", "-->", "<![CDATA[", "\0"]), 0..40)) {
        let _ = outlines(pieces.concat().as_bytes());
    }
}
