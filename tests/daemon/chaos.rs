//! Many hosts on one database while they are killed, frozen and cut off at random; judged by what the jobs wrote down
//! themselves, and by whether every slot has its verdict.

use std::{
    fs,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::{
    common::{Database, Running, Site, race::rounds, tables, until},
    world::{daemon, nothing_is_left, nothing_ran_twice},
};

/// How many jobs there are, each wanted every second.
const JOBS: usize = 6;

/// Chances from a seed that is printed: the same seed makes the same choices.
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let seed = std::env::var("CRONTABBER_SEED").ok();
        let seed = seed.and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) * 2_654_435_761 + 1);
        println!("CRONTABBER_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, limit: u64) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }
}

/// The hosts, and what is done to them.
struct Fleet<'a> {
    site: &'a Site,
    database: &'a Database,
    daemons: Vec<Running>,
    /// Frozen ones, each with the instant at which it goes on.
    frozen: Vec<(usize, Instant)>,
    passes: Vec<Running>,
    done: [usize; 4],
}

impl Fleet<'_> {
    fn name(number: usize) -> String {
        format!("h{number}")
    }

    fn act(&mut self, chance: &mut Chance) {
        self.thaw(false);
        let which = usize::try_from(chance.below(self.daemons.len() as u64)).expect("small");
        match chance.below(8) {
            0 | 1 => {
                self.daemons[which].signal(Signal::SIGKILL);
                self.frozen.retain(|(frozen, _)| *frozen != which);
                self.daemons[which] = daemon(self.site, &Self::name(which)).spawn();
                self.done[0] += 1;
            }
            2 => {
                let until = Instant::now() + Duration::from_millis(300 + chance.below(4000));
                self.daemons[which].signal(Signal::SIGSTOP);
                self.frozen.push((which, until));
                self.done[1] += 1;
            }
            3..=5 => {
                let pass = self.site.on(&Self::name(which), &["tick"]).spawn();
                self.passes.push(pass);
                self.done[2] += 1;
            }
            _ => {
                // Out of the list at once: how one ends that was killed proves nothing.
                if let Some(pass) = self.passes.pop() {
                    pass.signal(Signal::SIGKILL);
                    self.done[3] += 1;
                }
            }
        }
        self.passes.retain_mut(|pass| !pass.has_ended());
    }

    fn thaw(&mut self, all: bool) {
        let now = Instant::now();
        let due = |(_, until): &&(usize, Instant)| all || *until <= now;
        for (which, _) in self.frozen.iter().filter(due) {
            self.daemons[*which].signal(Signal::SIGCONT);
        }
        self.frozen.retain(|(_, until)| !all && *until > now);
    }

    /// Every job has succeeded once more after this.
    async fn heals(&self) {
        let since: String = self
            .database
            .query_one("SELECT clock_timestamp()::text")
            .await;
        let sql = format!(
            "SELECT count(*) = {JOBS} FROM crontabber WHERE last_success > '{since}'::timestamptz"
        );
        let limit = Duration::from_mins(1);
        until(limit, "every job has succeeded again", async || {
            self.database.query_one(&sql).await
        })
        .await;
    }
}

#[tokio::test]
async fn hosts_that_are_killed_and_frozen_at_random_start_no_slot_twice_and_lose_none() {
    let (hosts, seconds) = if rounds(0, 1) == 1 { (12, 60) } else { (4, 10) };
    let database = tables().await;
    let site = Site::with(&database, |site| {
        let lock = |job: usize| {
            let (lock, overlaps) = (site.file(&format!("lock{job}")), site.file("overlaps"));
            format!(
                "exec 9>'{}'; flock -n 9 || echo \"$CRONTABBER_RUN_ID\" >> '{}'\nsleep 0.{}",
                lock.display(),
                overlaps.display(),
                job % 5 + 1
            )
        };
        let jobs = (0..JOBS).map(|job| site.job(&format!("j{job}"), "every = \"1s\"", &lock(job)));
        "[daemon]\nlease = \"3s\"\npoll = \"2s\"\nmax_parallel = 2\ndrain = \"20s\"\n\n[defaults]\nretry = { first = \"1s\", max = \"2s\" }\n\n"
            .to_owned()
            + &jobs.collect::<String>()
    });
    let mut chance = Chance::new();
    let mut fleet = Fleet {
        site: &site,
        database: &database,
        daemons: (0..hosts)
            .map(|number| daemon(&site, &Fleet::name(number)).spawn())
            .collect(),
        frozen: Vec::new(),
        passes: Vec::new(),
        done: [0; 4],
    };
    fleet.heals().await;
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        fleet.act(&mut chance);
        tokio::time::sleep(Duration::from_millis(100 + chance.below(300))).await;
    }
    fleet.thaw(true);
    fleet.heals().await;
    let [killed, frozen, passes, cut] = fleet.done;
    for daemon in &fleet.daemons {
        daemon.signal(Signal::SIGTERM);
    }
    for daemon in fleet.daemons.into_iter().chain(fleet.passes) {
        let daemon = daemon.finished().await;
        assert!(matches!(daemon.code, Some(0..=3)), "{daemon:?}");
    }
    let starts = site.ledger().starts();
    println!(
        "{hosts} daemons: {killed} killed, {frozen} frozen, {passes} passes beside them, {cut} of those killed; {} starts",
        starts.len()
    );
    nothing_ran_twice(&site);
    nothing_is_left(&site);
    let overlaps = fs::read_to_string(site.file("overlaps")).unwrap_or_default();
    assert_eq!(
        overlaps, "",
        "runs that began while another of their job lived"
    );
    let known: i64 = database
        .query_one("SELECT count(*) FROM crontabber_log WHERE run_id IS NOT NULL")
        .await;
    assert!(
        starts.len() <= usize::try_from(known).expect("a count"),
        "a run started without a claim"
    );
    // Every second between the first and the last slot of a job has run, or has its verdict.
    let gaps = database
        .rows(
            "WITH told AS (SELECT app_name, slot, coalesce(slot_until, slot) AS until FROM crontabber_log WHERE slot IS NOT NULL),
                  wanted AS (SELECT app_name, generate_series(min(slot), max(until), '1 s') AS slot FROM told GROUP BY app_name)
             SELECT w.app_name, w.slot FROM wanted w
              WHERE NOT EXISTS (SELECT FROM told t WHERE t.app_name = w.app_name AND w.slot BETWEEN t.slot AND t.until)",
        )
        .await;
    assert_eq!(gaps, Vec::<Vec<String>>::new(), "slots without a verdict");
    let open: i64 = database
        .query_one("SELECT count(*) FROM crontabber_log WHERE outcome = 'running'")
        .await;
    assert_eq!(open, 0, "runs that nobody has closed");
}
