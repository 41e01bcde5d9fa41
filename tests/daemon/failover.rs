//! The primary dies and its standby is promoted. What was acknowledged stands if the standby had it; what it had not is
//! reported, for nobody can undo it: the slot may run again.
//!
//! A claim whose commit waits for the standby in vain is in `lost_answers`.

use std::fs;

use crate::{
    common::{Pair, Running, Site, until},
    world::{SOON, hears, holds, log, more_than, nothing_ran_twice, says, started, stays},
};

/// What the log holds of runs that the database had acknowledged and does not know.
const FORGOTTEN: &str = "SELECT count(*) FROM crontabber_log WHERE outcome = 'lost' AND reason LIKE 'the database has forgotten this run%'";

/// Waits until its file is there.
fn gated(site: &Site) -> String {
    format!(
        "while [ ! -e '{}' ]; do sleep 0.05; done",
        site.file("gate").display()
    )
}

fn open_gate(site: &Site) {
    fs::write(site.file("gate"), "").expect("the directory is ours");
}

/// The runs of the ledger of which the log of this server says nothing.
async fn unknown(pair: &Pair, site: &Site) -> usize {
    let known = pair
        .copy
        .rows("SELECT run_id FROM crontabber_log WHERE run_id IS NOT NULL")
        .await;
    let known: Vec<String> = known.into_iter().flatten().collect();
    let starts = site.ledger().starts();
    starts
        .iter()
        .filter(|start| !known.contains(&start.run_id.to_string()))
        .count()
}

#[tokio::test]
async fn with_a_synchronous_standby_nothing_starts_twice_and_what_runs_is_recorded() {
    let pair = Pair::new().await;
    pair.synchronous().await;
    let site = Site::new();
    let sections = [
        "[daemon]\nlease = \"60s\"\npoll = \"1s\"\n\n".to_owned(),
        site.job("long", "every = \"1h\"\nstart = \"now\"", &gated(&site)),
        site.job("often", "every = \"1s\"", "true"),
    ]
    .concat();
    site.configure(&pair.url(), &sections);
    let alpha = stays(&site, "alpha").await;
    let beta = stays(&site, "beta").await;
    started(&site, 3).await;
    pair.fail_over().await;
    let before = site.ledger().starts().len();
    open_gate(&site);
    holds(
        &pair.copy,
        "the long one is recorded on the new primary",
        "SELECT success_slot IS NOT NULL FROM crontabber WHERE app_name = 'long'",
    )
    .await;
    more_than(&site, before + 1, &alpha).await;
    nothing_ran_twice(&site);
    assert_eq!(
        unknown(&pair, &site).await,
        0,
        "{:?}",
        log(&pair.copy).await
    );
    assert_eq!(pair.copy.query_one::<i64>(FORGOTTEN).await, 0);
    for daemon in [&alpha, &beta] {
        assert!(!says(daemon, "forgotten"), "{}", daemon.stderr());
    }
    let long = "SELECT outcome || attempt FROM crontabber_log WHERE app_name = 'long'";
    assert_eq!(pair.copy.rows(long).await, [["success1"]]);
}

/// What the standby has received when it is promoted, of two jobs: `quick` was recorded, `long` is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Received {
    /// All of it.
    Everything,
    /// That they were due, and no more.
    Nothing,
    /// The claims of both, and that neither has ended.
    Claims,
}

/// A daemon that runs both, and loses its primary.
struct Scene {
    pair: Pair,
    site: Site,
    alpha: Running,
}

impl Scene {
    async fn new(received: Received) -> Self {
        let pair = Pair::new().await;
        let site = Site::new();
        let quick = format!(
            "while [ ! -e '{}' ]; do sleep 0.05; done",
            site.file("quick").display()
        );
        let sections = [
            "[daemon]\nlease = \"30s\"\npoll = \"1s\"\n\n[defaults]\nlease = \"30s\"\n\n"
                .to_owned(),
            site.job("quick", "every = \"1h\"", &quick),
            site.job("long", "every = \"1h\"", &gated(&site)),
        ]
        .concat();
        site.configure(&pair.url(), &sections);
        assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
        pair.database
            .execute("UPDATE crontabber SET next_run = clock_timestamp()")
            .await;
        if received == Received::Nothing {
            pair.caught_up().await;
            pair.cut().await;
        }
        let alpha = stays(&site, "alpha").await;
        started(&site, 2).await;
        if received == Received::Claims {
            pair.caught_up().await;
            pair.cut().await;
        }
        fs::write(site.file("quick"), "").expect("the directory is ours");
        holds(
            &pair.database,
            "the quick one is recorded",
            "SELECT success_slot IS NOT NULL FROM crontabber WHERE app_name = 'quick'",
        )
        .await;
        hears(&alpha, "success job=quick").await;
        if received == Received::Everything {
            pair.caught_up().await;
        }
        Self { pair, site, alpha }
    }

    /// Everything has succeeded, as far as the new primary knows.
    async fn well(&self) {
        open_gate(&self.site);
        holds(
            &self.pair.copy,
            "both have succeeded",
            "SELECT count(*) = 2 FROM crontabber WHERE success_slot IS NOT NULL AND ongoing IS NULL",
        )
        .await;
    }

    async fn forgotten(&self) -> i64 {
        self.pair.copy.query_one(FORGOTTEN).await
    }
}

#[tokio::test]
async fn with_an_asynchronous_standby_that_lags_what_it_has_lost_is_reported() {
    let scene = Scene::new(Received::Nothing).await;
    // The connections are lost once before, and come back to the same server: that is not to be all it remembers for.
    let listens = "SELECT max(backend_start)::text FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN crontabber'";
    let first: String = scene.pair.database.query_one(listens).await;
    let all = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(scene.pair.database.query_one::<i64>(all).await > 0);
    until(SOON, "it listens again", async || {
        let now: Option<String> = scene.pair.database.query_one(listens).await;
        now.is_some_and(|now| now != first)
    })
    .await;
    scene.pair.fail_over().await;
    until(SOON, "both runs are reported", async || {
        scene.forgotten().await == 2
    })
    .await;
    for job in ["quick", "long"] {
        until(SOON, "the daemon's log reports it", async || {
            let told = scene.alpha.stderr();
            told.lines()
                .any(|line| line.contains("forgotten: ") && line.contains(&format!("job={job}")))
        })
        .await;
    }
    scene.well().await;
    // The limit of an asynchronous standby: both slots were started again, and the log says of both that they were lost.
    let starts = scene.site.ledger().starts();
    assert_eq!(starts.len(), 4, "{starts:?}");
    for job in ["quick", "long"] {
        let mut starts = starts.iter().filter(|start| start.job == job);
        let (first, second) = (starts.next(), starts.next());
        let slot = |start: Option<&crate::common::RunStart>| start.map(|start| start.slot);
        assert_eq!(slot(first), slot(second), "{starts:?}");
    }
    assert_eq!(unknown(&scene.pair, &scene.site).await, 0);
    assert_eq!(
        log(&scene.pair.copy).await,
        [
            "long 1 1 success alpha",
            "long 1 0 lost alpha",
            "quick 1 1 success alpha",
            "quick 1 0 lost alpha"
        ]
    );
}

#[tokio::test]
async fn what_has_run_is_recorded_again_where_only_its_record_was_lost() {
    let scene = Scene::new(Received::Claims).await;
    scene.pair.fail_over().await;
    scene.well().await;
    hears(&scene.alpha, "recorded again").await;
    nothing_ran_twice(&scene.site);
    assert_eq!(scene.site.ledger().starts().len(), 2);
    assert_eq!(
        log(&scene.pair.copy).await,
        ["long 1 1 success alpha", "quick 1 1 success alpha"]
    );
}

#[tokio::test]
async fn and_without_the_lag_nothing_is_lost_and_nothing_reported() {
    let scene = Scene::new(Received::Everything).await;
    scene.pair.fail_over().await;
    scene.well().await;
    assert_eq!(scene.forgotten().await, 0);
    for word in ["forgotten", "recorded again"] {
        assert!(!says(&scene.alpha, word), "{}", scene.alpha.stderr());
    }
    nothing_ran_twice(&scene.site);
    assert_eq!(
        log(&scene.pair.copy).await,
        ["long 1 1 success alpha", "quick 1 1 success alpha"]
    );
}
