//! The real program, asked how a real database is.

use crate::{
    common::{Database, Finished, Postgres, Site},
    grammar::{Read, read},
};

pub(crate) const JOBS: &str = "
[jobs.feeds]
every = '1h'
start = 'now'
tags = ['web']
shell = 'true'

[jobs.index]
every = '1h'
depends_on = ['feeds']
shell = 'true'

[jobs.mail]
every = '1d'
timeout = '10m'
shell = 'true'
";

/// A real database with jobs that one pass has met, and who asks how they are.
pub(crate) struct Asked {
    pub(crate) database: Database,
    pub(crate) site: Site,
}

impl Asked {
    pub(crate) async fn new(sections: &str) -> Self {
        let database = Postgres::database().await;
        let site = Site::with(&database, |_| sections.to_owned());
        let pass = site.on("web1", &["tick"]).run().await;
        assert!(matches!(pass.code, Some(0 | 1)), "{pass:?}");
        Self { database, site }
    }

    /// What an operator, or the world, does to a row.
    pub(crate) async fn set(&self, job: &str, what: &str) {
        let sql = format!(
            "UPDATE crontabber SET revision = revision + 1, {what} WHERE app_name = '{job}'"
        );
        self.database.execute(&sql).await;
    }

    pub(crate) async fn check(&self, arguments: &[&str]) -> Finished {
        let arguments = [&["check"], arguments].concat();
        self.site.on("monitor", &arguments).run().await
    }

    /// The answer, which has this exit code and nothing on standard error.
    pub(crate) async fn answer(&self, code: i32, arguments: &[&str]) -> Read {
        let finished = self.check(arguments).await;
        answered(&finished, code)
    }

    /// The first line of the long output, of a check with this exit code.
    pub(crate) async fn first(&self, code: i32) -> String {
        let answer = self.answer(code, &[]).await;
        let first = answer.lines.into_iter().next();
        first.expect("a problem has a line")
    }
}

pub(crate) fn answered(finished: &Finished, code: i32) -> Read {
    assert_eq!(finished.code, Some(code), "{finished:?}");
    assert_eq!(finished.stderr, "", "{finished:?}");
    let answer =
        read(&finished.stdout).unwrap_or_else(|wrong| panic!("{wrong}: {}", finished.stdout));
    let words = ["OK", "WARNING", "CRITICAL", "UNKNOWN"];
    let status = words.iter().position(|word| *word == answer.status);
    assert_eq!(
        status,
        usize::try_from(code).ok(),
        "the word and the code are one: {finished:?}"
    );
    answer
}
