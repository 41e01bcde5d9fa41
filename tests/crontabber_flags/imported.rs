//! The day of the move: a database of Python's, its ini file, its crontab line and its Nagios command.

use std::{fs, path::Path};

use super::{
    common::{Crontabber, Database, Finished, Site, legacy},
    old::{assert_ended, assert_silent},
};

const INI: &str = "\
[crontabber]
jobs='''
  # jobs.Off|1h, not this one
  jobs.Well|1h
  jobs.Failing|1d|03:45 # at night
  jobs.Running|1h
'''
host=db.example
user=crontabber
dbname=jobs
";

/// What runs a class here: it enters it into a file.
const RUN_WITH: &str = "echo \"$CRONTABBER_JOB $1\" >> ran\n";

/// A host that Python has left, in the directory of its files.
struct Moving {
    database: Database,
    site: Site,
}

impl Moving {
    async fn new() -> Self {
        let (database, site) = (legacy::database().await, Site::new());
        fs::write(site.file("crontabber.ini"), INI).expect("the directory is writable");
        Self { database, site }
    }

    fn directory(&self) -> String {
        let file = self.site.file("crontabber.ini");
        let directory = file.parent().expect("a file lies in a directory");
        directory
            .to_str()
            .expect("the paths of tests are text")
            .to_owned()
    }

    /// A line of the old crontab, or of Nagios.
    async fn line(&self, flags: &[&str]) -> Finished {
        let mut arguments = vec!["--admin.conf=crontabber.ini"];
        arguments.extend(flags);
        let line = Crontabber::new(arguments).env("CRONTABBER_HOST", "alpha");
        line.current_dir(Path::new(&self.directory())).run().await
    }

    /// A line of a shell, as somebody types it.
    async fn types(&self, line: &str) -> Finished {
        let program = Path::new(env!("CARGO_BIN_EXE_crontabber"))
            .parent()
            .expect("a file lies in a directory");
        let path = format!("{}:/usr/bin:/bin", program.display());
        let shell = Crontabber::new(["-c", line])
            .program("/bin/sh")
            .env("PATH", path);
        shell.current_dir(Path::new(&self.directory())).run().await
    }

    /// The database of this test, and a stand-in for Python, in what the import has written.
    fn edit(&self) {
        let file = self.site.file("crontabber.toml");
        let imported = fs::read_to_string(&file).expect("the import has written it");
        let directory = self.directory();
        let url = format!("url = \"{}\"", self.database.url());
        let run_with = format!("run_with = [\"/bin/sh\", \"{directory}/run_class\"]");
        let mut edited = String::new();
        for line in imported.lines() {
            edited += match line.split(" = ").next() {
                Some("url") => &url,
                Some("run_with") => &run_with,
                _ => line,
            };
            edited.push('\n');
        }
        fs::write(&file, edited).expect("the directory is writable");
        let run_class = RUN_WITH.replace(">> ran", &format!(">> '{directory}/ran'"));
        fs::write(self.site.file("run_class"), run_class).expect("the directory is writable");
    }

    fn ran(&self) -> String {
        fs::read_to_string(self.site.file("ran")).unwrap_or_default()
    }
}

#[tokio::test]
async fn an_old_crontab_line_and_an_old_nagios_command_go_on_after_the_import() {
    let host = Moving::new().await;
    // The old line tells what to type, and what it tells works.
    let refused = host.line(&[]).await;
    assert_ended(&refused, 78, "write it with\n");
    let import = refused.stderr.lines().last().unwrap().trim().to_owned();
    assert_eq!(
        import,
        "crontabber import crontabber crontabber.ini --output crontabber.toml"
    );
    assert_ended(&host.types(&import).await, 0, "3 jobs taken over");
    host.edit();
    assert_ended(&host.line(&["--list-jobs"]).await, 78, "crontabber migrate");
    assert_ended(&host.types("crontabber migrate").await, 0, "");

    // Due, failing and not due, running on a Python host.
    let pass = host.line(&[]).await;
    assert_eq!(
        (pass.code, host.ran().as_str()),
        (Some(0), "well jobs.Well\n"),
        "{pass:?}"
    );
    let nagios = host.line(&["--nagios"]).await;
    assert_silent(&nagios, 2);
    assert_eq!(
        nagios.stdout,
        "CRITICAL - failing (Failing) / <type 'exceptions.KeyError'> / 'x'\n"
    );
    let listed = host.line(&["--list-jobs"]).await;
    assert_silent(&listed, 0);
    let heads = ["Class:", "App name:", "Frequency:", "Ongoing"];
    let heads: Vec<&str> = listed
        .stdout
        .lines()
        .filter(|line| heads.iter().any(|head| line.starts_with(head)))
        .map(|line| line.split(" Started").next().unwrap())
        .collect();
    assert_eq!(
        heads,
        [
            "Class:          jobs.Well",
            "App name:       well",
            "Frequency:      1h",
            "Class:          jobs.Failing",
            "App name:       failing",
            "Frequency:      1d @ 03:45",
            "Class:          jobs.Running",
            "App name:       running",
            "Frequency:      1h",
            "Ongoing now!   ",
        ]
    );

    // By the class, as some scripts name a job.
    assert_silent(&host.line(&["--job=jobs.Failing"]).await, 0);
    assert_eq!(host.ran(), "well jobs.Well\n");
    assert_silent(&host.line(&["--job=jobs.Failing", "--force"]).await, 0);
    assert_eq!(host.ran(), "well jobs.Well\nfailing jobs.Failing\n");
    assert_ended(
        &host.line(&["--job=jobs.Running", "-f"]).await,
        3,
        "not run: running",
    );
    assert_ended(
        &host.line(&["--reset-job=jobs.Running"]).await,
        1,
        "not reset: running",
    );
    assert_ended(&host.line(&["--reset-job=jobs.Well"]).await, 0, "App reset");
    assert_ended(&host.line(&["--job=jobs.Off"]).await, 1, "JobNotFoundError");
    let nagios = host.line(&["--nagios"]).await;
    assert_eq!(
        (nagios.code, nagios.stdout.as_str()),
        (Some(0), "OK - All systems nominal\n")
    );
}
