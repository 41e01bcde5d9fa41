//! JSON Feed, versions 1.0 and 1.1.
//!
//! Fields and items are taken as they come, so that a document that is cut off or broken gives what came before.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{
    Feed, Kind, Unreadable,
    address::Bases,
    fields::{Draft, Field, Form, published},
    item::Item,
    remark::{Remark, Remarks, excerpt},
    text,
};
use value::{Attachment, Authors, Scalar, Written, keep};

// Values of which only what is wanted is kept while they are read.
mod value;

/// Reads a feed in JSON.
pub(super) fn read(text: &str, url: &str, remarks: Remarks) -> Result<Feed, Unreadable> {
    let mut reader = Reader {
        draft: Draft::new(Kind::Json, remarks),
        bases: Bases::new(url),
        version: None,
        has_items: false,
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let outcome = deserializer
        .deserialize_map(&mut reader)
        .and_then(|()| deserializer.end());
    let is_feed = reader
        .version
        .as_deref()
        .is_some_and(|version| version.contains("jsonfeed.org"));
    if !is_feed && !reader.has_items {
        let reason = match outcome {
            Err(error) if error.is_syntax() || error.is_eof() => excerpt(&error.to_string()),
            _ => "neither a `version` of jsonfeed.org nor `items`".to_owned(),
        };
        return Err(Unreadable::NotJsonFeed { reason });
    }
    if !is_feed {
        reader.remark("version");
    }
    if outcome.is_err() {
        reader.draft.remarks.add(Remark::CutOff);
    }
    Ok(reader.draft.finish())
}

struct Reader {
    draft: Draft,
    bases: Bases,
    version: Option<String>,
    has_items: bool,
}

impl Reader {
    fn remark(&mut self, field: &str) {
        self.draft.remarks.add(Remark::BadField(excerpt(field)));
    }

    /// Takes a member of the feed itself; `false`: it is none that is wanted, and was not read.
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        object: &mut A,
    ) -> Result<bool, A::Error> {
        let field = match name {
            "version" | "expired" => {
                let value: Scalar = object.next_value_seed(keep())?;
                match name {
                    "version" => self.version = value.text().map(excerpt),
                    _ if value == Scalar::Bool(true) => self.draft.is_over(),
                    _ => (),
                }
                return Ok(true);
            }
            "title" => Field::Title(0),
            "home_page_url" => Field::Link,
            "icon" => Field::Image(0),
            "favicon" => Field::Image(1),
            "language" => Field::Language,
            // 1.1 has a list of them, 1.0 one.
            "authors" | "author" => Field::Author(0),
            _ => return Ok(false),
        };
        let value = match field {
            Field::Author(_) => object.next_value_seed(keep::<Authors>())?.name,
            _ => object.next_value_seed(keep())?,
        };
        match value {
            Scalar::Text(text) => {
                let is_address = matches!(field, Field::Link | Field::Image(_));
                let resolved = is_address.then(|| self.bases.resolve(&text));
                self.draft
                    .fill(field, resolved.as_deref().unwrap_or(&text), Form::Text);
            }
            Scalar::Null | Scalar::Absent => (),
            Scalar::Number(_) | Scalar::Bool(_) | Scalar::Other => self.remark(name),
        }
        Ok(true)
    }

    fn item(&mut self, written: &Written) {
        let remarks = &mut self.draft.remarks;
        let string = |name: &str| written.get(name).text();
        // The specification, `items`: an id that is a number is made text, and without one the item is no item.
        let id = match written.get("id") {
            Scalar::Text(id) => Some(id.trim().to_owned()),
            Scalar::Number(id) => Some(id.to_string()),
            _ => None,
        };
        let mut item = Item::default();
        item.guid.offer(0, id.filter(|id| !id.is_empty()));
        if item.guid.get().is_none() {
            self.draft
                .episodes
                .add(Item::default(), &mut self.draft.remarks);
            return;
        }
        for (rank, name) in [(0, "date_published"), (1, "date_modified")] {
            if let Some(date) = string(name) {
                item.published.offer(rank, published(date, remarks));
            }
        }
        if let Some(title) = string("title") {
            item.fill(Field::Title(0), title, Form::Text, &self.bases, remarks);
        }
        for (rank, name) in [(0, "summary"), (1, "content_text"), (2, "content_html")] {
            if let Some(summary) = string(name) {
                item.fill(
                    Field::Summary(rank),
                    summary,
                    Form::Text,
                    &self.bases,
                    remarks,
                );
            }
        }
        for (rank, name) in [(0, "url"), (1, "external_url")] {
            if let Some(link) = string(name) {
                let link = self.bases.resolve(link);
                item.link.offer(rank, text::address(&link, remarks));
            }
        }
        if let Some(attachment) = &written.attachment {
            attach(&mut item, attachment, &self.bases, remarks);
        }
        self.draft.episodes.add(item, remarks);
    }
}

fn attach(item: &mut Item, attachment: &Attachment, bases: &Bases, remarks: &mut Remarks) {
    let length = attachment.size.number();
    let length = length.map(|length| format!("{length:.0}"));
    item.enclose(
        0,
        &bases.resolve(attachment.url.text().unwrap_or_default()),
        attachment.media_type.text(),
        length.as_deref(),
        remarks,
    );
    if let Some(seconds) = attachment.duration.number() {
        item.fill(
            Field::Duration,
            &format!("{seconds:.0}"),
            Form::Text,
            bases,
            remarks,
        );
    }
}

impl<'de> Visitor<'de> for &mut Reader {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the object of a JSON Feed")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if name == "items" {
                self.has_items = true;
                map.next_value_seed(Items(self))?;
            } else if !self.field(&name, &mut map)? {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// The list of items.
struct Items<'a>(&'a mut Reader);

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(written) = list.next_element_seed(keep())? {
            self.0.item(&written);
        }
        Ok(())
    }
}
