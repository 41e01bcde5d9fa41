//! Everything goes through PgBouncer in transaction mode: each transaction may meet another session of the server, there
//! are fewer of those than processes, and what one leaves behind in a session others find there.

mod common;

use std::{collections::BTreeSet, time::Duration};

use common::{
    Bouncer, Crontabber, Cut, Database, Finished, Postgres, Proxy, Site,
    pgbouncer::POOL,
    race::{self, Race, log_agrees, rounds},
    until,
};
use futures_util::future::join_all;
use nix::sys::signal::Signal;
use tokio_postgres::{Client, NoTls};

const SOON: Duration = Duration::from_secs(30);

/// A database, a pooler before it, and a site whose hosts all go through that.
struct Scene {
    database: Database,
    bouncer: Bouncer,
    site: Site,
}

impl Scene {
    /// `None`: there is no PgBouncer here.
    async fn new(sections: impl FnOnce(&Site) -> String) -> Option<Self> {
        let database = Postgres::database().await;
        let bouncer = Bouncer::before(database.url()).await?;
        let site = Site::with(&database, sections);
        bouncer.before_site(&site);
        Some(Self {
            database,
            bouncer,
            site,
        })
    }

    async fn on(&self, host: &str, arguments: &[&str]) -> Finished {
        self.site.on(host, arguments).run().await
    }

    async fn well(&self, arguments: &[&str]) -> String {
        let finished = self.on("alpha", arguments).await;
        assert_eq!(finished.code, Some(0), "{arguments:?}: {finished:?}");
        finished.stdout
    }

    async fn outcomes(&self, job: &str) -> String {
        let sql = format!(
            "SELECT coalesce(string_agg(outcome, ' ' ORDER BY id), '') FROM crontabber_log WHERE app_name = '{job}'"
        );
        self.database.query_one(&sql).await
    }
}

/// A client of its own behind the pooler.
async fn connected(bouncer: &Bouncer) -> Client {
    connected_to(bouncer.url()).await
}

async fn connected_to(url: &str) -> Client {
    let connected = tokio_postgres::connect(url, NoTls).await;
    let (client, connection) = connected.expect("PgBouncer lets everybody through");
    tokio::spawn(connection);
    client
}

/// All sessions that the pooler has with the server, each asked the same: as many transactions at once as it has room for.
async fn sessions_say(bouncer: &Bouncer, sql: &str) -> BTreeSet<String> {
    let clients = join_all((0..POOL).map(|_| connected(bouncer))).await;
    for client in &clients {
        client.batch_execute("BEGIN").await.expect("there is room");
    }
    let mut said = BTreeSet::new();
    for client in &clients {
        for message in client.simple_query(sql).await.expect("it may be asked") {
            if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
                said.insert(row.get(0).unwrap_or_default().to_owned());
            }
        }
    }
    said
}

/// What the pooler itself sets for each of its clients; all else would be what one left behind for the next.
const LEFT_BEHIND: &str = "\
SELECT 'setting ' || name || ' = ' || setting FROM pg_settings
 WHERE source = 'session' AND setting IS DISTINCT FROM reset_val
   AND name NOT IN ('application_name', 'client_encoding', 'DateStyle', 'TimeZone', 'standard_conforming_strings')
UNION ALL SELECT 'statement ' || statement FROM pg_prepared_statements
UNION ALL SELECT 'channel ' || channel FROM pg_listening_channels() AS channel
UNION ALL SELECT 'cursor ' || name FROM pg_cursors WHERE name <> ''
UNION ALL SELECT 'role ' || current_user WHERE current_user <> session_user
UNION ALL SELECT 'table ' || relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'
UNION ALL SELECT 'lock' FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";

#[tokio::test]
async fn passes_runs_and_orders_go_through_a_pooler_and_leave_nothing_in_its_sessions() {
    let scene = Scene::new(|site| {
        let ten = (0..10).map(|number| {
            site.job(&format!("many{number}"), "every = \"1h\"\nstart = \"now\"", "true")
        });
        let long = "every = \"1d\"\nstart = \"now\"\nhosts = [\"beta\"]";
        [
            // Orders come with a heartbeat.
            "[daemon]\nlease = \"3s\"\n".to_owned(),
            site.job("parent", "every = \"1h\"\nstart = \"now\"", "echo well"),
            site.job("child", "depends_on = [\"parent\"]", "true"),
            site.job("long", long, "exec sleep 60"),
            "[jobs.counted]\nevery = \"1h\"\nstart = \"now\"\n\
             sql = \"SET ROLE NONE; SET work_mem = '9MB'; CREATE TEMPORARY TABLE t (n int); LISTEN somebody; \
                     DECLARE held CURSOR WITH HOLD FOR SELECT 1; SELECT pg_advisory_lock(7); INSERT INTO line VALUES (1)\"\n"
                .to_owned(),
        ]
        .into_iter()
        .chain(ten)
        .collect()
    })
    .await;
    let Some(scene) = scene else { return };
    scene.database.execute("CREATE TABLE line (n int)").await;

    scene.well(&["tick"]).await;
    for job in ["parent", "child", "counted", "many0", "many9"] {
        assert_eq!(scene.outcomes(job).await, "success", "{job}");
    }
    let lines = scene.database.query_one::<i64>("SELECT count(*) FROM line");
    assert_eq!(lines.await, 1);
    // And not what the pooler's session had done for others before.
    let output = "SELECT output FROM crontabber_log WHERE app_name = 'counted'";
    let said = scene.database.query_one::<String>(output);
    assert_eq!(said.await, "line: 1 inserted\n");
    scene.well(&["run", "parent", "--force"]).await;
    for reading in [
        &["list"][..],
        &["hosts"],
        &["history"],
        &["why", "child"],
        &["logs", "parent"],
        &["tick", "--dry-run"],
    ] {
        scene.well(reading).await;
    }
    scene.well(&["pause", "parent"]).await;
    let paused = scene.on("alpha", &["run", "parent"]).await;
    assert_eq!(paused.code, Some(4), "{paused:?}");
    scene.well(&["resume", "parent"]).await;

    let beta = scene.site.on("beta", &["tick"]).spawn();
    until(SOON, "the long job has begun", async || {
        let starts = scene.site.ledger().starts();
        starts.iter().any(|start| start.job == "long")
    })
    .await;
    scene.well(&["cancel", "long"]).await;
    let beta = beta.finished().await;
    assert_eq!(beta.code, Some(0), "{beta:?}");
    assert_eq!(scene.outcomes("long").await, "cancelled");

    let left = sessions_say(&scene.bouncer, LEFT_BEHIND).await;
    assert_eq!(left, BTreeSet::new());
}

#[tokio::test]
async fn what_is_left_in_a_session_of_a_pooler_is_seen() {
    let database = Postgres::database().await;
    let Some(bouncer) = Bouncer::before(database.url()).await else {
        return;
    };
    let careless = connected(&bouncer).await;
    let sql = "SET work_mem = '9MB'; PREPARE mine AS SELECT 1; CREATE TEMPORARY TABLE t (); SELECT pg_advisory_lock(1)";
    careless.batch_execute(sql).await.expect("it may");
    let left = sessions_say(&bouncer, LEFT_BEHIND).await;
    assert_eq!(left.len(), 4, "{left:?}");
}

#[tokio::test]
async fn thirty_processes_behind_five_sessions_start_a_slot_once() {
    let database = Postgres::database().await;
    let Some(bouncer) = Bouncer::before(database.url()).await else {
        return;
    };
    let site = race::site(&database).await;
    bouncer.before_site(&site);
    let race = Race {
        processes: 30,
        ..Race::of(rounds(6, 120))
    };
    let tally = race.run(&site, &database).await;
    println!("{tally}");
    assert_eq!(tally.missed, []);
    assert_eq!(tally.doubled, []);
    log_agrees(&site, &database).await;
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name <> ''";
    let sessions = database.query_one::<i64>(sessions).await;
    assert!(
        sessions <= i64::try_from(POOL).expect("a handful"),
        "{sessions}"
    );
    assert_eq!(sessions_say(&bouncer, LEFT_BEHIND).await, BTreeSet::new());
}

/// One job, due now, that is claimed for three seconds at a time.
fn short_lease(site: &Site) -> String {
    let job = site.job("it", "every = \"1h\"\nstart = \"now\"", "true");
    format!("[daemon]\nlease = \"3s\"\n{job}")
}

/// Passes until the job has succeeded.
async fn until_success(scene: &Scene) {
    until(SOON, "the job has succeeded", async || {
        let pass = scene.on("beta", &["tick"]).await;
        assert!(matches!(pass.code, Some(0 | 2 | 3)), "{pass:?}");
        scene
            .database
            .query_one("SELECT success_slot IS NOT NULL FROM crontabber")
            .await
    })
    .await;
}

/// A commit that writes a log row of a run waits until the test lets go of this lock.
const SLOW_COMMITS: &str = "\
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON crontabber_log DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION slow()";

async fn closed_gate(database: &Database) -> Client {
    let gate = database.connect().await;
    let close = gate.batch_execute("SELECT pg_advisory_lock(4711)").await;
    close.expect("nobody else has it");
    gate
}

async fn open(gate: &Client) {
    let open = gate.batch_execute("SELECT pg_advisory_unlock(4711)").await;
    open.expect("it is ours");
}

async fn at_its_commit(database: &Database) {
    let waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()";
    until(SOON, "the claim is at its commit", async || {
        database.query_one(waits).await
    })
    .await;
}

#[tokio::test]
async fn a_pooler_that_is_killed_in_the_middle_of_a_claim_costs_no_slot_and_doubles_none() {
    let Some(mut scene) = Scene::new(short_lease).await else {
        return;
    };
    scene.well(&["migrate"]).await;
    scene.database.execute(SLOW_COMMITS).await;
    let gate = closed_gate(&scene.database).await;
    let alpha = scene.site.on("alpha", &["tick"]).spawn();
    at_its_commit(&scene.database).await;
    scene.bouncer.kill();
    open(&gate).await;
    scene.bouncer.again().await;
    let alpha = alpha.finished().await;
    println!(
        "the pass that lost its pooler: {:?} {}",
        alpha.code, alpha.stderr
    );
    assert!(matches!(alpha.code, Some(0 | 1 | 69)), "{alpha:?}");
    until_success(&scene).await;
    assert_eq!(scene.site.ledger().starts().len(), 1);
}

#[tokio::test]
async fn a_claim_whose_acknowledgement_is_lost_behind_a_pooler_is_looked_up_and_run_once() {
    let database = Postgres::database().await;
    let site = Site::with(&database, short_lease);
    let made = site.on("first", &["migrate"]).run().await;
    assert_eq!(made.code, Some(0), "{made:?}");
    // The pooler lives, and tells its client in the words of a server that its own connection is gone.
    let proxy = Proxy::new(&database, "claim", Cut::Answer);
    let Some(bouncer) = Bouncer::before(&proxy.url(&database)).await else {
        return;
    };
    let alpha: Crontabber = site.on("alpha", &["tick"]);
    site.configure(bouncer.url(), &short_lease(&site));
    let alpha = alpha.run().await;
    assert!(proxy.has_struck(), "nothing was cut: {alpha:?}");
    assert_eq!(alpha.code, Some(0), "{alpha:?}");
    assert!(alpha.stderr.contains("the claim stands"), "{alpha:?}");
    assert_eq!(site.ledger().starts().len(), 1);
    log_agrees(&site, &database).await;
}

#[tokio::test]
async fn a_pooler_that_drops_its_sessions_at_a_commit_says_so_and_the_claim_is_looked_up() {
    let Some(scene) = Scene::new(short_lease).await else {
        return;
    };
    scene.well(&["migrate"]).await;
    scene.database.execute(SLOW_COMMITS).await;
    let gate = closed_gate(&scene.database).await;
    let alpha = scene.site.on("alpha", &["tick"]).spawn();
    at_its_commit(&scene.database).await;
    // So that it hears of it when the commit has gone through.
    alpha.signal(Signal::SIGSTOP);
    // It answers for the server, in the form in which the server refuses: but nothing was refused.
    let console = connected_to(&scene.bouncer.console()).await;
    let name = scene.database.name();
    for order in [format!("KILL {name}"), format!("RESUME {name}")] {
        console.simple_query(&order).await.expect("it obeys");
    }
    open(&gate).await;
    until(SOON, "the claim is committed", async || {
        scene.outcomes("it").await == "running"
    })
    .await;
    alpha.signal(Signal::SIGCONT);
    let alpha = alpha.finished().await;
    assert_eq!(alpha.code, Some(0), "{alpha:?}");
    assert!(alpha.stderr.contains("the claim stands"), "{alpha:?}");
    assert_eq!(scene.outcomes("it").await, "success");
    assert_eq!(scene.site.ledger().starts().len(), 1);
}

#[tokio::test]
async fn tables_in_a_schema_of_their_own_are_found_by_the_path_of_the_role() {
    let database = Postgres::database().await;
    let name = database.name();
    database.execute("CREATE SCHEMA ops").await;
    let behind = async |settings: &str| {
        let bouncer = Bouncer::with(database.url(), settings).await?;
        let site = Site::with(&database, |site| {
            let job = site.job("it", "every = \"1h\"\nstart = \"now\"", "true");
            format!("schema = \"ops\"\n{job}")
        });
        bouncer.before_site(&site);
        let finished = site.on("alpha", &["tick"]).run().await;
        Some((finished, bouncer))
    };
    let Some((refused, _bouncer)) = behind("").await else {
        return;
    };
    assert_eq!(refused.code, Some(69), "{refused:?}");
    assert!(
        refused.stderr.contains("unsupported startup parameter"),
        "{refused:?}"
    );
    let path = format!("ALTER ROLE crontabber IN DATABASE {name} SET search_path = ops");
    database.execute(&path).await;
    let ignoring = behind("ignore_startup_parameters = options").await;
    let (well, _bouncer) = ignoring.expect("it was there a moment ago");
    assert_eq!(well.code, Some(0), "{well:?}");
    let there = "SELECT count(*) FROM ops.crontabber";
    assert_eq!(database.query_one::<i64>(there).await, 1);
}

#[tokio::test]
async fn a_daemon_behind_a_pooler_looks_each_poll_runs_what_is_due_and_takes_orders() {
    let scene = Scene::new(|site| {
        [
            "[daemon]\npoll = \"1s\"\nlease = \"3s\"\n".to_owned(),
            site.job("beacon", "every = \"1s\"\nstart = \"now\"", "true"),
            site.job("often", "every = \"1s\"\nstart = \"now\"", "true"),
            site.job("rare", "every = \"1d\"", "true"),
        ]
        .concat()
    })
    .await;
    let Some(scene) = scene else { return };
    let started = |job: &str| {
        let starts = scene.site.ledger().starts().into_iter();
        starts.filter(|start| start.job == job).count()
    };
    let more = async |job: &str, more: usize| {
        let before = started(job);
        let what = format!("`{job}` has started {more} times more");
        until(SOON, &what, async || started(job) >= before + more).await;
    };
    let daemon = scene.site.on("alpha", &["daemon", "-v"]).spawn();
    more("often", 2).await;
    let says = "this address leads to a pooler: looking now and then instead of listening";
    assert!(daemon.stderr().contains(says), "{}", daemon.stderr());

    // Somebody makes a job due in psql: nothing tells the daemon but its look.
    race::make_due(&scene.database, "rare").await;
    until(SOON, "`rare` has started", async || started("rare") == 1).await;
    // And by an order, which is not heard of either.
    scene.well(&["trigger", "rare"]).await;
    until(SOON, "`rare` has started again", async || {
        started("rare") == 2
    })
    .await;

    scene.well(&["pause", "often"]).await;
    let now = "SELECT clock_timestamp()::text";
    let now = scene.database.query_one::<String>(now).await;
    more("beacon", 3).await;
    let since = format!(
        "SELECT count(*) FROM crontabber_log WHERE app_name = 'often' AND started_at > '{now}'"
    );
    assert_eq!(scene.database.query_one::<i64>(&since).await, 0);
    scene.well(&["resume", "often"]).await;
    more("often", 1).await;

    let doctor = scene.well(&["doctor"]).await;
    assert!(doctor.contains("polling instead of LISTEN"), "{doctor}");
    assert_eq!(
        sessions_say(&scene.bouncer, LEFT_BEHIND).await,
        BTreeSet::new()
    );
    daemon.signal(Signal::SIGTERM);
    let daemon = daemon.finished().await;
    assert_eq!(daemon.code, Some(0), "{daemon:?}");
    log_agrees(&scene.site, &scene.database).await;
}

#[tokio::test]
async fn the_doctor_sees_the_pooler_and_has_nothing_worse_to_say() {
    let Some(scene) = Scene::new(short_lease).await else {
        return;
    };
    scene.well(&["tick"]).await;
    let said = scene.well(&["doctor"]).await;
    let pooler = said.lines().find(|line| line.contains("\tpooler\t"));
    let pooler = pooler.expect("it looked");
    assert!(
        pooler.starts_with("warning\tpooler\ta pooler stands before the server: polling"),
        "{pooler}"
    );
    assert!(!said.contains("problem\t"), "{said}");
}
