//! What this version reads and checks but does not act upon.
//!
//! Each line goes when the feature behind it comes.

use toml::de::DeTable;

use super::{
    diagnostic::{Code, Findings},
    setting::{Found, Owner, Settings},
    source::Place,
};

/// A key without effect.
struct NotYet {
    section: &'static str,
    key: &'static str,
    /// `None`: whatever its value.
    value: Option<&'static str>,
    /// What happens instead.
    instead: &'static str,
}

const fn key(section: &'static str, key: &'static str, instead: &'static str) -> NotYet {
    NotYet {
        section,
        key,
        value: None,
        instead,
    }
}

const fn value(key: &'static str, value: &'static str, instead: &'static str) -> NotYet {
    NotYet {
        section: "job",
        key,
        value: Some(value),
        instead,
    }
}

const KEYS: &[NotYet] = &[
    key("job", "sql", "this job does not run"),
    key("job", "sql_file", "this job does not run"),
    key("job", "action", "this job does not run"),
    key("job", "database", "this job does not run"),
    value("on", "each", "this job does not run"),
    value("catch_up", "none", "the latest missed slot is run"),
    value("catch_up", "all", "only the latest missed slot is run"),
    key(
        "job",
        "catch_up_limit",
        "only the latest missed slot is run",
    ),
    key("job", "start_deadline", "a slot is run however late it is"),
    value("overlap", "queue_one", "the slot is skipped"),
    key("job", "notify", "nobody is notified"),
    key("job", "keep.days", "history is kept for ever"),
    key("job", "keep.runs", "history is kept for ever"),
    key("daemon", "listen", "no page is served"),
];

/// Sections of which nothing is acted upon.
const SECTIONS: &[(&str, &str)] = &[
    ("check", "no threshold is compared with anything"),
    ("notify", "nobody is notified"),
];

/// Warns of every key of a section that has no effect yet.
pub(super) fn warn(
    section: &str,
    found: &Found<'_>,
    settings: &impl Settings,
    findings: &mut Findings,
) {
    if !names_any(found) {
        return;
    }
    let mut leaves = Vec::new();
    settings.push_leaves("", &mut leaves);
    for leaf in leaves {
        let is_listed = |listed: &&NotYet| {
            listed.section == section
                && listed.key == leaf.key
                && listed.value.is_none_or(|value| leaf.value == value)
        };
        let Some(listed) = KEYS.iter().find(is_listed) else {
            continue;
        };
        let what = match listed.value {
            Some(value) => format!("`{} = \"{value}\"`", listed.key),
            None => format!("`{}`", listed.key),
        };
        add(&what, leaf.place, listed.instead, findings);
    }
}

/// Whether a table names a key that is listed here, or what is listed is inside of it: most name none, and this is
/// asked for every job of every pass.
fn names_any(found: &Found<'_>) -> bool {
    let is_or_is_in = |name: &str, key: &str| {
        let rest = key.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let is_listed = |name: &str| KEYS.iter().any(|listed| is_or_is_in(name, listed.key));
    let names = |table: &DeTable<'_>| table.iter().any(|(key, _)| is_listed(key.get_ref()));
    found.value.as_table().is_some_and(names)
}

/// Warns of a section that has no effect yet; `owner` is how it is called.
pub(super) fn warn_section(section: &str, owner: Owner<'_>, key: Place, findings: &mut Findings) {
    if let Some((_, instead)) = SECTIONS.iter().find(|(listed, _)| *listed == section) {
        add(&owner.to_string(), key, instead, findings);
    }
}

fn add(what: &str, place: Place, instead: &str, findings: &mut Findings) {
    let message = format!("this version understands {what} and does not act upon it yet");
    findings
        .warning(Code::NotYet, place, message)
        .label(instead);
}
