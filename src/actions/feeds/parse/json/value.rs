//! Values of JSON of which only what is wanted is kept while they are read.
//!
//! As a tree, a list of a million lists takes thirty times the memory of its text; and what is not meant for us, whoever has
//! written it, is passed over in any shape.

use std::{fmt, marker::PhantomData};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// What is kept of a value, by its shape; of all others nothing.
pub(super) trait Wanted<'de>: Default {
    fn of_text(_: &str) -> Self {
        Self::default()
    }

    fn of_number(_: Number) -> Self {
        Self::default()
    }

    fn of_bool(_: bool) -> Self {
        Self::default()
    }

    fn of_null() -> Self {
        Self::default()
    }

    fn of_list<A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        pass_over(list)?;
        Ok(Self::default())
    }

    fn of_object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

fn pass_over<'de, A: SeqAccess<'de>>(mut list: A) -> Result<(), A::Error> {
    while list.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

/// Reads a value, and keeps of it what this type does.
pub(super) struct Keep<T>(PhantomData<T>);

pub(super) fn keep<T>() -> Keep<T> {
    Keep(PhantomData)
}

impl<'de, T: Wanted<'de>> DeserializeSeed<'de> for Keep<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Wanted<'de>> Visitor<'de> for Keep<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok(T::of_text(text))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        Ok(T::of_number(number.into()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        Ok(T::of_number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        Ok(Number::from_f64(number).map_or_else(T::default, T::of_number))
    }

    fn visit_bool<E: Error>(self, is_true: bool) -> Result<T, E> {
        Ok(T::of_bool(is_true))
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::of_null())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::of_list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<T, A::Error> {
        T::of_object(object)
    }
}

/// A value without parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Scalar {
    Text(String),
    Number(Number),
    Bool(bool),
    Null,
    /// It was not there.
    #[default]
    Absent,
    /// A list or an object.
    Other,
}

impl Scalar {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => number.as_f64(),
            _ => None,
        }
    }
}

impl<'de> Wanted<'de> for Scalar {
    fn of_text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    fn of_number(number: Number) -> Self {
        Self::Number(number)
    }

    fn of_bool(is_true: bool) -> Self {
        Self::Bool(is_true)
    }

    fn of_null() -> Self {
        Self::Null
    }

    fn of_list<A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        pass_over(list)?;
        Ok(Self::Other)
    }

    fn of_object<A: MapAccess<'de>>(object: A) -> Result<Self, A::Error> {
        Keep::<()>(PhantomData).visit_map(object)?;
        Ok(Self::Other)
    }
}

impl Wanted<'_> for () {}

/// Members of an object without parts of their own, by the names of the type; the last of a name counts.
#[derive(Debug)]
pub(super) struct Members<const COUNT: usize>([Scalar; COUNT]);

impl<const COUNT: usize> Default for Members<COUNT> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Scalar::Absent))
    }
}

impl<const COUNT: usize> Members<COUNT> {
    /// Takes the next value if it is one of these names; `false`: it is not, and was not read.
    fn take<'de, A: MapAccess<'de>>(
        &mut self,
        names: [&str; COUNT],
        name: &str,
        object: &mut A,
    ) -> Result<bool, A::Error> {
        let Some(place) = names.iter().position(|known| *known == name) else {
            return Ok(false);
        };
        self.0[place] = object.next_value_seed(keep())?;
        Ok(true)
    }
}

/// What names the author: one of them in 1.0, a list in 1.1, of which the first counts.
#[derive(Debug, Default)]
pub(super) struct Authors {
    pub(super) name: Scalar,
}

impl<'de> Wanted<'de> for Authors {
    fn of_list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let first = list.next_element_seed(keep::<Self>())?;
        pass_over(list)?;
        Ok(first.unwrap_or_default())
    }

    fn of_object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut members = Members::<1>::default();
        while let Some(name) = object.next_key::<String>()? {
            if !members.take(["name"], &name, &mut object)? {
                object.next_value::<IgnoredAny>()?;
            }
        }
        let [name] = members.0;
        Ok(Self { name })
    }
}

/// A file of an item.
#[derive(Debug, Default)]
pub(super) struct Attachment {
    pub(super) url: Scalar,
    pub(super) media_type: Scalar,
    /// In bytes.
    pub(super) size: Scalar,
    /// In seconds.
    pub(super) duration: Scalar,
}

impl<'de> Wanted<'de> for Attachment {
    fn of_object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let names = ["url", "mime_type", "size_in_bytes", "duration_in_seconds"];
        let mut members = Members::<4>::default();
        while let Some(name) = object.next_key::<String>()? {
            if !members.take(names, &name, &mut object)? {
                object.next_value::<IgnoredAny>()?;
            }
        }
        let [url, media_type, size, duration] = members.0;
        Ok(Self {
            url,
            media_type,
            size,
            duration,
        })
    }
}

/// The first attachment with an address.
#[derive(Debug, Default)]
struct Attachments(Option<Attachment>);

impl<'de> Wanted<'de> for Attachments {
    fn of_list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        while let Some(attachment) = list.next_element_seed(keep::<Attachment>())? {
            if attachment.url.text().is_some() {
                pass_over(list)?;
                return Ok(Self(Some(attachment)));
            }
        }
        Ok(Self(None))
    }
}

/// An item, as far as it is read.
#[derive(Debug, Default)]
pub(super) struct Written {
    members: Members<9>,
    pub(super) attachment: Option<Attachment>,
}

impl Written {
    const NAMES: [&'static str; 9] = [
        "id",
        "url",
        "external_url",
        "title",
        "summary",
        "content_text",
        "content_html",
        "date_published",
        "date_modified",
    ];

    /// The member of this name, one of those above.
    pub(super) fn get(&self, name: &str) -> &Scalar {
        let place = Self::NAMES.iter().position(|known| *known == name);
        place.map_or(&Scalar::Absent, |place| &self.members.0[place])
    }
}

impl<'de> Wanted<'de> for Written {
    fn of_object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut written = Self::default();
        while let Some(name) = object.next_key::<String>()? {
            if name == "attachments" {
                let Attachments(first) = object.next_value_seed(keep())?;
                written.attachment = first;
            } else if !written.members.take(Self::NAMES, &name, &mut object)? {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(written)
    }
}
