//! A pass of crontabber, step by step.

use jiff::{SignedDuration, Timestamp};

use super::{Info, Python, Stop};

/// A job of its configuration.
#[derive(Debug, Clone)]
pub struct Job {
    pub name: String,
    pub frequency: SignedDuration,
    pub depends_on: Vec<String>,
    /// `@as_backfill_cron_app`: one run for each period since its last success.
    pub is_backfill: bool,
}

impl Job {
    /// A job that is wanted once an hour.
    pub fn hourly(name: &str) -> Self {
        Self {
            name: name.into(),
            frequency: SignedDuration::from_hours(1),
            depends_on: Vec::new(),
            is_backfill: false,
        }
    }

    /// The same, waiting for these.
    #[must_use]
    pub fn after(self, parents: &[&str]) -> Self {
        let depends_on = parents.iter().map(|&name| name.into()).collect();
        Self { depends_on, ..self }
    }

    /// The same, catching up.
    #[must_use]
    pub fn backfill(self) -> Self {
        Self {
            is_backfill: true,
            ..self
        }
    }

    /// The same with another period.
    #[must_use]
    pub fn every(self, frequency: SignedDuration) -> Self {
        Self { frequency, ..self }
    }
}

/// `error_retry_time`
const RETRY: SignedDuration = SignedDuration::from_secs(300);
/// `max_ongoing_age_hours`
const MAX_ONGOING_AGE: SignedDuration = SignedDuration::from_hours(12);
const DAY: i64 = 24 * 60 * 60;

/// The last date that was a success; in a failure beside what went wrong.
type Ran = Result<Option<Timestamp>, (Option<Timestamp>, String)>;

/// A job's turn in a pass. The steps follow each other in the order of the methods.
#[derive(Debug)]
pub struct Turn<'a> {
    python: &'a Python,
    job: &'a Job,
    /// What the job is given to know about its last run.
    known: Option<Info>,
    /// `now` of `_run_one`, from which `next_run` is counted.
    now: Timestamp,
    /// What will be written back.
    info: Info,
    started: Timestamp,
}

impl Python {
    /// T1 (is it due?), one transaction for each parent, T2; `None`: it is skipped.
    pub async fn look<'a>(&'a self, job: &'a Job) -> Result<Option<Turn<'a>>, Stop> {
        if !self.is_due(job).await? || !self.parents_are_well(job).await? {
            return Ok(None);
        }
        self.force(job).await.map(Some)
    }

    /// T2 alone, as with `--force`.
    pub async fn force<'a>(&'a self, job: &'a Job) -> Result<Turn<'a>, Stop> {
        let known = self.get(&job.name).await?;
        let now = self.now();
        Ok(Turn {
            python: self,
            job,
            known,
            now,
            info: Info::default(),
            started: now,
        })
    }

    async fn is_due(&self, job: &Job) -> Result<bool, Stop> {
        Ok(match self.get(&job.name).await? {
            None => true,
            Some(info) => match info.next_run {
                // It has never ended a run: whoever is in its first one keeps us off later.
                None => info.ongoing.is_some(),
                Some(at) => at < self.now(),
            },
        })
    }

    async fn parents_are_well(&self, job: &Job) -> Result<bool, Stop> {
        for parent in &job.depends_on {
            let Some(info) = self.get(parent).await? else {
                return Ok(false);
            };
            if info.has_error() {
                return Ok(false);
            }
            let Some(at) = info.next_run else {
                return Err(Stop::Crash(
                    "TypeError: can't compare datetime.datetime to NoneType".into(),
                ));
            };
            if at < self.now() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A whole pass over these jobs; `body` does their work. Returns the exit code.
    pub async fn pass(&self, jobs: &[Job], body: impl AsyncFn(&Job) -> Result<(), String>) -> i32 {
        for job in jobs {
            let turn = self.take_turn(job, &body).await;
            if turn.is_err() {
                return exit(&turn);
            }
        }
        0
    }

    async fn take_turn(
        &self,
        job: &Job,
        body: &impl AsyncFn(&Job) -> Result<(), String>,
    ) -> Result<(), Stop> {
        let Some(mut turn) = self.look(job).await? else {
            return Ok(());
        };
        turn.read().await?;
        turn.start().await?;
        let mut ran: Ran = Ok(None);
        for date in turn.dates() {
            match body(job).await {
                Ok(()) => ran = Ok(Some(date)),
                Err(value) => {
                    ran = Err((ran.ok().flatten(), value));
                    break;
                }
            }
            self.remember_success(&job.name, date).await?;
        }
        if let Err((_, value)) = &ran {
            self.remember_failure(&job.name, value).await?;
        }
        let info = turn.read_again().await?;
        self.set(&job.name, &turn.closed(&info, &ran)).await
    }
}

impl Turn<'_> {
    /// T3: reads the row again and decides by this host's clock whether somebody is at it.
    pub async fn read(&mut self) -> Result<(), Stop> {
        let now = self.python.now();
        self.info = match self.python.get(&self.job.name).await? {
            None => Info::first(&self.job.depends_on, now),
            Some(info) => {
                if let Some(since) = info.ongoing
                    && seconds(now.duration_since(since)) < MAX_ONGOING_AGE.as_secs()
                {
                    return Err(Stop::Ongoing);
                }
                Info {
                    ongoing: Some(now),
                    ..info
                }
            }
        };
        Ok(())
    }

    /// T4: writes it back whole.
    pub async fn start(&mut self) -> Result<(), Stop> {
        let exists = self.lock().await?;
        self.write(exists).await
    }

    /// The first half of T4: the row is locked, and the transaction stays open.
    pub async fn lock(&self) -> Result<bool, Stop> {
        self.python.lock(&self.job.name).await
    }

    /// The second half of T4.
    pub async fn write(&mut self, exists: bool) -> Result<(), Stop> {
        self.python
            .write(&self.job.name, &self.info, exists)
            .await?;
        self.started = self.python.now();
        Ok(())
    }

    /// The instants it runs for, each with a line in the log.
    pub fn dates(&self) -> Vec<Timestamp> {
        let last = self.known.as_ref().and_then(|info| info.last_success);
        let (true, Some(last)) = (self.job.is_backfill, last) else {
            return vec![self.started];
        };
        let step = self.job.frequency;
        let dates = std::iter::successors(Some(last + step), |&date| Some(date + step));
        dates.take_while(|&date| date < self.started).collect()
    }

    /// T5 to T7 of a job that runs once, and has run like this.
    pub async fn end(self, ran: Result<(), &str>) -> Result<(), Stop> {
        self.log(ran).await?;
        let info = self.read_again().await?;
        self.record(&info, ran).await
    }

    /// T5: the log.
    pub async fn log(&self, ran: Result<(), &str>) -> Result<(), Stop> {
        match ran {
            Ok(()) => {
                self.python
                    .remember_success(&self.job.name, self.started)
                    .await
            }
            Err(value) => self.python.remember_failure(&self.job.name, value).await,
        }
    }

    /// T6: what it will write back with its own fields changed.
    pub async fn read_again(&self) -> Result<Info, Stop> {
        Ok(self.python.get(&self.job.name).await?.unwrap_or_default())
    }

    /// T7: the same two statements as T4.
    pub async fn record(&self, info: &Info, ran: Result<(), &str>) -> Result<(), Stop> {
        self.python
            .set(&self.job.name, &self.close(info, ran))
            .await
    }

    /// What T7 writes.
    pub fn close(&self, info: &Info, ran: Result<(), &str>) -> Info {
        let ran: Ran = match ran {
            Ok(()) => Ok(Some(self.started)),
            Err(value) => Err((None, value.to_owned())),
        };
        self.closed(info, &ran)
    }

    fn closed(&self, info: &Info, ran: &Ran) -> Info {
        let (success, error) = match ran {
            Ok(success) => (*success, None),
            Err((success, value)) => (*success, Some(value)),
        };
        let wait = if error.is_some() {
            RETRY
        } else {
            self.job.frequency
        };
        Info {
            next_run: Some(self.now + wait),
            first_run: info.first_run.or(Some(self.now)),
            last_run: Some(self.now),
            last_success: success.or(info.last_success),
            depends_on: Some(self.job.depends_on.clone()),
            error_count: Some(error.map_or(0, |_| info.error_count.unwrap_or(0) + 1)),
            last_error: Some(error.map_or(serde_json::json!({}), |value| Info::error(value))),
            ongoing: None,
        }
    }
}

/// `timedelta.seconds`: of a negative age, and of one above a day, what is left of a day.
fn seconds(age: SignedDuration) -> i64 {
    // Python rounds a negative age down.
    let whole = age.as_secs() - i64::from(age.subsec_nanos() < 0);
    whole.rem_euclid(DAY)
}

/// The exit code of a pass over all jobs.
pub fn exit(pass: &Result<(), Stop>) -> i32 {
    match pass {
        Ok(()) => 0,
        Err(Stop::Crash(_)) => 1,
        Err(Stop::Locked(_)) => 2,
        Err(Stop::Ongoing) => 3,
    }
}
