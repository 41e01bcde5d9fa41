//! What the files say, section by section, before anything is merged.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::{DeTable, DeValue};

use crate::spec::JobName;

use super::{
    check::CheckSettings,
    diagnostic::{Code, Findings, shown},
    job::JobSettings,
    names, not_yet,
    sections::{
        CompatSettings, DaemonSettings, DatabaseSettings, NamedDatabaseSettings, NotifySettings,
    },
    setting::{Found, Owner, Set, Setting, Settings},
    source::{BUILT_IN, Place, Source},
};

/// Every section of every file.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) database: DatabaseSettings,
    /// `[database.NAME]`: others than the referee's.
    pub(super) databases: BTreeMap<String, Named<NamedDatabaseSettings>>,
    pub(super) daemon: DaemonSettings,
    pub(super) defaults: JobSettings,
    pub(super) check: CheckSettings,
    pub(super) compat: CompatSettings,
    pub(super) templates: BTreeMap<String, Named<JobSettings>>,
    pub(super) notify: BTreeMap<String, NotifySettings>,
    pub(super) jobs: BTreeMap<JobName, Named<JobSettings>>,
    /// A file could not be read in full, so that what seems to be missing may be there.
    pub(super) is_partial: bool,
}

/// The settings of something with a name, and where the name stands.
#[derive(Debug, Clone)]
pub(super) struct Named<T> {
    pub(super) key: Place,
    pub(super) settings: T,
}

/// What a file may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Everything.
    Main,
    /// Jobs and templates.
    DropIn,
}

/// The sections there are, and whether a drop-in may hold them.
const SECTIONS: [(&str, Role); 8] = [
    ("database", Role::Main),
    ("daemon", Role::Main),
    ("defaults", Role::Main),
    ("templates", Role::DropIn),
    ("notify", Role::Main),
    ("check", Role::Main),
    ("compat", Role::Main),
    ("jobs", Role::DropIn),
];

/// The tree of a file, and a finding for each place where it is not TOML.
pub(super) fn parse<'a>(
    number: usize,
    source: &'a Source,
    written: &mut Written,
    findings: &mut Findings,
) -> DeTable<'a> {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    written.is_partial |= !errors.is_empty();
    let swallowed = swallowed_lines(&errors, source);
    for error in &errors {
        let span = error.span().unwrap_or_default();
        let line = source.line(span.start);
        findings.broken_lines.insert((number, line));
        if !swallowed.contains(&line) {
            syntax_error(Place::new(number, span), error.message(), source, findings);
        }
    }
    table.into_inner()
}

/// What toml says at the start of each line that is swallowed by a list that is never closed.
const MISSING_COMMA: &str = "missing comma between array elements";

/// The lines that follow the first one that such a list swallows: one error tells of all of them.
fn swallowed_lines(errors: &[toml::de::Error], source: &Source) -> BTreeSet<usize> {
    let commas = errors
        .iter()
        .filter(|error| error.message().starts_with(MISSING_COMMA));
    let lines: BTreeSet<usize> = commas
        .map(|error| source.line(error.span().unwrap_or_default().start))
        .collect();
    let follows = |line: &usize| lines.range(line.saturating_sub(2)..*line).next().is_some();
    lines.iter().copied().filter(follows).collect()
}

fn syntax_error(place: Place, message: &str, source: &Source, findings: &mut Findings) {
    if message == "duplicate key" {
        let key = source.text.get(place.span()).unwrap_or_default();
        let message = format!("key `{}` is given twice", shown(key));
        let error = findings.error(Code::DuplicateKey, place, message);
        error.label("second time in this table");
        return;
    }
    let error = findings.error(Code::Syntax, place, message);
    if message.starts_with(MISSING_COMMA) {
        error.help("is the list before it closed?");
    }
}

impl Written {
    /// Takes over what one file says.
    pub(super) fn take(
        &mut self,
        number: usize,
        source: &Source,
        table: &DeTable<'_>,
        role: Role,
        findings: &mut Findings,
    ) {
        // TOML has no NUL but as an escape.
        let may_hold_nul = source.text.contains('\\');
        for (key, value) in table {
            let found = Found {
                value: value.get_ref(),
                name: String::new(),
                key: Place::new(number, key.span()),
                place: Place::new(number, value.span()),
                owner: Owner::Top,
                source,
            };
            let name = key.get_ref().as_ref();
            match SECTIONS.iter().find(|(section, _)| *section == name) {
                None => unknown_section(name, &found, findings),
                Some((_, Role::Main)) if role == Role::DropIn => {
                    let message = format!("`{name}` belongs in the main file");
                    let error = findings.error(Code::MainFileOnly, found.key, message);
                    error.label("not in this one");
                    error.help("this file may hold [jobs.NAME] and [templates.NAME]");
                }
                Some(_) => self.section(name, &found, role, findings),
            }
            if may_hold_nul {
                refuse_nul(&found, findings);
            }
        }
    }

    fn section(&mut self, name: &str, found: &Found<'_>, role: Role, findings: &mut Findings) {
        if name == "jobs" && found.value.is_array() {
            if role == Role::DropIn {
                let message = "a list of files belongs in the main file";
                findings.error(Code::MainFileOnly, found.key, message);
            } // The main file's list was followed before.
            return;
        }
        let Some(table) = found.value.as_table() else {
            let message = format!("`{name}` must be a section");
            let error = findings.error(Code::WrongType, found.place, message);
            error.label("not a table").help(format!("write [{name}]"));
            return;
        };
        match name {
            "database" => {
                let own = table
                    .iter()
                    .filter(|(key, value)| !is_named_database(key.get_ref(), value.get_ref()));
                let own = own
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                self.database = settings(name, found, &own, findings);
                each(found, findings, |name, found, findings| {
                    if is_named_database(name, found.value) {
                        self.named_database(name, found, findings);
                    }
                });
            }
            "daemon" => self.daemon = settings(name, found, table, findings),
            "defaults" => {
                self.defaults = settings(name, found, table, findings);
                no_template(self.defaults.template.as_deref(), "`[defaults]`", findings);
            }
            "check" => self.check = settings(name, found, table, findings),
            "compat" => self.compat = settings(name, found, table, findings),
            "templates" => each(found, findings, |name, found, findings| {
                self.template(name, found, findings);
            }),
            "notify" => each(found, findings, |name, found, findings| {
                let found = owned(found, Owner::Notify(name));
                if let Some(channel) = NotifySettings::read(&found, findings) {
                    not_yet::warn_section("notify", found.owner, found.key, findings);
                    self.notify.insert(name.to_owned(), channel);
                }
            }),
            _ => each(found, findings, |name, found, findings| {
                self.job(name, found, findings);
            }),
        }
    }

    fn named_database(&mut self, name: &str, found: &Found<'_>, findings: &mut Findings) {
        let found = owned(found, Owner::Database(name));
        names::checked(name, "a database", &found, findings);
        let Some(settings) = NamedDatabaseSettings::read(&found, findings) else {
            return;
        };
        let key = found.key;
        if settings.url.is_none() && !settings.refused.contains("url") {
            let message = format!("`[database.{}]` does not say where it is", shown(name));
            let error = findings.error(Code::NoDatabase, key, message);
            error.label("no `url`");
        }
        self.databases
            .insert(name.to_owned(), Named { key, settings });
    }

    fn template(&mut self, name: &str, found: &Found<'_>, findings: &mut Findings) {
        let found = owned(found, Owner::Template(name));
        names::checked(name, "a template", &found, findings);
        let Some(settings) = JobSettings::read(&found, findings) else {
            return;
        };
        no_template(settings.template.as_deref(), "a template", findings);
        not_yet::warn("job", &settings, findings);
        let key = found.key;
        if let Some(first) = self.templates.get(name) {
            let message = format!("template `{}` is defined twice", shown(name));
            twice(Code::DuplicateTemplate, message, key, first.key, findings);
            return;
        }
        self.templates
            .insert(name.to_owned(), Named { key, settings });
    }

    fn job(&mut self, name: &str, found: &Found<'_>, findings: &mut Findings) {
        let found = owned(found, Owner::Job(name));
        let job = names::checked(name, "a job", &found, findings);
        let Some(settings) = JobSettings::read(&found, findings) else {
            return;
        };
        not_yet::warn("job", &settings, findings);
        let key = found.key;
        let Some(job) = job else {
            return;
        };
        if let Some(first) = self.jobs.get(&job) {
            let message = format!("job `{job}` is defined twice");
            twice(Code::DuplicateJob, message, key, first.key, findings);
            return;
        }
        self.jobs.insert(job, Named { key, settings });
    }
}

/// Whether an entry of `[database]` is the table of another database, and not a key of its own.
fn is_named_database(key: &str, value: &DeValue<'_>) -> bool {
    value.is_table() && DatabaseSettings::KEYS.iter().all(|own| own.name != key)
}

fn owned<'a>(found: &Found<'a>, owner: Owner<'a>) -> Found<'a> {
    Found {
        owner,
        name: String::new(),
        ..found.clone()
    }
}

fn settings<T: Settings>(
    name: &str,
    found: &Found<'_>,
    table: &DeTable<'_>,
    findings: &mut Findings,
) -> T {
    let found = owned(found, Owner::Section(name));
    let settings = T::from_table(&found, table, findings);
    match name {
        // Nobody wrote it, so that there is nobody to warn.
        _ if found.key.file() == BUILT_IN => {}
        "defaults" => not_yet::warn("job", &settings, findings),
        _ => not_yet::warn(name, &settings, findings),
    }
    settings
}

/// Calls `take` for each named table of a section.
fn each(
    found: &Found<'_>,
    findings: &mut Findings,
    mut take: impl FnMut(&str, &Found<'_>, &mut Findings),
) {
    for (name, entry) in found.entries().into_iter().flatten() {
        take(name, &entry, findings);
    }
}

fn twice(code: Code, message: String, second: Place, first: Place, findings: &mut Findings) {
    findings
        .error(code, second, message)
        .label("second definition")
        .related(first, "first definition");
}

fn no_template(template: Option<&Set<String>>, owner: &str, findings: &mut Findings) {
    if let Some(template) = template {
        let message = format!("{owner} cannot start from a template");
        let error = findings.error(Code::Misplaced, template.key, message);
        error.label("only jobs have a template");
    }
}

fn unknown_section(name: &str, found: &Found<'_>, findings: &mut Findings) {
    let known = SECTIONS.iter().map(|(section, _)| *section);
    let meant = findings.nearest(name, known);
    let what = if found.value.is_table() {
        "section"
    } else {
        "top-level key"
    };
    let message = format!("unknown {what} `{}`", shown(name));
    let error = findings.error(Code::UnknownSection, found.key, message);
    error.label("not a section");
    error.help(match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!(
            "sections are {}",
            SECTIONS.map(|(section, _)| section).join(", ")
        ),
    });
}

/// The database, argv and the environment all end a text at its first NUL.
fn refuse_nul(found: &Found<'_>, findings: &mut Findings) {
    match found.value {
        DeValue::String(text) if text.contains('\0') => {
            let error = findings.error(Code::Nul, found.place, "a text contains a NUL character");
            error.label("it would end there for everybody who reads it");
        }
        DeValue::Array(_) => {
            for element in found.elements().into_iter().flatten() {
                refuse_nul(&element, findings);
            }
        }
        DeValue::Table(_) => {
            for (_, entry) in found.entries().into_iter().flatten() {
                refuse_nul(&entry, findings);
            }
        }
        _ => {}
    }
}
