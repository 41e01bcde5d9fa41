//! JSON Feed, versions 1.0 and 1.1.
//!
//! Fields and items are taken as they come, so that a document that is cut off or broken gives what came before.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{
    Feed, Kind, Unreadable,
    address::Bases,
    fields::{Draft, Field, Form, published},
    item::Item,
    remark::{Remark, Remarks, excerpt},
    text,
};

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

    fn field(&mut self, name: &str, value: &Value) {
        let field = match name {
            "version" => {
                self.version = value.as_str().map(excerpt);
                return;
            }
            "expired" => {
                if value == &Value::Bool(true) {
                    self.draft.is_over();
                }
                return;
            }
            "title" => Field::Title(0),
            "home_page_url" => Field::Link,
            "icon" => Field::Image(0),
            "favicon" => Field::Image(1),
            "language" => Field::Language,
            // 1.1 has a list of them, 1.0 one.
            "authors" | "author" => Field::Author(0),
            _ => return,
        };
        let value = match field {
            Field::Author(_) => value.get(0).unwrap_or(value).get("name"),
            _ => Some(value),
        };
        match value {
            Some(Value::String(text)) => {
                let is_address = matches!(field, Field::Link | Field::Image(_));
                let resolved = is_address.then(|| self.bases.resolve(text));
                self.draft
                    .fill(field, resolved.as_ref().unwrap_or(text), Form::Text);
            }
            Some(Value::Null) | None => (),
            Some(_) => self.remark(name),
        }
    }

    fn item(&mut self, value: &Value) {
        let remarks = &mut self.draft.remarks;
        let string = |name: &str| value.get(name).and_then(Value::as_str);
        // The specification, `items`: an id that is a number is made text, and without one the item is no item.
        let id = match value.get("id") {
            Some(Value::String(id)) => Some(id.trim().to_owned()),
            Some(Value::Number(id)) => Some(id.to_string()),
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
        attach(&mut item, value, &self.bases, remarks);
        self.draft.episodes.add(item, remarks);
    }
}

/// The first attachment with an address.
fn attach(item: &mut Item, value: &Value, bases: &Bases, remarks: &mut Remarks) {
    let attachments = value.get("attachments").and_then(Value::as_array);
    let mut with_address = attachments.into_iter().flatten().filter_map(|attachment| {
        let url = attachment.get("url").and_then(Value::as_str)?;
        Some((attachment, url))
    });
    let Some((attachment, url)) = with_address.next() else {
        return;
    };
    let number = |name: &str| attachment.get(name).and_then(Value::as_f64);
    let media_type = attachment.get("mime_type").and_then(Value::as_str);
    let length = number("size_in_bytes").map(|length| format!("{length:.0}"));
    item.enclose(
        0,
        &bases.resolve(url),
        media_type,
        length.as_deref(),
        remarks,
    );
    if let Some(seconds) = number("duration_in_seconds") {
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
            match name.as_str() {
                "items" => {
                    self.has_items = true;
                    map.next_value_seed(Items(self))?;
                }
                // Long, or of others: not even kept while it is read.
                "description" | "hubs" => {
                    map.next_value::<IgnoredAny>()?;
                }
                name => {
                    let value: Value = map.next_value()?;
                    self.field(name, &value);
                }
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
        while let Some(value) = list.next_element::<Value>()? {
            self.0.item(&value);
        }
        Ok(())
    }
}
