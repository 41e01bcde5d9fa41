//! A month of twelve hosts that die at random, with a night in which clocks jump, and a parent that gets another name.

use crontabber::{
    claim::{Claimed, claim},
    plan::{Verdict, plan},
    spec::JobSpec,
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    accounts::{each_slot_has_one_verdict, the_ledger_agrees},
    common::{Database, Postgres, host::Host},
    world::{jobs, ledger, next_instant, parent},
};

const HOSTS: usize = 12;

fn day(day: i64) -> Timestamp {
    let first: Timestamp = "2031-03-10T00:00:00Z".parse().expect("an instant");
    first + SignedDuration::from_hours(24 * day)
}

/// Numbers that look like chance, and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % limit
    }
}

/// The same jobs after somebody has given the parent another name.
fn renamed() -> Vec<JobSpec> {
    let mut jobs = jobs();
    for job in &mut jobs {
        if job.name.as_str() == "latest" {
            job.name = "newest".parse().expect("a name");
        }
        for known in &mut job.depends_on {
            if known.job.as_str() == "latest" {
                *known = parent("newest");
            }
        }
    }
    jobs
}

struct Fleet {
    old: Vec<JobSpec>,
    new: Vec<JobSpec>,
    chance: Chance,
    /// Until when each host is down.
    down: [Timestamp; HOSTS],
    deaths: usize,
}

impl Fleet {
    fn host(&self, number: usize, database: &Database, now: Timestamp) -> Host {
        // One host a few hours after the other gets the new configuration.
        let hours = i64::try_from(number).expect("a dozen") * 3;
        let is_new = now >= day(12) + SignedDuration::from_hours(hours);
        let jobs = if is_new { &self.new } else { &self.old };
        Host::new(&format!("host{number}"), database, jobs).at(now)
    }

    /// One of those that are up does a pass, or dies with what it has claimed.
    async fn pass(&mut self, database: &Database, now: Timestamp) {
        let up: Vec<usize> = (0..HOSTS).filter(|host| self.down[*host] <= now).collect();
        let Some(&number) =
            up.get(usize::try_from(self.chance.below(HOSTS as u64)).expect("a dozen"))
        else {
            return;
        };
        let host = self.host(number, database, now);
        if self.chance.below(12) == 0 && die(&host).await {
            self.deaths += 1;
            let hours = i64::try_from(1 + self.chance.below(40)).expect("two days");
            let back = now + SignedDuration::from_hours(hours);
            self.down[number] = back;
            if self.chance.below(4) == 0 {
                // The power is gone.
                self.down = self.down.map(|until| until.max(back));
            }
            return;
        }
        host.tick().await;
    }
}

/// Claims the first job that is due, and does nothing more; whether there was one.
async fn die(host: &Host) -> bool {
    let engine = host.engine();
    let table = engine.look().await.expect("the table can be read");
    let plan = plan(&engine.graph, &table, &engine.host.place);
    let due = plan.jobs.iter().find_map(|job| match &job.verdict {
        Verdict::Run(due) => Some((job.spec, due)),
        _ => None,
    });
    let Some((spec, due)) = due else { return false };
    let place = &engine.host.place;
    match claim(&engine.database, place, spec, due, engine.now).await {
        // Dropped, its process would know that nothing of it runs, and give it back.
        Ok(Claimed::Ours(claim)) => std::mem::forget(claim),
        other => panic!("nobody else is there: {other:?}"),
    }
    true
}

#[tokio::test]
async fn a_month_of_twelve_hosts_that_die_at_random_leaves_no_slot_without_one_verdict() {
    let database = Postgres::database().await;
    ledger(&database).await;
    let mut fleet = Fleet {
        old: jobs(),
        new: renamed(),
        chance: Chance(31),
        down: [day(0); HOSTS],
        deaths: 0,
    };
    let mut now = day(0);
    let mut passes = 0;
    while now < day(31) {
        // All of them are down at once: nobody looks before the first is back.
        fleet.pass(&database, now).await;
        passes += 1;
        let a_pass_later = now + SignedDuration::from_mins(67);
        let next = next_instant(&database, now).await;
        now = next.map_or(a_pass_later, |next| {
            next.max(now + SignedDuration::from_secs(1))
        });
        if has_work(&database, now).await {
            now = now.min(a_pass_later);
        }
    }
    // What is under way comes to its end.
    fleet.down = [day(0); HOSTS];
    for minute in 0..20 {
        let host = fleet.host(
            0,
            &database,
            day(31) + SignedDuration::from_mins(11 * minute),
        );
        host.tick().await;
    }
    println!("{passes} passes, {} deaths", fleet.deaths);
    assert!(fleet.deaths > 5, "{}", fleet.deaths);
    for spec in fleet.new.iter().filter(|spec| spec.timetable.is_some()) {
        let first = first_slot(&database, spec.name.as_str()).await;
        each_slot_has_one_verdict(&database, spec, first).await;
    }
    the_ledger_agrees(&database).await;
    // The old name is a ghost; what it did until then is in the log as it was.
    let last: Timestamp = database
        .query_one("SELECT max(slot) FROM crontabber_log WHERE app_name = 'latest'")
        .await;
    assert!(last < day(15), "{last}");
    let child: i64 = database
        .query_one("SELECT count(*) FROM ledger WHERE job = 'child'")
        .await;
    assert!(
        child > 20,
        "a parent with another name blocks nobody for long: {child}"
    );
}

/// Whether something is due that the last pass has left.
async fn has_work(database: &Database, now: Timestamp) -> bool {
    let sql = format!(
        "SELECT EXISTS (SELECT FROM crontabber WHERE run_id IS NULL AND next_run < '{now}')"
    );
    database.query_one(&sql).await
}

async fn first_slot(database: &Database, name: &str) -> Timestamp {
    let sql = format!("SELECT min(slot) FROM crontabber_log WHERE app_name = '{name}'");
    database.query_one(&sql).await
}
