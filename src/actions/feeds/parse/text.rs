//! Text as it is kept: whole characters, within bounds, without what PostgreSQL cannot hold.

use super::remark::{Remark, Remarks};

/// The longest title, author or language, in characters.
const TITLE: usize = 1_000;
/// The longest summary, in bytes.
const SUMMARY: usize = 64 << 10;
/// The longest address or guid, in bytes.
pub(super) const ADDRESS: usize = 8 << 10;

/// A line of text: white space folded, at most 1,000 characters; `None`: blank.
pub(super) fn line(text: &str, remarks: &mut Remarks) -> Option<String> {
    let mut line = String::with_capacity(text.len().min(TITLE));
    let mut characters = 0;
    let is_plain = text.is_ascii() && !has_nul(text);
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
            characters += 1;
        }
        // Most words are short and of ASCII, and are taken whole.
        if is_plain && characters + word.len() <= TITLE {
            line.push_str(word);
            characters += word.len();
            continue;
        }
        for character in word.chars().filter(|c| *c != '\0') {
            if characters >= TITLE {
                remarks.add(Remark::Shortened("title or name"));
                return Some(line);
            }
            line.push(character);
            characters += 1;
        }
    }
    Some(line).filter(|line| !line.is_empty())
}

/// A text of any number of lines, at most 64 KiB; `None`: blank.
pub(super) fn long(text: &str, remarks: &mut Remarks) -> Option<String> {
    bounded(text.trim(), SUMMARY, "summary", remarks)
}

/// An address or a guid, at most 8 KiB; `None`: blank.
pub(super) fn address(text: &str, remarks: &mut Remarks) -> Option<String> {
    bounded(text.trim(), ADDRESS, "guid or address", remarks)
}

fn bounded(text: &str, most: usize, what: &'static str, remarks: &mut Remarks) -> Option<String> {
    let kept = &text[..text.floor_char_boundary(most)];
    if kept.len() < text.len() {
        remarks.add(Remark::Shortened(what));
    }
    let kept = if has_nul(kept) {
        kept.replace('\0', "")
    } else {
        kept.to_owned()
    };
    Some(kept).filter(|text| !text.is_empty())
}

/// Asked of bytes, which is faster than of characters.
fn has_nul(text: &str) -> bool {
    text.as_bytes().contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_nul_are_no_text() {
        let mut remarks = Remarks::default();
        assert_eq!(line(" \n\t\0 ", &mut remarks), None);
        assert_eq!(long(" \n ", &mut remarks), None);
        assert_eq!(address("\0", &mut remarks), None);
        assert_eq!(
            line(" a \n\0b\t", &mut remarks).as_deref(),
            Some("a b"),
            "{remarks:?}"
        );
        assert!(remarks.is_empty());
    }

    #[test]
    fn a_text_too_long_is_cut_between_characters_and_said() {
        let mut remarks = Remarks::default();
        let long_text = "é".repeat(100_000);
        assert_eq!(line(&long_text, &mut remarks), Some("é".repeat(1_000)));
        assert_eq!(long(&long_text, &mut remarks), Some("é".repeat(32 << 10)));
        let odd = format!("x{long_text}");
        assert_eq!(
            address(&odd, &mut remarks).map(|address| address.len()),
            Some(8_191)
        );
        assert_eq!(remarks.listed().len(), 3);
    }
}
