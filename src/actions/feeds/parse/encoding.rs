//! From bytes to text: which encoding a feed is in, whatever is said about it.
//!
//! Asked in this order: a byte order mark, or the zero bytes that XML's first characters leave in UTF-16 and UTF-32
//! (XML 1.0, appendix F); the XML declaration; the header `Content-Type`; UTF-8. The first whose bytes are without fault
//! is taken. RFC 7303 §3 has the header before the declaration; servers know less about files than who wrote them.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::remark::{Remark, Remarks, excerpt};

/// The text of a body, without a byte order mark.
pub(super) fn text<'a>(
    body: &'a [u8],
    content_type: Option<&str>,
    remarks: &mut Remarks,
) -> Cow<'a, str> {
    if let Some(wide) = wide(body) {
        return wide.text(body).into();
    }
    if body.starts_with(UTF_8_MARK)
        && let Some(text) = faultless(UTF_8, body)
    {
        return text;
    }
    let declared = declared(body);
    let claims = [declared, content_type.and_then(charset)];
    for claimed in claims.into_iter().flatten() {
        let known = Encoding::for_label(claimed.as_bytes()).filter(|known| {
            // In UTF-16 the declaration could not have been read. ASCII is windows-1252 to the Encoding Standard, and
            // to who says it whatever a program put there.
            let is_wide = *known == UTF_16LE || *known == UTF_16BE;
            let is_ascii = claimed.to_ascii_lowercase().ends_with("ascii");
            !is_wide && (!is_ascii || body.is_ascii())
        });
        if let Some(text) = known.and_then(|known| faultless(known, body)) {
            return text;
        }
    }
    let claimed = claims.into_iter().flatten().next();
    let (text, used) = match (faultless(UTF_8, body), claimed) {
        (Some(text), None) => return text,
        (Some(text), Some(_)) => (text, UTF_8),
        (None, _) => lossy(body),
    };
    remarks.add(Remark::WrongEncoding {
        claimed: excerpt(claimed.unwrap_or("UTF-8")),
        used: used.name(),
    });
    text
}

fn faultless<'a>(encoding: &'static Encoding, body: &'a [u8]) -> Option<Cow<'a, str>> {
    encoding.decode_without_bom_handling_and_without_replacement(strip_mark(body))
}

const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";

fn strip_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(UTF_8_MARK).unwrap_or(body)
}

/// Text with faults: UTF-8 whose characters outside ASCII are mostly whole, otherwise windows-1252, in which every byte
/// is something.
fn lossy(body: &[u8]) -> (Cow<'_, str>, &'static Encoding) {
    let (mut whole, mut broken) = (0_usize, 0_usize);
    for chunk in body.utf8_chunks() {
        whole += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    let encoding = if whole > broken { UTF_8 } else { WINDOWS_1252 };
    let (text, _) = encoding.decode_without_bom_handling(strip_mark(body));
    (text, encoding)
}

/// Encodings of which every character has at least two bytes.
#[derive(Debug, Clone, Copy)]
enum Wide {
    Two(&'static Encoding),
    /// UTF-32, which the Encoding Standard leaves out: the number of bytes to skip, and how four bytes are a number.
    Four(usize, fn([u8; 4]) -> u32),
}

impl Wide {
    fn text(self, body: &[u8]) -> String {
        match self {
            Self::Two(encoding) => encoding.decode_with_bom_removal(body).0.into_owned(),
            Self::Four(skipped, number) => body
                .get(skipped..)
                .unwrap_or_default()
                .as_chunks::<4>()
                .0
                .iter()
                .map(|four| char::from_u32(number(*four)).unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect(),
        }
    }
}

fn wide(body: &[u8]) -> Option<Wide> {
    Some(match body {
        [0, 0, 0xfe, 0xff, ..] => Wide::Four(4, u32::from_be_bytes),
        [0xff, 0xfe, 0, 0, ..] => Wide::Four(4, u32::from_le_bytes),
        [0, 0, 0, b'<', ..] => Wide::Four(0, u32::from_be_bytes),
        [b'<', 0, 0, 0, ..] => Wide::Four(0, u32::from_le_bytes),
        [0xfe, 0xff, ..] | [0, b'<', 0, _, ..] => Wide::Two(UTF_16BE),
        [0xff, 0xfe, ..] | [b'<', 0, _, 0, ..] => Wide::Two(UTF_16LE),
        _ => return None,
    })
}

/// What the XML declaration says, which is in ASCII in every encoding that is left.
fn declared(body: &[u8]) -> Option<&str> {
    let body = strip_mark(body).trim_ascii_start();
    let declaration = body.strip_prefix(b"<?xml")?;
    let end = declaration
        .iter()
        .take(1_024)
        .position(|byte| *byte == b'>')?;
    let declaration = str::from_utf8(&declaration[..end]).ok()?;
    value_after(declaration, "encoding")
}

/// The parameter `charset` of a media type (RFC 9110 §8.3.1).
fn charset(content_type: &str) -> Option<&str> {
    value_after(content_type, "charset")
}

/// The value of `name = value`, with quotation marks of either kind or without.
fn value_after<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let at = text.to_ascii_lowercase().find(name)? + name.len();
    let value = text.get(at..)?.trim_start().strip_prefix('=')?.trim_start();
    let value = value.strip_prefix(['"', '\'']).unwrap_or(value);
    let end = value.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '?' | ','));
    Some(&value[..end.unwrap_or(value.len())]).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &[u8], content_type: Option<&str>) -> (String, Vec<String>) {
        let mut remarks = Remarks::default();
        let text = text(body, content_type, &mut remarks).into_owned();
        let remarks = remarks.listed().iter().map(ToString::to_string).collect();
        (text, remarks)
    }

    #[test]
    fn the_bytes_decide_then_the_declaration_and_then_the_header() {
        let latin = "text/xml; charset=ISO-8859-1";
        let vectors: [(&[u8], Option<&str>, &str); 12] = [
            (b"\xef\xbb\xbf<a>\xc3\xa9", Some(latin), "<a>é"),
            (b"\xef\xbb\xbf<a>\xc3\xa9", None, "<a>é"),
            (
                b"<?xml version='1.0' encoding='koi8-r'?>\xc1",
                Some(latin),
                "<?xml version='1.0' encoding='koi8-r'?>а",
            ),
            (b"<a>\xe9", Some(latin), "<a>é"),
            (b"<a>\xe9", Some("text/xml;charset= \"latin1\""), "<a>é"),
            (b"<a>\xc3\xa9", None, "<a>é"),
            (b"<\0a\0>\0\xe9\0", Some(latin), "<a>é"),
            (b"\0<\0a\0>\0\xe9", None, "<a>é"),
            (b"\xff\xfe<\0a\0>\0", None, "<a>"),
            (b"\0\0\0<\0\0\0a\0\x01\xf6\x00", None, "<a😀"),
            (b"\xff\xfe\0\0<\0\0\0\xe9\0\0\0\x01", None, "<é"),
            (b"", Some(latin), ""),
        ];
        for (body, content_type, expected) in vectors {
            let read = read(body, content_type);
            assert_eq!(read, (expected.to_owned(), Vec::new()), "{body:?}");
        }
    }

    #[test]
    fn what_is_said_wrongly_is_got_over_and_said() {
        let (text, remarks) = read(b"<?xml encoding='utf-8'?><a>caf\xe9", None);
        assert!(text.ends_with("café"), "{text}");
        assert_eq!(
            remarks,
            ["not all of it is utf-8, as it should be: read as windows-1252"]
        );
        let (text, remarks) = read(b"<?xml encoding='utf-16'?><a>caf\xc3\xa9", None);
        assert!(text.ends_with("café"), "{text}");
        assert_eq!(
            remarks,
            ["not all of it is utf-16, as it should be: read as UTF-8"]
        );
        let (text, remarks) = read(b"<a>\xc3\xa9", Some("text/xml;charset=us-ascii"));
        assert_eq!(text, "<a>é");
        assert_eq!(
            remarks,
            ["not all of it is us-ascii, as it should be: read as UTF-8"]
        );
        let (text, remarks) = read(b"<?xml encoding='no-such'?><a>", Some("text/xml"));
        assert!(text.ends_with("<a>"), "{text}");
        assert_eq!(
            remarks,
            ["not all of it is no-such, as it should be: read as UTF-8"]
        );
    }

    #[test]
    fn one_broken_character_does_not_spoil_a_thousand() {
        let body = [&"é".repeat(1_000).into_bytes()[..], b"\xff"].concat();
        let (text, remarks) = read(&body, None);
        assert_eq!(text, format!("{}\u{fffd}", "é".repeat(1_000)));
        assert_eq!(
            remarks,
            ["not all of it is UTF-8, as it should be: read as UTF-8"]
        );
    }
}
