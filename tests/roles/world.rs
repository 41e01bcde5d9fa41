//! A server with the roles of the document, and databases in which they have their rights, or all but one.

use std::time::Duration;

use crontabber::store::schema;
use tokio_postgres::{Client, NoTls};

use super::{
    common::{Database, Finished, Postgres, Private, Site, Template},
    granted::{Right, Role},
};

/// What is configured everywhere: a job that is well, one that fails, and one of SQL.
const JOBS: &str = "\
[jobs.good]\nevery = \"1h\"\nstart = \"now\"\nstream_output = true\nshell = \"echo well\"\n
[jobs.bad]\nevery = \"1h\"\nstart = \"now\"\nshell = \"exit 9\"\n
[jobs.counted]\nevery = \"1h\"\nstart = \"now\"\nsql = \"SELECT 1\"\n";

pub(crate) struct World {
    _private: Private,
    pub(crate) postgres: Postgres,
    template: Template,
}

impl World {
    /// A server of one's own, because roles are the server's.
    pub(crate) async fn new(roles: &[&Role]) -> Self {
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

    /// A database with the tables, in which these roles have all their rights.
    pub(crate) async fn database(&self, roles: &[&Role]) -> Database {
        let database = self.postgres.from(&self.template).await;
        let name = database.name().to_owned();
        // What is granted on a database itself is not copied.
        database
            .execute(&format!(
                "ALTER DATABASE {name} OWNER TO crontabber_owner; REVOKE ALL ON DATABASE {name} FROM PUBLIC"
            ))
            .await;
        for role in roles {
            for right in role.outside() {
                let grant = right.there(&database).grant(role);
                database.execute(&grant).await;
            }
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
    let applied = applied.expect("the owner may make the tables");
    assert!(!applied.steps.is_empty());
    for role in roles {
        for right in role.inside() {
            sql(&right.grant(role)).await;
        }
    }
}

/// Takes this right away from a role.
pub(crate) async fn deprive(database: &Database, role: &Role, right: &Right) {
    let revoke = right.there(database).revoke(role);
    database.execute(&revoke).await;
}

/// The URL of a database for a role.
pub(crate) fn url(database: &Database, role: &str) -> String {
    let own = "user=crontabber";
    assert!(database.url().contains(own), "{}", database.url());
    database.url().replace(own, &format!("user={role}"))
}

/// A host that is this role in the database.
pub(crate) fn site(database: &Database, role: &str) -> Site {
    let site = Site::new();
    site.configure(&url(database, role), JOBS);
    site
}

/// How a command ends there.
pub(crate) async fn ended(site: &Site, arguments: &[&str]) -> Finished {
    site.on("web1", arguments).run().await
}

/// Its exit code alone; what it had to say is printed for when the test fails.
pub(crate) async fn code(site: &Site, arguments: &[&str]) -> Option<i32> {
    let ended = ended(site, arguments).await;
    println!("{arguments:?}: {:?} {}", ended.code, ended.stderr);
    ended.code
}

/// The exit codes of several.
pub(crate) async fn codes(site: &Site, commands: &[&[&str]]) -> Vec<Option<i32>> {
    let mut codes = Vec::new();
    for command in commands {
        codes.push(code(site, command).await);
    }
    codes
}

pub(crate) async fn connect(
    database: &Database,
    role: &str,
) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(&url(database, role), NoTls).await?;
    // Its end is seen by the client, as an error of the next statement.
    tokio::spawn(connection);
    Ok(client)
}

/// The SQLSTATE by which the server refuses this to a role.
pub(crate) async fn refused(database: &Database, role: &str, sql: &str) -> String {
    let client = connect(database, role).await.expect("it may connect");
    let error = client.batch_execute(sql).await.expect_err("it is refused");
    error.code().expect("the server said so").code().to_owned()
}
