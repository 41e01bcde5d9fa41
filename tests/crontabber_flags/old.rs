//! A machine on which crontabber was: its lines name an ini file, and the configuration stands beside it.

use super::common::{Crontabber, Database, Finished, Postgres, Site};

/// A database, and a configuration that was imported from `crontabber.ini`.
pub(crate) struct Old {
    pub(crate) database: Database,
    pub(crate) site: Site,
}

impl Old {
    /// With these sections, and with tables.
    pub(crate) async fn with(sections: impl FnOnce(&Site) -> String) -> Self {
        let database = Postgres::database().await;
        let site = Site::with(&database, sections);
        let old = Self { database, site };
        let migrated = old.site.on("alpha", &["migrate"]).run().await;
        assert_eq!(migrated.code, Some(0), "{}", migrated.stderr);
        old
    }

    /// Jobs that enter themselves into the ledger; each is due once an hour, from now on.
    pub(crate) async fn jobs(jobs: &[(&str, &str)]) -> Self {
        Self::with(|site| {
            let table = |(name, shell): &(&str, &str)| {
                site.job(
                    name,
                    "every = \"1h\"\nstart = \"now\"\ntimeout = \"1s\"",
                    shell,
                )
            };
            jobs.iter().map(table).collect()
        })
        .await
    }

    /// A line of crontabber's on this host, as it stands in an old crontab.
    pub(crate) fn on(&self, host: &str, line: &[&str]) -> Crontabber {
        let conf = format!(
            "--admin.conf={}",
            self.site.file("crontabber.ini").display()
        );
        let mut arguments = vec![conf.as_str()];
        arguments.extend(line);
        Crontabber::new(arguments).env("CRONTABBER_HOST", host)
    }

    /// The same, run to its end.
    pub(crate) async fn run(&self, line: &[&str]) -> Finished {
        self.on("alpha", line).run().await
    }

    /// The names of what ran, in order.
    pub(crate) fn ran(&self) -> Vec<String> {
        let starts = self.site.ledger().starts();
        starts.into_iter().map(|start| start.job).collect()
    }
}

/// Asserts how a line ended, and that it said this on stderr.
pub(crate) fn assert_ended(finished: &Finished, code: i32, says: &str) {
    assert_eq!(finished.code, Some(code), "{finished:?}");
    assert!(finished.stderr.contains(says), "{finished:?}");
}

/// Asserts that a line ended so, without a word.
pub(crate) fn assert_silent(finished: &Finished, code: i32) {
    assert_ended(finished, code, "");
    assert_eq!(finished.stderr, "");
}
