//! The keys of a job.

use crate::spec::{CatchUp, On, OnDbLoss, OnLost, Overlap, Start};

use super::{
    names::{Channels, Plain, Secrets, Variables},
    parents::Parents,
    setting::{Settings as _, settings},
    source::Place,
    texts::{ActionName, Argv, ClassPath, Directory, ExitCodes, Script, Texts, UserName},
    value::{Bytes, Count, Lasting, Limit, Niceness, Number, Timeout},
    when::{Schedules, TimeOfDay, ZoneName},
    with::With,
};

settings! {
    /// The keys of a job, of `[defaults]` and of a template.
    JobSettings {
        /// One line for people.
        description: String,
        /// The `[templates.X]` that this job starts from.
        template: String,
        /// The period, counted from a known slot.
        every: Lasting<1000>,
        /// The time of day of a period of whole days.
        at: TimeOfDay,
        /// Crontab fields with cronie's meaning; instead of `every`.
        schedule: Schedules,
        /// The zone that `at` and `schedule` are in.
        timezone: ZoneName,
        /// Slots run up to this much later, by an offset hashed from the job's name.
        jitter: Lasting<0>,
        /// The first slot of a new job.
        start: Start,
        /// The jobs that a slot of this one waits for.
        depends_on: Parents,
        /// How long a run may take; "never" for a job that is kept running, unless it or its template names one.
        timeout: Timeout,
        /// How long the proof of a claim lasts.
        lease: Limit,
        /// How often a lease is renewed; a sixth of the lease unless named.
        heartbeat: Limit,
        /// How much earlier than its lease a run is dead; a sixth of the lease unless named.
        margin: Limit,
        /// How long after SIGTERM a run may tidy up; a twelfth of the lease unless named.
        grace: Limit,
        /// When to try again after a failure; { first = "1s", factor = 2.0, max = "1m" } for a job that is kept running.
        retry: RetrySettings,
        /// What becomes of a slot whose run was lost.
        on_lost: OnLost,
        /// Which of the slots missed in an outage are run.
        catch_up: CatchUp,
        /// How many of them at most.
        catch_up_limit: Count<1, 1_000_000>,
        /// How late a slot may still start.
        start_deadline: Limit,
        /// What a slot does that falls due during an earlier run.
        overlap: Overlap,
        /// Whether daemons keep one instance of it running, started again whenever it ends.
        keep_running: bool,
        /// What becomes of a run whose claim cannot be proven because the database is away.
        on_db_loss: OnDbLoss,
        /// Whether what it prints can be read elsewhere while it prints.
        stream_output: bool,
        /// The user it runs as; the host's own unless named.
        user: UserName,
        /// Its priority: -20, the first, to 19, the last.
        nice: Niceness,
        /// How much memory all its processes may have together; then all of them are killed.
        memory_max: Bytes,
        /// Patterns for the hosts it may run on; none: anywhere.
        hosts: Texts,
        /// Once in the cluster or once on each of those hosts.
        on: On,
        /// Variables of a run; values may hold placeholders.
        env: Variables<Plain>,
        /// Variables of a run that are read where it starts.
        secrets: Secrets,
        /// The directory a run starts in; that of its `user`, or `/`, unless named.
        cwd: Directory,
        /// Exit codes that mean "try again" and count as no error.
        temporary_exit_codes: ExitCodes,
        /// Exit codes that mean "wait for the next slot".
        fatal_exit_codes: ExitCodes,
        /// Labels that group jobs.
        tags: Texts,
        /// The `[notify.X]` that hear of it.
        notify: Channels,
        /// How much history is kept.
        keep: KeepSettings,
        /// A program and its arguments; elements may hold placeholders.
        command: Argv,
        /// A text for `/bin/sh -c`.
        shell: Script,
        /// SQL, run in one transaction with its record.
        sql: Script,
        /// A file with SQL, named relative to the file that names it.
        sql_file: Script,
        /// An action that is shipped with crontabber, or the program `crontabber-NAME` of the PATH.
        action: ActionName,
        /// The table that the action is given.
        with: With,
        /// A class written for crontabber 0.18, run with `run_with` of `[compat]`.
        class: ClassPath,
        /// Whether the SQL runs in one transaction with its record; true unless named.
        transaction: bool,
        /// Another database for the SQL than the referee's.
        database: String,
    }
}

settings! {
    /// When to try again: `first`, then `factor` times longer each time, up to `max`.
    RetrySettings {
        /// The delay after the first failure.
        first: Limit,
        /// How much longer each following delay is.
        factor: Number<1, 1000>,
        /// The longest delay.
        max: Limit,
        /// How much of a delay is left to chance.
        jitter: Number<0, 1>,
        /// How many attempts one slot gets; 0: for ever.
        attempts: Count<0, 1_000_000>,
    }
}

settings! {
    /// How much history is kept: whatever either of the two keeps.
    KeepSettings {
        /// Everything this young.
        days: Count<0, 36_500>,
        /// The last so many runs of each job.
        runs: Count<1, 1_000_000>,
    }
}

/// The keys that say what a run does.
pub(super) const KINDS: [&str; 6] = ["command", "shell", "sql", "sql_file", "action", "class"];

impl JobSettings {
    /// These laid over those of a lower layer. Keys that answer one question go together: a job
    /// that says `schedule` has nothing to do with the `every` of its template.
    pub(super) fn on_top_of(&self, lower: &Self) -> Self {
        let mut lower = lower.clone();
        if self.every.is_some() || self.schedule.is_some() {
            (lower.every, lower.at, lower.schedule) = (None, None, None);
        }
        if self.kinds().next().is_some() {
            (lower.command, lower.shell) = (None, None);
            (lower.sql, lower.sql_file, lower.transaction) = (None, None, None);
            (lower.action, lower.with, lower.class) = (None, None, None);
        }
        self.laid_over(&lower)
    }

    /// Whether they say that the job is kept running.
    pub(super) fn keeps_running(&self) -> bool {
        self.keep_running.as_ref().is_some_and(|set| set.value)
    }

    /// These without what says when a run is wanted: a job that is kept running is wanted always.
    pub(super) fn without_slots(&self) -> Self {
        Self {
            every: None,
            at: None,
            schedule: None,
            depends_on: None,
            catch_up_limit: None,
            start_deadline: None,
            ..self.clone()
        }
    }

    /// These laid over those of the template they name.
    pub(super) fn on_template(&self, template: &Self) -> Self {
        if !self.keeps_running() {
            return self.on_top_of(template);
        }
        self.on_top_of(&Self {
            catch_up: None,
            overlap: None,
            ..template.without_slots()
        })
    }

    /// The keys that say what a run does, each of [`KINDS`] with its place.
    pub(super) fn kinds(&self) -> impl Iterator<Item = (&'static str, Place)> {
        let places = [
            self.command.as_ref().map(|set| set.key),
            self.shell.as_ref().map(|set| set.key),
            self.sql.as_ref().map(|set| set.key),
            self.sql_file.as_ref().map(|set| set.key),
            self.action.as_ref().map(|set| set.key),
            self.class.as_ref().map(|set| set.key),
        ];
        let named = KINDS.into_iter().zip(places);
        named.filter_map(|(name, place)| place.map(|place| (name, place)))
    }
}
