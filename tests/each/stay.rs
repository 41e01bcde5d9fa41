//! Hosts that stay.

use std::{collections::BTreeSet, time::Duration};

use nix::sys::signal::Signal;

use crate::common::{Postgres, RunStart, Site, until};

const SOON: Duration = Duration::from_mins(1);

fn starts_of(starts: &[RunStart], job: &str) -> usize {
    starts.iter().filter(|start| start.job == job).count()
}

#[tokio::test]
async fn daemons_run_each_their_own_row_and_the_last_of_them_lets_the_child_run() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        let feeds = "every = '1s'\nstart = 'now'\non = 'each'\nhosts = ['web*']";
        [
            "[daemon]\npoll = '2s'\n\n".to_owned(),
            site.job("feeds", feeds, "true"),
            site.job("report", "depends_on = ['feeds']", "true"),
        ]
        .concat()
    });
    let daemons = ["web1", "web2", "db1"].map(|host| site.on(host, &["daemon"]).spawn());
    until(SOON, "all have run a few times", async || {
        let starts = site.ledger().starts();
        let jobs = ["feeds@web1", "feeds@web2", "report"];
        jobs.iter().all(|job| starts_of(&starts, job) >= 3)
    })
    .await;
    for daemon in &daemons {
        daemon.signal(Signal::SIGTERM);
    }
    for daemon in daemons {
        let ended = daemon.finished().await;
        assert_eq!(ended.signal, None, "{ended:?}");
    }
    let starts = site.ledger().starts();
    let once: BTreeSet<_> = starts
        .iter()
        .map(|start| (&start.job, start.slot, start.attempt))
        .collect();
    assert_eq!(once.len(), starts.len(), "{starts:?}");
    assert_eq!(starts_of(&starts, "feeds@db1"), 0);
    let elsewhere = "SELECT count(*) FROM crontabber_log WHERE app_name LIKE 'feeds@%' AND app_name <> 'feeds@' || host";
    assert_eq!(database.query_one::<i64>(elsewhere).await, 0);
}
