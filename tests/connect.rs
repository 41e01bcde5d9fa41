//! Connections to real servers: encrypted, refused, stalled, lost.

#[path = "connect/certificates.rs"]
#[cfg_attr(
    not(feature = "tls"),
    expect(dead_code, reason = "without encryption nobody looks at most of them")
)]
mod certificates;
#[path = "connect/cluster.rs"]
mod cluster;

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    time::{Duration, Instant},
};

use crontabber::store::{Address, Connection, Database, DatabaseError, Environment, limited};
use tokio_postgres::error::SqlState;

use cluster::{Cluster, PASSWORD, Role, run_as_server};

/// More than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a test that waits for a limit waits.
const SHORT: Duration = Duration::from_millis(300);

/// A machine that adds nothing to the text.
fn nowhere() -> Environment {
    Environment {
        variable: Box::new(|_| None),
        user: || None,
        home: None,
        socket_directory: None,
    }
}

fn address(text: &str) -> Address {
    Address::parse(text, &nowhere()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn database(text: &str) -> Database {
    Database::new(address(text), "connect test", 2, PATIENCE)
}

async fn open(text: &str) -> Result<Connection, DatabaseError> {
    database(text).dedicated().await
}

async fn opened(text: &str) -> Connection {
    open(text)
        .await
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

async fn refused(text: &str) -> DatabaseError {
    match open(text).await {
        Ok(_) => panic!("{text} was let in"),
        Err(error) => {
            assert!(
                !format!("{error} {error:?}").contains("c4n4ry"),
                "{error:?}"
            );
            error
        }
    }
}

async fn text(connection: &Connection, sql: &str) -> String {
    let row = connection.query_one(sql, &[]).await;
    row.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
        .get(0)
}

/// What the server says of this connection.
async fn encrypted(text: &str) -> bool {
    let connection = opened(text).await;
    let ssl = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    connection.query_one(ssl, &[]).await.expect("a row").get(0)
}

/// Whether this many sessions of the cluster are doing `sql`, sooner or later.
async fn becomes(cluster: &Cluster, count: usize, sql: &str) {
    let watcher = opened(&cluster.local()).await;
    let since = Instant::now();
    let active = "SELECT count(*)::text FROM pg_stat_activity \
        WHERE state <> 'idle' AND query LIKE $1 AND pid <> pg_backend_pid()";
    loop {
        let row = watcher.query_one(active, &[&format!("%{sql}%")]).await;
        if row.expect("a row").get::<_, String>(0) == count.to_string() {
            return;
        }
        assert!(since.elapsed() < PATIENCE, "not {count} sessions do {sql}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[cfg(feature = "tls")]
mod tls {
    use super::*;

    #[tokio::test]
    async fn each_mode_encrypts_what_libpq_would() {
        let cluster = Cluster::shared();
        let root = format!("sslrootcert={}", cluster.certificates.root.display());
        for (mode, expected) in [
            ("disable", false),
            ("allow", false),
            ("prefer", true),
            ("require", true),
            ("verify-ca", true),
            ("verify-full", true),
        ] {
            let text = format!("{} sslmode={mode} {root}", cluster.tcp());
            assert_eq!(encrypted(&text).await, expected, "{mode}");
        }
    }

    #[tokio::test]
    async fn a_connection_to_a_server_is_known_to_lead_to_it_with_and_without_encryption() {
        let cluster = Cluster::shared();
        for mode in ["disable", "prefer", "require"] {
            let connection = opened(&format!("{} sslmode={mode}", cluster.tcp())).await;
            assert!(connection.is_direct().await, "{mode}");
        }
        assert!(opened(&cluster.local()).await.is_direct().await);
    }

    #[tokio::test]
    async fn weak_modes_look_at_no_certificate_unless_there_is_a_root() {
        let cluster = Cluster::shared();
        for mode in ["prefer", "require"] {
            assert!(encrypted(&format!("{} sslmode={mode}", cluster.tcp())).await);
        }
        let stranger = format!("sslrootcert={}", cluster.certificates.stranger.display());
        let required = format!("{} sslmode=require {stranger}", cluster.tcp());
        let error = refused(&required).await.to_string();
        assert!(error.contains("UnknownIssuer"), "{error}");
        // It prefers encryption, and this is none: as in libpq.
        assert!(!encrypted(&format!("{} sslmode=prefer {stranger}", cluster.tcp())).await);
    }

    #[tokio::test]
    async fn allow_and_prefer_take_the_other_way_when_the_server_insists() {
        let cluster = Cluster::shared();
        let as_role = |role, mode| {
            let tcp = cluster.tcp().replace("user=app", &format!("user={role}"));
            format!("{tcp} sslmode={mode}")
        };
        assert!(encrypted(&as_role("tls_only", "allow")).await);
        assert!(!encrypted(&as_role("plain_only", "prefer")).await);
        for (role, mode) in [("tls_only", "disable"), ("plain_only", "require")] {
            let error = refused(&as_role(role, mode)).await;
            assert!(matches!(error, DatabaseError::Refused(_)), "{error:?}");
            assert_eq!(error.sql_state().map(SqlState::code), Some("28000"));
        }
    }

    #[tokio::test]
    async fn verification_refuses_a_stranger_and_the_full_one_another_name() {
        let cluster = Cluster::shared();
        let root = format!("sslrootcert={}", cluster.certificates.root.display());
        let stranger = format!("sslrootcert={}", cluster.certificates.stranger.display());
        let tcp = cluster.tcp();
        for mode in ["verify-ca", "verify-full"] {
            let error = refused(&format!("{tcp} sslmode={mode} {stranger}")).await;
            assert!(matches!(error, DatabaseError::Refused(_)), "{error:?}");
            assert!(error.to_string().contains("UnknownIssuer"), "{error}");
        }
        let other_name = tcp.replace("host=localhost", "host=db.example");
        assert!(encrypted(&format!("{other_name} sslmode=verify-ca {root}")).await);
        let error = refused(&format!("{other_name} sslmode=verify-full {root}"))
            .await
            .to_string();
        assert!(
            error.contains("db.example") && error.contains("localhost"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn what_is_missing_for_a_handshake_is_named() {
        let cluster = Cluster::shared();
        let tcp = cluster.tcp();
        let error = refused(&format!("{tcp} sslmode=verify-ca"))
            .await
            .to_string();
        assert!(error.contains("sslrootcert"), "{error}");
        let error = refused(&format!("{tcp} sslmode=require sslrootcert=/nowhere/r.crt")).await;
        assert!(error.to_string().contains("/nowhere/r.crt"), "{error}");
        let empty = cluster.certificates.file("empty.crt", "nothing\n");
        let error = refused(&format!(
            "{tcp} sslmode=require sslrootcert={}",
            empty.display()
        ))
        .await;
        assert!(
            error.to_string().contains("no certificate in it"),
            "{error}"
        );
        // Nobody in the system's list has signed this server's, if there is a list.
        let error = refused(&format!("{tcp} sslrootcert=system")).await;
        assert!(matches!(error, DatabaseError::Refused(_)), "{error:?}");
    }

    #[tokio::test]
    async fn a_client_certificate_is_the_password_of_its_role() {
        let cluster = Cluster::start(Role::Primary);
        cluster.psql("ALTER SYSTEM SET ssl_ca_file = 'root.crt'");
        cluster.psql("SELECT pg_reload_conf()");
        let tcp = cluster.tcp().replace("user=app", "user=certified");
        let error = refused(&format!("{tcp} sslmode=require")).await;
        assert!(matches!(error, DatabaseError::Refused(_)), "{error:?}");

        let certificates = &cluster.certificates;
        let key = &certificates.client_key;
        let with = format!(
            "{tcp} sslmode=require sslcert={} sslkey={}",
            certificates.client.display(),
            key.display()
        );
        assert!(encrypted(&with).await);
        fs::set_permissions(key, fs::Permissions::from_mode(0o644)).unwrap();
        let error = refused(&with).await.to_string();
        assert!(
            error.contains("client.key") && error.contains("0600"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn the_manuals_certificate_that_signs_itself_is_its_own_root_until_it_expires() {
        let cluster = Cluster::start(Role::Primary);
        let certificates = &cluster.certificates;
        let own = certificates.file("own.crt", &certificates.own.certificate);
        let with_own = format!("{} sslrootcert={}", cluster.tcp(), own.display());
        // The server's certificate is still the other one.
        refused(&format!("{with_own} sslmode=verify-ca")).await;

        cluster.present(&certificates.own);
        let full = format!("{with_own} sslmode=verify-full");
        eventually(&full).await;
        assert!(encrypted(&full).await);
        let other_name = full.replace("host=localhost", "host=db.example");
        refused(&other_name).await;
        // Signing itself is no recommendation to those who trust another.
        for root in [&certificates.stranger, &certificates.root] {
            let other_root = format!("{} sslrootcert={}", cluster.tcp(), root.display());
            refused(&format!("{other_root} sslmode=verify-ca")).await;
        }

        cluster.present(&certificates.expired);
        let expired = certificates.file("expired.crt", &certificates.expired.certificate);
        let expired = format!(
            "{} sslmode=verify-ca sslrootcert={}",
            cluster.tcp(),
            expired.display()
        );
        let since = Instant::now();
        loop {
            let error = refused(&expired).await.to_string();
            if error.contains("expired") || error.contains("Expired") {
                break;
            }
            assert!(since.elapsed() < PATIENCE, "{error}");
        }
    }

    #[tokio::test]
    async fn a_server_without_tls_will_do_unless_encryption_is_required() {
        let cluster = Cluster::start(Role::Primary);
        cluster.psql("ALTER SYSTEM SET ssl = off");
        cluster.psql("SELECT pg_reload_conf()");
        let require = format!("{} sslmode=require", cluster.tcp());
        let since = Instant::now();
        let error = loop {
            match open(&require).await {
                Err(error) => break error,
                Ok(_) => assert!(since.elapsed() < PATIENCE, "it still encrypts"),
            }
        };
        assert!(matches!(error, DatabaseError::Refused(_)), "{error:?}");
        assert!(
            error.to_string().contains("does not support TLS"),
            "{error}"
        );
        for mode in ["allow", "prefer"] {
            assert!(!encrypted(&format!("{} sslmode={mode}", cluster.tcp())).await);
        }
        let connection = opened(&format!("{} sslmode=prefer", cluster.tcp())).await;
        let sleep = connection.batch_execute("SELECT pg_sleep(65)");
        let cut = limited(SHORT, connection.fuse(), sleep).await;
        assert!(cut.is_err());
        becomes(&cluster, 0, "pg_sleep(65)").await;
    }

    /// The server rereads its certificate a moment after it is told to.
    async fn eventually(text: &str) {
        let since = Instant::now();
        while let Err(error) = open(text).await {
            assert!(since.elapsed() < PATIENCE, "{error}");
        }
    }

    #[tokio::test]
    async fn a_query_over_tls_is_cancelled_over_tls() {
        let cluster = Cluster::shared();
        let connection = opened(&format!("{} sslmode=require", cluster.tcp())).await;
        let sleep = connection.batch_execute("SELECT pg_sleep(61)");
        let cut = limited(SHORT, connection.fuse(), sleep).await;
        assert!(
            matches!(cut, Err(DatabaseError::TimedOut { .. })),
            "{cut:?}"
        );
        becomes(&cluster, 0, "pg_sleep(61)").await;
    }
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn without_the_feature_what_is_only_preferred_is_plain() {
    let cluster = Cluster::shared();
    for mode in ["allow", "prefer"] {
        assert!(!encrypted(&format!("{} sslmode={mode}", cluster.tcp())).await);
    }
}

#[tokio::test]
async fn nothing_of_tls_is_read_where_nothing_is_encrypted() {
    let cluster = Cluster::shared();
    let files = "sslrootcert=/nowhere/r.crt sslcert=/nowhere/c.crt sslkey=/nowhere/c.key";
    opened(&format!("{} sslmode=disable {files}", cluster.tcp())).await;
    opened(&format!("{} sslmode=verify-full {files}", cluster.local())).await;
}

#[tokio::test]
async fn a_server_that_is_stopped_fails_within_the_limit() {
    let cluster = Cluster::start(Role::Primary);
    let pool = Database::new(address(&cluster.tcp()), "stalled", 2, SHORT);
    drop(pool.get().await.expect("it runs"));
    let _borrowed = pool.get().await.expect("it runs");
    cluster.freeze();
    let since = Instant::now();
    let error = pool.get().await.expect_err("nobody answers the door");
    assert!(
        since.elapsed() < SHORT + PATIENCE / 4,
        "{:?}",
        since.elapsed()
    );
    assert!(matches!(error, DatabaseError::TimedOut { .. }), "{error:?}");
    assert!(error.is_transient() && !error.is_unknown_outcome());
    assert!(
        error
            .to_string()
            .contains(&format!(":{}/postgres", cluster.port)),
        "{error}"
    );
}

#[tokio::test]
async fn the_next_server_is_tried_when_the_first_is_dead_or_silent() {
    let cluster = Cluster::shared();
    // Bound and dropped: nobody listens there. Bound and kept: nobody answers there.
    let dead = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = (silent.local_addr().unwrap().port(), silent).0;
    let port = cluster.port;
    let text =
        format!("postgres://app@127.0.0.1:{dead},127.0.0.1:{silent},127.0.0.1:{port}/postgres");
    let database = Database::new(address(&text), "several", 1, Duration::from_secs(2));
    let connection = database.get().await.expect("the third is alive");
    assert_eq!(text_of_port(&connection).await, port.to_string());

    // Names are looked up, and all their numbers tried.
    opened(&format!(
        "host=localhost port={port} user=app dbname=postgres"
    ))
    .await;
    let unknown =
        format!("host=no-such-host.invalid,127.0.0.1 port={port} user=app dbname=postgres");
    opened(&unknown).await;
    let error = refused("host=no-such-host.invalid user=app").await;
    assert!(matches!(error, DatabaseError::Unreachable(_)), "{error:?}");

    let all_dead = format!("postgres://app@127.0.0.1:{dead},%2Fnowhere:{dead}/x");
    let error = refused(&all_dead).await;
    assert!(matches!(error, DatabaseError::Unreachable(_)), "{error:?}");
    assert!(error.is_transient() && !error.is_unknown_outcome());
    let words = error.to_string();
    for part in [
        &format!("127.0.0.1 port {dead}"),
        &format!("/nowhere port {dead}"),
        "Connection refused",
        "is PostgreSQL running there?",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
}

async fn text_of_port(connection: &Connection) -> String {
    text(connection, "SELECT inet_server_port()::text").await
}

#[tokio::test]
async fn a_server_that_refuses_ends_the_search() {
    let cluster = Cluster::shared();
    let port = cluster.port;
    let text = format!(
        "postgres://secret@127.0.0.1:{port},%2Fnowhere:1/postgres?password=wrong&sslmode=disable"
    );
    let error = refused(&text).await;
    assert_eq!(error.sql_state(), Some(&SqlState::INVALID_PASSWORD));
    assert!(!error.to_string().contains("/nowhere"), "{error}");
}

/// What the doctor says of a server.
fn doctor(url: &str) -> String {
    let directory = tempfile::tempdir().expect("/tmp takes directories");
    let text =
        format!("[database]\nurl = \"{url}\"\n[jobs.it]\nevery = \"1h\"\nshell = \"true\"\n");
    fs::write(directory.path().join("crontabber.toml"), text).expect("the directory is ours");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_crontabber"))
        .arg("doctor")
        .env_clear()
        .current_dir(directory.path())
        .output();
    let output = output.expect("the program can be started");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn the_doctor_knows_a_standby_and_a_server_that_forgets_in_a_crash() {
    let standby = Cluster::start(Role::Standby);
    let said = doctor(&standby.local());
    let is_standby =
        "problem\tprimary\tthe server is a standby: it takes no writes\tname the primary";
    assert!(said.contains(is_standby), "{said}");
    assert!(said.contains("problem\tdurability\tfsync is off"), "{said}");
    let said = doctor(&Cluster::shared().local());
    assert!(
        said.contains("ok\tprimary\tthe server takes writes"),
        "{said}"
    );
}

#[tokio::test]
async fn the_session_that_is_wanted_is_found_wherever_it_is() {
    let primary = Cluster::shared();
    let standby = Cluster::start(Role::Standby);
    let hosts = |first: &Cluster, second: &Cluster, wanted: &str| {
        format!(
            "host=127.0.0.1,127.0.0.1 port={},{} user=app dbname=postgres target_session_attrs={wanted}",
            first.port, second.port
        )
    };
    for (wanted, expected) in [
        ("read-write", &*primary),
        ("primary", &*primary),
        ("read-only", &standby),
        ("standby", &standby),
        ("prefer-standby", &standby),
    ] {
        for text in [
            hosts(&primary, &standby, wanted),
            hosts(&standby, &primary, wanted),
        ] {
            let connection = opened(&text).await;
            assert_eq!(
                text_of_port(&connection).await,
                expected.port.to_string(),
                "{text}"
            );
        }
    }
    let first = opened(&hosts(&standby, &primary, "any")).await;
    assert_eq!(text_of_port(&first).await, standby.port.to_string());
    // Nothing better is there.
    opened(&hosts(&primary, &primary, "prefer-standby")).await;

    for wanted in ["read-write", "primary"] {
        let error = refused(&hosts(&standby, &standby, wanted)).await;
        assert!(matches!(error, DatabaseError::ReadOnly(_)), "{error:?}");
    }
    let error = refused(&hosts(&primary, &primary, "standby")).await;
    assert!(error.to_string().contains("not a standby"), "{error}");

    let on_standby = opened(&standby.tcp()).await;
    let error = on_standby
        .batch_execute("CREATE TABLE t ()")
        .await
        .unwrap_err();
    let error = DatabaseError::from(error);
    assert!(matches!(error, DatabaseError::ReadOnly(_)), "{error:?}");
    assert_eq!(error.sql_state().map(SqlState::code), Some("25006"));
    assert!(
        error
            .to_string()
            .contains("target_session_attrs=read-write"),
        "{error}"
    );
}

#[tokio::test]
async fn a_password_opens_the_door_and_appears_nowhere() {
    let cluster = Cluster::shared();
    let port = cluster.port;
    let secret = |password: &str| {
        format!("host=127.0.0.1 port={port} user=secret dbname=postgres password='{password}'")
    };
    opened(&secret(PASSWORD)).await;
    let error = refused(&secret("c4n4ry wrong")).await;
    assert_eq!(error.sql_state(), Some(&SqlState::INVALID_PASSWORD));
    assert!(!error.is_transient());
    let error = refused(&secret("")).await;
    assert!(matches!(error, DatabaseError::Refused(_)), "{error:?}");
    assert!(error.to_string().contains("password missing"), "{error}");
    refused(&secret(PASSWORD).replace("dbname=postgres", "dbname=none")).await;
    refused(&secret(PASSWORD).replace("127.0.0.1", "/nowhere")).await;
    if cfg!(feature = "tls") {
        let verified = format!(
            "{} sslmode=verify-full sslrootcert=/nowhere",
            secret(PASSWORD)
        );
        refused(&verified).await;
    }
    let shown = format!("{:?}", database(&secret(PASSWORD)));
    assert!(!shown.contains("c4n4ry"), "{shown}");

    let file: PathBuf = cluster
        .certificates
        .file("pgpass", &format!("*:{port}:*:secret:{PASSWORD}\n"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    opened(&format!("{} passfile={}", secret(""), file.display())).await;
}

#[tokio::test]
async fn refusals_are_told_apart_and_say_what_to_do() {
    let cluster = Cluster::shared();
    let error = refused(&cluster.local().replace("dbname=postgres", "dbname=none")).await;
    assert!(matches!(error, DatabaseError::Refused(_)), "{error:?}");
    assert!(error.to_string().contains("create the database"), "{error}");

    let connection = opened(&cluster.local()).await;
    connection
        .batch_execute("CREATE TEMP TABLE unique_rows (id int PRIMARY KEY); INSERT INTO unique_rows VALUES (1)")
        .await
        .unwrap();
    let failing = async |sql: &str| {
        DatabaseError::from(connection.batch_execute(sql).await.expect_err("it fails"))
    };
    let error = failing("SELECT * FROM crontabber_nowhere").await;
    assert!(
        matches!(error, DatabaseError::MissingTables(_)),
        "{error:?}"
    );
    assert!(error.to_string().contains("crontabber migrate"), "{error}");
    let error = failing("SET ROLE secret; SELECT * FROM pg_authid").await;
    assert!(matches!(error, DatabaseError::Permission(_)), "{error:?}");
    connection.batch_execute("RESET ROLE").await.unwrap();
    let error = failing("INSERT INTO unique_rows VALUES (1)").await;
    assert!(matches!(error, DatabaseError::Other(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        "ERROR: duplicate key value violates unique constraint \"unique_rows_pkey\" (SQLSTATE 23505); \
         detail: Key (id)=(1) already exists."
    );
    let server = error.server().expect("the server said it");
    assert_eq!(server.constraint(), Some("unique_rows_pkey"));
    assert!(!error.is_transient() && !error.is_unknown_outcome());
    let error = failing("SELECT 1 FROM unique_rows WHERE id = now()").await;
    assert!(error.to_string().contains("; hint: "), "{error}");
    let error = failing("DO $$BEGIN RAISE 'two' USING ERRCODE = '40001'; END$$").await;
    assert!(
        error.is_transient() && !error.is_unknown_outcome(),
        "{error:?}"
    );
    let error = failing("DO $$BEGIN RAISE 'two' USING ERRCODE = '40003'; END$$").await;
    assert!(error.is_unknown_outcome(), "{error:?}");
    let error = failing("DO $$BEGIN RAISE '%', E'a\\nb\\x1b' || repeat('x', 100000); END$$").await;
    assert!(error.to_string().len() < 5000);
    assert!(!error.to_string().contains(char::is_control));
}

#[tokio::test]
async fn a_lost_connection_leaves_the_outcome_open_and_the_pool_usable() {
    let cluster = Cluster::shared();
    let database = Database::new(address(&cluster.local()), "lost", 1, PATIENCE);
    let connection = database.get().await.unwrap();
    let pid = text(&connection, "SELECT pg_backend_pid()::text").await;
    let killed = async {
        becomes(&cluster, 1, "pg_sleep(62)").await;
        cluster.psql(&format!("SELECT pg_terminate_backend({pid})"));
    };
    let (slept, ()) = tokio::join!(connection.batch_execute("SELECT pg_sleep(62)"), killed);
    let error = DatabaseError::from(slept.unwrap_err());
    assert!(matches!(error, DatabaseError::Unreachable(_)), "{error:?}");
    assert!(error.is_unknown_outcome() && error.is_transient());
    let error = DatabaseError::from(connection.batch_execute("SELECT 1").await.unwrap_err());
    assert!(matches!(error, DatabaseError::Unreachable(_)), "{error:?}");
    drop(connection);
    let next = database.get().await.unwrap();
    assert_ne!(text(&next, "SELECT pg_backend_pid()::text").await, pid);
}

#[tokio::test]
async fn a_full_pool_says_so_within_the_limit() {
    let cluster = Cluster::shared();
    let database = Database::new(address(&cluster.local()), "full", 1, Duration::from_secs(1));
    let borrowed = database.get().await.unwrap();
    let since = Instant::now();
    let error = database.get().await.expect_err("there is one only");
    assert!(since.elapsed() < PATIENCE / 2);
    assert!(matches!(error, DatabaseError::TimedOut { .. }), "{error:?}");
    assert!(
        error.to_string().contains("all of them are in use"),
        "{error}"
    );
    assert!(!error.is_unknown_outcome());
    // One's own connection is not the pool's.
    assert!(database.dedicated().await.unwrap().is_usable());
    drop(borrowed);
    assert!(database.get().await.unwrap().is_usable());
}

#[tokio::test]
async fn cut_off_work_is_cancelled_and_its_connection_lent_to_nobody() {
    let cluster = Cluster::shared();
    let database = Database::new(address(&cluster.local()), "cut", 1, PATIENCE);
    let mut connection = database.get().await.unwrap();
    let first = text(&connection, "SELECT pg_backend_pid()::text").await;
    let fuse = connection.fuse();
    let work = async {
        let transaction = connection.transaction().await?;
        transaction
            .batch_execute("SELECT pg_advisory_xact_lock(4711)")
            .await?;
        transaction.batch_execute("SELECT pg_sleep(63)").await?;
        transaction.commit().await
    };
    let error = limited(SHORT, fuse, work)
        .await
        .expect_err("it sleeps longer");
    assert!(matches!(error, DatabaseError::TimedOut { .. }), "{error:?}");
    assert!(error.is_unknown_outcome());
    assert!(!connection.is_usable());
    drop(connection);

    let next = database.get().await.unwrap();
    assert_ne!(text(&next, "SELECT pg_backend_pid()::text").await, first);
    becomes(&cluster, 0, "pg_sleep(63)").await;
    let waited = next.batch_execute("BEGIN; SELECT pg_advisory_xact_lock(4711); COMMIT");
    limited(PATIENCE, next.fuse(), waited)
        .await
        .expect("the lock is free");
    assert!(next.is_usable(), "what ends in time does no harm");
}

#[tokio::test]
async fn work_that_is_dropped_is_cut_off_too() {
    let cluster = Cluster::shared();
    let database = Database::new(address(&cluster.local()), "dropped", 1, PATIENCE);
    let connection = database.get().await.unwrap();
    let sleep = connection.batch_execute("SELECT pg_sleep(64)");
    let work = limited(PATIENCE * 100, connection.fuse(), sleep);
    tokio::select! {
        slept = work => panic!("{slept:?}"),
        () = becomes(&cluster, 1, "pg_sleep(64)") => {}
    }
    assert!(!connection.is_usable());
    drop(connection);
    becomes(&cluster, 0, "pg_sleep(64)").await;
    assert!(database.get().await.unwrap().is_usable());
}

#[tokio::test]
async fn a_task_that_is_aborted_gives_back_no_half_done_work() {
    let cluster = Cluster::shared();
    let database = Database::new(address(&cluster.local()), "aborted", 1, PATIENCE);
    let connection = database.get().await.unwrap();
    let first = text(&connection, "SELECT pg_backend_pid()::text").await;
    let task = tokio::spawn(async move {
        let sleep = connection.batch_execute("SELECT pg_sleep(66)");
        limited(PATIENCE * 100, connection.fuse(), sleep).await
    });
    becomes(&cluster, 1, "pg_sleep(66)").await;
    task.abort();
    let next = database.get().await.expect("the slot is free again");
    assert_ne!(text(&next, "SELECT pg_backend_pid()::text").await, first);
    becomes(&cluster, 0, "pg_sleep(66)").await;
}

#[tokio::test]
async fn an_error_in_time_leaves_the_connection_in_the_pool() {
    let cluster = Cluster::shared();
    let database = Database::new(address(&cluster.local()), "error", 1, PATIENCE);
    let connection = database.get().await.unwrap();
    let first = text(&connection, "SELECT pg_backend_pid()::text").await;
    let failing = connection.batch_execute("SELECT 1/0");
    let error = limited(PATIENCE, connection.fuse(), failing)
        .await
        .unwrap_err();
    assert_eq!(error.sql_state(), Some(&SqlState::DIVISION_BY_ZERO));
    drop(connection);
    let next = database.get().await.unwrap();
    assert_eq!(text(&next, "SELECT pg_backend_pid()::text").await, first);
}

#[tokio::test]
async fn warnings_are_counted_and_notices_are_not() {
    let cluster = Cluster::shared();
    let database = database(&cluster.local());
    let (one, other) = (
        database.get().await.unwrap(),
        database.dedicated().await.unwrap(),
    );
    let raise = |level: &str| format!("DO $$BEGIN RAISE {level} 'hear, hear'; END$$");
    one.batch_execute(&raise("NOTICE")).await.unwrap();
    assert_eq!((one.warnings(), database.warnings()), (0, 0));
    one.batch_execute(&raise("WARNING")).await.unwrap();
    other.batch_execute(&raise("WARNING")).await.unwrap();
    assert_eq!(
        (one.warnings(), other.warnings(), database.warnings()),
        (1, 1, 2)
    );
    // Nothing was begun, so nothing is committed: the server says COMMIT all the same.
    one.batch_execute("COMMIT").await.unwrap();
    assert_eq!(one.warnings(), 2);
    assert_eq!(database.clone().warnings(), 3);
}

#[tokio::test]
async fn a_commit_that_no_standby_has_seen_is_a_warning_before_it_is_a_success() {
    let cluster = Cluster::start(Role::Primary);
    cluster.psql("CREATE TABLE rows ()");
    cluster.psql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    cluster.psql("SELECT pg_reload_conf()");
    let database = database(&cluster.local());
    let connection = database.get().await.unwrap();
    let pid = text(&connection, "SELECT pg_backend_pid()::text").await;
    // The checkpointer takes the setting over a moment later; commits before that are simply durable.
    let committed = async {
        let insert =
            "BEGIN; SET LOCAL synchronous_commit = on; INSERT INTO rows DEFAULT VALUES; COMMIT";
        loop {
            let before = connection.warnings();
            connection.batch_execute(insert).await?;
            // No await lies between the acknowledgement and this line.
            let heard = connection.warnings() - before;
            if heard > 0 {
                return Ok::<_, tokio_postgres::Error>(heard);
            }
        }
    };
    let cancelled = async {
        let waiting = "SELECT count(*)::text FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        let watcher = opened(&cluster.local()).await;
        let since = Instant::now();
        while text(&watcher, waiting).await != "1" {
            assert!(since.elapsed() < PATIENCE, "no commit waits");
        }
        cluster.psql(&format!("SELECT pg_cancel_backend({pid})"));
    };
    let committed = limited(PATIENCE, connection.fuse(), committed);
    let (heard, ()) = tokio::join!(committed, cancelled);
    assert_eq!(heard.expect("the server calls it a success"), 1);
}

#[tokio::test]
async fn a_schema_of_any_name_is_the_search_path() {
    let cluster = Cluster::shared();
    let schema = r#"odd "name"\ here"#;
    let quoted = format!("\"{}\"", schema.replace('"', "\"\""));
    cluster.psql(&format!("CREATE SCHEMA {quoted}"));
    let address = address(&format!("{} options='-c geqo=off'", cluster.local()));
    let database = Database::new(address.with_schema(schema), "schema", 1, PATIENCE);
    let connection = database.get().await.unwrap();
    assert_eq!(
        text(&connection, "SELECT current_schema()::text").await,
        schema
    );
    assert_eq!(text(&connection, "SHOW geqo").await, "off");
}

#[tokio::test]
async fn the_server_shows_who_is_connected() {
    let cluster = Cluster::shared();
    let name = "SHOW application_name";
    let ours = opened(&cluster.local()).await;
    assert_eq!(text(&ours, name).await, "connect test");
    let theirs = opened(&format!("{} application_name=theirs", cluster.local())).await;
    assert_eq!(text(&theirs, name).await, "theirs");
}

/// libpq itself is asked where it would go: sockets that nobody has made are named in its errors.
#[test]
fn libpq_goes_to_the_same_servers() {
    for text in [
        "postgres://%2Fna,%2Fnb/c",
        "postgres://%2Fna:1,%2Fnb/c",
        "postgres://%2Fna%2C%2Fnb/c",
        "postgres://%2Fna:/c",
        "postgres://:7/c?host=/na",
        "postgres://?host=/na&port=5",
        "postgres://%2Fna/c?host=/nb",
        "postgres://u:p@%2Fna/c?port=9",
        "postgresql://u%40v@%2Fna:12/",
        "host=/na,/nb",
        "host=/na,/nb port=1,2",
        "host=/na,/nb port=3",
        "host=/na port=''",
        "host= /na port= 8",
        r"host='/n\'a' user=x",
        r"host=/n\ a",
        "host=/na host=/nb",
    ] {
        let environment = Environment {
            variable: Box::new(|name| (name == "PGPORT").then(|| "6000".to_owned())),
            user: || Some("me".to_owned()),
            ..nowhere()
        };
        let ours = Address::parse(text, &environment).unwrap().shown();
        let ours = ours
            .split_once('@')
            .unwrap()
            .1
            .rsplit_once('/')
            .unwrap()
            .0
            .to_owned();
        let output = run_as_server("psql")
            .args(["-XAtqc", "SELECT 1", text])
            .env("PGPORT", "6000")
            .output();
        let words = String::from_utf8_lossy(&output.unwrap().stderr).into_owned();
        let theirs: Vec<_> = words
            .split("connection to server on socket \"")
            .skip(1)
            .map(|rest| {
                let (socket, _) = rest.split_once("\" failed").unwrap();
                let (directory, port) = socket.rsplit_once("/.s.PGSQL.").unwrap();
                format!(
                    "{}:{port}",
                    directory
                        .replace('/', "%2F")
                        .replace('\'', "%27")
                        .replace(' ', "%20")
                )
            })
            .collect();
        assert_eq!(ours, theirs.join(","), "{text}");
    }
}
