//! An XML document as a row of tokens, whatever is wrong with it.
//!
//! quick-xml finds the tokens; where it gives up, this goes on behind the place. No byte is read more than a few times
//! however often that happens.

use quick_xml::{
    Error,
    events::{Event, attributes::Attributes},
    reader::Reader,
};

/// A piece of the document, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Start(Tag<'a>),
    /// The name in an end tag.
    End(&'a str),
    /// Text without references.
    Text(&'a str),
    /// The name in a reference: `amp`, `#160`, or words that happen to stand between `&` and `;`.
    Reference(&'a str),
    /// What a CDATA section holds.
    Verbatim(&'a str),
    /// What `<!DOCTYPE` is followed by.
    Doctype(&'a str),
}

/// A start tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    pub(super) name: &'a str,
    /// The name and what follows, to before the `>` or `/>`.
    content: &'a str,
    /// Whether it is its own end tag.
    pub(super) is_empty: bool,
}

impl<'a> Tag<'a> {
    fn new(content: &'a str, is_empty: bool) -> Self {
        let end = content.bytes().position(|byte| byte.is_ascii_whitespace());
        Self {
            name: &content[..end.unwrap_or(content.len())],
            content,
            is_empty,
        }
    }

    /// Its attributes: names as they are written, values with their references. Not more than anybody writes; those
    /// that cannot be read are left out.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        const MOST: usize = 64;
        let content = self.content;
        let mut attributes = Attributes::html(content, self.name.len());
        attributes.with_checks(false);
        attributes.take(MOST).flatten().map(move |attribute| {
            let value = match attribute.value {
                std::borrow::Cow::Borrowed(value) => value,
                // What has been read is never made anew.
                std::borrow::Cow::Owned(_) => "",
            };
            (attribute.key.into_inner(), value)
        })
    }

    /// Whether there may be any.
    pub(super) fn has_attributes(&self) -> bool {
        self.content.len() > self.name.len()
    }

    /// Whether an attribute may be of XML itself: a namespace, a base, a language.
    pub(super) fn may_declare(&self) -> bool {
        self.has_attributes() && self.content.contains("xml")
    }
}

/// Something that was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A `<` that begins no tag, or a tag without its end.
    BadTag,
    /// The end came inside of a tag, a comment or a CDATA section.
    CutOff,
}

/// How often a document is read over at most, for all that is wrong with it.
const SPARE: usize = 8;

/// Reads a document token by token.
pub(super) struct Tokens<'a> {
    text: &'a str,
    reader: Reader<&'a [u8]>,
    /// Where the reader began.
    base: usize,
    /// Where the last token begins.
    start: usize,
    /// How many bytes may still be read once more.
    spare: usize,
    is_done: bool,
    faults: Vec<Fault>,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut tokens = Self {
            text,
            reader: reader(""),
            base: 0,
            start: 0,
            spare: text.len().saturating_mul(SPARE),
            is_done: false,
            faults: Vec::new(),
        };
        tokens.go_on_at(0);
        tokens
    }

    /// Where the last token begins, in bytes of the text.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// Where it ends.
    pub(super) fn end(&self) -> usize {
        let read = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
        self.base.saturating_add(read).min(self.text.len())
    }

    /// What was wrong since this was asked last.
    pub(super) fn faults(&mut self) -> Vec<Fault> {
        std::mem::take(&mut self.faults)
    }

    fn go_on_at(&mut self, place: usize) {
        let rest = self.text.get(place..).unwrap_or_default();
        // The reader would take a mark away and not count it.
        let marked = rest.len() - rest.trim_start_matches('\u{feff}').len();
        self.base = place + marked;
        self.reader = reader(&rest[marked..]);
    }

    /// Goes back to a place behind the last token's beginning; `false`: too much has been read twice.
    fn go_back_to(&mut self, place: usize) -> bool {
        let again = self.end().saturating_sub(place);
        let may = again <= self.spare;
        if may {
            self.spare -= again;
            self.go_on_at(place);
        }
        may
    }

    fn fault(&mut self, fault: Fault) {
        // One of a kind says it all until somebody asks.
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// A start tag from what is between `<` and `>`: where another `<` stands in it that begins markup, it ends there.
    fn tag(&mut self, written: &'a str) -> Token<'a> {
        let content = written.get(1..).unwrap_or_default();
        let is_name = |c: char| c.is_alphabetic() || c == '_' || c == ':';
        if !content.starts_with(is_name) && self.go_back_to(self.start + 1) {
            self.fault(Fault::BadTag);
            return Token::Text("<");
        }
        if let Some(inner) = markup_in(content)
            && self.go_back_to(self.start + 1 + inner)
        {
            self.fault(Fault::BadTag);
            return Token::Start(Tag::new(&content[..inner], false));
        }
        let content = without_last(content, b'>').unwrap_or(content);
        match without_last(content, b'/') {
            Some(content) => Token::Start(Tag::new(content, true)),
            None => Token::Start(Tag::new(content, false)),
        }
    }

    /// What is made of text in which the reader finds no end to what begins.
    fn unfinished(&mut self) -> Option<Token<'a>> {
        let rest = self.text.get(self.start..).unwrap_or_default();
        if let Some(inside) = rest.strip_prefix("<![CDATA[") {
            self.is_done = true;
            self.fault(Fault::CutOff);
            return Some(Token::Verbatim(inside));
        }
        if rest.starts_with("<!--") || rest.starts_with("<?") {
            self.is_done = true;
            self.fault(Fault::CutOff);
            return None;
        }
        let inside = rest.strip_prefix('<').unwrap_or_default();
        if inside.starts_with('!')
            && let Some(end) = inside.find('>')
            && self.go_back_to(self.start + end + 2)
        {
            self.fault(Fault::BadTag);
            return Some(Token::Text(""));
        }
        if markup_in(inside).is_some() && inside.starts_with(|c| c != '/' && c != '!') {
            return Some(self.tag(rest));
        }
        if let Some(inner) = markup_in(inside)
            && self.go_back_to(self.start + 1 + inner)
        {
            self.fault(Fault::BadTag);
            return Some(Token::Text(""));
        }
        self.is_done = true;
        self.fault(Fault::CutOff);
        None
    }

    fn written(&self) -> &'a str {
        self.text.get(self.start..self.end()).unwrap_or_default()
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        while !self.is_done {
            self.start = self.end();
            let event = self.reader.read_event();
            let written = self.written();
            return Some(match event {
                Ok(Event::Eof) => break,
                Ok(Event::Comment(_) | Event::PI(_) | Event::Decl(_)) => continue,
                Ok(Event::Start(_) | Event::Empty(_)) => self.tag(written),
                Ok(Event::End(_)) => Token::End(within(written, "</", ">").trim()),
                Ok(Event::Text(_)) => Token::Text(written),
                Ok(Event::GeneralRef(_)) => Token::Reference(within(written, "&", ";")),
                Ok(Event::CData(_)) => Token::Verbatim(within(written, "<![CDATA[", "]]>")),
                Ok(Event::DocType(_)) => Token::Doctype(within(written, "<!DOCTYPE", ">")),
                // It has been read over already.
                Err(Error::IllFormed(_)) => {
                    self.fault(Fault::BadTag);
                    continue;
                }
                Err(_) => return self.unfinished(),
            });
        }
        self.is_done = true;
        None
    }
}

fn reader(text: &str) -> Reader<&[u8]> {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    reader
}

/// A text without its last character, if it is this one of ASCII. `strip_suffix` compares memory by a call.
fn without_last(text: &str, last: u8) -> Option<&str> {
    let is_last = text.as_bytes().last() == Some(&last);
    is_last.then(|| &text[..text.len() - 1])
}

fn within<'a>(written: &'a str, before: &str, after: &str) -> &'a str {
    let written = written.get(before.len()..).unwrap_or_default();
    written.strip_suffix(after).unwrap_or(written)
}

/// Where in a tag other markup begins: a `<` and the beginning of a name. `a < b` is none.
fn markup_in(content: &str) -> Option<usize> {
    // Asked of bytes first: of nearly every tag there is no more to ask.
    if !content.as_bytes().contains(&b'<') {
        return None;
    }
    content.match_indices('<').map(|(at, _)| at).find(|at| {
        content[at + 1..].starts_with(|c: char| c.is_alphabetic() || matches!(c, '/' | '!' | '_'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> (Vec<String>, Vec<Fault>) {
        let mut tokens = Tokens::new(text);
        let mut shown = Vec::new();
        for token in tokens.by_ref() {
            shown.push(match token {
                Token::Start(tag) => {
                    format!("<{}{}>", tag.name, if tag.is_empty { "/" } else { "" })
                }
                Token::End(name) => format!("</{name}>"),
                Token::Text(text) => text.to_owned(),
                Token::Reference(name) => format!("&{name};"),
                Token::Verbatim(text) => format!("[{text}]"),
                Token::Doctype(text) => format!("!{text}"),
            });
        }
        shown.retain(|token| !token.is_empty());
        (shown, tokens.faults())
    }

    #[test]
    fn a_document_is_read_whatever_is_wrong_with_it() {
        let vectors: [(&str, &str, &[Fault]); 16] = [
            ("<a b='>'>x</a >", "<a>|x|</a>", &[]),
            (
                "<?xml version='1.0'?><!DOCTYPE a [ <!ENTITY b 'c'> ]><a/>",
                "! a [ <!ENTITY b 'c'> ]|<a/>",
                &[],
            ),
            (
                "<a>x &amp; y & z<![CDATA[ <b> ]]></a>",
                "<a>|x |&amp;| y |& z|[ <b> ]|</a>",
                &[],
            ),
            ("<a>1 < 2</a>", "<a>|1 |<| 2|</a>", &[Fault::BadTag]),
            ("<a>x <3</a>", "<a>|x |<|3|</a>", &[Fault::BadTag]),
            ("<a <b>x</b></a>", "<a>|<b>|x|</b>|</a>", &[Fault::BadTag]),
            ("<a href=\"x>y</a><b/>", "<a>|</a>|<b/>", &[Fault::BadTag]),
            ("<a title='1 < 2'>x</a>", "<a>|x|</a>", &[]),
            ("<a>x<![CDATA[y", "<a>|x|[y", &[Fault::CutOff]),
            ("<a>x<!-- y", "<a>|x", &[Fault::CutOff]),
            ("<a>x<b c=", "<a>|x", &[Fault::CutOff]),
            ("<a>x<", "<a>|x", &[Fault::CutOff]),
            ("<a>x</", "<a>|x", &[Fault::CutOff]),
            ("<a><!nonsense>x</a>", "<a>|x|</a>", &[Fault::BadTag]),
            ("<a>x &am", "<a>|x |&am", &[]),
            ("\u{feff}<a>é", "<a>|é", &[]),
        ];
        for (text, expected, faults) in vectors {
            let (tokens, found) = shown(text);
            assert_eq!(
                tokens.join("|").trim_end_matches(']'),
                expected.trim_end_matches(']'),
                "{text}"
            );
            assert_eq!(found, faults, "{text}");
        }
    }

    #[test]
    fn a_quarter_of_a_megabyte_of_faults_is_read_in_no_time_at_all() {
        for piece in [
            "<",
            "< ",
            "<a",
            "<a '",
            "<!",
            "<!x",
            "</",
            "&",
            "<a b=\"",
            "<\u{feff}",
        ] {
            let text = piece.repeat((1 << 18) / piece.len());
            let read = Tokens::new(&text).count();
            assert!(read <= text.len(), "{piece}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_document_is_too_strange(pieces in proptest::collection::vec(
            proptest::sample::select(vec!["<", ">", "a", "/", "!", "-", "?", "&", ";", "'", "\"", "[", "]", "=", " ",
                "é", "\u{feff}", "<![CDATA[", "]]>", "<!--", "-->", "<!DOCTYPE "]), 0..40)) {
            let text = pieces.concat();
            for token in Tokens::new(&text) {
                if let Token::Start(tag) = token {
                    let _ = tag.attributes().count();
                }
            }
        }
    }
}
