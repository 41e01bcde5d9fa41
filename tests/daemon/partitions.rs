//! One of two hosts is cut off from the database, and neither it nor the server is told: its run is dead before its lease
//! ends, the other host has the slot after it, and the first hears what has happened when it is back.

use std::time::Duration;

use crate::{
    common::{Beats, Line, Passes, Postgres, Site, uptime},
    world::{
        SOON, daemon, hears, holds, log, nothing_is_left, nothing_ran_twice, ready, says, stays,
    },
};

/// What the log says of the job that both may run.
const PULSE: &str = "SELECT count(*) = 1 FROM crontabber WHERE app_name = 'pulse' AND success_slot IS NOT NULL AND ongoing IS NULL";

/// How many runs `own` has had, and was heard of.
const OWN: &str = "SELECT count(*) FROM crontabber_log WHERE app_name = 'own' AND outcome = 'success'";

/// A host whose line to the database goes dead like this, for longer than a lease.
async fn cut_off(passes: Passes) {
    let database = Postgres::database().await;
    let site = Site::new();
    let beats = Beats::in_directory(&site.file(""));
    let shell = format!(
        "[ $CRONTABBER_ATTEMPT = 1 ] && n=3000 || n=10\n{}",
        beats.shell("$n")
    );
    let line = Line::to(&database);
    let sections = [
        "[daemon]\nlease = \"3s\"\ngrace = \"250ms\"\npoll = \"1s\"\n\n[defaults]\nlease = \"3s\"\n\n"
            .to_owned(),
        // Alpha is the only one there is when it falls due.
        site.job("pulse", "every = \"1h\"\nstart = \"now\"", &shell),
        site.job("own", "every = \"1s\"\nhosts = [\"alpha\"]", "true"),
    ]
    .concat();
    site.configure(line.url(), &sections);
    let alpha_config = site.file("alpha.toml");
    std::fs::rename(site.file("crontabber.toml"), &alpha_config).expect("it is ours");
    site.configure(database.url(), &sections);

    let alpha = daemon(&site, "alpha").env("CRONTABBER_CONFIG", &alpha_config);
    let alpha = ready(alpha.spawn()).await;
    crate::common::until(SOON, "the run shows that it lives", async || {
        !beats.lives().is_empty()
    })
    .await;
    let _beta = stays(&site, "beta").await;

    line.pass(passes);
    let lease = "SELECT extract(epoch FROM lease_until - clock_timestamp())::float8 FROM crontabber WHERE app_name = 'pulse'";
    let before = uptime().as_secs_f64();
    let lease_end =
        Duration::from_secs_f64(before + database.query_one::<f64>(lease).await);
    holds(&database, "the other host has run it", PULSE).await;
    let starts = site.ledger().starts();
    let pulses: Vec<_> = starts.iter().filter(|start| start.job == "pulse").collect();
    assert_eq!(pulses.len(), 2, "{pulses:?}");
    let life = |at: usize| beats.lives()[&pulses[at].run_id];
    assert!(
        life(0).last < lease_end,
        "{:?} lived on after {lease_end:?}",
        life(0)
    );
    assert!(
        life(1).first > lease_end,
        "{:?} began before {lease_end:?}",
        life(1)
    );
    assert!(!says(&alpha, "fenced"), "{}", alpha.stderr());

    line.pass(Passes::All);
    hears(&alpha, "fenced").await;
    let heard: i64 = database.query_one(OWN).await;
    holds(
        &database,
        "it works as before",
        &format!("SELECT ({OWN}) > {heard} + 1"),
    )
    .await;
    let pulse: Vec<String> = log(&database).await;
    let pulse: Vec<&String> = pulse.iter().filter(|line| line.starts_with("pulse")).collect();
    assert_eq!(pulse, ["pulse 1 1 lost alpha", "pulse 1 2 success beta"]);
    nothing_ran_twice(&site);
    for start in pulses {
        let left = crate::common::left_over(&format!("CRONTABBER_RUN_ID={}", start.run_id));
        assert!(left.is_empty(), "{left:?}");
    }
    let _ = nothing_is_left;
}

#[tokio::test]
async fn a_host_that_nothing_reaches_and_that_reaches_nothing() {
    cut_off(Passes::Nothing).await;
}

#[tokio::test]
async fn a_host_that_is_heard_and_hears_no_answer() {
    cut_off(Passes::Questions).await;
}

#[tokio::test]
async fn a_host_whose_connections_are_reset_and_refused() {
    cut_off(Passes::Refusals).await;
}

#[tokio::test]
async fn connections_that_are_reset_and_refused_for_less_than_a_lease_cost_no_run() {
    let database = Postgres::database().await;
    let line = Line::to(&database);
    let site = Site::new();
    let gate = site.file("gate");
    let wait = format!("while [ ! -e '{}' ]; do sleep 0.05; done", gate.display());
    let daemon = "[daemon]\nlease = \"60s\"\npoll = \"1s\"\n\n".to_owned();
    site.configure(
        line.url(),
        &(daemon + &site.job("report", "every = \"1h\"\nstart = \"now\"", &wait)),
    );
    let alpha = stays(&site, "alpha").await;
    crate::world::started(&site, 1).await;
    line.pass(Passes::Refusals);
    hears(&alpha, "cannot look at the table").await;
    std::fs::write(&gate, "").expect("the directory is ours");
    hears(&alpha, "cannot record the run").await;
    line.pass(Passes::All);
    holds(
        &database,
        "the run is recorded",
        "SELECT success_slot IS NOT NULL AND ongoing IS NULL FROM crontabber",
    )
    .await;
    assert_eq!(log(&database).await, ["report 1 1 success alpha"]);
}
