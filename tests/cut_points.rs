//! A host that dies, freezes or loses its database at any point of the road: the run is over before its lease, and
//! the slot ends well on another host, or ended well on this one.

mod common;

use std::time::Duration;

use common::{
    Beats, Database, Finished, Life, Postgres, Private, Running, Site, left_over, race::rounds,
    until, uptime,
};
use futures_util::future::join_all;
use nix::sys::signal::Signal;

const SOON: Duration = Duration::from_secs(30);

/// The points of the road, in its order.
const POINTS: [&str; 7] = [
    "after-lock",
    "before-commit",
    "after-commit",
    "before-spawn",
    "running",
    "before-record",
    "after-record",
];

/// One job, due now, and a host `alpha` that something happens to at one point; `beta` is well.
struct Trial {
    point: &'static str,
    database: Database,
    site: Site,
    beats: Beats,
}

impl Trial {
    /// The first attempt beats `count` times, each later one for a second.
    fn new(point: &'static str, database: Database, lease: &str, count: u32) -> Self {
        let directory = Site::new();
        let beats = Beats::in_directory(&directory.file(""));
        let shell = format!(
            "[ $CRONTABBER_ATTEMPT = 1 ] && n={count} || n=50\n{}",
            beats.shell("$n")
        );
        let job = directory.job("pulse", "every = \"1h\"\nstart = \"now\"", &shell);
        let sections =
            format!("[daemon]\nlease = \"{lease}\"\n\n[defaults]\nlease = \"{lease}\"\n\n{job}");
        directory.configure(database.url(), &sections);
        Self {
            point,
            database,
            site: directory,
            beats,
        }
    }

    /// `alpha`, stopped at the point; if a run goes on there, it has shown that it lives.
    async fn alpha_stopped(&self, also: &str) -> Running {
        let fault = format!("{}=stop{also}", self.point);
        let mut alpha = self
            .site
            .on("alpha", &["tick"])
            .env("CRONTABBER_FAULT", fault)
            .spawn();
        until(
            SOON,
            &format!("alpha has stopped at {}", self.point),
            async || {
                assert!(!alpha.has_ended(), "its pass is over: {}", alpha.stderr());
                alpha.is_stopped()
            },
        )
        .await;
        if self.point == "running" {
            until(SOON, "the run shows that it lives", async || {
                !self.beats.lives().is_empty()
            })
            .await;
        }
        alpha
    }

    /// `beta`'s cron, a little faster than each minute, until the job has succeeded and nobody runs it.
    async fn beta_until_success(&self) {
        let sql = "SELECT success_slot IS NOT NULL AND ongoing IS NULL FROM crontabber";
        until(
            SOON,
            &format!("{}: the job has succeeded", self.point),
            async || {
                let pass = self.site.on("beta", &["tick"]).run().await;
                assert!(
                    matches!(pass.code, Some(0 | 2 | 3)),
                    "{}: {pass:?}",
                    self.point
                );
                self.database.query_one(sql).await
            },
        )
        .await;
    }

    /// `beta`'s cron until the pass that runs the job is under way, and the run has shown that it lives.
    async fn beta_until_running(&self) -> Running {
        let lives = || self.beats.lives().len();
        let before = lives();
        loop {
            let mut beta = self.site.on("beta", &["tick"]).spawn();
            until(SOON, "beta's pass is over, or runs the job", async || {
                beta.has_ended() || lives() > before
            })
            .await;
            if lives() > before {
                return beta;
            }
        }
    }

    /// When the lease of the live run ends, on the clock of the beats; `None`: there is no live run.
    async fn lease_end(&self) -> Option<Duration> {
        let before = uptime().as_secs_f64();
        let sql =
            "SELECT extract(epoch FROM lease_until - clock_timestamp())::float8 FROM crontabber";
        let left: Option<f64> = self.database.query_one(sql).await;
        left.map(|left| Duration::from_secs_f64(before + left))
    }

    /// Attempt, outcome and host of every run, in order.
    async fn log(&self) -> Vec<String> {
        let rows = self
            .database
            .rows("SELECT attempt, outcome, host FROM crontabber_log ORDER BY attempt")
            .await;
        rows.iter().map(|row| row.join(" ")).collect()
    }

    /// The lives of the runs in the order of their attempts.
    fn lives(&self) -> Vec<Life> {
        let lives = self.beats.lives();
        let of = |run| lives.get(run).copied();
        self.site
            .ledger()
            .starts()
            .iter()
            .filter_map(|start| of(&start.run_id))
            .collect()
    }

    /// Nothing of any run is alive, no two runs overlapped, and the row is as after a success.
    async fn is_over(&self, log: &[&str]) {
        let point = self.point;
        assert_eq!(self.log().await, log, "{point}");
        for start in self.site.ledger().starts() {
            let left = left_over(&format!("CRONTABBER_RUN_ID={}", start.run_id));
            assert!(left.is_empty(), "{point}: {left:?} are left");
        }
        for pair in self.lives().windows(2) {
            assert!(
                pair[0].last < pair[1].first,
                "{point}: two runs overlapped: {pair:?}"
            );
        }
        let row = self
            .database
            .rows(
                "SELECT error_count, last_error, run_id, ongoing, next_run > now() FROM crontabber",
            )
            .await;
        assert_eq!(row, [["0", "{}", "NULL", "NULL", "t"]], "{point}");
        let fences: bool = self
            .database
            .query_one("SELECT coalesce(bool_and(grows), true) FROM (SELECT fence > lag(fence) OVER (ORDER BY attempt) AS grows FROM crontabber_log) AS f")
            .await;
        assert!(fences, "{point}: the fences do not grow");
    }
}

/// Each point once; thrice in the long form.
fn repeated(points: &[&'static str]) -> impl Iterator<Item = &'static str> {
    points.repeat(rounds(1, 3)).into_iter()
}

/// How many times the first attempt beats: for a minute when it is to be cut short.
fn count(point: &str) -> u32 {
    if point == "running" { 3000 } else { 5 }
}

const LOST: &[&str] = &["1 lost alpha", "2 success beta"];

/// What the log says in the end when `alpha` does not come back in time.
fn log_without_alpha(point: &str) -> &'static [&'static str] {
    match point {
        "after-lock" | "before-commit" => &["1 success beta"],
        "after-record" => &["1 success alpha"],
        _ => LOST,
    }
}

/// How many runs were really started in that case.
fn starts_without_alpha(point: &str) -> usize {
    if matches!(point, "running" | "before-record") {
        2
    } else {
        1
    }
}

/// Holds what the runs did against the lease of `alpha`'s: it was over before, and the next began after.
fn assert_lease_kept(trial: &Trial, lease_end: Option<Duration>) {
    let point = trial.point;
    let lives = trial.lives();
    assert_eq!(lives.len(), starts_without_alpha(point), "{point}");
    let Some(lease_end) = lease_end else { return };
    let (first, second) = match lives.as_slice() {
        [second] => (None, second),
        [first, second] => (Some(first), second),
        _ => unreachable!("counted above"),
    };
    if let Some(first) = first {
        println!(
            "{point}: alpha's run was gone {:?} before its lease",
            lease_end.saturating_sub(first.last)
        );
        assert!(
            first.last < lease_end,
            "{point}: alive at {:?}, lease until {lease_end:?}",
            first.last
        );
    }
    println!(
        "{point}: beta's run began {:?} after that lease",
        second.first.saturating_sub(lease_end)
    );
    assert!(
        second.first > lease_end,
        "{point}: began at {:?}, lease until {lease_end:?}",
        second.first
    );
}

#[tokio::test]
async fn a_host_killed_at_any_point_of_the_road_is_replaced_after_its_lease_and_not_before() {
    join_all(repeated(&POINTS).map(async |point| {
        let trial = Trial::new(point, Postgres::database().await, "3s", count(point));
        let alpha = trial.alpha_stopped("").await;
        alpha.signal(Signal::SIGKILL);
        let alpha = alpha.finished().await;
        assert_eq!(alpha.signal, Some(9), "{point}: {}", alpha.stderr);
        let lease_end = trial.lease_end().await;
        trial.beta_until_success().await;
        trial.is_over(log_without_alpha(point)).await;
        assert_lease_kept(&trial, lease_end);
    }))
    .await;
}

#[tokio::test]
async fn a_host_frozen_at_any_point_past_its_lease_finds_itself_fenced_when_it_wakes() {
    join_all(repeated(&POINTS).map(async |point| {
        let trial = Trial::new(point, Postgres::database().await, "3s", count(point));
        let alpha = trial.alpha_stopped("").await;
        let lease_end = trial.lease_end().await;
        trial.beta_until_success().await;
        alpha.signal(Signal::SIGCONT);
        let alpha = alpha.finished().await;
        trial.is_over(log_without_alpha(point)).await;
        assert_lease_kept(&trial, lease_end);
        let recorded = point == "after-record";
        assert_eq!(
            alpha.code,
            Some(i32::from(!recorded)),
            "{point}: {}",
            alpha.stderr
        );
        let says = match point {
            "after-record" => "",
            "before-spawn" | "running" | "before-record" => "fenced",
            _ => "the claim is in doubt",
        };
        assert!(alpha.stderr.contains(says), "{point}: {}", alpha.stderr);
        if point == "before-record" {
            let reason: String = trial
                .database
                .query_one("SELECT reason FROM crontabber_log WHERE attempt = 1")
                .await;
            assert!(reason.contains("ended all the same: success"), "{reason}");
        }
    }))
    .await;
}

#[tokio::test]
async fn a_server_that_crashes_at_any_point_of_the_road_costs_no_run_and_doubles_none() {
    let private = Private::new();
    for point in repeated(&POINTS) {
        let trial = Trial::new(point, private.database().await, "10s", 5);
        let alpha = trial.alpha_stopped("").await;
        private.immediate();
        private.start();
        alpha.signal(Signal::SIGCONT);
        let alpha = alpha.finished().await;
        let claimed = !matches!(point, "after-lock" | "before-commit");
        assert_eq!(
            alpha.code,
            Some(i32::from(!claimed)),
            "{point}: {}",
            alpha.stderr
        );
        trial.beta_until_success().await;
        trial
            .is_over(if claimed {
                &["1 success alpha"]
            } else {
                &["1 success beta"]
            })
            .await;
        assert_eq!(trial.lives().len(), 1, "{point}");
    }
}

/// `alpha` wakes while `beta` runs the next attempt, and wants to record its own; how both ended.
async fn woken_during_the_next_run(also: &str) -> (Trial, Finished, Finished) {
    let trial = Trial::new("running", Postgres::database().await, "3s", 3000);
    let alpha = trial.alpha_stopped(also).await;
    let beta = trial.beta_until_running().await;
    alpha.signal(Signal::SIGCONT);
    (trial, alpha.finished().await, beta.finished().await)
}

#[tokio::test]
async fn the_late_record_of_a_host_that_wakes_changes_nothing_for_the_run_of_another() {
    let (trial, alpha, beta) = woken_during_the_next_run("").await;
    assert_eq!(beta.code, Some(0), "{}", beta.stderr);
    assert_eq!(alpha.code, Some(1), "{}", alpha.stderr);
    assert!(alpha.stderr.contains("fenced"), "{}", alpha.stderr);
    trial.is_over(LOST).await;
}

#[tokio::test]
async fn a_late_record_without_a_fence_takes_the_claim_away_and_the_test_sees_it() {
    let (trial, _, beta) = woken_during_the_next_run(",record-without-fence").await;
    println!("planted record-without-fence: {}", beta.stderr.trim_end());
    assert_eq!(beta.code, Some(1), "{}", beta.stderr);
    assert_ne!(trial.log().await, LOST);
}

#[tokio::test]
async fn a_guard_without_a_deadline_lets_a_frozen_hosts_run_live_on_and_the_test_sees_it() {
    let trial = Trial::new("running", Postgres::database().await, "3s", 3000);
    let alpha = trial.alpha_stopped(",guard-without-deadline").await;
    let lease_end = trial.lease_end().await.expect("alpha has claimed");
    let lives = || {
        trial
            .lives()
            .first()
            .is_some_and(|life| life.last > lease_end)
    };
    until(SOON, "the run has outlived its lease", async || lives()).await;
    alpha.signal(Signal::SIGKILL);
    assert_eq!(alpha.finished().await.signal, Some(9));
}

#[tokio::test]
async fn a_run_whose_server_stays_away_is_gone_before_its_lease_and_recorded_when_the_server_is_back()
 {
    let (lease, margin) = (Duration::from_secs(3), Duration::from_millis(500));
    let private = Private::new();
    let trial = Trial::new("running", private.database().await, "3s", 3000);
    let alpha = trial.site.on("alpha", &["tick"]).spawn();
    until(SOON, "the run shows that it lives", async || {
        !trial.beats.lives().is_empty()
    })
    .await;
    private.immediate();
    let crashed = uptime();
    let run_id = trial.site.ledger().starts()[0].run_id;
    let marker = format!("CRONTABBER_RUN_ID={run_id}");
    until(SOON, "the run is gone", async || {
        left_over(&marker).is_empty()
    })
    .await;
    let last = trial.lives()[0].last;
    // Every renewal was sent before the crash.
    assert!(
        last + margin < crashed + lease,
        "alive at {last:?}, the server crashed at {crashed:?}"
    );
    private.start();
    let alpha = alpha.finished().await;
    assert_eq!(alpha.code, Some(1), "{}", alpha.stderr);
    assert_eq!(trial.log().await, ["1 lost alpha"]);
    trial.beta_until_success().await;
    trial.is_over(LOST).await;
}

#[tokio::test]
async fn a_run_that_is_just_being_started_when_its_host_is_told_twice_to_stop_is_killed_too() {
    let database = Postgres::database().await;
    let trial = Trial::new("before-spawn", database, "3s", 3000);
    let mut alpha = trial.alpha_stopped("").await;
    // Both wait until it goes on, and are heard before its supervisor has answered.
    alpha.signal(Signal::SIGTERM);
    alpha.signal(Signal::SIGINT);
    alpha.signal(Signal::SIGCONT);
    until(Duration::from_secs(15), "the pass is over", async || {
        alpha.has_ended()
    })
    .await;
    let alpha = alpha.finished().await;
    assert!(matches!(alpha.code, Some(130 | 143)), "{alpha:?}");
    trial.beta_until_success().await;
    trial.is_over(LOST).await;
}
