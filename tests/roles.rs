//! The rights that docs/operations.md grants: with them everything works, without any one of them something does not.

#![cfg(feature = "embedded")]

mod common;

use std::{fs, time::Duration};

use common::{Crontabber, Database, Finished, Postgres, Private, Site, Template};
use crontabber::{
    reap,
    spec::Lease,
    store::{self, Address, Environment, schema},
};
use tokio_postgres::Client;

/// A database whose owner has made the tables, and whose roles have what the document grants them.
const JOBS: &str = "\
[jobs.good]\nevery = \"1h\"\nstart = \"now\"\nshell = \"echo well\"\n
[jobs.bad]\nevery = \"1h\"\nstart = \"now\"\nshell = \"exit 9\"\n";

/// One privilege on one object.
#[derive(Debug, Clone)]
struct Right {
    privilege: String,
    object: String,
}

/// A role as the document has it.
#[derive(Debug)]
struct Role {
    name: String,
    /// Without those of a role that it says to be `as`.
    rights: Vec<Right>,
}

impl Right {
    fn grant(&self, role: &str) -> String {
        format!("GRANT {} ON {} TO {role}", self.privilege, self.object)
    }

    fn revoke(&self, role: &str) -> String {
        format!("REVOKE {} ON {} FROM {role}", self.privilege, self.object)
    }

    fn is_of_the_database(&self) -> bool {
        self.object.starts_with("DATABASE ")
    }

    /// The same in a database of another name.
    fn there(&self, database: &Database) -> Self {
        let object = if self.is_of_the_database() {
            format!("DATABASE {}", database.name())
        } else {
            self.object.clone()
        };
        Self {
            object,
            ..self.clone()
        }
    }
}

fn document() -> String {
    fs::read_to_string("docs/operations.md").expect("it is there")
}

/// The blocks of SQL of the document.
fn blocks() -> Vec<String> {
    let text = document();
    let blocks = text.split("```sql\n").skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

/// The role of this name.
fn role(name: &str) -> Role {
    let beginning = format!("-- role: {name}");
    let block = blocks()
        .into_iter()
        .find(|block| {
            block
                .lines()
                .next()
                .is_some_and(|line| line.split(',').next() == Some(&beginning))
        })
        .unwrap_or_else(|| panic!("the document has no role {name}"));
    let mut rights = Vec::new();
    for line in block.lines().filter(|line| !line.starts_with("--")) {
        let grant = line.strip_prefix("GRANT ").expect("a grant a line");
        let (privileges, rest) = grant.split_once(" ON ").expect("on something");
        let (object, to) = rest.split_once(" TO ").expect("to somebody");
        assert_eq!(to, format!("{name};"));
        for privilege in privileges.split(", ") {
            rights.push(Right {
                privilege: privilege.to_owned(),
                object: object.to_owned(),
            });
        }
    }
    assert!(!rights.is_empty(), "{name} may do nothing");
    Role {
        name: name.to_owned(),
        rights,
    }
}

/// A server with the roles of the document, and a database with its tables and rights to be copied.
struct World {
    _private: Private,
    postgres: Postgres,
    template: Template,
}

impl World {
    async fn new(roles: &[&Role]) -> Self {
        let private = Private::new();
        let postgres = Postgres::at(private.cluster().url());
        let template = postgres
            .template("roles", async |client| prepare(client, roles).await)
            .await;
        Self {
            _private: private,
            postgres,
            template,
        }
    }

    /// A database in which the role has all its rights but this one.
    async fn without(&self, role: &Role, lacking: Option<&Right>) -> Database {
        let database = self.postgres.from(&self.template).await;
        let name = database.name().to_owned();
        // What is granted on a database itself is not copied.
        database
            .execute(&format!("ALTER DATABASE {name} OWNER TO crontabber_owner; REVOKE ALL ON DATABASE {name} FROM PUBLIC"))
            .await;
        for right in role
            .rights
            .iter()
            .filter(|right| right.is_of_the_database())
        {
            database
                .execute(&right.there(&database).grant(&role.name))
                .await;
        }
        if let Some(right) = lacking {
            database
                .execute(&right.there(&database).revoke(&role.name))
                .await;
        }
        database
    }
}

/// What the owner does, as the document has it.
async fn prepare(client: &mut Client, roles: &[&Role]) {
    let sql = async |sql: &str| {
        let done = client.batch_execute(sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    };
    sql("CREATE ROLE crontabber_owner LOGIN; ALTER SCHEMA public OWNER TO crontabber_owner").await;
    for role in roles {
        sql(&format!("CREATE ROLE {} LOGIN", role.name)).await;
    }
    sql("SET ROLE crontabber_owner").await;
    sql("REVOKE ALL ON SCHEMA public FROM PUBLIC").await;
    let applied = schema::migrate(client, Duration::from_hours(12)).await;
    assert!(applied.expect("the owner may make the tables").guard);
    for role in roles {
        for right in role
            .rights
            .iter()
            .filter(|right| !right.is_of_the_database())
        {
            sql(&right.grant(&role.name)).await;
        }
    }
}

/// The URL of a database for a role.
fn url(database: &Database, role: &str) -> String {
    let url = database
        .url()
        .replace("user=crontabber", &format!("user={role}"));
    assert!(url.contains(&format!("user={role}")), "{url}");
    url
}

/// A site whose host is this role.
fn site(database: &Database, role: &str) -> Site {
    let site = Site::new();
    site.configure(&url(database, role), JOBS);
    site
}

fn on(site: &Site, arguments: &[&str]) -> Crontabber {
    site.on("web1", arguments)
}

async fn code(site: &Site, arguments: &[&str]) -> Option<i32> {
    let ended: Finished = on(site, arguments).run().await;
    if ended.code != Some(0) {
        println!("{arguments:?}: {:?} {}", ended.code, ended.stderr);
    }
    ended.code
}

/// What all that reads answers.
const READING: [&[&str]; 8] = [
    &["list"],
    &["hosts"],
    &["ongoing"],
    &["why", "good"],
    &["show", "good"],
    &["history"],
    &["logs", "good"],
    &["tick", "--dry-run"],
];

/// A run whose host died long ago.
async fn plant_a_dead_run(database: &Database) {
    let run = "00000000-0000-4000-8000-000000000001";
    database
        .execute(&format!(
            "UPDATE crontabber SET run_id = '{run}', run_slot = slot, run_trigger = 'schedule', attempt = 7, host = 'dead',
                    ongoing = now(), lease_until = now(), on_lost = 'retry', revision = revision + 1 WHERE app_name = 'good';
             INSERT INTO crontabber_log (app_name, run_id, slot, attempt, host, outcome, started_at)
             SELECT app_name, run_id, slot, 7, host, 'running', now() FROM crontabber WHERE app_name = 'good'"
        ))
        .await;
}

/// Reaps as this role, in some years.
async fn reaped(database: &Database, role: &str) -> usize {
    let address = Address::parse(&url(database, role), &Environment::of_this_process());
    let limit = Duration::from_secs(10);
    let store = store::Database::new(address.expect("the test's own URL"), "roles", 1, limit);
    let terms = Lease::of(Duration::from_secs(12));
    let now = Some(common::host::noon());
    let reaped = reap::reap(&store, &terms, now).await;
    let orphans = reap::reap_orphans(&store, &terms, now).await;
    reaped.expect("it has the rights").len() + orphans.expect("it has the rights").len()
}

#[tokio::test]
async fn a_host_needs_the_rights_of_a_host_and_each_of_them() {
    let role = role("crontabber_tick");
    let world = World::new(&[&role]).await;

    let database = world.without(&role, None).await;
    let site = site(&database, &role.name);
    // One of the two jobs fails, and both are recorded.
    assert_eq!(code(&site, &["tick"]).await, Some(1));
    let runs =
        "SELECT string_agg(app_name || ' ' || outcome, ', ' ORDER BY app_name) FROM crontabber_log";
    assert_eq!(
        database.query_one::<String>(runs).await,
        "bad failure, good success"
    );
    let hosts = "SELECT string_agg(host, ', ') FROM crontabber_host";
    assert_eq!(database.query_one::<String>(hosts).await, "web1");
    assert_eq!(code(&site, &["run", "good", "--force"]).await, Some(0));
    for command in READING {
        assert_eq!(code(&site, command).await, Some(0), "{command:?}");
    }
    plant_a_dead_run(&database).await;
    assert_eq!(reaped(&database, &role.name).await, 1);
    // It may do no more than that.
    for beyond in [
        "DELETE FROM crontabber",
        "DELETE FROM crontabber_log",
        "TRUNCATE crontabber_host",
        "SELECT FROM crontabber_audit",
        "UPDATE crontabber_schema SET version = 1",
        "CREATE TABLE of_a_host ()",
        "CREATE TEMPORARY TABLE of_a_host ()",
    ] {
        assert_eq!(
            refused(&database, &role.name, beyond).await,
            "42501",
            "{beyond}"
        );
    }

    for lacking in &role.rights {
        let database = world.without(&role, Some(lacking)).await;
        let site = self::site(&database, &role.name);
        let ended = on(&site, &["tick"]).run().await;
        assert_eq!(
            ended.code,
            Some(77),
            "without {lacking:?}: {}",
            ended.stderr
        );
        let object = lacking.there(&database).object;
        let object = object.split_whitespace().last().expect("a name");
        assert!(
            ended.stderr.contains("permission denied") && ended.stderr.contains(object),
            "without {lacking:?}: {}",
            ended.stderr
        );
    }
}

#[tokio::test]
async fn a_reader_needs_the_rights_of_a_reader_and_each_of_them() {
    let (host, role) = (role("crontabber_tick"), role("crontabber_read"));
    let world = World::new(&[&host, &role]).await;
    let ran = async |lacking: Option<&Right>| {
        let database = world.without(&host, None).await;
        assert_eq!(code(&site(&database, &host.name), &["tick"]).await, Some(1));
        for right in role
            .rights
            .iter()
            .filter(|right| right.is_of_the_database())
        {
            database
                .execute(&right.there(&database).grant(&role.name))
                .await;
        }
        if let Some(right) = lacking {
            database
                .execute(&right.there(&database).revoke(&role.name))
                .await;
        }
        database
    };

    let database = ran(None).await;
    let site = site(&database, &role.name);
    for command in READING {
        assert_eq!(code(&site, command).await, Some(0), "{command:?}");
    }
    // A reader is no host.
    assert_eq!(code(&site, &["run", "good", "--force"]).await, Some(77));

    for lacking in &role.rights {
        let database = ran(Some(lacking)).await;
        let site = self::site(&database, &role.name);
        let mut codes = Vec::new();
        for command in READING {
            codes.push(code(&site, command).await);
        }
        assert!(codes.contains(&Some(77)), "without {lacking:?}: {codes:?}");
    }
}

#[tokio::test]
async fn only_the_owner_migrates() {
    let role = role("crontabber_tick");
    let world = World::new(&[&role]).await;
    let database = world.without(&role, None).await;
    let (host, owner) = (
        site(&database, &role.name),
        site(&database, "crontabber_owner"),
    );
    // Nothing to do is nothing to ask a right for.
    assert_eq!(code(&host, &["migrate"]).await, Some(0));

    database
        .execute("UPDATE crontabber_schema SET version = version - 1")
        .await;
    let refused = on(&host, &["migrate"]).run().await;
    assert_eq!(refused.code, Some(77), "{}", refused.stderr);
    assert!(
        refused
            .stderr
            .contains("connect as the owner of the tables"),
        "{}",
        refused.stderr
    );
    assert_eq!(code(&host, &["tick"]).await, Some(78));
    assert_eq!(code(&owner, &["migrate"]).await, Some(0));
    assert_eq!(code(&host, &["tick"]).await, Some(1));

    // A host's first pass makes no tables where its role may make none.
    let empty = world.postgres.fresh().await;
    empty
        .execute(&format!(
            "CREATE SCHEMA theirs; GRANT USAGE ON SCHEMA public TO {}",
            role.name
        ))
        .await;
    empty
        .execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        .await;
    let early = on(&site(&empty, &role.name), &["tick"]).run().await;
    assert_eq!(early.code, Some(77), "{}", early.stderr);
    assert!(
        early.stderr.contains("permission denied for schema public"),
        "{}",
        early.stderr
    );
}

#[tokio::test]
async fn a_job_asks_for_its_fence_and_sees_nothing() {
    let role = role("a_job");
    let world = World::new(&[&role]).await;
    let asks = "SELECT crontabber_assert_fence('good', 4711)";
    let claimed = async |database: &Database| {
        let claim = "INSERT INTO crontabber (app_name, next_run, ongoing, run_id, run_slot, lease_until, fence) \
             VALUES ('good', now(), now(), gen_random_uuid(), now(), now(), 4711)";
        database.execute(claim).await;
    };
    let database = world.without(&role, None).await;
    claimed(&database).await;
    let job = connect(&database, &role.name)
        .await
        .expect("it may connect");
    assert!(job.batch_execute(asks).await.is_ok());
    assert_eq!(
        refused(&database, &role.name, &asks.replace("4711", "4710")).await,
        "CT001"
    );
    assert_eq!(
        refused(&database, &role.name, "SELECT FROM crontabber").await,
        "42501"
    );

    for lacking in &role.rights {
        let database = world.without(&role, Some(lacking)).await;
        claimed(&database).await;
        let is_asked = match connect(&database, &role.name).await {
            Ok(job) => job.batch_execute(asks).await.is_ok(),
            Err(_) => false,
        };
        assert!(!is_asked, "without {lacking:?}");
    }
}

async fn connect(database: &Database, role: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) =
        tokio_postgres::connect(&url(database, role), tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The SQLSTATE by which the server refuses this to a role.
async fn refused(database: &Database, role: &str, sql: &str) -> String {
    let client = connect(database, role).await.expect("it may connect");
    let error = client.batch_execute(sql).await.expect_err("it is refused");
    error.code().expect("the server said so").code().to_owned()
}
