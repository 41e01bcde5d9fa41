//! The merged configuration, each value with where it comes from, and the reference of all keys.

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::{Map, Value, json};

use crate::{
    duration,
    spec::{JobName, Lease},
};

use super::{
    Config, Daemon,
    sections::{CompatSettings, NamedDatabaseSettings, NotifySettings},
    setting::{Leaf, Settings},
    source::{BUILT_IN, Place},
    written::Named,
};

/// A section to be shown: its name and its lines.
struct Section {
    name: String,
    lines: Vec<Line>,
}

/// One value and its origin.
struct Line {
    key: String,
    value: Value,
    origin: String,
}

impl Config {
    /// The merged configuration as TOML, or that of one job; behind each value, after `#`, where it
    /// comes from: `default`, `file:line` or `template X (file:line)`. Secrets stay references.
    /// A job that does not exist shows nothing.
    #[must_use]
    pub fn show(&self, job: Option<&JobName>) -> String {
        let sections = self.sections(job);
        let mut text = format!("# {}\n", self.file.display());
        for Section { name, lines } in &sections {
            let _ = writeln!(text, "\n[{name}]");
            let written: Vec<_> = lines
                .iter()
                .map(|line| format!("{} = {}", line.key, toml_of(&line.value)))
                .collect();
            // One long command must not push every comment off the screen.
            let widths = written.iter().map(|line| line.chars().count());
            let width = widths.filter(|width| *width <= 60).max().unwrap_or(0);
            for (line, written) in lines.iter().zip(written) {
                let _ = writeln!(text, "{written:width$}  # {}", line.origin);
            }
        }
        text
    }

    /// The same as JSON: `{section: {key: {"value": ..., "origin": ...}}}`.
    #[must_use]
    pub fn show_json(&self, job: Option<&JobName>) -> Value {
        let sections = self.sections(job).into_iter().map(|section| {
            let lines = section.lines.into_iter().map(|line| {
                let shown = json!({ "value": line.value, "origin": line.origin });
                (line.key, shown)
            });
            (section.name, Value::Object(lines.collect()))
        });
        Value::Object(sections.collect::<Map<_, _>>())
    }

    fn sections(&self, only: Option<&JobName>) -> Vec<Section> {
        let mut sections = Vec::new();
        if only.is_none() {
            sections.push(self.section("database", &self.database_settings));
            for (name, Named { settings, .. }) in &self.written.databases {
                let name = format!("database.{}", toml_key(name));
                sections.push(self.section(&name, settings));
            }
            sections.push(self.daemon_section());
            sections.push(self.section("check", &self.check_settings));
            sections.push(self.section("compat", &self.written.compat));
            for (name, channel) in &self.written.notify {
                sections.push(self.section(&format!("notify.{}", toml_key(name)), channel));
            }
        }
        for job in self.graph.jobs() {
            if only.is_none_or(|only| *only == job.name) {
                sections.push(self.job_section(&job.name, &job.lease));
            }
        }
        sections.retain(|section| !section.lines.is_empty());
        sections
    }

    fn section(&self, name: &str, settings: &impl Settings) -> Section {
        let mut leaves = Vec::new();
        settings.push_leaves("", &mut leaves);
        let lines = leaves.into_iter().map(|leaf| self.line(leaf, None));
        Section {
            name: name.to_owned(),
            lines: lines.collect(),
        }
    }

    fn daemon_section(&self) -> Section {
        let mut section = self.section("daemon", &self.daemon_settings);
        let Daemon {
            max_parallel,
            lease,
            ..
        } = &self.daemon;
        let computed = |key: &str, value: Value, origin: &str| Line {
            key: key.to_owned(),
            value,
            origin: origin.to_owned(),
        };
        let unless_named = [
            computed(
                "max_parallel",
                json!(max_parallel),
                "default: processors, at least 4",
            ),
            computed("lease", json!(duration::written(lease.lease)), "default"),
        ];
        let named = |section: &Section, key: &str| section.lines.iter().any(|line| line.key == key);
        for line in unless_named {
            if !named(&section, &line.key) {
                section.lines.push(line);
            }
        }
        add_computed_lease(&mut section, lease);
        section
    }

    fn job_section(&self, name: &JobName, lease: &Lease) -> Section {
        let settings = &self.job_settings[name];
        let template = settings.template.as_ref().map(|set| set.value.as_str());
        let from_template = self.places_of_template(template);
        let mut leaves = Vec::new();
        settings.push_leaves("", &mut leaves);
        let lines = leaves.into_iter().map(|leaf| {
            let template = template.filter(|_| from_template.contains(&leaf.place));
            self.line(leaf, template)
        });
        let mut section = Section {
            name: format!("jobs.{}", toml_key(name.as_str())),
            lines: lines.collect(),
        };
        add_computed_lease(&mut section, lease);
        section
    }

    fn places_of_template(&self, name: Option<&str>) -> BTreeSet<Place> {
        let mut leaves = Vec::new();
        if let Some(template) = name.and_then(|name| self.written.templates.get(name)) {
            template.settings.push_leaves("", &mut leaves);
        }
        leaves.into_iter().map(|leaf| leaf.place).collect()
    }

    fn line(&self, leaf: Leaf, template: Option<&str>) -> Line {
        let origin = || self.sources.origin(leaf.place);
        let origin = match template {
            _ if leaf.place.file() == BUILT_IN => "default".to_owned(),
            Some(template) => format!("template {template} ({})", origin()),
            None => origin(),
        };
        Line {
            key: leaf.key,
            value: leaf.value,
            origin,
        }
    }
}

/// The parts of a lease that follow from it, behind it.
fn add_computed_lease(section: &mut Section, lease: &Lease) {
    let parts = [
        ("grace", lease.grace, "lease / 12"),
        ("margin", lease.margin, "lease / 6"),
        ("heartbeat", lease.heartbeat, "lease / 6"),
    ];
    let place = |section: &Section, key| section.lines.iter().position(|line| line.key == key);
    for (key, value, origin) in parts {
        if place(section, key).is_none()
            && let Some(lease) = place(section, "lease")
        {
            let line = Line {
                key: key.to_owned(),
                value: json!(duration::written(value)),
                origin: origin.to_owned(),
            };
            section.lines.insert(lease + 1, line);
        }
    }
}

/// A value as TOML on one line.
pub(crate) fn toml_of(value: &Value) -> String {
    match value {
        Value::Array(elements) => {
            let elements: Vec<_> = elements.iter().map(toml_of).collect();
            format!("[{}]", elements.join(", "))
        }
        Value::Object(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Object(entries) => {
            let entries = entries.iter();
            let entries =
                entries.map(|(key, value)| format!("{} = {}", toml_key(key), toml_of(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::String(text) => toml_text(text),
        // Numbers and truth values are the same in JSON; null never comes from TOML.
        other => other.to_string(),
    }
}

pub(crate) fn toml_key(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !key.is_empty() && key.chars().all(is_bare) {
        key.to_owned()
    } else {
        toml_text(key)
    }
}

fn toml_text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A key of the configuration, for the documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyReference {
    /// `database`, `daemon`, `jobs.NAME`, ...
    pub section: &'static str,
    /// The key; `retry.first` for one of a table.
    pub key: String,
    /// What it may hold, with an example.
    pub expected: &'static str,
    /// The value that holds unless it is named.
    pub default: Option<String>,
    /// What it means: a sentence.
    pub about: &'static str,
}

/// Every key there is, in the order in which the sections declare them.
#[must_use]
pub fn reference() -> Vec<KeyReference> {
    use super::job::{KeepSettings, RetrySettings};
    let built_in = super::loader::built_in();
    let mut keys = Vec::new();
    refer("database", "", &built_in.database, &mut keys);
    let named = NamedDatabaseSettings::default();
    refer("database.NAME", "", &named, &mut keys);
    refer("daemon", "", &built_in.daemon, &mut keys);
    refer("check", "", &built_in.check, &mut keys);
    refer("compat", "", &CompatSettings::default(), &mut keys);
    refer("notify.NAME", "", &NotifySettings::default(), &mut keys);
    refer("jobs.NAME", "", &built_in.defaults, &mut keys);
    let retry = built_in.defaults.retry.as_ref();
    let retry = retry.map_or_else(RetrySettings::default, |set| set.value.clone());
    refer("jobs.NAME", "retry.", &retry, &mut keys);
    let keep = built_in.defaults.keep.as_ref();
    let keep = keep.map_or_else(KeepSettings::default, |set| set.value.clone());
    refer("jobs.NAME", "keep.", &keep, &mut keys);
    keys
}

/// The value of a key, or of all the keys of a table of that name.
fn default_of(key: &str, leaves: &[Leaf]) -> Option<String> {
    if let Some(leaf) = leaves.iter().find(|leaf| leaf.key == key) {
        return Some(toml_of(&leaf.value));
    }
    let inside = leaves.iter().filter_map(|leaf| {
        let name = leaf.key.strip_prefix(key)?.strip_prefix('.')?;
        Some(format!("{name} = {}", toml_of(&leaf.value)))
    });
    let inside: Vec<_> = inside.collect();
    (!inside.is_empty()).then(|| format!("{{ {} }}", inside.join(", ")))
}

fn refer<T: Settings>(
    section: &'static str,
    prefix: &str,
    built_in: &T,
    keys: &mut Vec<KeyReference>,
) {
    let mut leaves = Vec::new();
    built_in.push_leaves("", &mut leaves);
    keys.extend(T::KEYS.iter().map(|key| KeyReference {
        section,
        key: format!("{prefix}{}", key.name),
        expected: key.expected,
        default: default_of(key.name, &leaves),
        about: key.about.trim(),
    }));
}
