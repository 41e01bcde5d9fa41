//! The table that a job hands to its action.

use serde_json::{Value, json};
use toml::de::DeValue;

use super::{
    diagnostic::Findings,
    secret,
    setting::{Found, Setting},
};

/// Any table, for an action that knows what to make of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct With(pub(super) Value);

impl Setting for With {
    const EXPECTED: &'static str = "a table";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        found.table::<Self>(findings)?;
        json_of(found, findings).map(Self)
    }

    fn value(&self) -> Value {
        self.0.clone()
    }
}

/// Names of keys under which nobody writes anything but a secret.
pub(crate) fn names_a_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    [
        "password",
        "passwd",
        "secret",
        "token",
        "api_key",
        "routing_key",
    ]
    .iter()
    .any(|word| key.ends_with(word))
}

/// The value as JSON, dates as texts. Toml bounds its depth at 80.
fn json_of(found: &Found<'_>, findings: &mut Findings) -> Option<Value> {
    Some(match found.value {
        DeValue::String(text) => {
            let key = found.name.rsplit('.').next().unwrap_or_default();
            if names_a_secret(key) && !text.is_empty() {
                secret::refuse_literal(found, findings);
            }
            json!(text)
        }
        DeValue::Integer(number) => {
            let Ok(number) = i64::from_str_radix(number.as_str(), number.radix()) else {
                found.bad_value(findings, "too large");
                return None;
            };
            json!(number)
        }
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => json!(number),
            _ => {
                found.bad_value(findings, "no finite number");
                return None;
            }
        },
        DeValue::Boolean(value) => json!(value),
        DeValue::Datetime(value) => json!(value.to_string()),
        DeValue::Array(_) => {
            let elements: Vec<_> = found
                .elements()?
                .map(|element| json_of(&element, findings))
                .collect();
            Value::Array(elements.into_iter().collect::<Option<_>>()?)
        }
        DeValue::Table(_) => {
            let entries: Vec<_> = found
                .entries()?
                .map(|(key, entry)| Some((key.to_owned(), json_of(&entry, findings)?)))
                .collect();
            Value::Object(entries.into_iter().collect::<Option<_>>()?)
        }
    })
}
