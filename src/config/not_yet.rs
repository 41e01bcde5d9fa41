//! What this version reads and checks but does not act upon.
//!
//! Each line goes when the feature behind it comes.

use super::{
    diagnostic::{Code, Findings},
    setting::{Owner, Settings},
    source::Place,
};

/// A key without effect.
struct NotYet {
    section: &'static str,
    key: &'static str,
    /// What happens instead.
    instead: &'static str,
}

const fn key(section: &'static str, key: &'static str, instead: &'static str) -> NotYet {
    NotYet {
        section,
        key,
        instead,
    }
}

const KEYS: &[NotYet] = &[
    key("job", "notify", "nobody is notified"),
    key("job", "keep.days", "history is kept for ever"),
    key("job", "keep.runs", "history is kept for ever"),
    key("daemon", "listen", "no page is served"),
];

/// Sections of which nothing is acted upon.
const SECTIONS: &[(&str, &str)] = &[("notify", "nobody is notified")];

/// Warns of every key of a section that has no effect yet.
pub(super) fn warn(section: &str, settings: &impl Settings, findings: &mut Findings) {
    let listed = |listed: &&NotYet| {
        let key = listed.key.split('.').next().unwrap_or_default();
        listed.section == section && settings.has(key)
    };
    if !KEYS.iter().any(|key| listed(&key)) {
        return;
    }
    let mut leaves = Vec::new();
    settings.push_leaves("", &mut leaves);
    for leaf in leaves {
        let is_listed = |listed: &&NotYet| listed.section == section && listed.key == leaf.key;
        let Some(listed) = KEYS.iter().find(is_listed) else {
            continue;
        };
        add(
            &format!("`{}`", listed.key),
            leaf.place,
            listed.instead,
            findings,
        );
    }
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
