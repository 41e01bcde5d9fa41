//! A job that runs on each host, raced for by several processes of each.

use std::{collections::BTreeMap, time::Duration};

use super::{Crontabber, Database, Gate, Site};

/// Hosts that the job runs on, and one that it does not run on.
pub const HOSTS: [&str; 3] = ["web1", "web2", "web3"];
pub const OTHER: &str = "db1";

/// How many processes of each host come at once.
const PROCESSES: usize = 3;

/// A site with that job, and one row of it for each host.
pub async fn site(database: &Database, disguise: fn(Crontabber) -> Crontabber) -> Site {
    let site = Site::with(database, |site| {
        let keys = "every = \"1h\"\nstart = \"now\"\non = \"each\"\nhosts = [\"web*\"]";
        site.job("it", keys, "exec sleep 0.05")
    });
    for host in [OTHER].iter().chain(&HOSTS) {
        let pass = disguise(site.on(host, &["tick"])).run().await;
        assert_eq!(pass.code, Some(0), "{}", pass.stderr);
    }
    site
}

/// Makes all rows due for one slot, lets all processes go in one instant, and says how often each row was started.
pub async fn race(
    site: &Site,
    database: &Database,
    gate: &Gate,
    disguise: fn(Crontabber) -> Crontabber,
) -> BTreeMap<String, usize> {
    let before = site.ledger().starts().len();
    let hosts = [HOSTS.as_slice(), &[OTHER]].concat();
    let processes = hosts
        .iter()
        .flat_map(|host| std::iter::repeat_n(host, PROCESSES))
        .map(|host| disguise(site.on(host, &["tick"])));
    let running = gate.gather(processes).await;
    let due = "UPDATE crontabber SET revision = revision + 1, slot = NULL, next_run = now()";
    database.execute(due).await;
    gate.open(running.len(), Duration::ZERO);
    for running in running {
        let pass = running.finished().await;
        let code = pass.code.expect("it ends by itself");
        // 2 and 3: another process of the same host was first.
        assert!([0, 2, 3].contains(&code), "{code}: {}", pass.stderr);
    }
    let mut starts = BTreeMap::new();
    for start in site.ledger().starts().split_off(before) {
        *starts.entry(start.job).or_default() += 1;
    }
    starts
}

/// Each host once, and nobody else.
pub fn each_once() -> BTreeMap<String, usize> {
    HOSTS.iter().map(|host| (format!("it@{host}"), 1)).collect()
}
