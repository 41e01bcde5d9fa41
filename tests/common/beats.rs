//! When the processes of each run were alive, told by themselves.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use uuid::Uuid;

/// A file to which every process of a run adds a line each 20 ms, as long as it lives.
#[derive(Debug)]
pub struct Beats {
    script: String,
    path: String,
}

/// The first and the last beat of a run, on the clock of [`uptime`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// Its first sign of life.
    pub first: Duration,
    /// Its last one.
    pub last: Duration,
}

impl Beats {
    /// No beats so far, in a directory of the test's own.
    pub fn in_directory(directory: &Path) -> Self {
        let file = |name| {
            directory
                .join(name)
                .to_str()
                .expect("the paths of tests are text")
                .to_owned()
        };
        let (script, path) = (file("beat.sh"), file("beats"));
        // Deaf to TERM: what a run leaves to its guard's SIGKILL.
        let beat = format!(
            "trap '' TERM\nn=$1\nwhile [ \"$n\" -gt 0 ]; do\n  read -r now _ < /proc/uptime\n  \
             echo \"$CRONTABBER_RUN_ID $now\" >> '{path}'\n  n=$((n - 1))\n  sleep 0.02\ndone\n"
        );
        fs::write(&script, beat).expect("the directory is writable");
        fs::write(&path, "").expect("the directory is writable");
        Self { script, path }
    }

    /// Shell that beats so many times, in a variable or a number; beside it a grandchild in a session of its own
    /// that would beat for a minute.
    pub fn shell(&self, count: &str) -> String {
        format!(
            "setsid sh '{script}' 3000 &\nsh '{script}' {count}",
            script = self.script
        )
    }

    /// The life of every run that has shown a sign of it.
    pub fn lives(&self) -> BTreeMap<Uuid, Life> {
        let mut lives = BTreeMap::new();
        for line in fs::read_to_string(&self.path)
            .expect("the beats are readable")
            .lines()
        {
            let (run_id, now) = line
                .split_once(' ')
                .unwrap_or_else(|| panic!("no beat: `{line}`"));
            let run_id: Uuid = run_id.parse().expect("a run id");
            let now = seconds(now);
            let life = lives.entry(run_id).or_insert(Life {
                first: now,
                last: now,
            });
            life.first = life.first.min(now);
            life.last = life.last.max(now);
        }
        lives
    }
}

/// The machine's clock that nobody sets, as its processes read it.
pub fn uptime() -> Duration {
    let text = fs::read_to_string("/proc/uptime").expect("/proc is mounted");
    seconds(text.split(' ').next().expect("it has two numbers"))
}

fn seconds(text: &str) -> Duration {
    Duration::from_secs_f64(text.parse().expect("seconds"))
}
