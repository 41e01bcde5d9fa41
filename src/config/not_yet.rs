//! What this version reads and checks but does not act upon.
//!
//! Each line goes when the feature behind it comes.

use super::{
    diagnostic::{Code, Findings},
    setting::{Owner, Settings},
    source::Place,
};

/// Section and key, and the value if only that one is meant.
const KEYS: &[(&str, &str, Option<&str>)] = &[
    ("job", "sql", None),
    ("job", "sql_file", None),
    ("job", "action", None),
    ("job", "on", Some("each")),
    ("job", "catch_up", Some("none")),
    ("job", "catch_up", Some("all")),
    ("job", "catch_up_limit", None),
    ("job", "start_deadline", None),
    ("job", "overlap", Some("queue_one")),
    ("job", "notify", None),
    ("job", "keep.days", None),
    ("job", "keep.runs", None),
    ("job", "database", None),
    ("daemon", "listen", None),
];

/// Sections of which nothing is acted upon.
const SECTIONS: &[&str] = &["check", "notify"];

/// Warns of every key of a section that has no effect yet.
pub(super) fn warn(section: &str, settings: &impl Settings, findings: &mut Findings) {
    let mut leaves = Vec::new();
    settings.push_leaves("", &mut leaves);
    for leaf in leaves {
        let listed = |&&(of, key, value): &&(&str, &str, Option<&str>)| {
            of == section
                && key == leaf.key
                && value.is_none_or(|value| leaf.value.as_str() == Some(value))
        };
        if let Some((_, key, value)) = KEYS.iter().find(listed) {
            let what = match value {
                Some(value) => format!("`{key} = \"{value}\"`"),
                None => format!("`{key}`"),
            };
            add(&what, leaf.place, findings);
        }
    }
}

/// Warns of a section that has no effect yet; `owner` is how it is called.
pub(super) fn warn_section(section: &str, owner: Owner<'_>, key: Place, findings: &mut Findings) {
    if SECTIONS.contains(&section) {
        add(&owner.to_string(), key, findings);
    }
}

fn add(what: &str, place: Place, findings: &mut Findings) {
    let message = format!("this version understands {what} and does not act upon it yet");
    findings
        .warning(Code::NotYet, place, message)
        .label("without effect");
}
