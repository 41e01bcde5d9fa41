//! A job that may go on without the database: until its timeout, or until its host finds that it was taken over.

mod common;

use std::{fs, time::Duration};

use common::{
    Beats, Cut, Database, Life, Postgres, Private, Proxy, Site, left_over, until, uptime,
};

const SOON: Duration = Duration::from_mins(1);

const LEASE: Duration = Duration::from_secs(3);

/// A host at work on one job whose first attempt beats so many times; the others end at once.
struct Trial {
    database: Database,
    site: Site,
    beats: Beats,
}

impl Trial {
    fn new(database: Database, keys: &str, count: u32) -> Self {
        let site = Site::new();
        let beats = Beats::in_directory(&site.file(""));
        let shell = format!(
            "[ $CRONTABBER_ATTEMPT = 1 ] || exit 0\n{}",
            beats.shell(&count.to_string())
        );
        let keys = format!("every = \"1h\"\nstart = \"now\"\nlease = \"3s\"\n{keys}");
        let job = site.job("pulse", &keys, &shell);
        site.configure(
            database.url(),
            &format!("[daemon]\nlease = \"3s\"\n\n{job}"),
        );
        Self {
            database,
            site,
            beats,
        }
    }

    async fn shows_that_it_lives(&self) {
        until(SOON, "the run shows that it lives", async || {
            !self.beats.lives().is_empty()
        })
        .await;
    }

    /// When the first run has shown its last sign of life so far.
    fn life(&self) -> Life {
        let first = self.site.ledger().starts()[0].run_id;
        self.beats.lives()[&first]
    }

    fn left(&self) -> Vec<i32> {
        let first = self.site.ledger().starts()[0].run_id;
        left_over(&format!("CRONTABBER_RUN_ID={first}"))
    }

    async fn is_gone(&self) {
        until(SOON, "the run is gone", async || self.left().is_empty()).await;
    }

    async fn log(&self) -> Vec<String> {
        let rows = self
            .database
            .rows("SELECT attempt, outcome, host FROM crontabber_log ORDER BY attempt")
            .await;
        rows.iter().map(|row| row.join(" ")).collect()
    }
}

/// What became of a run whose server answered nobody from its first sign of life until the run was gone.
struct Outage {
    /// How long the run has lived after the server had stopped.
    lived: Duration,
    code: Option<i32>,
    log: Vec<String>,
}

async fn outage(keys: &str) -> Outage {
    let private = Private::new();
    let trial = Trial::new(private.database().await, keys, 300);
    let alpha = trial.site.on("alpha", &["tick"]).spawn();
    trial.shows_that_it_lives().await;
    private.freeze();
    let frozen = uptime();
    trial.is_gone().await;
    let lived = trial.life().last.saturating_sub(frozen);
    private.thaw();
    Outage {
        lived,
        code: alpha.finished().await.code,
        log: trial.log().await,
    }
}

#[tokio::test]
async fn a_run_that_may_go_on_outlives_its_lease_and_its_success_is_recorded_when_the_server_is_back()
 {
    let outage = outage("on_db_loss = \"continue\"").await;
    assert!(outage.lived > LEASE, "{:?}", outage.lived);
    assert_eq!(outage.log, ["1 success alpha"]);
    assert_eq!(outage.code, Some(0));
}

#[tokio::test]
async fn any_other_is_dead_before_its_lease_ends() {
    let outage = outage("on_db_loss = \"kill\"").await;
    assert!(outage.lived < LEASE, "{:?}", outage.lived);
    assert_eq!(outage.log, ["1 lost alpha"]);
    assert_eq!(outage.code, Some(1));
}

#[tokio::test]
async fn even_one_that_may_go_on_has_its_timeout() {
    let outage = outage("on_db_loss = \"continue\"\ntimeout = \"4s\"").await;
    assert!(outage.lived > LEASE, "{:?}", outage.lived);
    assert_eq!(outage.log, ["1 timeout alpha"]);
}

#[tokio::test]
async fn one_that_goes_on_is_killed_when_its_host_finds_that_another_has_taken_over() {
    let database = Postgres::database().await;
    let proxy = Proxy::new(&database, "heartbeat", Cut::AnswerAndAll);
    let trial = Trial::new(database, "on_db_loss = \"continue\"", 3000);
    let own = trial.site.file("crontabber.toml");
    let cut_off = trial.site.file("cut_off.toml");
    let text = fs::read_to_string(&own).expect("it was written");
    let through = text.replace(trial.database.url(), &proxy.url(&trial.database));
    fs::write(&cut_off, through).expect("the directory is ours");
    let alpha = trial.site.on("alpha", &["tick"]);
    let alpha = alpha.env("CRONTABBER_CONFIG", &cut_off).spawn();
    trial.shows_that_it_lives().await;
    until(SOON, "alpha is cut off", async || proxy.has_struck()).await;
    until(SOON, "beta has taken over", async || {
        trial.site.on("beta", &["tick"]).run().await;
        trial.log().await == ["1 lost alpha", "2 success beta"]
    })
    .await;
    // At least once: both have run.
    assert!(!trial.left().is_empty(), "nothing has killed it so far");
    proxy.go_on();
    trial.is_gone().await;
    let alpha = alpha.finished().await;
    assert_eq!(alpha.code, Some(1), "{}", alpha.stderr);
    assert!(alpha.stderr.contains("fenced"), "{}", alpha.stderr);
    assert_eq!(trial.log().await, ["1 lost alpha", "2 success beta"]);
}
