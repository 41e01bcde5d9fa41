//! One of two hosts is cut off from the database, and neither it nor the server is told: its run is dead before its lease
//! ends, the other host has the slot after it, and the first hears what has happened when it is back.

use std::{fs, time::Duration};

use crate::{
    common::{
        Beats, Database, Life, Line, Passes, Postgres, RunStart, Running, Site, left_over, until,
        uptime,
    },
    world::{SOON, daemon, hears, holds, log, nothing_ran_twice, ready, says, started, stays},
};

/// How many runs of its own job the host that was cut off has had.
const OWN: &str =
    "SELECT count(*) FROM crontabber_log WHERE app_name = 'own' AND outcome = 'success'";

/// Two hosts: `alpha`, on a line that goes dead while it runs `pulse`, and `beta`, whose line is sound.
struct Scene {
    database: Database,
    site: Site,
    beats: Beats,
    line: Line,
    alpha: Running,
    _beta: Running,
}

impl Scene {
    async fn new(keys: &str) -> Self {
        let database = Postgres::database().await;
        let site = Site::new();
        let beats = Beats::in_directory(&site.file(""));
        let shell = format!(
            "[ $CRONTABBER_ATTEMPT = 1 ] && n=3000 || n=10\n{}",
            beats.shell("$n")
        );
        let keys = format!("every = \"1h\"\nstart = \"now\"\n{keys}");
        let sections = [
            "[daemon]\nlease = \"3s\"\ngrace = \"250ms\"\npoll = \"1s\"\n\n".to_owned(),
            site.job("pulse", &keys, &shell),
            site.job("own", "every = \"1s\"\nhosts = [\"alpha\"]", "true"),
        ]
        .concat();
        let line = Line::to(&database);
        let of_alpha = site.file("alpha.toml");
        site.configure(line.url(), &sections);
        fs::rename(site.file("crontabber.toml"), &of_alpha).expect("the directory is ours");
        site.configure(database.url(), &sections);

        let alpha = daemon(&site, "alpha").env("CRONTABBER_CONFIG", &of_alpha);
        let alpha = ready(alpha.spawn()).await;
        until(SOON, "the run shows that it lives", async || {
            !beats.lives().is_empty()
        })
        .await;
        let beta = stays(&site, "beta").await;
        Self {
            database,
            site,
            beats,
            line,
            alpha,
            _beta: beta,
        }
    }

    /// The line goes dead like this until the other host has run the job; when the lease that was granted by then ended
    /// at the earliest and at the latest, on the clock of the beats.
    async fn cut_off(&self, passes: Passes) -> (Duration, Duration) {
        self.line.pass(passes);
        let before = uptime();
        let lease = "SELECT extract(epoch FROM lease_until - clock_timestamp())::float8 FROM crontabber WHERE app_name = 'pulse'";
        let left = Duration::from_secs_f64(self.database.query_one(lease).await);
        let after = uptime();
        holds(
            &self.database,
            "the other host has run it",
            "SELECT success_slot IS NOT NULL AND ongoing IS NULL FROM crontabber WHERE app_name = 'pulse'",
        )
        .await;
        (before + left, after + left)
    }

    fn pulses(&self) -> Vec<RunStart> {
        let starts = self.site.ledger().starts().into_iter();
        starts.filter(|start| start.job == "pulse").collect()
    }

    /// The lives of the run that was cut off, and of the other host's.
    fn lives(&self) -> (Life, Life) {
        let (lives, pulses) = (self.beats.lives(), self.pulses());
        assert_eq!(pulses.len(), 2, "{pulses:?}");
        (lives[&pulses[0].run_id], lives[&pulses[1].run_id])
    }
}

/// A host whose line to the database goes dead like this, for longer than a lease.
async fn is_fenced_and_goes_on(passes: Passes) {
    let scene = Scene::new("").await;
    let (earliest, latest) = scene.cut_off(passes).await;
    let (first, second) = scene.lives();
    assert!(first.last < latest, "{first:?} lived on after {latest:?}");
    assert!(
        second.first > earliest,
        "{second:?} began before {earliest:?}"
    );
    assert!(!says(&scene.alpha, "fenced"), "{}", scene.alpha.stderr());

    scene.line.pass(Passes::All);
    hears(&scene.alpha, "fenced").await;
    let so_far: i64 = scene.database.query_one(OWN).await;
    holds(
        &scene.database,
        "the host works as before",
        &format!("SELECT ({OWN}) > {so_far} + 1"),
    )
    .await;
    let mut log = log(&scene.database).await;
    log.retain(|line| line.starts_with("pulse"));
    assert_eq!(log, ["pulse 1 1 lost alpha", "pulse 1 2 success beta"]);
    nothing_ran_twice(&scene.site);
    for start in scene.pulses() {
        let left = left_over(&format!("CRONTABBER_RUN_ID={}", start.run_id));
        assert!(left.is_empty(), "{left:?} are left of {start:?}");
    }
}

#[tokio::test]
async fn a_host_that_reaches_nobody_and_is_reached_by_nobody() {
    is_fenced_and_goes_on(Passes::Nothing).await;
}

#[tokio::test]
async fn a_host_that_is_heard_and_hears_no_answer() {
    is_fenced_and_goes_on(Passes::Questions).await;
}

#[tokio::test]
async fn a_host_whose_connections_are_reset_and_refused() {
    is_fenced_and_goes_on(Passes::Refusals).await;
}

#[tokio::test]
async fn and_a_run_that_may_go_on_without_the_database_does_overlap_with_the_next() {
    let scene = Scene::new("on_db_loss = \"continue\"").await;
    let (_, latest) = scene.cut_off(Passes::Nothing).await;
    let (first, second) = scene.lives();
    assert!(
        first.last > latest && first.last > second.first,
        "{first:?} has ended before {latest:?}, or before {second:?}"
    );
}

#[tokio::test]
async fn connections_that_are_reset_and_refused_for_less_than_a_lease_cost_no_run() {
    let database = Postgres::database().await;
    let line = Line::to(&database);
    let site = Site::new();
    let gate = site.file("gate");
    let wait = format!("while [ ! -e '{}' ]; do sleep 0.05; done", gate.display());
    let daemon = "[daemon]\nlease = \"60s\"\npoll = \"1s\"\n\n".to_owned();
    let job = site.job("report", "every = \"1h\"\nstart = \"now\"", &wait);
    site.configure(line.url(), &(daemon + &job));
    let alpha = stays(&site, "alpha").await;
    started(&site, 1).await;
    line.pass(Passes::Refusals);
    hears(&alpha, "cannot look at the table").await;
    fs::write(&gate, "").expect("the directory is ours");
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
