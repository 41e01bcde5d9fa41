//! Classes written for crontabber 0.18, run by `examples/compat/run_class.py`: with the real package where a Python 2.7
//! has it, and else with a stand-in of its base classes under Python 3.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use super::common::{Crontabber, Postgres, Site, python::installed};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/compat/run_class.py");

/// What stands in for `crontabber.base` and `crontabber.mixins`: as much as the classes below use.
const STAND_IN_BASE: &str = "
class BaseCronApp(object):
    def __init__(self, config, job_information):
        self.config, self.job_information = config, job_information

    def _run_proxy(self, *args):
        return self.run(*args)

    def main(self, function=None, once=True):
        assert once or not self.job_information
        function = function or self._run_proxy
        function() if once else function('today')
        yield 'today'
";
const STAND_IN_MIXINS: &str = "
def as_backfill_cron_app(cls):
    cls.main = lambda self, function=None: super(cls, self).main(function=function, once=False)
    cls._is_backfill_app = True
    return cls
";

const JOBS: &str = "
import os
from crontabber.base import BaseCronApp
from crontabber.mixins import as_backfill_cron_app

class FooCronApp(BaseCronApp):
    app_name = 'foo-app'
    depends_on = ('bar-app',)
    try:
        from configman import Namespace
        required_config = Namespace()
        required_config.add_option('colour', default='red')
    except ImportError:
        pass

    def run(self):
        config = self.config
        print('foo %s %s %s %s' % (config.colour, config.frequency, config.time, float(config.max_ongoing_age_hours)))
        config.logger.warning('a warning')

@as_backfill_cron_app
class BarCronApp(BaseCronApp):
    app_name = 'bar-app'

    def run(self, date):
        print('bar %s of %s' % (date.isoformat(), os.environ['CRONTABBER_SLOT']))

class FailingApp(BaseCronApp):
    app_name = 'failing'

    def run(self):
        raise ValueError('no luck')

class LeavingApp(BaseCronApp):
    app_name = 'leaving'

    def run(self):
        raise SystemExit(0)
";

const INI: &str = "
[crontabber]
    host=/nonexistent
    dbname=nowhere
    max_ongoing_age_hours=3
    jobs='''
    # not yet, feeds.jobs.Missing|1d
    feeds.jobs.FooCronApp|1d
    feeds.jobs.BarCronApp|1d|03:45
    feeds.jobs.FailingApp|1h; feeds.jobs.LeavingApp|1h
    feeds.broken.Broken|1h
    '''
    [[class-FooCronApp]]
        colour=blue
";

/// A Python, classes and an ini.
struct Python {
    program: PathBuf,
    path: String,
    directory: tempfile::TempDir,
}

impl Python {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("/tmp takes directories");
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().expect("it is inside")).expect("it is ours");
            fs::write(path, text).expect("it is ours");
        };
        write("feeds/__init__.py", "");
        write("feeds/jobs.py", JOBS);
        write(
            "feeds/broken.py",
            "raise ImportError('no such\\nlibrary')\n",
        );
        write("crontabber.ini", INI);
        let here = directory.path().display().to_string();
        if let Some((program, packages)) = real() {
            let path = format!("{here}:{packages}");
            return Self {
                program,
                path,
                directory,
            };
        }
        // Past the harness, which keeps what a test that passes prints to itself.
        let said = "no Python 2.7 with crontabber 0.18 (`scripts/need python2`): its base classes are re-enacted";
        writeln!(io::stdout(), "{said}").expect("somebody reads it");
        write("crontabber/__init__.py", "");
        write("crontabber/base.py", STAND_IN_BASE);
        write("crontabber/mixins.py", STAND_IN_MIXINS);
        Self {
            program: executable("python3".as_ref(), &here, "sys").expect("there is a python3"),
            path: here,
            directory,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The script with these arguments.
    fn script(&self, arguments: &[&str]) -> Output {
        let mut command = command(&self.program, &self.path);
        command.current_dir(self.directory.path());
        command.env("CRONTABBER_SLOT", "2026-11-20T03:45:00.5Z");
        let output = command.arg(SCRIPT).args(arguments).output();
        output.expect("python3 can be run")
    }
}

fn command(program: &Path, path: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env("PYTHONPATH", path)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// A Python 2.7 that has the real package, and where its packages are.
fn real() -> Option<(PathBuf, String)> {
    let (program, path) = installed()?;
    Some((executable(&program, &path, "crontabber.app")?, path))
}

/// Where this Python really is, if it has that module: a run has none of the variables by which a shim finds it.
fn executable(program: &Path, path: &str, module: &str) -> Option<PathBuf> {
    let script = format!("import {module}, sys; print(sys.executable)");
    let imports = command(program, path).args(["-c", &script]).output();
    let imports = imports.ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(imports.stdout).ok()?.trim().into())
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const NAMES: &str = "\
\"feeds.jobs.FooCronApp\" = { app_name = \"foo-app\", depends_on = [\"bar-app\"] }
\"feeds.jobs.BarCronApp\" = { app_name = \"bar-app\", backfill = true }
\"feeds.jobs.FailingApp\" = { app_name = \"failing\" }
\"feeds.jobs.LeavingApp\" = { app_name = \"leaving\" }
# feeds.broken.Broken: ImportError: no such library
";

#[test]
fn python_says_what_its_classes_are_called() {
    let python = Python::new();
    let described = python.script(&["--describe", "crontabber.ini"]);
    assert_eq!(stdout(&described), NAMES, "{}", stderr(&described));
    assert_eq!(
        described.status.code(),
        Some(1),
        "one of them cannot be imported"
    );
}

#[test]
fn a_class_is_given_the_configuration_that_the_ini_has_for_it() {
    let python = Python::new();
    // The broken class of the same list is not even looked at, and no database is connected to.
    let run = python.script(&["--admin.conf=crontabber.ini", "feeds.jobs.FooCronApp"]);
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    assert_eq!(stdout(&run), "foo blue 1d None 3.0\n");
    assert!(stderr(&run).contains("a warning"), "{}", stderr(&run));
}

#[test]
fn a_class_that_catches_up_is_called_for_the_date_of_its_slot() {
    let python = Python::new();
    let run = python.script(&["--admin.conf=crontabber.ini", "feeds.jobs.BarCronApp"]);
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    assert_eq!(
        stdout(&run),
        "bar 2026-11-20T03:45:00.500000+00:00 of 2026-11-20T03:45:00.5Z\n"
    );
}

#[test]
fn what_a_class_raises_is_a_failure_with_its_traceback() {
    let python = Python::new();
    for (class, error) in [
        ("feeds.jobs.FailingApp", "ValueError: no luck"),
        ("feeds.jobs.LeavingApp", "SystemExit: 0"),
        ("feeds.jobs.Nobody", "AttributeError"),
        ("feeds.broken.Broken", "no such"),
    ] {
        let run = python.script(&["--admin.conf=crontabber.ini", class]);
        assert_eq!(run.status.code(), Some(1), "{class}");
        assert!(
            stderr(&run).contains("Traceback (most recent call last)"),
            "{class}"
        );
        assert!(stderr(&run).contains(error), "{class}: {}", stderr(&run));
    }
    for wrong in [
        &[][..],
        &["NoModule"],
        &["--admin.conf=crontabber.ini"],
        &["a.B", "c.D"],
        &["--x.y"],
    ] {
        let run = python.script(wrong);
        assert_eq!(run.status.code(), Some(64), "{wrong:?}");
        assert!(stderr(&run).contains("run_class.py --admin.conf=F.ini package.module.Class"));
    }
}

#[tokio::test]
async fn an_imported_class_runs_under_the_name_of_its_row() {
    let python = Python::new();
    let described = python.script(&["--describe", "crontabber.ini"]);
    fs::write(python.file("names"), described.stdout).unwrap();
    let database = Postgres::database().await;
    let ini = python.file("crontabber.ini");
    let site = Site::with(&database, |_| {
        format!(
            "[compat]\nrun_with = [{:?}, {SCRIPT:?}, \"--admin.conf={}\"]\n[defaults]\nenv = {{ PYTHONPATH = {:?} }}\n",
            python.program,
            ini.display(),
            python.path,
        )
    });
    fs::create_dir(site.file("jobs.d")).unwrap();
    let names = python.file("names");
    let output = site.file("jobs.d/old.toml");
    let arguments = [
        "import",
        "crontabber",
        ini.to_str().unwrap(),
        "--names",
        names.to_str().unwrap(),
        "--drop-in",
        "--output",
        output.to_str().unwrap(),
    ];
    let import = Crontabber::new(arguments).run().await;
    // The comment in the list is not run any more, and the class that cannot be imported has a name that is a guess.
    assert_eq!(import.code, Some(1), "{}", import.stderr);
    assert!(
        import.stderr.contains("5 jobs taken over,"),
        "{}",
        import.stderr
    );

    let run = async |job: &str| site.on("alpha", &["run", job, "--force"]).run().await;
    let output = async |job: &str| site.on("alpha", &["logs", job]).run().await.stdout;
    assert_eq!(
        run("foo-app").await.code,
        Some(0),
        "{}",
        output("foo-app").await
    );
    assert!(output("foo-app").await.contains("foo blue 1d None 3.0"));
    assert_eq!(run("failing").await.code, Some(1));
    assert!(output("failing").await.contains("ValueError: no luck"));
    assert_eq!(run("bar-app").await.code, Some(0));
    let said = output("bar-app").await;
    let slot = said
        .split(" of ")
        .nth(1)
        .expect("it says for which slot")
        .trim_end_matches(['Z', '\n']);
    assert!(said.contains(&format!("bar {slot}")), "{said}");
}
