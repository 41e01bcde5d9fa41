//! From merged settings to a [`JobSpec`]: what only the keys together can get wrong.

use std::{path::Path, time::Duration};

use crate::{
    duration::written as spelled,
    schedule::{Rule, Timetable},
    spec::{
        JobName, JobSpec, Kind, Lease, NO_TIMEOUT, OnDbLoss, Origin, Parent, Placement, Retry,
        RunAs, Sql,
    },
};

use super::{
    diagnostic::{At, Code, Findings},
    files::Reader,
    job::{JobSettings, KINDS, RetrySettings},
    sections::CompatSettings,
    setting::Set,
    source::{Place, Source},
    texts::ClassPath,
    value::Limit,
};

/// What a job is made of.
pub(super) struct Ingredients<'a> {
    pub(super) name: &'a JobName,
    /// Where the name stands.
    pub(super) key: Place,
    /// Everything merged, down to what is built in.
    pub(super) settings: &'a JobSettings,
    /// What of it nobody wrote for this job: `[defaults]`, and what is built in.
    pub(super) base: &'a JobSettings,
    /// What runs a `class`.
    pub(super) compat: &'a CompatSettings,
    /// All files, to resolve paths and lines.
    pub(super) sources: &'a [Source],
    /// Whether keys may be missing because a file is broken.
    pub(super) is_partial: bool,
}

impl Ingredients<'_> {
    /// The job, or `None` and at least one error.
    pub(super) fn spec(&self, reader: &mut Reader, findings: &mut Findings) -> Option<JobSpec> {
        let settings = self.settings;
        let kind = self.kind(reader, findings);
        let timetable = self.timetable(findings);
        let lease = lease(&settings.lease_keys(), findings);
        let retry = retry(settings.retry.as_deref(), findings);
        self.refuse_contradictions(findings);
        Some(JobSpec {
            name: self.name.clone(),
            origin: self.origin(),
            description: settings.description.as_ref().map(|set| set.value.clone()),
            kind: kind?,
            class: settings.class.as_ref().map(|set| set.value.0.clone()),
            timetable: timetable?,
            start: settings.start.as_ref()?.value,
            depends_on: self.parents(),
            timeout: settings.timeout.as_ref()?.value.0.unwrap_or(NO_TIMEOUT),
            lease: lease?,
            retry: retry?,
            on_lost: settings.on_lost.as_ref()?.value,
            catch_up: settings.catch_up.as_ref()?.value,
            catch_up_limit: settings.catch_up_limit.as_ref().map(|set| set.value.0),
            start_deadline: settings.start_deadline.as_ref().map(|set| set.value.0),
            overlap: settings.overlap.as_ref()?.value,
            placement: Placement {
                hosts: settings.hosts.as_ref()?.value.0.clone(),
                on: settings.on.as_ref()?.value,
            },
            keep_running: settings.keep_running.as_ref()?.value,
            on_db_loss: self.on_db_loss()?,
            stream_output: settings.stream_output.as_ref()?.value,
            run_as: RunAs {
                user: settings.user.as_ref().map(|set| set.value.0.clone()),
                nice: settings.nice.as_ref().map(|set| set.value.0),
                memory_max: settings.memory_max.as_ref().map(|set| set.value.0),
            },
            env: self.variables(),
            secrets: self.secrets(),
            cwd: settings.cwd.as_ref().map(|set| set.value.0.clone()),
            temporary_exit_codes: settings.temporary_exit_codes.as_ref()?.value.0.clone(),
            fatal_exit_codes: settings.fatal_exit_codes.as_ref()?.value.0.clone(),
            tags: settings
                .tags
                .as_ref()
                .map_or_else(Vec::new, |set| set.value.0.clone()),
        })
    }

    /// Whether one of these keys is there and could not be read.
    fn is_refused(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.settings.refused.contains(key))
    }

    fn origin(&self) -> Origin {
        let source = &self.sources[self.key.file()];
        Origin {
            file: source.path.clone(),
            line: source.line(self.key.span().start),
        }
    }

    pub(super) fn parents(&self) -> Vec<Parent> {
        let parents = self.settings.depends_on.iter().flat_map(|set| &set.value.0);
        parents.map(|named| named.parent.clone()).collect()
    }

    /// What nobody wrote for this job means nothing for SQL in the referee's own database: with that its work is lost too.
    fn on_db_loss(&self) -> Option<OnDbLoss> {
        let named = self.settings.on_db_loss.as_ref()?.value;
        Some(if self.is_sql_of_the_referee() {
            OnDbLoss::Kill
        } else {
            named
        })
    }

    pub(super) fn is_sql_of_the_referee(&self) -> bool {
        let settings = self.settings;
        settings.database.is_none() && (settings.sql.is_some() || settings.sql_file.is_some())
    }

    fn variables(&self) -> Vec<(String, String)> {
        let variables = self.settings.env.iter().flat_map(|set| &set.value.0);
        variables
            .map(|(name, set)| (name.clone(), set.value.0.clone()))
            .collect()
    }

    fn secrets(&self) -> Vec<(String, crate::spec::SecretRef)> {
        let secrets = self.settings.secrets.iter().flat_map(|set| &set.value.0);
        secrets
            .map(|(name, set)| (name.clone(), set.value.clone()))
            .collect()
    }

    fn kind(&self, reader: &mut Reader, findings: &mut Findings) -> Option<Kind> {
        let kinds: Vec<_> = self.settings.kinds().collect();
        match kinds.as_slice() {
            [] => self.no_kind(findings),
            [_] => self.only_kind(reader, findings),
            [first, others @ ..] => {
                for other in others {
                    let message = format!(
                        "job `{}` has both `{}` and `{}`",
                        self.name, first.0, other.0
                    );
                    findings
                        .error(Code::TwoKinds, other.1, message)
                        .label("a run does one thing")
                        .related(first.1, "the other")
                        .help(
                            "keep one; for two steps make two jobs and let one depend on the other",
                        );
                }
                None
            }
        }
    }

    fn no_kind(&self, findings: &mut Findings) -> Option<Kind> {
        if !self.is_partial && !self.is_refused(&KINDS) {
            let message = format!("job `{}` does not say what to run", self.name);
            findings
                .error(Code::NoKind, self.key, message)
                .label("nothing to run")
                .help("give it `command = [\"program\", \"argument\"]`, `shell`, `sql`, `sql_file`, `action` or `class`");
        }
        None
    }

    fn only_kind(&self, reader: &mut Reader, findings: &mut Findings) -> Option<Kind> {
        let settings = self.settings;
        if let Some(argv) = &settings.command {
            return Some(Kind::Command(argv.value.0.clone()));
        }
        if let Some(script) = &settings.shell {
            return Some(Kind::Shell(script.value.0.clone()));
        }
        if let Some(name) = &settings.action {
            return Some(self.action(name.value.0.clone()));
        }
        if let Some(class) = &settings.class {
            return self.class(class, findings);
        }
        let text = match (&settings.sql, &settings.sql_file) {
            (Some(sql), _) => sql.value.0.clone(),
            (None, Some(file)) => self.sql_file(&file.value.0, file.place, reader, findings)?,
            (None, None) => return None,
        };
        Some(Kind::Sql(Sql {
            text,
            transaction: settings.transaction.as_ref().is_none_or(|set| set.value),
            database: settings.database.as_ref().map(|set| set.value.clone()),
        }))
    }

    fn action(&self, name: String) -> Kind {
        let empty = || serde_json::Value::Object(serde_json::Map::new());
        let with = self
            .settings
            .with
            .as_ref()
            .map_or_else(empty, |set| set.value.0.clone());
        Kind::Action { name, with }
    }

    /// A class of crontabber's is a command: what runs classes, and the class behind it.
    fn class(&self, class: &Set<ClassPath>, findings: &mut Findings) -> Option<Kind> {
        let Some(run_with) = &self.compat.run_with else {
            if !self.is_partial && self.compat.refused.is_empty() {
                let message = format!("nothing says how to run the class of job `{}`", self.name);
                findings
                    .error(Code::NoRunWith, class.key, message)
                    .label("a class needs a program that runs it")
                    .help(
                        "name it in the main file:\n\
                         \x20   [compat]\n\
                         \x20   run_with = [\"python2.7\", \"/usr/share/crontabber/run_class.py\", \
                         \"--admin.conf=/etc/crontabber.ini\"]",
                    );
            }
            return None;
        };
        let mut argv = run_with.value.0.clone();
        argv.push(class.value.0.clone());
        Some(Kind::Command(argv))
    }

    /// The text of a file that is named relative to the file that names it.
    fn sql_file(
        &self,
        file: &str,
        place: Place,
        reader: &mut Reader,
        findings: &mut Findings,
    ) -> Option<String> {
        let beside = self.sources[place.file()]
            .path
            .parent()
            .unwrap_or(Path::new(""));
        let text = reader.read(&beside.join(file), Some(At::Place(place)), findings)?;
        if text.trim().is_empty() || text.contains('\0') {
            let message = format!("`{file}` holds no SQL");
            findings
                .error(Code::BadValue, place, message)
                .label("empty, or with a NUL in it");
            return None;
        }
        Some(text)
    }

    /// `Some(None)`: none is wanted.
    #[expect(
        clippy::option_option,
        reason = "no timetable is an answer, no answer is an error"
    )]
    fn timetable(&self, findings: &mut Findings) -> Option<Option<Timetable>> {
        let settings = self.settings;
        if settings.keeps_running() {
            return Some(None);
        }
        if let (Some(every), Some(schedule)) = (&settings.every, &settings.schedule) {
            let message = format!("job `{}` has both `every` and `schedule`", self.name);
            findings
                .error(Code::TwoSchedules, schedule.key, message)
                .label("second schedule")
                .related(every.key, "first schedule")
                .help("keep one; `schedule` can be a list of several");
            return None;
        }
        let at = settings.at.as_ref();
        let rules = match (&settings.every, &settings.schedule) {
            (Some(every), _) => {
                let period = every.value.0;
                let whole_days =
                    period.as_secs().is_multiple_of(86_400) && period.subsec_nanos() == 0;
                if let Some(at) = at.filter(|_| !whole_days) {
                    self.not_daily(at.key, &format!("`every` is {}", spelled(period)), findings);
                    return None;
                }
                let at = at.map(|at| at.value.0);
                vec![Rule::Every { period, at }]
            }
            (None, Some(schedule)) => {
                let expressions = schedule.value.0.iter();
                expressions
                    .map(|one| Rule::Crontab(one.fields.clone()))
                    .collect()
            }
            (None, None) => Vec::new(),
        };
        let nothing_to_go_with = settings.every.is_none() && !self.is_refused(&["every"]);
        if let Some(at) = at.filter(|_| nothing_to_go_with) {
            self.not_daily(at.key, "there is no `every`", findings);
            return None;
        }
        if rules.is_empty() {
            return Some(None);
        }
        Some(Some(Timetable {
            rules,
            timezone: settings.timezone.as_ref()?.value.0.clone(),
            jitter: settings.jitter.as_ref()?.value.0,
        }))
    }

    fn not_daily(&self, at: Place, why: &str, findings: &mut Findings) {
        let message = format!("`at` of job `{}` needs `every` to be whole days", self.name);
        findings
            .error(Code::NotDaily, at, message)
            .label(why)
            .help("write for example every = \"1d\", or `schedule = \"30 6 * * *\"` alone");
    }

    /// Keys that take each other's meaning away.
    fn refuse_contradictions(&self, findings: &mut Findings) {
        let settings = self.settings;
        let misplaced = |key, goes_with| (key, goes_with);
        let with = settings.with.as_ref().filter(|_| settings.action.is_none());
        let is_sql = settings.sql.is_some() || settings.sql_file.is_some();
        let transaction = settings.transaction.as_ref().filter(|_| !is_sql);
        let database = settings.database.as_ref().filter(|_| !is_sql);
        let keys = [
            with.map(|set| misplaced(set.key, ("with", "action"))),
            transaction.map(|set| misplaced(set.key, ("transaction", "sql"))),
            database.map(|set| misplaced(set.key, ("database", "sql"))),
        ];
        for (place, (key, goes_with)) in keys.into_iter().flatten() {
            if !self.is_partial && !self.is_refused(&KINDS) {
                let message = format!(
                    "`{key}` of job `{}` has no meaning without `{goes_with}`",
                    self.name
                );
                let error = findings.error(Code::Misplaced, place, message);
                error.label(format!("no `{goes_with}` here"));
            }
        }
        self.refuse_what_lasts(findings);
        self.refuse_variables_given_twice(findings);
        self.refuse_exit_codes_given_twice(findings);
    }

    fn refuse_variables_given_twice(&self, findings: &mut Findings) {
        let (Some(env), Some(secrets)) = (&self.settings.env, &self.settings.secrets) else {
            return;
        };
        for (name, secret) in &secrets.value.0 {
            if let Some(plain) = env.value.0.get(name) {
                let message = format!(
                    "`{name}` of job `{}` is in `env` and in `secrets`",
                    self.name
                );
                let error = findings.error(Code::BadValue, secret.key, message);
                error
                    .label("a variable has one value")
                    .related(plain.key, "the other");
            }
        }
    }

    fn refuse_exit_codes_given_twice(&self, findings: &mut Findings) {
        let settings = self.settings;
        let (Some(temporary), Some(fatal)) =
            (&settings.temporary_exit_codes, &settings.fatal_exit_codes)
        else {
            return;
        };
        if let Some(code) = temporary
            .value
            .0
            .iter()
            .find(|code| fatal.value.0.contains(code))
        {
            let message = format!(
                "exit code {code} of job `{}` is temporary and fatal",
                self.name
            );
            let [later, other] = later_first(temporary.place, fatal.place);
            let error = findings.error(Code::BadValue, later, message);
            error
                .label("it can be one of them")
                .related(other, "the other");
        }
    }
}

/// What the operator wrote before what is built in, and the later before the earlier.
pub(super) fn later_first(one: Place, other: Place) -> [Place; 2] {
    if one > other {
        [one, other]
    } else {
        [other, one]
    }
}

/// The four keys of a lease.
pub(super) struct LeaseKeys<'a> {
    pub(super) lease: Option<&'a Set<Limit>>,
    pub(super) heartbeat: Option<&'a Set<Limit>>,
    pub(super) margin: Option<&'a Set<Limit>>,
    pub(super) grace: Option<&'a Set<Limit>>,
}

impl JobSettings {
    pub(super) fn lease_keys(&self) -> LeaseKeys<'_> {
        LeaseKeys {
            lease: self.lease.as_deref(),
            heartbeat: self.heartbeat.as_deref(),
            margin: self.margin.as_deref(),
            grace: self.grace.as_deref(),
        }
    }
}

/// The lease, if a run can be dead before it ends; otherwise an error with the arithmetic.
pub(super) fn lease(keys: &LeaseKeys<'_>, findings: &mut Findings) -> Option<Lease> {
    let usual = Lease::of(keys.lease?.value.0);
    let or = |key: Option<&Set<Limit>>, usual: Duration| key.map_or(usual, |set| set.value.0);
    let lease = Lease {
        lease: usual.lease,
        heartbeat: or(keys.heartbeat, usual.heartbeat),
        margin: or(keys.margin, usual.margin),
        grace: or(keys.grace, usual.grace),
    };
    if lease.is_sound() {
        return Some(lease);
    }
    let named = [keys.lease, keys.heartbeat, keys.margin, keys.grace];
    let last = named.into_iter().flatten().max_by_key(|set| set.place)?;
    let [heartbeat, margin, grace] = [lease.heartbeat, lease.margin, lease.grace].map(spelled);
    let needed = lease.heartbeat * 2 + lease.margin + lease.grace;
    let message = format!("a lease of {} is too short", spelled(lease.lease));
    findings
        .error(Code::LeaseRatio, last.place, message)
        .label(format!(
            "2 x heartbeat {heartbeat} + margin {margin} + grace {grace} = {}",
            spelled(needed)
        ))
        .help("a run must be dead before its lease ends, with two renewals to spare;\nname the lease alone, and the others follow: a sixth, a sixth and a twelfth of it");
    None
}

fn retry(settings: Option<&Set<RetrySettings>>, findings: &mut Findings) -> Option<Retry> {
    let settings = &settings?.value;
    let (first, max) = (settings.first.as_ref()?, settings.max.as_ref()?);
    if first.value.0 > max.value.0 {
        let [later, other] = later_first(first.place, max.place);
        findings
            .error(
                Code::BadValue,
                later,
                "the first delay is longer than the longest",
            )
            .label(format!(
                "first {}, max {}",
                spelled(first.value.0),
                spelled(max.value.0)
            ))
            .related(other, "the other");
        return None;
    }
    Some(Retry {
        first: first.value.0,
        factor: settings.factor.as_ref()?.value.0,
        max: max.value.0,
        jitter: settings.jitter.as_ref()?.value.0,
        attempts: settings.attempts.as_ref()?.value.0,
    })
}
