//! A call of the database that never returns, while others do: the other jobs go on, and so does the loop.

use std::fs;

use crate::{
    common::{Database, Line, NotifySocket, Postgres, Running, Site, until},
    world::{SOON, daemon, hears, holds, nothing_ran_twice, ready},
};

/// A daemon with a job that is due each second, and others that are due once.
struct Scene {
    database: Database,
    line: Line,
    site: Site,
    socket: NotifySocket,
    alpha: Running,
}

impl Scene {
    /// The first connection on which one of these statements is said is frozen.
    async fn new(max_parallel: usize, frozen: &[&str]) -> Self {
        let database = Postgres::database().await;
        let line = Line::to(&database);
        for statement in frozen {
            line.freeze_at(&format!("-- {statement}: "));
        }
        let site = Site::new();
        let once = "every = \"1h\"\nstart = \"now\"";
        let gate = format!(
            "while [ ! -e '{}' ]; do sleep 0.05; done",
            site.file("gate").display()
        );
        let sections = [
            format!("[daemon]\nlease = \"12s\"\npoll = \"1h\"\nmax_parallel = {max_parallel}\n\n[defaults]\nlease = \"12s\"\n\n"),
            site.job("first", once, "true"),
            site.job("second", once, "true"),
            site.job("long", once, &gate),
            site.job("often", "every = \"1s\"", "true"),
        ]
        .concat();
        site.configure(line.url(), &sections);
        let socket = NotifySocket::new();
        let alpha = daemon(&site, "alpha")
            .env("NOTIFY_SOCKET", socket.path())
            .env("WATCHDOG_USEC", "1000000");
        let alpha = ready(alpha.spawn()).await;
        let scene = Self {
            database,
            line,
            site,
            socket,
            alpha,
        };
        until(SOON, "all of them hang", async || {
            scene.line.frozen() == frozen.len()
        })
        .await;
        scene
    }

    /// How often the job of each second has started.
    fn often(&self) -> usize {
        let starts = self.site.ledger().starts();
        starts.iter().filter(|start| start.job == "often").count()
    }

    /// Waits until the loop has fed the watchdog three times more: a second and a half.
    async fn feeds(&self) {
        let fed = self.socket.count("WATCHDOG=1");
        until(SOON, "the loop feeds the watchdog", async || {
            self.socket.count("WATCHDOG=1") > fed + 2
        })
        .await;
    }
}

#[tokio::test]
async fn a_call_that_never_returns_keeps_neither_the_other_jobs_nor_the_watchdog_waiting() {
    let scene = Scene::new(8, &["claim", "record", "heartbeat"]).await;
    let ran = scene.often();
    scene.feeds().await;
    until(SOON, "the other jobs go on", async || {
        scene.often() > ran + 2
    })
    .await;
    // And in the end each of the three is given up, and done on another connection.
    hears(&scene.alpha, "cannot renew the leases").await;
    hears(&scene.alpha, "cannot record these runs together").await;
    hears(&scene.alpha, "not started: the claim is in doubt").await;
    fs::write(scene.site.file("gate"), "").expect("the directory is ours");
    holds(
        &scene.database,
        "what hung has succeeded",
        "SELECT count(*) = 3 FROM crontabber WHERE app_name <> 'often' AND success_slot IS NOT NULL",
    )
    .await;
    nothing_ran_twice(&scene.site);
    let again: i64 = scene
        .database
        .query_one("SELECT count(*) FROM crontabber_log WHERE attempt > 1 OR outcome = 'lost'")
        .await;
    assert_eq!(again, 0, "{}", scene.alpha.stderr());
}

#[tokio::test]
async fn and_where_there_is_room_for_one_at_a_time_they_do_wait_and_the_watchdog_does_not() {
    let scene = Scene::new(1, &["claim"]).await;
    let ran = scene.often();
    scene.feeds().await;
    assert_eq!(scene.often(), ran, "{}", scene.alpha.stderr());
}
