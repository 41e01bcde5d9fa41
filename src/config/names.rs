//! What refers by name: parents, channels, variables.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::spec::{BadName, JobName, SecretRef};

use super::{
    diagnostic::{Code, Findings, counted, shown},
    setting::{Found, Leaf, Set, Setting},
    source::Place,
    texts::check_placeholders,
    with::names_a_secret,
};

/// The name of a job or of a template, checked; `found` is what stands under it.
pub(super) fn checked(
    name: &str,
    what: &str,
    found: &Found<'_>,
    findings: &mut Findings,
) -> Option<JobName> {
    let place = |bytes| found.part_of_key(name, bytes);
    bad_name(name, what, place, findings)
}

fn bad_name(
    name: &str,
    what: &str,
    place: impl Fn(std::ops::Range<usize>) -> Place,
    findings: &mut Findings,
) -> Option<JobName> {
    let bad = match name.parse() {
        Ok(name) => return Some(name),
        Err(bad) => bad,
    };
    let (bytes, label) = match bad {
        BadName::Empty => (0..0, "nothing here".to_owned()),
        BadName::TooLong(length) => (0..name.len(), counted(length, "character")),
        BadName::Character { character, at } => {
            let label = format!("`{character}` is not allowed here");
            (at..at + character.len_utf8(), label)
        }
    };
    let message = match bad {
        BadName::Empty => format!("{what} needs a name"),
        _ => format!("`{}` cannot be the name of {what}", shown(name)),
    };
    let error = findings.error(Code::BadName, place(bytes), message);
    error.label(label);
    error.help("letters, digits, `_`, and inside also `-` and `.`, 100 characters at most");
    None
}

impl Setting for JobName {
    const EXPECTED: &'static str = "the name of a job";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        let name = found.text::<Self>(findings)?;
        bad_name(name, "a job", |bytes| found.part(bytes), findings)
    }

    fn value(&self) -> Value {
        json!(self.as_str())
    }
}

/// The channels that hear of a job, each where it is named.
#[derive(Debug, Clone)]
pub(super) struct Channels(pub(super) Vec<Set<String>>);

impl Setting for Channels {
    const EXPECTED: &'static str = "a list of names such as [\"ops\"]";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        let elements = found.expect::<Self, _>(found.elements(), findings)?;
        let channels = elements.filter_map(|element| element.read(findings));
        Some(Self(channels.collect()))
    }

    fn value(&self) -> Value {
        self.0
            .iter()
            .map(|channel| channel.value.as_str())
            .collect()
    }
}

/// Variables of a run's environment, merged one by one.
#[derive(Debug, Clone)]
pub(super) struct Variables<T>(pub(super) BTreeMap<String, Set<T>>);

/// The value of a variable: any text, with a warning where it looks like a secret.
#[derive(Debug, Clone)]
pub(super) struct Plain(pub(super) String);

impl Setting for Plain {
    const EXPECTED: &'static str = "a text";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        let text = found.text::<Self>(findings)?;
        let variable = found.name.rsplit('.').next().unwrap_or_default();
        if names_a_secret(variable) && !text.is_empty() {
            let place = found.part(0..text.len());
            findings.secrets.push(place);
            let message = format!("`{}` of {} looks like a secret", found.name, found.owner);
            findings
                .warning(Code::InlineSecret, place, message)
                .label("in the open")
                .help(format!(
                    "secrets = {{ {variable} = {{ credential = \"name\" }} }}"
                ));
        }
        check_placeholders(found, text, findings).then(|| Self(text.to_owned()))
    }

    fn value(&self) -> Value {
        json!(self.0)
    }
}

impl<T: Setting> Setting for Variables<T> {
    const EXPECTED: &'static str = "a table of variables such as { NAME = ... }";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        let entries = found.expect::<Self, _>(found.entries(), findings)?;
        let mut variables = BTreeMap::new();
        for (name, entry) in entries {
            if is_variable(name, &entry, findings)
                && let Some(value) = entry.read(findings)
            {
                variables.insert(name.to_owned(), value);
            }
        }
        Some(Self(variables))
    }

    fn value(&self) -> Value {
        let entries = self
            .0
            .iter()
            .map(|(name, set)| (name.clone(), set.value.value()));
        Value::Object(entries.collect())
    }

    fn over(&self, lower: &Self) -> Option<Self> {
        let mut merged = lower.0.clone();
        merged.extend(self.0.iter().map(|(name, set)| (name.clone(), set.clone())));
        Some(Self(merged))
    }

    fn leaves(&self, key: &str, _place: Place, leaves: &mut Vec<Leaf>) {
        for (name, set) in &self.0 {
            set.value.leaves(&format!("{key}.{name}"), set.key, leaves);
        }
    }
}

fn is_variable(name: &str, found: &Found<'_>, findings: &mut Findings) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_name = name.starts_with(is_letter)
        && name.len() <= 255
        && name.chars().all(|c| is_letter(c) || c.is_ascii_digit());
    let label = match (is_name, name.starts_with("CRONTABBER_")) {
        (true, false) => return true,
        (true, true) => "CRONTABBER_ is for what crontabber itself hands to a run",
        (false, _) => "letters, digits and `_`, no digit first",
    };
    let message = format!("`{}` cannot be a variable of a run", shown(name));
    findings
        .error(Code::BadName, found.key, message)
        .label(label);
    false
}

/// References to secrets, by variable.
pub(super) type Secrets = Variables<SecretRef>;
