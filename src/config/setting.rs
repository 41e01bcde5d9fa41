//! Keys with a type: how a table of TOML becomes values that are known to be sound.
//!
//! One [`settings!`] table per section names each key, its type and its meaning. Reading, "did you
//! mean", merging, `config show` and the reference all come from that table.

use std::{collections::BTreeSet, fmt, ops::Range, sync::Arc};

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::{
    diagnostic::{Code, Diagnostic, Findings, shown},
    source::{Place, Source},
};

/// A value that somebody gave, and where.
#[derive(Debug, Clone)]
pub(super) struct Set<T> {
    pub(super) value: T,
    /// The key.
    pub(super) key: Place,
    /// The value.
    pub(super) place: Place,
}

/// A value that layers share: a thousand jobs hold what nobody said for them, and most hold little else.
pub(super) type Shared<T> = Arc<Set<T>>;

impl<T: Setting> Set<T> {
    /// What holds when `upper` is laid over `lower`.
    pub(super) fn over(upper: Option<&Shared<T>>, lower: Option<&Shared<T>>) -> Option<Shared<T>> {
        if let (Some(upper), Some(lower)) = (upper, lower)
            && let Some(value) = upper.value.over(&lower.value)
        {
            return Some(Arc::new(Self {
                value,
                key: upper.key,
                place: upper.place,
            }));
        }
        upper.or(lower).map(Arc::clone)
    }
}

/// What a key may hold.
pub(super) trait Setting: Clone {
    /// What is expected, with an example: `a duration such as "90s"`.
    const EXPECTED: &'static str;

    /// The value, or `None` and an error in the findings.
    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self>;

    /// The value as it would be written.
    fn value(&self) -> Value;

    /// What holds when this is laid over a value of a lower layer; `None`: this. Tables merge, all else replaces.
    fn over(&self, lower: &Self) -> Option<Self> {
        let _ = lower;
        None
    }

    /// The value in the parts that can have different origins.
    fn leaves(&self, key: &str, place: Place, leaves: &mut Vec<Leaf>) {
        leaves.push(Leaf {
            key: key.to_owned(),
            value: self.value(),
            place,
        });
    }
}

/// One value of the merged configuration and where it comes from.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    /// Dotted, without the section.
    pub(super) key: String,
    pub(super) value: Value,
    /// Where the key stands.
    pub(super) place: Place,
}

/// A key of the reference.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) expected: &'static str,
    pub(super) about: &'static str,
}

/// A section or table whose keys are known.
pub(super) trait Settings: Default + Clone {
    const KEYS: &'static [Key];

    /// Takes one key; `None`: there is no such key; `Some(false)`: its value was refused.
    fn take(&mut self, key: &str, found: &Found<'_>, findings: &mut Findings) -> Option<bool>;
    /// The keys that are there and could not be read: what they would have said is not missing.
    fn refused(&mut self) -> &mut BTreeSet<&'static str>;
    /// Whether there is a value for this key.
    fn has(&self, key: &str) -> bool;

    fn laid_over(&self, lower: &Self) -> Self;
    fn push_leaves(&self, prefix: &str, leaves: &mut Vec<Leaf>);

    /// Everything the table says; what it should not say goes to the findings.
    fn from_table(found: &Found<'_>, table: &DeTable<'_>, findings: &mut Findings) -> Self {
        let mut settings = Self::default();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let found = found.inside(name, key.span(), value.get_ref(), value.span());
            let names = || Self::KEYS.iter().map(|key| key.name);
            let refused = match settings.take(name, &found, findings) {
                Some(true) => None,
                Some(false) => names().find(|key| *key == name),
                None => {
                    let meant = findings.nearest(name, names());
                    found.unknown_key(meant, findings);
                    meant
                }
            };
            settings.refused().extend(refused);
        }
        settings
    }
}

impl<T: Settings> Setting for T {
    const EXPECTED: &'static str = "a table";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        let table = found.table::<Self>(findings)?;
        Some(Self::from_table(found, table, findings))
    }

    fn value(&self) -> Value {
        let mut leaves = Vec::new();
        self.push_leaves("", &mut leaves);
        let entries = leaves.into_iter().map(|leaf| (leaf.key, leaf.value));
        Value::Object(entries.collect())
    }

    fn over(&self, lower: &Self) -> Option<Self> {
        Some(self.laid_over(lower))
    }

    fn leaves(&self, key: &str, _place: Place, leaves: &mut Vec<Leaf>) {
        self.push_leaves(&format!("{key}."), leaves);
    }
}

/// Declares a section: each key with its meaning and its type, all optional, each with its place.
macro_rules! settings {
    (
        $(#[$meta:meta])*
        $name:ident {
            $( $(#[doc = $doc:literal])+ $field:ident: $kind:ty, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default)]
        pub(super) struct $name {
            $( $(#[doc = $doc])+ pub(super) $field: Option<crate::config::setting::Shared<$kind>>, )*
            /// Keys that are there and could not be read.
            pub(super) refused: std::collections::BTreeSet<&'static str>,
        }

        impl crate::config::setting::Settings for $name {
            const KEYS: &'static [crate::config::setting::Key] = &[
                $( crate::config::setting::Key {
                    name: stringify!($field),
                    expected: <$kind as crate::config::setting::Setting>::EXPECTED,
                    about: concat!($($doc),+),
                }, )*
            ];

            fn take(
                &mut self,
                key: &str,
                found: &crate::config::setting::Found<'_>,
                findings: &mut crate::config::diagnostic::Findings,
            ) -> Option<bool> {
                match key {
                    $( stringify!($field) => {
                        self.$field = found.read(findings).map(std::sync::Arc::new);
                        Some(self.$field.is_some())
                    } )*
                    _ => None,
                }
            }

            fn refused(&mut self) -> &mut std::collections::BTreeSet<&'static str> {
                &mut self.refused
            }

            fn has(&self, key: &str) -> bool {
                match key {
                    $( stringify!($field) => self.$field.is_some(), )*
                    _ => false,
                }
            }

            fn laid_over(&self, lower: &Self) -> Self {
                use crate::config::setting::Set;
                Self {
                    $( $field: Set::over(self.$field.as_ref(), lower.$field.as_ref()), )*
                    refused: &self.refused | &lower.refused,
                }
            }

            fn push_leaves(&self, prefix: &str, leaves: &mut Vec<crate::config::setting::Leaf>) {
                use crate::config::setting::Setting as _;
                $( if let Some(set) = &self.$field {
                    let key = format!("{prefix}{}", stringify!($field));
                    set.value.leaves(&key, set.key, leaves);
                } )*
            }
        }
    };
}
pub(super) use settings;

/// A value of a file, about to be read.
#[derive(Clone)]
pub(super) struct Found<'a> {
    pub(super) value: &'a DeValue<'a>,
    /// The key, dotted from the section on.
    pub(super) name: String,
    pub(super) key: Place,
    pub(super) place: Place,
    pub(super) owner: Owner<'a>,
    pub(super) source: &'a Source,
}

/// Whose key it is, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owner<'a> {
    Job(&'a str),
    Template(&'a str),
    Notify(&'a str),
    Database(&'a str),
    Section(&'a str),
    /// The file itself.
    Top,
}

impl Owner<'_> {
    fn kind(self) -> String {
        match self {
            Self::Job(_) | Self::Template(_) => "job".to_owned(),
            Self::Notify(_) => "`[notify]`".to_owned(),
            Self::Database(_) => "`[database.NAME]`".to_owned(),
            Self::Section(name) => format!("`[{name}]`"),
            Self::Top => "top-level".to_owned(),
        }
    }
}

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Job(name) => write!(f, "job `{}`", shown(name)),
            Self::Template(name) => write!(f, "template `{}`", shown(name)),
            Self::Notify(name) => write!(f, "`[notify.{}]`", shown(name)),
            Self::Database(name) => write!(f, "`[database.{}]`", shown(name)),
            Self::Section(name) => write!(f, "`[{name}]`"),
            Self::Top => f.write_str("the file"),
        }
    }
}

impl<'a> Found<'a> {
    /// A value inside this one.
    pub(super) fn inside<'b>(
        &self,
        name: &str,
        key: Range<usize>,
        value: &'b DeValue<'b>,
        span: Range<usize>,
    ) -> Found<'b>
    where
        'a: 'b,
    {
        let file = self.key.file();
        let name = match self.name.as_str() {
            "" => name.to_owned(),
            outer => format!("{outer}.{name}"),
        };
        Found {
            value,
            name,
            key: Place::new(file, key),
            place: Place::new(file, span),
            owner: self.owner,
            source: self.source,
        }
    }

    /// The elements of an array, each under the name of the whole.
    pub(super) fn elements(&self) -> Option<impl Iterator<Item = Found<'_>>> {
        let elements = self.value.as_array()?.iter();
        Some(elements.map(|element| Found {
            value: element.get_ref(),
            place: Place::new(self.key.file(), element.span()),
            ..self.clone()
        }))
    }

    /// The entries of a table.
    pub(super) fn entries(&self) -> Option<impl Iterator<Item = (&str, Found<'_>)>> {
        let entries = self.value.as_table()?.iter();
        Some(entries.map(|(key, value)| {
            let name = key.get_ref().as_ref();
            let inside = self.inside(name, key.span(), value.get_ref(), value.span());
            (name, inside)
        }))
    }

    pub(super) fn read<T: Setting>(&self, findings: &mut Findings) -> Option<Set<T>> {
        T::read(self, findings).map(|value| Set {
            value,
            key: self.key,
            place: self.place,
        })
    }

    pub(super) fn text<T: Setting>(&self, findings: &mut Findings) -> Option<&'a str> {
        self.expect::<T, _>(self.value.as_str(), findings)
    }

    pub(super) fn table<T: Setting>(&self, findings: &mut Findings) -> Option<&'a DeTable<'a>> {
        self.expect::<T, _>(self.value.as_table(), findings)
    }

    /// Passes the value on, or says what was expected instead of it.
    pub(super) fn expect<T: Setting, V>(
        &self,
        value: Option<V>,
        findings: &mut Findings,
    ) -> Option<V> {
        if value.is_none() {
            self.wrong_type(T::EXPECTED, findings);
        }
        value
    }

    pub(super) fn wrong_type<'f>(
        &self,
        expected: &str,
        findings: &'f mut Findings,
    ) -> &'f mut Diagnostic {
        let message = format!("`{}` of {} must be {expected}", self.name, self.owner);
        let diagnostic = findings.error(Code::WrongType, self.place, message);
        diagnostic.label(match self.value {
            DeValue::Integer(_) => "this is an integer",
            DeValue::Array(_) => "this is a list",
            DeValue::Boolean(_) => "this is true or false",
            DeValue::Datetime(_) => "this is a date or time without quotes",
            DeValue::String(_) => "this is a text",
            DeValue::Float(_) => "this is a number",
            DeValue::Table(_) => "this is a table",
        })
    }

    /// An error about the key, which nobody knows.
    fn unknown_key(&self, meant: Option<&str>, findings: &mut Findings) {
        let message = format!("unknown key `{}` in {}", shown(&self.name), self.owner);
        let unknown = findings.error(Code::UnknownKey, self.key, message);
        unknown.label(match self.name.rsplit_once('.') {
            Some((table, _)) => format!("not a setting of `{}`", shown(table)),
            None => format!("not a {} setting", self.owner.kind()),
        });
        unknown.help = meant.map(|meant| format!("did you mean `{meant}`?"));
    }

    /// An error about the value: `label` says what is wrong with it.
    pub(super) fn bad_value<'f>(
        &self,
        findings: &'f mut Findings,
        label: impl Into<String>,
    ) -> &'f mut Diagnostic {
        let message = match self.value.as_str().filter(|text| !text.trim().is_empty()) {
            Some(text) => format!("`{}` is not a value of `{}`", shown(text), self.name),
            None => format!("this is not a value of `{}`", self.name),
        };
        findings
            .error(Code::BadValue, self.place, message)
            .label(label)
    }

    /// The place of some bytes of the text that this value is; all of it where escapes hide them.
    pub(super) fn part(&self, bytes: Range<usize>) -> Place {
        part(self.source, self.place, self.value.as_str(), bytes)
    }

    /// Likewise for the key.
    pub(super) fn part_of_key(&self, key: &str, bytes: Range<usize>) -> Place {
        part(self.source, self.key, Some(key), bytes)
    }
}

fn part(source: &Source, place: Place, text: Option<&str>, bytes: Range<usize>) -> Place {
    let span = place.span();
    let (Some(written), Some(text)) = (source.text.get(span.clone()), text) else {
        return place;
    };
    let quote = usize::from(written.starts_with(['"', '\'']));
    let is_verbatim = written.get(quote..quote + text.len()) == Some(text)
        && written.len() == text.len() + 2 * quote;
    if !is_verbatim || bytes.end > text.len() {
        return place;
    }
    let start = span.start + quote;
    Place::new(place.file(), start + bytes.start..start + bytes.end)
}
