//! As much of HTML as a title needs: references undone, tags taken away.

use std::{borrow::Cow, collections::HashMap, sync::LazyLock};

/// The character that an entity of HTML 4.01 stands for.
static ENTITIES: LazyLock<HashMap<&str, char>> = LazyLock::new(|| {
    include_str!("entities.txt")
        .lines()
        .filter_map(|line| {
            let (name, code) = line.split_once(' ')?;
            let code = u32::from_str_radix(code, 16).ok()?;
            Some((name, char::from_u32(code)?))
        })
        .collect()
});

/// What a reference stands for, without its `&` and `;`: `amp`, `nbsp`, `#8217`, `#x2019`.
///
/// The numbers 128 to 159 are of windows-1252, as HTML reads them; zero and what is no character are nothing.
pub(super) fn reference(name: &str) -> Option<char> {
    let Some(number) = name.strip_prefix('#') else {
        return ENTITIES.get(name).copied();
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => number.parse(),
    };
    let code = code.ok().filter(|code| *code != 0)?;
    match u8::try_from(code) {
        Ok(byte @ 0x80..=0x9f) => {
            let byte = [byte];
            let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(&byte);
            text.chars().next()
        }
        _ => char::from_u32(code),
    }
}

/// The longest name of an entity, and some.
const LONGEST_NAME: usize = 32;

/// HTML as text: without tags and comments, with its references undone. Blocks are parted by a space.
pub(super) fn text(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        undo(&rest[..at], &mut text);
        let tag = &rest[at..];
        if let Some((length, is_block)) = tag_length(tag) {
            if is_block && !text.ends_with(char::is_whitespace) {
                text.push(' ');
            }
            rest = &tag[length..];
        } else {
            text.push('<');
            rest = &tag[1..];
        }
    }
    undo(rest, &mut text);
    text
}

/// Text that may be HTML, as titles in RSS are: with HTML in it or not, it is made text.
pub(super) fn maybe(text: &str) -> Cow<'_, str> {
    if text.contains(['<', '&']) {
        self::text(text).into()
    } else {
        text.into()
    }
}

/// How long the tag or comment at the beginning is, and whether it parts words; `None`: it is none.
fn tag_length(text: &str) -> Option<(usize, bool)> {
    // Longer ones are none either: the end of each `<` without one would be looked for to the end of the text.
    const LONGEST: usize = 512;
    let near = &text[..text.floor_char_boundary(LONGEST)];
    if near.starts_with("<!--") {
        return near.find("-->").map(|end| (end + 3, false));
    }
    let name = near.strip_prefix('<')?;
    let name = name.strip_prefix('/').unwrap_or(name);
    let end = name.find(|c: char| !c.is_ascii_alphanumeric());
    let name = &name[..end.unwrap_or(name.len())];
    let is_block = match TAGS.iter().position(|tag| name.eq_ignore_ascii_case(tag)) {
        Some(index) => index < BLOCKS,
        None => return None,
    };
    near.find('>').map(|end| (end + 1, is_block))
}

/// How many of the tags part words.
const BLOCKS: usize = 16;

/// Tags that are met in titles. Others may be what a title is about.
const TAGS: [&str; 42] = [
    "br",
    "p",
    "div",
    "li",
    "ul",
    "ol",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "td",
    "tr",
    "table",
    "a",
    "abbr",
    "acronym",
    "b",
    "big",
    "blockquote",
    "center",
    "cite",
    "code",
    "del",
    "dfn",
    "em",
    "font",
    "i",
    "img",
    "ins",
    "kbd",
    "q",
    "s",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "u",
];

/// The value of an attribute, its references undone.
pub(super) fn undone(value: &str) -> Cow<'_, str> {
    if !value.contains('&') {
        return value.into();
    }
    let mut undone = String::with_capacity(value.len());
    undo(value, &mut undone);
    undone.into()
}

/// Adds the text with its references undone; unknown ones stay.
pub(super) fn undo(text: &str, into: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        into.push_str(&rest[..at]);
        let name = &rest[at + 1..];
        let end = name.bytes().take(LONGEST_NAME).position(|b| b == b';');
        let known = end.and_then(|end| Some((end, reference(&name[..end])?)));
        if let Some((end, character)) = known {
            into.push(character);
            rest = &name[end + 1..];
        } else {
            into.push('&');
            rest = name;
        }
    }
    into.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entity_of_the_table_is_read() {
        assert_eq!(ENTITIES.len(), 253);
        assert_eq!(reference("nbsp"), Some('\u{a0}'));
        assert_eq!(reference("Eacute"), Some('É'));
        assert_eq!(reference("apos"), Some('\''));
        assert_eq!(reference("nosuch"), None);
    }

    #[test]
    fn a_number_is_a_character_or_nothing() {
        let vectors = [
            ("#65", Some('A')),
            ("#x41", Some('A')),
            ("#X2019", Some('’')),
            ("#146", Some('’')),
            ("#x80", Some('€')),
            ("#128512", Some('😀')),
            ("#0", None),
            ("#xD800", None),
            ("#99999999999", None),
            ("#", None),
            ("#x", None),
        ];
        for (name, expected) in vectors {
            assert_eq!(reference(name), expected, "{name}");
        }
    }

    #[test]
    fn a_title_is_text_without_its_html() {
        let vectors = [
            ("plain", "plain"),
            ("AT&amp;T &nosuch; & more &", "AT&T &nosuch; & more &"),
            ("a <b>bold</B> word", "a bold word"),
            ("one<br/>two<p>three</p>", "one two three "),
            ("<a href='x'>link</a><!-- no > more -->", "link"),
            ("1 < 2, 3 > 2 and <T>", "1 < 2, 3 > 2 and <T>"),
            ("<b", "<b"),
            ("&lt;b&gt;", "<b>"),
            ("<", "<"),
        ];
        for (html, expected) in vectors {
            assert_eq!(text(html), expected, "{html}");
        }
    }
}
