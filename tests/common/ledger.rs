//! What really ran, told by the jobs themselves and by nothing of ours.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use uuid::Uuid;

/// A file to which every run appends one line when it starts, before it does anything else, and
/// which is on the disk when the line counts.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
}

/// One start of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunStart {
    /// `CRONTABBER_JOB`
    pub job: String,
    /// `CRONTABBER_SLOT`
    pub slot: Timestamp,
    /// `CRONTABBER_ATTEMPT`
    pub attempt: u32,
    /// `CRONTABBER_RUN_ID`
    pub run_id: Uuid,
    /// The process id of the shell.
    pub pid: i32,
}

impl RunStart {
    /// Whether it was a host of crontabber 0.18.1 that started it.
    pub fn is_pythons(&self) -> bool {
        self.run_id.is_nil()
    }
}

impl Ledger {
    /// An empty ledger in a directory of the test's own.
    pub fn in_directory(directory: &Path) -> Self {
        let path = directory.join("ledger");
        File::create_new(&path).expect("a directory has one ledger");
        Self { path }
    }

    /// What a job's `shell` begins with. One short `write` to a file opened with `O_APPEND`: lines
    /// of runs that start at once do not mix.
    pub fn line(&self) -> String {
        let path = self.path.to_str().expect("the paths of tests are text");
        assert!(!path.contains('\''), "{path} cannot be quoted");
        format!(
            "echo \"$CRONTABBER_JOB $CRONTABBER_SLOT $CRONTABBER_ATTEMPT $CRONTABBER_RUN_ID $$\" \
             >> '{path}' && sync '{path}' || exit 74\n"
        )
    }

    /// Enters the start of a run by a host of crontabber 0.18.1, which knows neither slots nor run ids: the slot is the
    /// instant, the attempt 0, the run id zeroes.
    pub fn enter(&self, job: &str) {
        let (now, run_id, pid) = (Timestamp::now(), Uuid::nil(), std::process::id());
        let line = format!("{job} {now} 0 {run_id} {pid}\n");
        let mut file = File::options()
            .append(true)
            .open(&self.path)
            .expect("the ledger is there");
        file.write_all(line.as_bytes())
            .expect("the ledger is writable");
        file.sync_data().expect("the disk takes it");
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every start so far, in the order in which they were written.
    pub fn starts(&self) -> Vec<RunStart> {
        let text = fs::read_to_string(&self.path).expect("the ledger is readable");
        text.lines()
            .map(|line| parse(line).unwrap_or_else(|| panic!("not a line of a run: `{line}`")))
            .collect()
    }
}

fn parse(line: &str) -> Option<RunStart> {
    let mut words = line.split(' ');
    let start = RunStart {
        job: words.next()?.to_owned(),
        slot: words.next()?.parse().ok()?,
        attempt: words.next()?.parse().ok()?,
        run_id: words.next()?.parse().ok()?,
        pid: words.next()?.parse().ok()?,
    };
    words.next().is_none().then_some(start)
}
