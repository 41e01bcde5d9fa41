//! The same table read by crontabber 0.18.1 itself: its words beside ours.
//!
//! Where there is none the tests say so, and hold ours to what is written here.

use super::{
    common::{python::Real, race::make_due},
    old::{Old, assert_silent},
};

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

/// crontabber 0.18.1 with those jobs, on the same database.
fn python(old: &Old) -> Option<Real> {
    let module = old.site.file("jobs.py");
    let directory = module.parent().expect("a file lies in a directory");
    let Some(real) = Real::find(&old.database, directory, old.site.ledger()) else {
        println!("not compared with crontabber 0.18.1: there is none (scripts/need python2)");
        return None;
    };
    let real = real.job("fine", "1h", &[], "", "pass");
    let real = real.job(
        "fails",
        "1d|03:45",
        &["fine"],
        "",
        "raise KeyError('no | such')",
    );
    Some(real.job("new", "90d", &[], "", "pass"))
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
async fn compared(old: &Old, python: Option<&Real>) -> (String, String) {
    let ours = old.run(&["--list-jobs"]).await;
    assert_silent(&ours, 0);
    let nagios = old.run(&["--nagios"]).await;
    if let Some(python) = python {
        let theirs = python.with(&["--list-jobs"]).run().await;
        assert_eq!(theirs.code, Some(0), "{theirs:?}");
        assert_eq!(comparable(&ours.stdout), comparable(&theirs.stdout));
        let theirs = python.with(&["--nagios"]).run().await;
        assert_eq!(nagios.code, theirs.code, "{theirs:?}");
        let words = theirs.stdout.replace("(Job1)", "(shell)").replace('|', "/");
        assert_eq!(nagios.stdout, words);
    }
    (ours.stdout, nagios.stdout)
}

#[tokio::test]
async fn our_runs_are_listed_as_crontabber_lists_them() {
    let old = Old::with(|_| JOBS.to_owned()).await;
    let python = python(&old);
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
            python.with(&["--audit-ghosts"]).run().await.stdout,
            ghosts.stdout
        );
    }
}

#[tokio::test]
async fn its_runs_are_listed_as_it_lists_them() {
    let old = Old::with(|_| JOBS.to_owned()).await;
    let python = python(&old);
    assert_eq!(old.run(&[]).await.code, Some(0));
    make_due(&old.database, "fine").await;
    make_due(&old.database, "fails").await;
    if let Some(python) = &python {
        let pass = python.with(&[]).run().await;
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
        let theirs = python.with(&["-l"]).run().await.stdout;
        assert!(
            theirs.contains("Ongoing now!    Started 0 seconds ago"),
            "{theirs}"
        );
    }
}
