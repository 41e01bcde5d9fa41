//! A host that stays: passes until it is told to stop.
//!
//! ```text
//! a slot falls due ──▶ plan its job, claim                          nobody is asked first: the claim is the judge
//! a run ends ────────▶ take its row from its record, plan           a child starts as soon as its parents are done
//! somebody tells ────▶ read the table, plan                         LISTEN: pause, resume, trigger, a finished parent
//! the poll ──────────▶ read the table, reap, announce, plan         whatever nobody told
//! ```
//!
//! The loop itself never waits for the database: readings, claims, runs and records are tasks of their own, each with a
//! limit. So a question that hangs keeps nothing else waiting, and the watchdog, which the loop feeds, says the truth.

mod agenda;
mod clock;
mod draining;
mod ending;
mod hearing;
mod looking;
mod memory;
mod planning;
mod status;

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use signal_hook::consts::{SIGHUP, SIGUSR1};
use tokio::{
    task::{JoinError, JoinHandle},
    time::{Instant, interval},
};

use self::{
    agenda::Agenda, clock::DatabaseClock, draining::Draining, ending::Ending, hearing::Hearing,
    looking::Looking, memory::Memory,
};
use crate::{
    claim::Claimed,
    clock::{Alarm, Boottime, sleep_until},
    config,
    engine::Engine,
    exit::Exit,
    host::Said,
    pass::Pass,
    spec::{JobName, on_host},
    stop::{Called, Stopper},
    store::{error::DatabaseError, table::Table},
    supervise::give_back_freed_memory,
    systemd::Manager,
    work::{Came, Scope, Work},
};

/// How a daemon gets the configuration that its files have by now: an engine like the one it has, for the rest of its
/// life; or why it keeps what it has.
pub type Reload = Arc<dyn Fn(&Engine) -> Result<Fresh, String> + Send + Sync>;

/// A configuration, read anew.
#[derive(Debug)]
pub struct Fresh {
    /// What the stations share from now on.
    pub engine: Arc<Engine>,
    /// How often to look though nobody told it to.
    pub poll: Duration,
    /// Which database it was meant for.
    pub access: Option<config::Database>,
}

/// A host that stays.
pub struct Daemon {
    engine: Arc<Engine>,
    poll: Duration,
    reload: Reload,
    said: Arc<Mutex<Said>>,
    manager: Manager,
    stop: Stopper,
    hangup: Called,
    user: Called,
    alarm: Alarm,
    work: Work,
    tally: Pass,
    /// What was read last, with what is known since.
    table: Option<Table>,
    clock: DatabaseClock,
    looking: Looking,
    memory: Memory,
    hearing: Hearing,
    /// When verdicts will be others by the clock alone.
    agenda: Agenda,
    /// When what others do is worth a look, as far as the plan can tell.
    look_at: Option<Boottime>,
    /// Reading its configuration again.
    reloading: Option<JoinHandle<Result<Fresh, String>>>,
    /// Its host is drained.
    draining: Option<Draining>,
    /// What it was told to do before it ends.
    ending: Option<Ending>,
    is_ready: bool,
    /// When it has last looked whether there is something to tell of itself, and when it has to look again.
    told: Boottime,
    tell_at: Option<Boottime>,
    /// When it has given back the memory that it does not use.
    tidied: Option<Instant>,
}

impl std::fmt::Debug for Daemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Daemon")
            .field("host", &self.engine.host)
            .finish_non_exhaustive()
    }
}

impl Daemon {
    /// One that begins with this configuration, reads it again with `reload`, and says what it does to `said` whenever it
    /// announces its host. Listens for signals from now on; must be called in a runtime.
    pub fn new(
        fresh: Fresh,
        reload: Reload,
        said: Arc<Mutex<Said>>,
        manager: Manager,
    ) -> io::Result<Self> {
        let stop = Stopper::listen()?;
        Ok(Self {
            work: Work::new(&fresh.engine, stop.flag()),
            engine: fresh.engine,
            poll: fresh.poll,
            reload,
            said,
            manager,
            stop,
            hangup: Called::listen(SIGHUP)?,
            user: Called::listen(SIGUSR1)?,
            alarm: Alarm::new()?,
            tally: Pass::default(),
            table: None,
            clock: DatabaseClock::default(),
            looking: Looking::default(),
            memory: Memory::default(),
            hearing: Hearing::default(),
            agenda: Agenda::default(),
            look_at: None,
            reloading: None,
            draining: None,
            ending: None,
            is_ready: false,
            told: Boottime::at(Duration::ZERO),
            tell_at: None,
            tidied: None,
        })
    }

    /// Runs what falls due until somebody asks it to stop; how that went.
    ///
    /// An error means that there is nothing it could do here: a right is missing, or the tables do not fit. A database
    /// that is away is waited for.
    pub async fn run(mut self) -> Result<Exit, DatabaseError> {
        let _listener = self.listen();
        let mut watchdog = interval(self.manager.watchdog_interval().unwrap_or(IDLE));
        loop {
            // Should something be due for ever, what runs beside this loop still has its turn.
            tokio::task::consume_budget().await;
            if let Some(exit) = self.is_over() {
                self.take_leave().await;
                return Ok(exit);
            }
            self.work.start(&self.engine);
            self.looking.start(&self.engine);
            self.tell();
            let (wake_at, ending_at) = (self.wake_at(), self.ending_at());
            let Self {
                alarm,
                work,
                looking,
                hearing,
                reloading,
                stop,
                hangup,
                user,
                ..
            } = &mut self;
            tokio::select! {
                Some(ended) = work.next() => self.ended(ended),
                looked = looking.next() => self.looked(looked)?,
                () = alarm.at(wake_at) => self.wake(),
                () = hearing.is_told() => self.told(),
                asked = stop.changed() => self.stop(asked),
                () = hangup.changed() => self.read_again(),
                fresh = answer(reloading) => self.reloaded(fresh),
                () = user.changed() => self.dump(),
                _ = watchdog.tick() => self.manager.watchdog(),
                () = sleep_until(ending_at) => self.ending_is_due(),
            }
        }
    }

    /// When the loop has something to do though nothing happens.
    fn wake_at(&self) -> Boottime {
        let now = Boottime::now();
        // What is left alone matters to who would start it: nobody else takes it off, and the loop would never sleep again.
        let left = self.work.left_until().filter(|_| self.is_at_work());
        let left = left.map(|at| now + at.saturating_duration_since(Instant::now()));
        let due = self.agenda.first().and_then(|(_, at)| self.clock.when(at));
        let due = due.filter(|_| self.is_at_work());
        let soon = [
            due,
            self.look_at,
            self.looking.due_at(),
            left,
            self.tell_at,
            self.kill_at(),
        ];
        soon.into_iter()
            .flatten()
            .min()
            .unwrap_or_else(|| now + self.poll)
    }

    /// Something is due: a slot, or a look.
    fn wake(&mut self) {
        let now = Boottime::now();
        if self.look_at.is_some_and(|at| at <= now) {
            self.look_at = None;
            self.looking.want_all();
        }
        self.looking.wake(now);
        self.kill_if_due(now);
        let due = self.clock.at(now).map(|now| self.agenda.take_due(now));
        let mut jobs = BTreeSet::from_iter(due.unwrap_or_default());
        if self.is_at_work() {
            let left = self.work.take_no_longer_left();
            jobs.extend(left.iter().filter_map(|job| self.engine.graph.number(job)));
        }
        if !jobs.is_empty() {
            self.plan(&Scope::Jobs(jobs.into_iter().collect()));
        }
    }

    /// Whether it starts what falls due.
    fn is_at_work(&self) -> bool {
        self.ending.is_none() && !self.looking.is_away()
    }

    fn looked(&mut self, seen: looking::Seen) -> Result<(), DatabaseError> {
        let was_away = self.looking.is_away();
        match self.looking.answered(seen, self.poll, &mut self.clock) {
            looking::Answer::All(names, table) => {
                self.were_read(&names);
                self.mind_drain(table.drained);
                if was_away {
                    self.compare();
                }
                self.table = Some(table);
                self.tidy_up();
                if self.engine.is_stopping() {
                    self.looking.want_all_in(looking::SOON);
                }
            }
            looking::Answer::Rows(names, part) => {
                self.were_read(&names);
                self.mind_drain(part.drained);
                let Some(table) = &mut self.table else {
                    return Ok(());
                };
                let is_as_free = table.drained == part.drained;
                table.take(&names, part);
                let jobs = names.iter().filter_map(|row| job_of(row).parse().ok());
                let jobs: Vec<JobName> = jobs.collect();
                if is_as_free {
                    self.plan(&Scope::Jobs(self.and_children(&jobs)));
                } else {
                    self.plan(&Scope::All);
                }
                return Ok(());
            }
            looking::Answer::Away => {
                self.work.want_nothing();
                return Ok(());
            }
            looking::Answer::Never(error) if !self.is_ready => return Err(error),
            // What does not fit may fit again: somebody mends a right, or migrates.
            looking::Answer::Never(_) => self.work.want_nothing(),
        }
        self.plan(&Scope::All);
        self.be_ready();
        Ok(())
    }

    /// These rows were asked for, and are known as they are now.
    fn were_read(&mut self, names: &[String]) {
        for name in names {
            if let Ok(name) = job_of(name).parse() {
                self.work.was_read(&name);
            }
        }
    }

    /// Asks the database, which may be another one now, for what it should know.
    fn compare(&mut self) {
        // What runs may be unknown there, and must not run beside its next start for long.
        self.engine.heart.beat_now();
        let (memory, database) = (self.memory.clone(), self.engine.database.clone());
        tokio::spawn(async move {
            if let Err(error) = memory.compare(&database).await {
                tracing::warn!(%error, "cannot compare with the database what was recorded lately");
            }
        });
    }

    /// What came of a job.
    fn ended(&mut self, ended: Result<(JobName, Came), JoinError>) {
        match ended {
            Ok((job, Came::Ran(ran))) => {
                self.memory.remember(&ran, &self.engine.host.place.host);
                self.goes_on_after(&job, &ran);
                self.tally.ended(*ran);
            }
            Ok((job, Came::Left(claimed))) => {
                self.tally.left(&self.engine.row(&job), &claimed);
                let for_ = match claimed {
                    Claimed::Doubtful(_) => AFTER_DOUBT,
                    Claimed::Contended => AFTER_CONTENTION,
                    Claimed::Ours(_) | Claimed::Ongoing(_) | Claimed::Changed | Claimed::Gone => {
                        AFTER_CHANGE
                    }
                };
                self.look_around(&job);
                self.work.leave(job, Instant::now() + for_);
            }
            Ok((job, Came::Unclaimed(error))) => {
                tracing::warn!(%job, %error, "cannot claim");
                self.work.leave(job, Instant::now() + AFTER_CONTENTION);
                self.looking.want_all();
            }
            Ok((job, Came::Unrecorded(error))) => {
                tracing::error!(%job, %error, "a run has ended, and the database has not taken its record");
                self.looking.want_all();
            }
            Ok((job, Came::Skipped(skip, row))) => {
                Pass::skipped(&self.engine.row(&job), &skip, &row);
                self.goes_on_from(&job, row);
            }
            Ok((_, Came::Dropped)) => {}
            Err(error) if error.is_cancelled() => self.tally.abandoned(),
            // Its message is printed; what it ran loses its lease. The others go on.
            Err(error) => tracing::error!(%error, "a bug in crontabber: a run was given up"),
        }
    }

    /// Closes connections that nobody uses, and gives back memory. Now and then: both cost something.
    fn tidy_up(&mut self) {
        let now = Instant::now();
        if self.tidied.is_some_and(|at| now - at < TIDY_EVERY) {
            return;
        }
        self.tidied = Some(now);
        self.engine.database.close_idle(CLOSE_AFTER);
        give_back_freed_memory();
    }

    /// The configuration, the database and the tables are proven.
    fn be_ready(&mut self) {
        if !self.is_ready {
            self.is_ready = true;
            let jobs = self.engine.graph.jobs().len();
            tracing::info!(host = %self.engine.host.place.host, jobs, "ready");
            self.engine.host.warn_of_refusals(&self.engine.graph);
            self.manager.ready(&self.status());
        }
    }

    fn read_again(&mut self) {
        if self.reloading.is_some() || self.ending.is_some() {
            return;
        }
        tracing::info!("reading the configuration again");
        self.manager.reloading();
        let (reload, engine) = (Arc::clone(&self.reload), Arc::clone(&self.engine));
        // Files may be slow, and the heartbeats must not wait for them.
        self.reloading = Some(tokio::task::spawn_blocking(move || reload(&engine)));
    }

    fn reloaded(&mut self, fresh: Result<Fresh, String>) {
        let config_error = match fresh {
            Ok(Fresh { engine, poll, .. }) => {
                tracing::info!(
                    jobs = engine.graph.jobs().len(),
                    "the configuration is read"
                );
                engine.host.warn_of_refusals(&engine.graph);
                (self.engine, self.poll) = (engine, poll);
                self.tidied = None;
                // The numbers of jobs are others now.
                self.work.want_nothing();
                self.work.leave_nothing();
                self.agenda.clear();
                None
            }
            Err(why) => {
                let why = why.trim().to_owned();
                tracing::error!(
                    "the configuration is kept as it was, its files have mistakes:\n{why}"
                );
                Some(why.lines().next().unwrap_or_default().to_owned())
            }
        };
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = said.config_error != config_error;
        said.config_error = config_error;
        drop(said);
        if is_new {
            self.engine.host.says_something_new();
        }
        self.looking.want_all();
        if self.is_ready {
            self.manager.ready(&self.status());
        }
    }
}

/// How long a job is left alone that was not ours: long enough not to spin, short enough to be on time.
const AFTER_CHANGE: Duration = Duration::from_millis(50);

/// The same when somebody had its row in hand.
const AFTER_CONTENTION: Duration = Duration::from_secs(1);

/// The same when nobody could say whether the claim is durable.
const AFTER_DOUBT: Duration = Duration::from_secs(5);

/// How often it gives back what it does not use.
const TIDY_EVERY: Duration = Duration::from_mins(1);

/// How long a connection waits for work: a process of the server's each, and worth several runs to open.
const CLOSE_AFTER: Duration = Duration::from_mins(10);

/// How often a daemon without a watchdog comes round for nothing.
const IDLE: Duration = Duration::from_hours(1);

/// The job of a row.
fn job_of(row: &str) -> &str {
    on_host(row).map_or(row, |(job, _)| job)
}

/// Waits for the answer of a task, if there is one.
async fn answer<T>(task: &mut Option<JoinHandle<Result<T, String>>>) -> Result<T, String> {
    let Some(running) = task else {
        return std::future::pending().await;
    };
    let answer = running.await;
    *task = None;
    answer.unwrap_or_else(|panicked| Err(format!("a bug in crontabber: {panicked}")))
}
