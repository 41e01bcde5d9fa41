//! Every job as crontabber lists it.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::{
    plan::{Plan, Planned, next_run},
    store::table::JobState,
};

use super::{
    super::text::{harmless, harmless_lines},
    Memory, frequency,
    timesince::timesince,
    what,
};

/// A block for each job: what it runs, when, how its last run went.
///
/// Two things differ from crontabber's: it says "Started 0 seconds ago" of whatever is going on, and shows the year
/// 9999 of a job that no clock starts.
#[must_use]
pub fn list_jobs(jobs: &[&Planned<'_>], plan: &Plan<'_>, memory: &Memory) -> String {
    let mut text = String::new();
    for job in jobs {
        text.push_str(
            "=== JOB ========================================================================\n",
        );
        let mut block = Block {
            text: &mut text,
            memory,
            now: plan.now,
        };
        block.line("Class:", &harmless(&what(job.spec)));
        block.line("App name:", &harmless(&job.name));
        block.line("Frequency:", &frequency(job.spec));
        match job.row {
            Some(row) => block.state(&job.name, row),
            None => text.push_str("*NO PREVIOUS RUN INFO*\n"),
        }
    }
    text
}

struct Block<'a> {
    text: &'a mut String,
    memory: &'a Memory,
    now: Timestamp,
}

impl Block<'_> {
    fn line(&mut self, label: &str, value: &str) {
        writeln!(self.text, "{label:15} {value}").expect("a String takes all it is given");
    }

    fn state(&mut self, name: &str, row: &JobState) {
        if let Some(since) = row.ongoing {
            self.line(
                "Ongoing now!",
                &format!("Started {} ago", timesince(since, self.now)),
            );
        }
        let ago = |at: Timestamp| format!("({} ago)", timesince(at, self.now));
        let run = self.instant(row.last_run, ago, "none");
        let success = self.instant(row.last_success, ago, "no previous successful run");
        let next = |at: Timestamp| {
            if at < self.now {
                format!("(was {} ago)", timesince(at, self.now))
            } else {
                format!("(in {})", timesince(self.now, at))
            }
        };
        let next = self.instant(next_run(row), next, "none");
        self.line("Last run:", &run);
        self.line("Last success:", &success);
        self.line("Next run:", &next);
        self.error(name, row.error_count);
        self.text.push('\n');
    }

    fn instant(
        &self,
        at: Option<Timestamp>,
        relative: impl Fn(Timestamp) -> String,
        none: &str,
    ) -> String {
        at.map_or_else(
            || none.to_owned(),
            |at| {
                let wall = at
                    .to_zoned(self.memory.zone.clone())
                    .strftime("%Y-%m-%d %H:%M:%S")
                    .to_string();
                format!("{wall:20} {}", relative(at))
            },
        )
    }

    fn error(&mut self, name: &str, count: i32) {
        let Some(error) = self.memory.of(name) else {
            return;
        };
        self.line("Error!!", &format!("({count} times)"));
        self.text.push_str("Traceback (most recent call last):\n");
        let traceback = harmless_lines(&error.traceback);
        self.text.push_str(&traceback);
        if !traceback.is_empty() && !traceback.ends_with('\n') {
            self.text.push('\n');
        }
        let (kind, value) = (harmless(&error.kind), harmless_lines(&error.value));
        writeln!(self.text, "{kind}: {value}").expect("a String takes all it is given");
    }
}
