//! The same table read by crontabber 0.18.1 itself: its words beside ours.
//!
//! Where it can be found: `CRONTABBER_PYTHON2` names a Python 2 (else `python2.7` of the PATH), `CRONTABBER_PYTHON2_PATH`
//! where its packages are. Where not, the tests say so and hold ours to what is written here.

use std::{env, fs, path::PathBuf};

use super::{
    common::{Crontabber, Database, Finished, race::make_due},
    old::{Old, assert_silent},
};

const CLASSES: &str = "
from crontabber.base import BaseCronApp

class Fine(BaseCronApp):
    app_name = 'fine'
    def run(self):
        pass

class Fails(BaseCronApp):
    app_name = 'fails'
    depends_on = 'fine'
    def run(self):
        raise KeyError('no | such')

class New(BaseCronApp):
    app_name = 'new'
    def run(self):
        pass
";
const LINES: &str = "oldjobs.Fine|1h, oldjobs.Fails|1d|03:45, oldjobs.New|90d";

/// The same jobs for us. `new` is for another host, which has not met it.
const JOBS: &str = r#"
[jobs.fine]
every = "1h"
start = "now"
shell = "true"

[jobs.fails]
every = "1d"
at = "03:45"
start = "now"
depends_on = ["fine"]
shell = "echo it says so; exit 3"

[jobs.new]
every = "90d"
shell = "true"
"#;

/// The row of a job that has failed under it, for machines without it.
const AS_IT_WRITES: &str = r#"
    UPDATE crontabber
       SET revision = revision + 1, error_count = 2,
           last_error = '{"type": "<type ''exceptions.KeyError''>", "value": "''no | such''",
                          "traceback": "  File \"oldjobs.py\", line 14, in run\n    raise KeyError(''no | such'')\n"}'
     WHERE app_name = 'fails'
"#;

/// crontabber 0.18.1.
struct Python {
    program: PathBuf,
    packages: String,
}

impl Python {
    async fn find() -> Option<Self> {
        let python = Self {
            program: env::var_os("CRONTABBER_PYTHON2")
                .map_or_else(|| "python2.7".into(), PathBuf::from),
            packages: env::var("CRONTABBER_PYTHON2_PATH").unwrap_or_default(),
        };
        let answers = python
            .command(&["-c", "import crontabber.app"])
            .behind_shell("command -v \"$1\" && exec \"$@\"");
        let found = answers.run().await.code == Some(0);
        if !found {
            println!(
                "not compared with crontabber 0.18.1: no Python 2 has it (CRONTABBER_PYTHON2, CRONTABBER_PYTHON2_PATH)"
            );
        }
        found.then_some(python)
    }

    fn command(&self, arguments: &[&str]) -> Crontabber {
        Crontabber::new(arguments)
            .program(&self.program)
            .env("PYTHONPATH", &self.packages)
    }

    /// The program on this database, in a directory for its classes.
    async fn run(&self, old: &Old, line: &[&str]) -> Finished {
        let module = old.site.file("oldjobs.py");
        fs::write(&module, CLASSES).unwrap();
        let directory = module.parent().unwrap().display().to_string();
        let options = options(&old.database);
        let mut arguments = vec!["-m", "crontabber.app"];
        arguments.extend(options.iter().map(String::as_str));
        arguments.extend(line);
        let command = self
            .command(&arguments)
            .env("PYTHONPATH", format!("{}:{directory}", self.packages));
        command.run().await
    }
}

fn options(database: &Database) -> Vec<String> {
    let config: tokio_postgres::Config = database.url().parse().unwrap();
    let host = match config.get_hosts() {
        [tokio_postgres::config::Host::Unix(directory), ..] => directory.display().to_string(),
        [tokio_postgres::config::Host::Tcp(host), ..] => host.clone(),
        [] => "localhost".into(),
    };
    let password = config
        .get_password()
        .map(String::from_utf8_lossy)
        .unwrap_or_default();
    vec![
        format!("--crontabber.host={host}"),
        format!(
            "--crontabber.port={}",
            config.get_ports().first().unwrap_or(&5432)
        ),
        format!(
            "--crontabber.user={}",
            config.get_user().unwrap_or_default()
        ),
        format!("--crontabber.password={password}"),
        format!("--crontabber.dbname={}", database.name()),
        format!("--crontabber.jobs={LINES}"),
        "--logging.stderr_error_logging_level=30".into(),
        "--logging.syslog_error_logging_level=100".into(),
    ]
}

/// A listing without what differs by right: the class, and how long ago it is (a moment passes between the two).
fn comparable(listing: &str) -> Vec<&str> {
    let lines = listing.lines().filter(|line| !line.starts_with("Class:"));
    let lines = lines.map(|line| {
        let relative = [" (in ", " (was ", "  (", " Started "]
            .into_iter()
            .find_map(|mark| Some(line.find(mark)? + mark.len()));
        let is_labelled = ["Last run:", "Last success:", "Next run:", "Ongoing now!"]
            .iter()
            .any(|label| line.starts_with(label));
        let end = relative.filter(|_| is_labelled).unwrap_or(line.len());
        &line[..end]
    });
    lines.collect()
}

/// Both listings and both lines for Nagios, compared; ours is returned.
async fn compared(old: &Old, python: Option<&Python>) -> (String, String) {
    let ours = old.run(&["--list-jobs"]).await;
    assert_silent(&ours, 0);
    let nagios = old.run(&["--nagios"]).await;
    if let Some(python) = python {
        let theirs = python.run(old, &["--list-jobs"]).await;
        assert_eq!(theirs.code, Some(0), "{theirs:?}");
        assert_eq!(comparable(&ours.stdout), comparable(&theirs.stdout));
        let theirs = python.run(old, &["--nagios"]).await;
        assert_eq!(nagios.code, theirs.code, "{theirs:?}");
        let words = theirs
            .stdout
            .replace("(Fails)", "(shell)")
            .replace('|', "/");
        assert_eq!(nagios.stdout, words);
    }
    (ours.stdout, nagios.stdout)
}

#[tokio::test]
async fn our_runs_are_listed_as_crontabber_lists_them() {
    let python = Python::find().await;
    let old = Old::with(|_| JOBS.to_owned()).await;
    let (listed, nagios) = compared(&old, python.as_ref()).await;
    assert_eq!(
        listed.matches("*NO PREVIOUS RUN INFO*").count(),
        3,
        "{listed}"
    );
    assert_eq!(nagios, "OK - All systems nominal\n");

    assert_eq!(old.run(&[]).await.code, Some(0));
    // Python has not met it.
    old.database
        .execute("DELETE FROM crontabber WHERE app_name = 'new'")
        .await;
    let (listed, nagios) = compared(&old, python.as_ref()).await;
    assert!(listed.contains("Error!!         (1 times)\nTraceback (most recent call last):\nit says so\nfailure: exit 3: it says so\n"), "{listed}");
    assert_eq!(
        nagios,
        "CRITICAL - fails (shell) / failure / exit 3: it says so\n"
    );

    let ghosts = old.run(&["--audit-ghosts"]).await;
    assert_silent(&ghosts, 0);
    assert_eq!(ghosts.stdout, "");
    old.database
        .execute("INSERT INTO crontabber (app_name, next_run) VALUES ('gone', now())")
        .await;
    let ghosts = old.run(&["--audit-ghosts"]).await;
    assert!(
        ghosts.stdout.ends_with("configured job:\n\tgone\n"),
        "{ghosts:?}"
    );
    if let Some(python) = &python {
        assert_eq!(
            python.run(&old, &["--audit-ghosts"]).await.stdout,
            ghosts.stdout
        );
    }
}

#[tokio::test]
async fn its_runs_are_listed_as_it_lists_them() {
    let python = Python::find().await;
    let old = Old::with(|_| JOBS.to_owned()).await;
    assert_eq!(old.run(&[]).await.code, Some(0));
    make_due(&old.database, "fine").await;
    make_due(&old.database, "fails").await;
    if let Some(python) = &python {
        let pass = python.run(&old, &[]).await;
        assert_eq!(pass.code, Some(0), "{pass:?}");
    } else {
        old.database.execute(AS_IT_WRITES).await;
    }
    let (listed, nagios) = compared(&old, python.as_ref()).await;
    let error =
        "in run\n    raise KeyError('no | such')\n<type 'exceptions.KeyError'>: 'no | such'\n";
    assert!(listed.contains("Error!!         (2 times)\n"), "{listed}");
    assert!(listed.contains(error), "{listed}");
    assert_eq!(
        nagios,
        "CRITICAL - fails (shell) / <type 'exceptions.KeyError'> / 'no / such'\n"
    );
    // While a job is going on it says "0 seconds", whatever the clock says.
    old.database
        .execute(
            "UPDATE crontabber SET revision = revision + 1, ongoing = now() - interval '5 hours' WHERE app_name = 'fine'",
        )
        .await;
    let (listed, _) = compared(&old, python.as_ref()).await;
    assert!(
        listed.contains("Ongoing now!    Started 5 hours"),
        "{listed}"
    );
    if let Some(python) = &python {
        let theirs = python.run(&old, &["-l"]).await.stdout;
        assert!(
            theirs.contains("Ongoing now!    Started 0 seconds ago"),
            "{theirs}"
        );
    }
}
