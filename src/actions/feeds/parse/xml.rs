//! Elements out of tokens, and a feed out of elements.
//!
//! Every open element has a role. What an element is depends on the role of its parent and on its name; text counts only
//! in a field. End tags close whatever they can close, and the end of the document closes the rest.

use std::borrow::Cow;

use super::{
    Feed, Kind, Unreadable,
    address::Bases,
    base64,
    doctype::Entities,
    fields::{Draft, Field, Form},
    html,
    item::Item,
    names::{self, Bindings, Space, halves},
    remark::{Remark, Remarks, excerpt},
    tokens::{Fault, Tag, Token, Tokens},
};

// What an element is.
mod roles;

/// How deep elements may be inside each other.
const DEEPEST: usize = 256;

/// Reads a feed in XML.
pub(super) fn read(text: &str, url: &str, remarks: Remarks) -> Result<Feed, Unreadable> {
    let mut walk = Walk::new(text, url, remarks);
    let mut tokens = Tokens::new(text);
    while let Some(token) = tokens.next() {
        walk.take(token, &tokens);
        if walk.found == Found::Page {
            return Err(Unreadable::Html);
        }
        for fault in tokens.faults() {
            walk.fault(fault);
        }
    }
    for fault in tokens.faults() {
        walk.fault(fault);
    }
    walk.finish(text.len())
}

/// What an open element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Around the feed, where nothing should be.
    Outside,
    /// `rss`, `RDF`, `feed`, and `channel`: its children are fields of the feed, and items.
    Feed,
    Item,
    /// Around fields of an item: `media:group`, `media:content`.
    Group,
    /// `image` of RSS.
    Image,
    /// `author` of Atom.
    Person,
    Hours,
    Days,
    Field,
    /// Nothing that is wanted, nor anything in it.
    Ignored,
}

/// An open element.
#[derive(Debug)]
struct Open<'a> {
    name: &'a str,
    role: Role,
    /// What was in force before it.
    bindings: usize,
    bases: usize,
}

/// A field whose text is being read.
#[derive(Debug)]
struct Reading<'a> {
    field: Field,
    form: Form,
    space: Space,
    /// How many elements are around it.
    depth: usize,
    /// As it stands in the document, as long as it is one piece of it.
    text: Cow<'a, str>,
    /// Where its text begins in the document.
    start: usize,
    is_base64: bool,
    /// Whether there are elements in it: then it is markup, as it is written.
    has_markup: bool,
}

/// What the document turns out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// There was no element yet that says it.
    Nothing,
    Feed,
    Page,
}

struct Walk<'a> {
    document: &'a str,
    open: Vec<Open<'a>>,
    /// How many elements are open that are too deep.
    too_deep: usize,
    bindings: Bindings<'a>,
    bases: Bases,
    entities: Entities<'a>,
    reading: Option<Reading<'a>>,
    item: Option<Item>,
    draft: Draft,
    /// The first element.
    root: Option<&'a str>,
    found: Found,
    /// Whether it says so; feeds behind such a line have been seen.
    is_html: bool,
    is_cut: bool,
}

impl<'a> Walk<'a> {
    fn new(document: &'a str, url: &str, remarks: Remarks) -> Self {
        Self {
            document,
            open: Vec::new(),
            too_deep: 0,
            bindings: Bindings::default(),
            bases: Bases::new(url),
            entities: Entities::default(),
            reading: None,
            item: None,
            draft: Draft::new(Kind::Rss20, remarks),
            root: None,
            found: Found::Nothing,
            is_html: false,
            is_cut: false,
        }
    }

    fn remark(&mut self, remark: Remark) {
        self.draft.remarks.add(remark);
    }

    fn fault(&mut self, fault: Fault) {
        match fault {
            Fault::BadTag => self.remark(Remark::BadTag),
            Fault::CutOff => {
                self.is_cut = true;
                self.remark(Remark::CutOff);
            }
        }
    }

    fn take(&mut self, token: Token<'a>, tokens: &Tokens<'a>) {
        match token {
            Token::Start(tag) => self.start(tag, tokens),
            Token::End(name) => self.end(name, tokens.start()),
            Token::Doctype(doctype) => {
                self.is_html |= is_word(doctype, "html");
                self.entities.declare(doctype);
            }
            Token::Text(text) => {
                let is_bare = text.as_bytes().first() == Some(&b'&');
                self.text(text);
                if is_bare && self.reading.is_some() {
                    self.remark(Remark::BareAmpersand);
                }
            }
            Token::Verbatim(text) => self.text(text),
            Token::Reference(name) => self.reference(name),
        }
    }

    fn text(&mut self, text: &'a str) {
        if let Some(reading) = &mut self.reading {
            // The first piece is borrowed.
            reading.text += text;
        }
    }

    fn reference(&mut self, name: &str) {
        let Some(reading) = &mut self.reading else {
            return;
        };
        if let Some(character) = html::reference(name) {
            reading.text.to_mut().push(character);
        } else if let Some(text) = self.entities.text(name) {
            reading.text.to_mut().push_str(text);
        } else {
            let text = reading.text.to_mut();
            text.push('&');
            text.push_str(name);
            text.push(';');
            // With blanks in it, it is a bare `&` and a semicolon later.
            let is_bare = name.contains(char::is_whitespace);
            self.remark(if is_bare {
                Remark::BareAmpersand
            } else {
                Remark::UnknownEntity(excerpt(name))
            });
        }
    }

    fn start(&mut self, tag: Tag<'a>, tokens: &Tokens<'a>) {
        self.root.get_or_insert(tag.name);
        let marks = (self.bindings.mark(), self.bases.mark());
        let language = self.declare(&tag);
        let (prefix, local) = halves(tag.name);
        let mut place = [0; names::LONGEST];
        let local = names::in_small_letters(local, &mut place);
        let is_inside = self.reading.is_some();
        let space = if is_inside && self.bindings.mark() == marks.0 && !prefix.is_empty() {
            Space::Other
        } else {
            self.bindings.of(prefix, &mut self.draft.remarks)
        };
        self.interrupt(space, local, tokens.start());
        let role = self.role(&tag, space, local, tokens.end());
        if role == Role::Feed
            && let Some(language) = language
        {
            self.draft.language.offer(1, Some(language.into_owned()));
        }
        if tag.is_empty {
            self.leave(role, tokens.end());
            self.bindings.back_to(marks.0);
            self.bases.back_to(marks.1);
        } else if self.open.len() >= DEEPEST {
            self.too_deep += 1;
            self.remark(Remark::TooDeep);
            self.leave(role, tokens.start());
            self.bindings.back_to(marks.0);
            self.bases.back_to(marks.1);
        } else {
            self.open.push(Open {
                name: tag.name,
                role,
                bindings: marks.0,
                bases: marks.1,
            });
        }
    }

    /// Puts what a tag declares in force: namespaces and the base; the language is handed back.
    fn declare(&mut self, tag: &Tag<'a>) -> Option<Cow<'a, str>> {
        let mut language = None;
        if !tag.may_declare() {
            return language;
        }
        for (name, value) in tag.attributes() {
            if name == "xmlns" {
                self.bindings.bind("", value);
            } else if let Some(prefix) = name.strip_prefix("xmlns:") {
                self.bindings.bind(prefix, value);
            } else if name == "xml:base" {
                self.bases.push(&html::undone(value));
            } else if name == "xml:lang" {
                language = Some(html::undone(value)).filter(|value| !value.is_empty());
            }
        }
        language
    }

    /// Closes what was forgotten to be closed: a field at the next field beside it, an item at the next item.
    fn interrupt(&mut self, space: Space, local: &str, at: usize) {
        if space != Space::Main || self.too_deep > 0 {
            return;
        }
        let is_item = matches!(local, "item" | "entry");
        if let Some(reading) = &self.reading
            && reading.space == Space::Main
            && (is_item || SIBLINGS.contains(&local))
        {
            let depth = reading.depth;
            self.remark(Remark::MismatchedTag(local.to_owned()));
            self.close_down_to(depth, at);
        }
        if is_item
            && self.reading.is_none()
            && let Some(depth) = self.open.iter().rposition(|open| open.role == Role::Item)
        {
            self.remark(Remark::MismatchedTag(local.to_owned()));
            self.close_down_to(depth, at);
        }
    }

    fn end(&mut self, name: &'a str, at: usize) {
        let matching = self
            .open
            .iter()
            .rposition(|open| open.name.eq_ignore_ascii_case(name));
        let is_outer = |depth: usize| matches!(self.open[depth].role, Role::Feed | Role::Item);
        // Elements that were too deep to be kept end first, but the end of an item is the end of all that is in it.
        if self.too_deep > 0 {
            if !matching.is_some_and(is_outer) {
                self.too_deep -= 1;
                return;
            }
            self.too_deep = 0;
        }
        let Some(depth) = matching else {
            self.remark(Remark::MismatchedTag(excerpt(name)));
            return;
        };
        if depth + 1 < self.open.len() {
            self.remark(Remark::MismatchedTag(excerpt(name)));
        }
        self.close_down_to(depth, at);
    }

    /// Closes the elements from this one inwards.
    fn close_down_to(&mut self, depth: usize, at: usize) {
        while self.open.len() > depth {
            let Some(open) = self.open.pop() else {
                return;
            };
            self.leave(open.role, at);
            self.bindings.back_to(open.bindings);
            self.bases.back_to(open.bases);
        }
    }

    /// What is done at the end of an element that ends here.
    fn leave(&mut self, role: Role, at: usize) {
        match role {
            Role::Field => {
                if let Some(reading) = self.reading.take() {
                    self.fill(&reading, at);
                }
            }
            Role::Item => {
                if let Some(item) = self.item.take() {
                    self.draft.episodes.add(item, &mut self.draft.remarks);
                }
            }
            _ => (),
        }
    }

    fn fill(&mut self, reading: &Reading<'a>, at: usize) {
        let written = self.document.get(reading.start..at).unwrap_or_default();
        let is_address = matches!(
            reading.field,
            Field::Link | Field::Image(_) | Field::MovedTo
        );
        let made: Cow<'_, str>;
        let (text, form) = if is_address {
            // Markup in it is some link to click on.
            made = self.bases.resolve(&reading.text);
            (&*made, Form::Text)
        } else if reading.has_markup {
            (written, Form::Html)
        } else if reading.is_base64 {
            made = String::from_utf8_lossy(&base64::decoded(&reading.text))
                .into_owned()
                .into();
            (&*made, reading.form)
        } else {
            (&*reading.text, reading.form)
        };
        match &mut self.item {
            Some(item) => item.fill(
                reading.field,
                text,
                form,
                &self.bases,
                &mut self.draft.remarks,
            ),
            None => self.draft.fill(reading.field, text, form),
        }
    }

    /// The feed, at the end of the document.
    fn finish(mut self, end: usize) -> Result<Feed, Unreadable> {
        if self.found != Found::Feed && self.is_html {
            return Err(Unreadable::Html);
        }
        if self.found != Found::Feed {
            let root = excerpt(self.root.unwrap_or_default());
            return Err(Unreadable::NoFeed { root });
        }
        if !self.open.is_empty() {
            if !self.is_cut {
                self.remark(Remark::CutOff);
            }
            self.reading = self
                .reading
                .take()
                .filter(|reading| reading.field.may_be_cut());
            // Without its guid it would be another episode than the whole one.
            if self
                .item
                .as_ref()
                .is_some_and(|item| item.guid.get().is_none())
            {
                self.reading = None;
                self.item = None;
                self.draft
                    .episodes
                    .leave_out(Remark::CutOff, &mut self.draft.remarks);
            }
            self.close_down_to(0, end);
        }
        Ok(self.draft.finish())
    }
}

/// Elements that stand beside fields and never in them.
const SIBLINGS: [&str; 11] = [
    "title",
    "link",
    "description",
    "guid",
    "pubdate",
    "enclosure",
    "id",
    "updated",
    "published",
    "issued",
    "modified",
];

/// Whether the first word is this one.
fn is_word(text: &str, word: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default();
    first.eq_ignore_ascii_case(word)
}
