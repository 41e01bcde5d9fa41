//! What an element is, by its parent and its name, and what its attributes say.

use std::borrow::Cow;

use super::{Found, Reading, Role, Walk};
use crate::actions::feeds::parse::{
    Kind,
    fields::{self, Field, Form},
    html,
    item::Item,
    names::{self, Atom, Space, halves},
    text,
    tokens::Tag,
};

impl<'a> Walk<'a> {
    /// What an element is, with what it has in its tag taken.
    pub(super) fn role(&mut self, tag: &Tag<'a>, space: Space, local: &str, end: usize) -> Role {
        if let Some(reading) = &mut self.reading {
            reading.has_markup = true;
            return Role::Ignored;
        }
        if self.found != Found::Feed {
            return self.root(tag, space, local);
        }
        let parent = self.open.last().map_or(Role::Feed, |open| open.role);
        if space == Space::Main && matches!(local, "item" | "entry") && parent != Role::Item {
            let mut item = Item::default();
            let [about, href] = attributes(tag, ["about", "href"]);
            let about = about.filter(|about| !about.trim().is_empty());
            item.guid
                .offer(1, about.map(|about| about.trim().to_owned()));
            // The Channel Definition Format, older than RSS, has it here.
            let href = href.map(|href| self.bases.resolve(&href).into_owned());
            item.link.offer(0, href.filter(|href| !href.is_empty()));
            self.item = Some(item);
            return Role::Item;
        }
        let field = match parent {
            Role::Outside | Role::Feed => {
                if let Some(role) = self.part_of_feed(tag, space, local) {
                    return role;
                }
                fields::of_feed(space, local)
            }
            Role::Item | Role::Group => {
                if let Some(role) = self.part_of_item(tag, space, local) {
                    return role;
                }
                fields::of_item(space, local)
            }
            Role::Image => (local == "url").then_some(Field::Image(1)),
            Role::Person => (local == "name").then_some(Field::Author(1)),
            Role::Hours => (local == "hour").then_some(Field::Hour),
            Role::Days => (local == "day").then_some(Field::Day),
            Role::Field | Role::Ignored => None,
        };
        match field {
            Some(field) => self.read_field(field, tag, space, end),
            None => Role::Ignored,
        }
    }

    /// The first elements: whether this is a feed, and of which kind.
    fn root(&mut self, tag: &Tag<'a>, space: Space, local: &str) -> Role {
        let [version] = attributes(tag, ["version"]);
        let version = version.as_deref().unwrap_or_default().trim();
        let values = || tag.attributes().map(|(_, value)| value);
        self.draft.kind = match local {
            "rss" if version.starts_with("0.9") => Kind::Rss09x,
            "rss" if version.starts_with('1') => Kind::Rss1,
            "rss" | "channel" => Kind::Rss20,
            "rdf" if values().any(|uri| uri.contains("netscape.com")) => Kind::Rss09x,
            "rdf" => Kind::Rss1,
            "feed" => {
                let atom = values().find_map(names::atom);
                let is_old = atom == Some(Atom::Three) || version.starts_with("0.");
                if is_old { Kind::Atom03 } else { Kind::Atom10 }
            }
            "html"
                if self.root == Some(tag.name) && matches!(space, Space::Main | Space::Xhtml) =>
            {
                self.found = Found::Page;
                return Role::Outside;
            }
            _ => return Role::Outside,
        };
        self.found = Found::Feed;
        self.bindings.adopt();
        Role::Feed
    }

    /// Parts of a feed that are no plain fields.
    fn part_of_feed(&mut self, tag: &Tag<'a>, space: Space, local: &str) -> Option<Role> {
        Some(match (space, local) {
            (Space::Main, "channel") => {
                self.bindings.adopt();
                Role::Feed
            }
            (Space::Main, "image") => Role::Image,
            (Space::Main, "skiphours") => Role::Hours,
            (Space::Main, "skipdays") => Role::Days,
            (Space::Main, "author") if self.is_atom() => Role::Person,
            (Space::Main, "link") => {
                let link = Link::of(tag)?;
                let rank = link.rank();
                let href = rank.map(|_| self.bases.resolve(&link.href).into_owned());
                self.draft.site.offer(rank.unwrap_or_default(), href);
                Role::Ignored
            }
            (Space::Itunes, "image") => {
                let [href, url] = attributes(tag, ["href", "url"]);
                let href = href.or(url).unwrap_or_default();
                let href = self.bases.resolve(&href);
                self.draft.fill(Field::Image(0), &href, Form::Text);
                Role::Ignored
            }
            _ => return None,
        })
    }

    /// Parts of an item that are no plain fields.
    fn part_of_item(&mut self, tag: &Tag<'a>, space: Space, local: &str) -> Option<Role> {
        let rank = match (space, local) {
            (Space::Main, "link") => {
                let link = Link::of(tag)?;
                self.link_of_item(&link);
                return Some(Role::Ignored);
            }
            (Space::Main, "enclosure") => 0,
            (Space::Media, "content") => 1,
            (Space::Media, "group") => return Some(Role::Group),
            (Space::Main, "content") => {
                // Content that is elsewhere.
                let [source] = attributes(tag, ["src"]);
                let source = self.bases.resolve(source.as_deref()?).into_owned();
                self.item.as_mut()?.link.offer(5, Some(source));
                return None;
            }
            _ => return None,
        };
        let size = if rank == 0 { "length" } else { "fileSize" };
        let [url, href, media_type, size] = attributes(tag, ["url", "href", "type", size]);
        if let (Some(item), Some(url)) = (&mut self.item, url.or(href)) {
            item.enclose(
                rank,
                &self.bases.resolve(&url),
                media_type.as_deref(),
                size.as_deref(),
                &mut self.draft.remarks,
            );
        }
        Some(Role::Group)
    }

    fn link_of_item(&mut self, link: &Link<'_>) {
        let Some(item) = &mut self.item else {
            return;
        };
        let href = self.bases.resolve(&link.href);
        if link.rel == "enclosure" {
            let (media_type, length) = (link.media_type.as_deref(), link.length.as_deref());
            item.enclose(0, &href, media_type, length, &mut self.draft.remarks);
        } else if let Some(rank) = link.rank() {
            item.link
                .offer(rank, text::address(&href, &mut self.draft.remarks));
        }
    }

    fn is_atom(&self) -> bool {
        matches!(self.draft.kind, Kind::Atom10 | Kind::Atom03)
    }

    /// Begins to read a field.
    fn read_field(&mut self, field: Field, tag: &Tag<'a>, space: Space, end: usize) -> Role {
        let [is_link, mode, said] = attributes(tag, ["isPermaLink", "mode", "type"]);
        let field = match field {
            Field::Guid { is_link: true } => Field::Guid {
                is_link: is_link.is_none_or(|is| !is.trim().eq_ignore_ascii_case("false")),
            },
            field => field,
        };
        let is_base64 = mode.is_some_and(|mode| mode.trim() == "base64");
        let said = said.map(|said| said.to_ascii_lowercase());
        let form = match said.as_deref().map(str::trim) {
            Some(said) if said.contains("html") || said.contains("xml") => Form::Html,
            _ if is_base64 => Form::Either,
            Some(_) if space == Space::Main => Form::Text,
            None if space == Space::Main && self.is_atom() => Form::Text,
            _ => Form::Either,
        };
        self.reading = Some(Reading {
            field,
            form,
            space,
            depth: self.open.len(),
            text: Cow::default(),
            start: end,
            is_base64,
            has_markup: false,
        });
        Role::Field
    }
}

/// A link of Atom.
struct Link<'a> {
    href: Cow<'a, str>,
    rel: String,
    media_type: Option<Cow<'a, str>>,
    length: Option<Cow<'a, str>>,
}

impl<'a> Link<'a> {
    /// Reads it; `None`: it is a link of RSS, whose address is its text.
    fn of(tag: &Tag<'a>) -> Option<Self> {
        let [href, rel, media_type, length] = attributes(tag, ["href", "rel", "type", "length"]);
        let (href, rel) = (href?, rel.unwrap_or_default());
        // RFC 4287 §4.2.7.2: a name or the address of the registry with it.
        let rel = rel.trim().to_ascii_lowercase();
        let rel = rel.rsplit('/').next().unwrap_or_default().to_owned();
        Some(Self {
            href,
            rel,
            media_type,
            length,
        })
    }

    /// How good it is as the page of what it is in; `None`: it leads elsewhere.
    fn rank(&self) -> Option<u8> {
        let is_page = self
            .media_type
            .as_ref()
            .is_none_or(|media_type| media_type.contains("html"));
        match self.rel.as_str() {
            "" | "alternate" => Some(if is_page { 0 } else { 2 }),
            _ => None,
        }
    }
}

/// The first attribute of each name with its references undone, whatever its prefix and the case of its letters.
fn attributes<'a, const N: usize>(tag: &Tag<'a>, wanted: [&str; N]) -> [Option<Cow<'a, str>>; N] {
    let mut found = [const { None }; N];
    // Most tags have none.
    if !tag.has_attributes() {
        return found;
    }
    for (name, value) in tag.attributes() {
        let name = halves(name).1;
        let place = wanted
            .iter()
            .position(|wanted| name.eq_ignore_ascii_case(wanted));
        if let Some(place) = place
            && found[place].is_none()
        {
            found[place] = Some(html::undone(value));
        }
    }
    found
}
