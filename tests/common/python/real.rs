//! crontabber 0.18.1 itself.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use tokio_postgres::config::Host as At;

use super::super::{Crontabber, Database, Ledger};

/// A Python 2 with crontabber 0.18.1, and a module of jobs for it.
#[derive(Debug)]
pub struct Real {
    interpreter: PathBuf,
    /// Where its packages are and where the jobs are.
    path: String,
    module: PathBuf,
    /// The database, as options of its command line.
    database: Vec<String>,
    jobs: Vec<String>,
}

/// Runs `crontabber.app`, and with `FLEET_GATE` waits there when it has connected and is about to look at its first
/// job: what a fleet's hosts meet at is the table, not the start of an interpreter.
const MAIN: &str = r"
import os, random, sys, time
from crontabber import app

if 'FLEET_GATE' in os.environ:
    run_all = app.CronTabberBase.run_all

    def at_the_gate(self):
        self.job_state_database.has_data()
        print 'ready'
        sys.stdout.flush()
        os.read(os.open(os.environ['FLEET_GATE'], os.O_RDONLY), 1)
        time.sleep(random.random() * float(os.environ['FLEET_DELAY']))
        return run_all(self)

    app.CronTabberBase.run_all = at_the_gate

sys.exit(app.main(app.CronTabber))
";

/// What every job does first: one line in the ledger, on the disk when it counts.
const JOBS: &str = r"
import os, datetime
from crontabber.base import BaseCronApp
from crontabber.mixins import as_backfill_cron_app

def enter(name):
    line = '%s %sZ 0 00000000-0000-0000-0000-000000000000 %d\n' % (
        name, datetime.datetime.utcnow().isoformat(), os.getpid())
    ledger = os.open(LEDGER, os.O_WRONLY | os.O_APPEND)
    os.write(ledger, line)
    os.fsync(ledger)
    os.close(ledger)
";

impl Real {
    /// The one that `CRONTABBER_PYTHON2` names (its packages in `CRONTABBER_PYTHON2_PATH`), or the one that
    /// `scripts/need python2` has prepared under `target`; `None`: there is none.
    pub fn find(database: &Database, directory: &Path, ledger: &Ledger) -> Option<Self> {
        let (interpreter, packages) = installed()?;
        let module = directory.join("fleet_jobs.py");
        let path = ledger.path().to_str().expect("the paths of tests are text");
        let head = format!("LEDGER = '{path}'\n{JOBS}");
        fs::write(&module, head).expect("the directory is writable");
        fs::write(directory.join("fleet_main.py"), MAIN).expect("the directory is writable");
        Some(Self {
            interpreter,
            path: format!("{packages}:{}", directory.display()),
            module,
            database: options(database),
            jobs: Vec::new(),
        })
    }

    /// With this job, which enters itself into the ledger and then does `body` (Python, with `self`).
    #[must_use]
    pub fn job(
        mut self,
        name: &str,
        frequency: &str,
        depends_on: &[&str],
        decorator: &str,
        body: &str,
    ) -> Self {
        let class = format!("Job{}", self.jobs.len());
        let depends_on = depends_on.iter().map(|parent| format!("'{parent}'"));
        let depends_on = depends_on.collect::<Vec<_>>().join(", ");
        let before = fs::read_to_string(&self.module).expect("just written");
        let module = format!(
            "{before}\n{decorator}\nclass {class}(BaseCronApp):\n    app_name = '{name}'\n    depends_on = [{depends_on}]\n\n    \
             def run(self, date=None):\n        enter('{name}')\n        {body}\n"
        );
        fs::write(&self.module, module).expect("the directory is writable");
        self.jobs.push(format!("fleet_jobs.{class}|{frequency}"));
        self
    }

    /// The program with these arguments.
    pub fn with(&self, arguments: &[&str]) -> Crontabber {
        let main = self.module.with_file_name("fleet_main.py");
        let mut all = vec![
            main.to_str()
                .expect("the paths of tests are text")
                .to_owned(),
        ];
        all.extend(self.database.clone());
        all.push(format!("--crontabber.jobs={}", self.jobs.join(",")));
        all.extend(arguments.iter().map(|&argument| argument.to_owned()));
        Crontabber::new(all)
            .program(&self.interpreter)
            .env("PYTHONPATH", &self.path)
            .env("PYTHONDONTWRITEBYTECODE", "1")
    }
}

/// A Python 2 with crontabber 0.18.1, and where its packages are.
pub fn installed() -> Option<(PathBuf, String)> {
    if let Some(interpreter) = env::var_os("CRONTABBER_PYTHON2") {
        let packages = env::var("CRONTABBER_PYTHON2_PATH").unwrap_or_default();
        return Some((interpreter.into(), packages));
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
    let prepared = target.join("python2");
    let interpreter = fs::read_to_string(prepared.join("interpreter")).ok()?;
    let packages = prepared.join("site").to_str()?.to_owned();
    Some((interpreter.trim().into(), packages))
}

fn options(database: &Database) -> Vec<String> {
    let config = super::super::postgres_config(database.url());
    let host = match config.get_hosts().first() {
        Some(At::Tcp(name)) => name.clone(),
        Some(At::Unix(directory)) => directory.display().to_string(),
        None => "localhost".into(),
    };
    let password = config
        .get_password()
        .map(String::from_utf8_lossy)
        .unwrap_or_default();
    let port = config.get_ports().first().copied().unwrap_or(5432);
    vec![
        format!("--crontabber.host={host}"),
        format!("--crontabber.port={port}"),
        format!(
            "--crontabber.user={}",
            config.get_user().unwrap_or_default()
        ),
        format!("--crontabber.password={password}"),
        format!("--crontabber.dbname={}", database.name()),
        "--logging.syslog_error_logging_level=100".into(),
    ]
}
