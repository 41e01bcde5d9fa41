//! A host to be looked at, and what the doctor says of it.

use super::common::{Database, Finished, Site, tables};

/// One line of the doctor's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) level: String,
    pub(crate) check: String,
    pub(crate) fact: String,
    pub(crate) advice: String,
}

/// All it said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) lines: Vec<Line>,
}

/// A host with one job, and a database that has our tables.
pub(crate) async fn well() -> (Database, Site) {
    let database = tables().await;
    let site = site(&database);
    let pass = site.on("web1", &["tick"]).run().await;
    assert_eq!(pass.code, Some(0), "{pass:?}");
    (database, site)
}

/// A host with one job.
pub(crate) fn site(database: &Database) -> Site {
    Site::with(database, |site| site.job("it", "every = \"1h\"", "true"))
}

/// What the doctor says on this host.
pub(crate) async fn doctor(site: &Site) -> Said {
    Said::of(&site.on("web1", &["doctor"]).run().await)
}

impl Said {
    pub(crate) fn of(finished: &Finished) -> Self {
        let line = |text: &str| {
            let mut cells = text.split('\t').map(str::to_owned);
            let mut cell = || cells.next().unwrap_or_default();
            Line {
                level: cell(),
                check: cell(),
                fact: cell(),
                advice: cell(),
            }
        };
        let lines: Vec<Line> = finished.stdout.lines().map(line).collect();
        assert!(!lines.is_empty(), "it says nothing: {finished:?}");
        Self {
            code: finished.code,
            lines,
        }
    }

    /// What is not as it should be: `problem guard`.
    pub(crate) fn bad(&self) -> Vec<String> {
        let bad = self.lines.iter().filter(|line| line.level != "ok");
        bad.map(|line| format!("{} {}", line.level, line.check))
            .collect()
    }

    /// Only this is not as it should be; returns it.
    pub(crate) fn only(&self, bad: &str) -> &Line {
        assert_eq!(self.bad(), [bad], "{self:#?}");
        let code = i32::from(bad.starts_with("problem"));
        assert_eq!(self.code, Some(code), "{self:#?}");
        let line = self.lines.iter().find(|line| line.level != "ok");
        let line = line.expect("counted just now");
        assert_ne!(line.advice, "", "it does not say what to do");
        line
    }

    /// What was said of this.
    pub(crate) fn of_check(&self, check: &str) -> &Line {
        let line = self.lines.iter().find(|line| line.check == check);
        line.unwrap_or_else(|| panic!("nothing about {check}: {self:#?}"))
    }
}

impl Line {
    /// Both texts hold these words.
    pub(crate) fn says(&self, fact: &str, advice: &str) {
        assert!(self.fact.contains(fact), "not `{fact}`: {self:#?}");
        assert!(self.advice.contains(advice), "not `{advice}`: {self:#?}");
    }
}
