//! The server, and what it gives to a role.

use super::{
    common::{Database, Site},
    said::{Line, doctor, well},
};

/// The only thing that is not well when the sessions of this database begin with a setting.
async fn with_setting(setting: &str, bad: &str) -> Line {
    let (database, site) = well().await;
    set(&database, setting).await;
    doctor(&site).await.only(bad).clone()
}

/// For the tests' role, in this database alone.
async fn set(database: &Database, setting: &str) {
    let name = database.name();
    let sql = format!("ALTER ROLE crontabber IN DATABASE {name} SET {setting}");
    database.execute(&sql).await;
}

#[tokio::test]
async fn commits_of_jobs_that_a_crash_may_forget_are_a_warning() {
    let line = with_setting("synchronous_commit = off", "warning durability").await;
    line.says(
        "synchronous_commit is off for crontabber",
        "ALTER ROLE crontabber RESET synchronous_commit",
    );
}

#[tokio::test]
async fn a_role_whose_transactions_are_read_only_still_claims_and_is_told() {
    let (database, site) = well().await;
    set(&database, "default_transaction_read_only = on").await;
    doctor(&site)
        .await
        .only("warning session")
        .says("read-only", "RESET default_transaction_read_only");
    let forced = site.on("web1", &["run", "it", "--force"]).run().await;
    assert_eq!(forced.code, Some(0), "{forced:?}");
}

#[tokio::test]
async fn sessions_that_are_ended_when_idle_are_a_warning_where_there_is_such_a_setting() {
    let (database, site) = well().await;
    let version = "SELECT current_setting('server_version_num')::integer";
    if database.query_one::<i32>(version).await < 140_000 {
        println!("this server has no idle_session_timeout");
        return;
    }
    set(&database, "idle_session_timeout = '90s'").await;
    doctor(&site)
        .await
        .only("warning session")
        .says("idle for 1m 30s", "idle_session_timeout = 0");
}

#[tokio::test]
async fn too_few_connections_for_this_host_are_a_problem() {
    let (database, site) = well().await;
    let sections = |site: &Site| {
        let sql = "[jobs.counted]\nevery = \"1h\"\nsql = \"SELECT 1\"\n";
        let job = site.job("it", "every = \"1h\"", "true");
        format!("[daemon]\nmax_parallel = 30\n{sql}{job}")
    };
    site.configure(database.url(), &sections(&site));
    let name = database.name();
    database
        .execute(&format!("ALTER DATABASE {name} CONNECTION LIMIT 33"))
        .await;
    let said = doctor(&site).await;
    said.only("problem connections").says(
        "may want 34 (30 for max_parallel, 3 beside them, 1 for jobs of SQL); 33 can be had",
        "CONNECTION LIMIT of the database",
    );
}

#[cfg(feature = "embedded")]
mod copied {
    use std::{
        process::{Child, Command, Stdio},
        time::Duration,
    };

    use super::{
        super::{
            common::{Private, until},
            said::{doctor, site},
        },
        Database,
    };

    /// Something that copies a server as a standby does: it streams its log.
    struct Standby(Child);

    impl Drop for Standby {
        fn drop(&mut self) {
            // It may have ended with its server.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    async fn standby(server: &Private, database: &Database) -> Standby {
        let programs: String = database
            .query_one("SELECT setting FROM pg_config() WHERE name = 'BINDIR'")
            .await;
        let socket = server.cluster().url();
        let (_, rest) = socket.split_once("host=").expect("it has a socket");
        let socket = rest.split('&').next().expect("there is a first part");
        let mut command = Command::new(format!("{programs}/pg_receivewal"));
        command
            .args(["-h", socket, "-U", "crontabber", "--synchronous", "-D"])
            .arg(server.directory())
            .env("PGAPPNAME", "copy")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let standby = Standby(command.spawn().expect("it comes with the server"));
        let streams = "SELECT count(*) > 0 FROM pg_stat_replication WHERE state = 'streaming'";
        until(
            Duration::from_secs(20),
            "somebody copies the server",
            async || database.query_one(streams).await,
        )
        .await;
        standby
    }

    #[tokio::test]
    async fn a_standby_that_no_commit_waits_for_is_the_documented_limit_and_one_that_it_waits_for_is_none()
     {
        let server = Private::new();
        let database = server.database().await;
        let site = site(&database);
        let pass = site.on("web1", &["tick"]).run().await;
        assert_eq!(pass.code, Some(0), "{pass:?}");
        let standby = standby(&server, &database).await;
        doctor(&site)
            .await
            .only("warning durability")
            .says("no commit waits for 1 standby", "synchronous_standby_names");
        for sql in [
            "ALTER SYSTEM SET synchronous_standby_names = 'copy'",
            "SELECT pg_reload_conf()",
        ] {
            database.execute(sql).await;
        }
        let waits = "SELECT count(*) > 0 FROM pg_stat_replication WHERE sync_state = 'sync'";
        until(Duration::from_secs(20), "commits wait for it", async || {
            database.query_one(waits).await
        })
        .await;
        let said = doctor(&site).await;
        assert_eq!(said.bad(), [""; 0], "{said:#?}");
        said.of_check("durability")
            .says("each commit waits for a standby", "");
        drop(standby);
        let gone = "SELECT count(*) = 0 FROM pg_stat_replication";
        until(Duration::from_secs(20), "it is gone", async || {
            database.query_one(gone).await
        })
        .await;
        doctor(&site)
            .await
            .only("warning durability")
            .says("no such standby is connected", "connect the standby");
    }
}
