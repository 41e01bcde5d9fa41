//! From a path to a [`Config`]: read everything, merge, build, and tell all that is wrong.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use toml::de::DeTable;

use crate::{
    dag::{self, DagError, JobGraph},
    spec::{JobName, JobSpec},
};

use super::{
    Access, Config, Daemon, Database, Report, Salvaged,
    build::{self, Ingredients, LeaseKeys},
    check,
    diagnostic::{At, Code, Findings, shown},
    files::{self, Reader, Sticky},
    job::JobSettings,
    sections::{DaemonSettings, DatabaseSettings, Url},
    setting::Settings as _,
    source::{BUILT_IN, Place, Source, Sources},
    surroundings::Surroundings,
    written::{self, Named, Role, Written},
};

/// Everything while it is put together.
struct Loader<'a> {
    surroundings: &'a Surroundings,
    findings: Findings,
    reader: Reader,
    written: Written,
    built_in: Written,
    sources: Vec<Source>,
}

/// See [`super::load_in`].
pub(super) fn load(named: Option<&Path>, surroundings: &Surroundings) -> Result<Config, Report> {
    let mut loader = Loader::new(surroundings);
    match loader.read_all(named) {
        Some(file) => loader.finish(file),
        None => Err(loader.report()),
    }
}

/// See [`super::salvage`].
pub(super) fn salvage(named: Option<&Path>, surroundings: &Surroundings) -> Option<Salvaged> {
    let mut loader = Loader::new(surroundings);
    loader.read_all(named)?;
    let database = loader.written.database.laid_over(&loader.built_in.database);
    let daemon = loader.written.daemon.laid_over(&loader.built_in.daemon);
    // The variables of libpq are not asked: the key that names another database may be the one with the mistake.
    let is_named =
        database.url.is_some() || database.embedded.as_ref().is_some_and(|set| set.value);
    if !is_named || !database.refused.is_empty() {
        return None;
    }
    Some(Salvaged {
        database: loader.database(&database)?,
        daemon: loader.daemon(&daemon).filter(|_| daemon.refused.is_empty()),
    })
}

/// The lowest layer. A test reads it without a finding.
pub(super) fn built_in() -> Written {
    read_built_in(&mut Findings::default())
}

fn read_built_in(findings: &mut Findings) -> Written {
    let mut built_in = Written::default();
    let source = Source::built_in();
    let table = written::parse(BUILT_IN, &source, &mut built_in, findings);
    built_in.take(BUILT_IN, &source, &table, Role::Main, findings);
    built_in
}

impl<'a> Loader<'a> {
    fn new(surroundings: &'a Surroundings) -> Self {
        Self {
            surroundings,
            findings: Findings::default(),
            reader: Reader::new(),
            written: Written::default(),
            built_in: built_in(),
            sources: vec![Source::built_in()],
        }
    }

    /// Reads every file; the path of the main one, if there is one to speak of.
    fn read_all(&mut self, named: Option<&Path>) -> Option<PathBuf> {
        let file = files::main_file(named, self.surroundings, &mut self.findings)?;
        let directory = file.parent().unwrap_or(Path::new(""));
        files::check_directory(directory, Sticky::Tolerated, &mut self.findings);
        let text = self.reader.read(&file, None, &mut self.findings)?;
        let source = Source::new(file.clone(), text);
        let number = self.sources.len();
        let table = written::parse(number, &source, &mut self.written, &mut self.findings);
        self.written
            .take(number, &source, &table, Role::Main, &mut self.findings);
        let drop_ins = self.drop_ins(directory, number, &table);
        drop(table);
        self.sources.push(source);
        for (path, named_at) in drop_ins {
            self.read_drop_in(path, named_at);
        }
        Some(file)
    }

    /// The drop-ins, each with where the main file names it: what its `jobs` lists, or what lies in
    /// `jobs.d` beside it.
    fn drop_ins(
        &mut self,
        directory: &Path,
        number: usize,
        table: &DeTable<'_>,
    ) -> Vec<(PathBuf, Option<Place>)> {
        let findings = &mut self.findings;
        let listed = table.get("jobs").and_then(|jobs| jobs.get_ref().as_array());
        let Some(listed) = listed else {
            let usual = directory.join("jobs.d");
            if !usual.is_dir() {
                return Vec::new();
            }
            files::check_directory(&usual, Sticky::Refused, findings);
            let found = files::drop_ins(&usual, None, findings).into_iter();
            return found.map(|path| (path, None)).collect();
        };
        let mut paths = Vec::new();
        for element in listed {
            let place = Place::new(number, element.span());
            let Some(path) = element.get_ref().as_str() else {
                let message = "`jobs` lists files and directories";
                let error = findings.error(Code::WrongType, place, message);
                error.label("this is no text");
                continue;
            };
            let path = directory.join(path);
            if path.is_dir() {
                files::check_directory(&path, Sticky::Refused, findings);
                let found = files::drop_ins(&path, Some(place), findings).into_iter();
                paths.extend(found.map(|path| (path, Some(place))));
            } else {
                paths.push((path, Some(place)));
            }
        }
        paths
    }

    fn read_drop_in(&mut self, path: PathBuf, named_at: Option<Place>) {
        let at = named_at.map(At::Place);
        let Some(text) = self.reader.read(&path, at, &mut self.findings) else {
            self.written.is_partial = true;
            return;
        };
        let source = Source::new(path, text);
        let number = self.sources.len();
        let table = written::parse(number, &source, &mut self.written, &mut self.findings);
        self.written
            .take(number, &source, &table, Role::DropIn, &mut self.findings);
        drop(table);
        self.sources.push(source);
    }

    fn finish(mut self, file: PathBuf) -> Result<Config, Report> {
        let database_settings = self.written.database.laid_over(&self.built_in.database);
        let daemon_settings = self.written.daemon.laid_over(&self.built_in.daemon);
        let check_settings = self.written.check.laid_over(&self.built_in.check);
        let database = self.database(&database_settings);
        let databases = self.named_databases();
        let job_settings = self.merge();
        let daemon = self.daemon(&daemon_settings);
        let limits = check::limits(&check_settings, &mut self.findings);
        let specs = self.specs(&job_settings);
        self.check_references(&job_settings);
        if self.findings.has_errors() {
            self.check_graph(&job_settings);
            return Err(self.report());
        }
        let (Some(daemon), Some(limits), Ok(graph)) = (daemon, limits, JobGraph::resolve(specs))
        else {
            self.check_graph(&job_settings);
            return Err(self.report());
        };
        let sources = Sources::new(self.sources);
        Ok(Config {
            file,
            database,
            databases,
            daemon,
            check: limits,
            warnings: Report::new(self.findings, sources.clone(), graph.jobs().len()),
            graph,
            text_hash: self.reader.hash(),
            written: self.written,
            database_settings,
            daemon_settings,
            check_settings,
            job_settings,
            sources,
        })
    }

    fn report(self) -> Report {
        let jobs = self.written.jobs.len();
        Report::new(self.findings, Sources::new(self.sources), jobs)
    }

    fn database(&mut self, settings: &DatabaseSettings) -> Option<Database> {
        let embedded = settings.embedded.as_ref().filter(|set| set.value);
        if let (Some(url), Some(embedded)) = (&settings.url, embedded) {
            self.findings
                .error(Code::Misplaced, embedded.key, "`[database]` has both `url` and `embedded`")
                .label("a second database")
                .related(url.key, "the first")
                .help("keep one: `url` for the one that all hosts share, `embedded` for this machine alone");
        }
        let directories = [
            ("directory", &settings.directory),
            ("bin_directory", &settings.bin_directory),
        ];
        for (key, directory) in directories {
            if let (Some(directory), None) = (directory, embedded) {
                let message = format!("`{key}` has no meaning without `embedded = true`");
                let error = self.findings.error(Code::Misplaced, directory.key, message);
                error.label("no private database here");
            }
        }
        let access = match (&settings.url, embedded) {
            (Some(url), _) => access(&url.value),
            (None, Some(_)) => Access::Embedded {
                directory: settings.directory.as_ref().map(|set| set.value.0.clone()),
                bin_directory: settings
                    .bin_directory
                    .as_ref()
                    .map(|set| set.value.0.clone()),
            },
            (None, None) if self.environment_names_one() => Access::Environment,
            (None, None) => return None,
        };
        Some(Database {
            access,
            schema: settings.schema.as_ref()?.value.0.clone(),
            connect_timeout: settings.connect_timeout.as_ref()?.value.0,
        })
    }

    /// The databases beside the referee's.
    fn named_databases(&self) -> BTreeMap<String, Database> {
        let built_in = self.built_in.database.connect_timeout.as_ref();
        let databases = self.written.databases.iter();
        let read = databases.filter_map(|(name, Named { settings, .. })| {
            let limit = settings.connect_timeout.as_ref().or(built_in)?;
            let database = Database {
                access: access(&settings.url.as_ref()?.value),
                schema: "public".to_owned(),
                connect_timeout: limit.value.0,
            };
            Some((name.clone(), database))
        });
        read.collect()
    }

    /// Whether libpq's variables say where a database is.
    fn environment_names_one(&self) -> bool {
        ["PGHOST", "PGHOSTADDR", "PGDATABASE", "PGSERVICE"]
            .iter()
            .any(|name| self.surroundings.path(name).is_some())
    }

    /// The settings of each job, with all layers under them.
    fn merge(&mut self) -> BTreeMap<JobName, JobSettings> {
        let base = self.base();
        // The name that the built-in file has for it.
        let kept = &self.built_in.templates["keep_running"].settings;
        let kept = kept.on_top_of(&base.without_slots());
        let templates = &self.written.templates;
        let mut merged = BTreeMap::new();
        for (name, job) in &self.written.jobs {
            let named = job.settings.template.as_ref();
            let template = named.and_then(|named| templates.get(named.value.as_str()));
            if let (Some(named), None, false) = (named, template, self.written.is_partial) {
                let wrong = named.value.as_str();
                let names = templates.keys().map(String::as_str);
                let meant = self.findings.nearest(wrong, names);
                let message = format!(
                    "job `{name}` starts from template `{}`, which no file defines",
                    shown(wrong)
                );
                let error = self
                    .findings
                    .error(Code::UnknownTemplate, named.place, message);
                error.label("no such template");
                error.help = meant.map(|meant| format!("did you mean `{meant}`?"));
            }
            let own = match template {
                Some(template) => job.settings.on_template(&template.settings),
                None => job.settings.clone(),
            };
            let keeps_running = match &own.keep_running {
                Some(set) => set.value,
                None => base.keeps_running(),
            };
            let lower = if keeps_running { &kept } else { &base };
            merged.insert(name.clone(), own.on_top_of(lower));
        }
        merged
    }

    /// What lies under every job and its template.
    fn base(&self) -> JobSettings {
        let daemon = &self.written.daemon;
        let host = JobSettings {
            lease: daemon.lease.clone(),
            heartbeat: daemon.heartbeat.clone(),
            margin: daemon.margin.clone(),
            grace: daemon.grace.clone(),
            ..JobSettings::default()
        };
        let base = host.on_top_of(&self.built_in.defaults);
        self.written.defaults.on_top_of(&base)
    }

    fn daemon(&mut self, settings: &DaemonSettings) -> Option<Daemon> {
        let lease = LeaseKeys {
            lease: settings
                .lease
                .as_deref()
                .or(self.built_in.defaults.lease.as_deref()),
            heartbeat: settings.heartbeat.as_deref(),
            margin: settings.margin.as_deref(),
            grace: settings.grace.as_deref(),
        };
        let usual_parallel = || self.surroundings.processors().max(4);
        Some(Daemon {
            max_parallel: settings
                .max_parallel
                .as_ref()
                .map_or_else(usual_parallel, |set| set.value.0 as usize),
            lease: build::lease(&lease, &mut self.findings)?,
            drain: settings.drain.as_ref()?.value.0,
            tick_drain: settings.tick_drain.as_ref()?.value.0,
            max_ongoing_age: settings.max_ongoing_age.as_ref()?.value.0,
            poll: settings.poll.as_ref()?.value.0,
            on_disagreement: settings.on_disagreement.as_ref()?.value,
            state_directory: settings
                .state_directory
                .as_ref()
                .map(|set| set.value.0.clone()),
            tags: settings.tags.as_ref()?.value.0.clone(),
            listen: settings.listen.as_ref().map(|set| set.value.0),
            host: settings.host.as_ref().map(|set| set.value.0.clone()),
        })
    }

    fn specs(&mut self, merged: &BTreeMap<JobName, JobSettings>) -> Vec<JobSpec> {
        let mut specs = Vec::with_capacity(merged.len());
        let base = self.base();
        for (name, settings) in merged {
            let ingredients = Ingredients {
                name,
                key: self.written.jobs[name].key,
                settings,
                base: &base,
                compat: &self.written.compat,
                sources: &self.sources,
                is_partial: self.written.is_partial,
            };
            specs.extend(ingredients.spec(&mut self.reader, &mut self.findings));
        }
        specs
    }

    /// What waits for a job that is never done.
    fn check_parents(&mut self, merged: &BTreeMap<JobName, JobSettings>) {
        for (job, settings) in merged {
            let parents = settings.depends_on.iter().flat_map(|set| &set.value.0);
            for named in parents {
                let super::parents::Named { parent, place } = named;
                let Some(kept) = merged.get(&parent.job).filter(|job| job.keeps_running()) else {
                    continue;
                };
                let message = format!(
                    "job `{job}` depends on `{}`, which is kept running",
                    parent.job
                );
                let error = self.findings.error(Code::Misplaced, *place, message);
                error.label("it is never done");
                let keep_running = kept.keep_running.as_ref();
                error
                    .related
                    .extend(keep_running.map(|set| (set.key, "kept running".to_owned())));
            }
        }
    }

    /// What is named elsewhere: channels; and that there is any job at all.
    fn check_references(&mut self, merged: &BTreeMap<JobName, JobSettings>) {
        self.check_parents(merged);
        if self.written.is_partial {
            return;
        }
        let known = &self.written.notify;
        let named = merged.values().filter_map(|job| job.notify.as_ref());
        for channel in named.flat_map(|set| &set.value.0) {
            if !known.contains_key(&channel.value) {
                let wrong = channel.value.as_str();
                let meant = self
                    .findings
                    .nearest(wrong, known.keys().map(String::as_str));
                let message = format!("`[notify.{}]` is not defined", shown(wrong));
                let error = self
                    .findings
                    .error(Code::UnknownNotify, channel.place, message);
                error.label("nobody to notify");
                error.help = meant.map(|meant| format!("did you mean `{meant}`?"));
            }
        }
        let known = &self.written.databases;
        let named = merged.values().filter_map(|job| job.database.as_ref());
        for database in named {
            if !known.contains_key(&database.value) {
                let wrong = database.value.as_str();
                let names = known.keys().map(String::as_str);
                let meant = self.findings.nearest(wrong, names);
                let message = format!("`[database.{}]` is not defined", shown(wrong));
                let error = self
                    .findings
                    .error(Code::UnknownDatabase, database.place, message);
                error.label("no such database");
                error.help = Some(meant.map_or_else(
                    || {
                        "leave `database` out for the one that holds crontabber's own tables"
                            .to_owned()
                    },
                    |meant| format!("did you mean `{meant}`?"),
                ));
            }
        }
        if merged.is_empty() && !self.findings.has_errors() {
            let main = self.sources[BUILT_IN + 1].path.clone();
            self.findings
                .error(Code::NoJobs, At::Path(main), "there is no job")
                .help(
                    "this is a whole job, here or in jobs.d/hello.toml beside it:\n\
                     \x20   [jobs.hello]\n\
                     \x20   description = \"Says hello\"\n\
                     \x20   every = \"5m\"\n\
                     \x20   command = [\"echo\", \"hello\"]",
                );
        }
    }

    /// What is wrong with the edges, each told where it is written.
    fn check_graph(&mut self, merged: &BTreeMap<JobName, JobSettings>) {
        let parents = |job: &JobSettings| {
            let parents = job.depends_on.iter().flat_map(|set| &set.value.0);
            parents
                .map(|named| named.parent.job.clone())
                .collect::<Vec<_>>()
        };
        let edges: Vec<_> = merged
            .iter()
            .map(|(name, job)| (name, parents(job)))
            .collect();
        let checked = dag::levels(edges.iter().map(|(name, parents)| (*name, parents.iter())));
        for error in checked.err().into_iter().flatten() {
            self.dag_error(&error, merged);
        }
    }

    fn dag_error(&mut self, error: &DagError, merged: &BTreeMap<JobName, JobSettings>) {
        let edge = |job: &JobName, parent: &JobName| {
            let parents = &merged.get(job)?.depends_on.as_ref()?.value.0;
            let named = parents.iter().find(|named| named.parent.job == *parent)?;
            Some(named.place)
        };
        let findings = &mut self.findings;
        let at = |place: Option<Place>| place.map_or(At::Nowhere, At::Place);
        match error {
            DagError::UnknownDependency { job, dependency } if !self.written.is_partial => {
                let known = merged.keys().map(JobName::as_str);
                let meant = findings.nearest(dependency.as_str(), known);
                let unknown = findings.error(
                    Code::UnknownParent,
                    at(edge(job, dependency)),
                    error.to_string(),
                );
                unknown.label("no such job");
                unknown.help = meant.map(|meant| format!("did you mean `{meant}`?"));
            }
            DagError::SelfDependency { job } => {
                let error =
                    findings.error(Code::DependencyCycle, at(edge(job, job)), error.to_string());
                error.label("it would wait for ever");
            }
            DagError::Cycle { circle } => {
                let next = circle.iter().cycle().skip(1);
                let mut edges = circle.iter().zip(next).map(|(job, parent)| {
                    (edge(job, parent), format!("`{job}` waits for `{parent}`"))
                });
                let Some((first, label)) = edges.next() else {
                    return;
                };
                let error = findings.error(Code::DependencyCycle, at(first), error.to_string());
                error.label(label);
                for (place, label) in edges {
                    error.related.extend(place.map(|place| (place, label)));
                }
            }
            // What a broken file seems to leave out may be in it, and the map that the jobs come from
            // has each name once.
            DagError::UnknownDependency { .. } | DagError::Duplicate { .. } => {}
        }
    }
}

fn access(url: &Url) -> Access {
    match url {
        Url::Literal(url) => Access::Url(url.clone()),
        Url::Secret(secret) => Access::Secret(secret.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_in_is_itself_a_sound_configuration() {
        let mut findings = Findings::default();
        read_built_in(&mut findings);
        let wrong = &findings.diagnostics;
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
