//! One job, a host of ours, a host of crontabber's, and what became of them.

use std::{cell::RefCell, fmt, time::Duration};

use crontabber::{
    claim::{self, Claim, Claimed},
    plan::Verdict,
    record::{Recorded, record},
    run::run,
    spec::JobSpec,
};
use tokio_postgres::Client;

use crate::common::{
    Database, Site, drop_guard,
    host::{Host, after, every, job},
    python::{Job, Python, Stop, Turn, exit},
    tables,
};

/// The job that all of it is about; `p` is its parent where it has one.
pub const IT: &str = "it";
pub const PARENT: &str = "p";

/// A stage on which one scene is played.
#[derive(Debug)]
pub struct World {
    pub database: Database,
    pub site: Site,
    /// A host of ours.
    pub alpha: Host,
    /// The same job on a host of crontabber's.
    pub it: Job,
    pub guarded: bool,
    /// What should have been so, and was not.
    pub wrong: RefCell<Vec<&'static str>>,
}

/// What a scene has led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Runs of the job that were started, by anybody.
    pub starts: usize,
    /// The exit code of crontabber.
    pub exit: i32,
    /// What our log says of our last run; `-`: there was none.
    pub ours: &'static str,
    /// The row at the end.
    pub row: &'static str,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            starts,
            exit,
            ours,
            row,
        } = self;
        let starts = format!("{starts} start{}", if *starts == 1 { "" } else { "s" });
        let text = format!("{starts}, exit {exit}, ours {ours}, row {row}");
        f.pad(&text)
    }
}

/// Row and all, an hourly job that was due a minute ago, and is not the first time.
const ROW: &str = "
    INSERT INTO crontabber (app_name, next_run, first_run, last_run, last_success, error_count, depends_on, last_error, success_slot, revision)
    SELECT name, now() - due, now() - interval '9 days', now() - due - interval '1 hour', now() - due - interval '1 hour',
           0, '{}', '{}', now() - due - interval '1 hour', 1
      FROM (VALUES ";

impl World {
    /// With a job that was due a minute ago.
    pub async fn new(guarded: bool) -> Self {
        Self::with(
            guarded,
            |_, it| vec![it],
            &format!("{ROW} ('it', interval '1 minute')) AS due(name, due)"),
        )
        .await
    }

    /// With a job that no host has met before.
    pub async fn of_a_new_job(guarded: bool) -> Self {
        Self::with(guarded, |_, it| vec![it], "").await
    }

    /// With a job and its parent, which does this; both were due a minute ago.
    pub async fn of_a_family(guarded: bool, parent: &str) -> Self {
        let rows = format!(
            "{ROW} ('p', interval '1 minute'), ('it', interval '50 seconds')) AS due(name, due)"
        );
        let jobs = |site: &Site, it| {
            let parent = JobSpec {
                timetable: Some(every(Duration::from_hours(1))),
                ..job(PARENT, &format!("{}{parent}", site.ledger().line()))
            };
            vec![parent, after(it, &[PARENT])]
        };
        let world = Self::with(guarded, jobs, &rows).await;
        let it = world.it.clone().after(&[PARENT]);
        Self { it, ..world }
    }

    async fn with(
        guarded: bool,
        jobs: impl FnOnce(&Site, JobSpec) -> Vec<JobSpec>,
        rows: &str,
    ) -> Self {
        let database = tables().await;
        if !guarded {
            drop_guard(&database).await;
        }
        database.execute(rows).await;
        let site = Site::new();
        let it = job(IT, &format!("{}true", site.ledger().line()));
        let alpha = Host::new("alpha", &database, &jobs(&site, it));
        Self {
            database,
            site,
            alpha,
            it: Job::hourly(IT),
            guarded,
            wrong: RefCell::default(),
        }
    }

    /// A process of crontabber's, whose clock is right.
    pub async fn python(&self) -> Python {
        Python::on(&self.database).await
    }

    /// T1 and T2: to crontabber the job is due.
    pub async fn looks<'a>(&'a self, python: &'a Python) -> Turn<'a> {
        let turn = python.look(&self.it).await;
        turn.expect("the table can be read").expect("it is due")
    }

    /// T1 to T3: to crontabber the job is due and free.
    pub async fn reads<'a>(&'a self, python: &'a Python) -> Turn<'a> {
        let mut turn = self.looks(python).await;
        turn.read().await.expect("nobody is at it");
        turn
    }

    /// Alpha finds the job due and claims it; the run has not begun.
    pub async fn claims(&self) -> Claim {
        let engine = self.alpha.engine();
        let (spec, due) = self
            .alpha
            .planned(|plan| {
                let planned = plan.get(IT).expect("alpha knows it");
                match &planned.verdict {
                    Verdict::Run(due) => (planned.spec.clone(), due.clone()),
                    other => panic!("to alpha it is not due but {other:?}"),
                }
            })
            .await;
        match claim::claim(&engine.database, &engine.host.place, &spec, &due, None).await {
            Ok(Claimed::Ours(claim)) => *claim,
            other => panic!("alpha could not claim it: {other:?}"),
        }
    }

    /// Alpha runs what it has claimed, to the record.
    pub async fn runs(&self, claim: Claim) -> Recorded {
        let engine = self.alpha.engine();
        let finished = run(claim, &engine.means()).await;
        let (_, recorded) = record(finished, engine.recorder())
            .await
            .expect("the database is there");
        recorded
    }

    /// A whole run of alpha's.
    pub async fn claims_and_runs(&self) {
        let claim = self.claims().await;
        let recorded = self.runs(claim).await;
        assert!(matches!(recorded, Recorded::Written(_)), "{recorded:?}");
    }

    /// The body of crontabber's job.
    pub fn body(&self) {
        self.site.ledger().enter(IT);
    }

    /// T4, and the job if that went well.
    pub async fn starts(&self, turn: &mut Turn<'_>) -> Result<(), Stop> {
        turn.start().await?;
        self.body();
        Ok(())
    }

    /// T5 to T7 of what was started; the exit code of the pass.
    pub async fn ends(&self, turn: Turn<'_>, started: Result<(), Stop>) -> i32 {
        exit(&match started {
            Ok(()) => turn.end(Ok(())).await,
            Err(stop) => Err(stop),
        })
    }

    /// T4 to T7.
    pub async fn starts_and_ends(&self, mut turn: Turn<'_>) -> i32 {
        let started = self.starts(&mut turn).await;
        self.ends(turn, started).await
    }

    /// The live run, ours or Python's, started this long ago.
    pub async fn ages(&self, age: &str) {
        let sql = format!(
            "UPDATE crontabber SET revision = revision + 1, ongoing = ongoing - interval '{age}' WHERE ongoing IS NOT NULL;
             UPDATE crontabber_log SET started_at = started_at - interval '{age}' WHERE outcome = 'running'"
        );
        self.database.execute(&sql).await;
    }

    /// Nobody has renewed our lease since an hour ago.
    pub async fn lease_expires(&self) {
        let sql = "UPDATE crontabber SET lease_until = lease_until - interval '1 hour' WHERE run_id IS NOT NULL";
        self.database.execute(sql).await;
    }

    /// Whether this holds for the row: if not, the scene has gone wrong, with the guard and without it.
    pub async fn must(&self, what: &str, sentence: &'static str) {
        let sql = format!("SELECT coalesce(({what}), false) FROM crontabber WHERE app_name = 'it'");
        if !self.database.query_one::<bool>(&sql).await {
            self.wrong.borrow_mut().push(sentence);
        }
    }

    /// The same, where only the guard sees to it.
    pub async fn must_by_guard(&self, what: &str, sentence: &'static str) {
        let wanted = if self.guarded {
            what.to_owned()
        } else {
            format!("({what}) IS NOT true")
        };
        self.must(&wanted, sentence).await;
    }

    /// Somebody's open transaction on the row.
    pub async fn locked(&self) -> Client {
        crate::common::locked::lock(&self.database, IT).await
    }

    /// What came of it.
    pub async fn seen(&self, exit: i32) -> Seen {
        let starts = self.site.ledger().starts();
        let ours = "SELECT coalesce((SELECT outcome FROM crontabber_log WHERE run_id IS NOT NULL AND app_name = 'it' ORDER BY id DESC LIMIT 1), '-')";
        let row = "SELECT coalesce((SELECT CASE
                       WHEN run_id IS NOT NULL THEN 'ours' WHEN ongoing IS NOT NULL THEN 'python''s'
                       WHEN next_run IS NULL THEN 'without a clock' WHEN next_run <= now() THEN 'due'
                       WHEN paused_until > now() AND next_run < paused_until THEN 'due in its pause'
                       WHEN paused_until > now() THEN 'paused' ELSE 'free' END
                     FROM crontabber WHERE app_name = 'it'), 'gone')";
        Seen {
            starts: starts.iter().filter(|start| start.job == IT).count(),
            exit,
            ours: self.database.query_one::<String>(ours).await.leak(),
            row: self.database.query_one::<String>(row).await.leak(),
        }
    }

    /// Whether the job still runs when it is next due: nobody has left it stuck.
    pub async fn goes_on(&self) {
        // Somebody's abandoned run is old by then, and a pause over.
        self.ages("13 hours").await;
        self.lease_expires().await;
        let due = "UPDATE crontabber SET revision = revision + 1, slot = NULL, paused_until = NULL, next_run = now(),
                          success_slot = CASE app_name WHEN 'p' THEN now() + interval '1 hour' ELSE success_slot END
                    WHERE app_name = 'it' OR next_run > now()";
        self.database.execute(due).await;
        let mut passes = 0;
        let before = self.site.ledger().starts().len();
        // The first pass may find something to clear up.
        while self.site.ledger().starts().len() == before {
            assert!(passes < 3, "three passes have not run it");
            self.alpha.tick().await;
            passes += 1;
        }
    }
}
