//! The embedded PostgreSQL, in the hands of people who kill it.

#![cfg(feature = "embedded")]

mod common;

use std::{
    env, fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use common::{Postgres, Private, until};
use crontabber::embedded::{Cluster, EmbeddedError, Start, Status, Stopped};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid, User},
};

const SOON: Duration = Duration::from_secs(20);
/// Names the directory to a process that is this test binary, started once more.
const DIRECTORY: &str = "TEST_EMBEDDED_DIRECTORY";

/// Not a test by itself: what the processes that the other tests start do.
#[test]
fn another_process_starts_the_server() {
    if let Some(directory) = env::var_os(DIRECTORY) {
        match Cluster::at(Path::new(&directory)).ensure_running() {
            Ok(server) => println!("\nserver {server:?}"),
            Err(error) => println!("\nerror {error}"),
        }
    }
}

/// Starts this binary, or a copy of it, to start the server in `directory`.
fn another_process(program: &Path, directory: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args([
            "--exact",
            "another_process_starts_the_server",
            "--nocapture",
        ])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// What such a process said.
fn said(child: Child) -> String {
    let output = child.wait_with_output().expect("it is our child");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text
        .lines()
        .find(|line| line.starts_with("server ") || line.starts_with("error "));
    line.unwrap_or_else(|| panic!("it said nothing of a server: {text}"))
        .to_owned()
}

fn this_binary() -> PathBuf {
    env::current_exe().expect("we are running")
}

fn is_root() -> bool {
    Uid::effective().is_root()
}

/// A process's user.
fn user_of(pid: i32) -> u32 {
    fs::metadata(format!("/proc/{pid}"))
        .expect("it is running")
        .uid()
}

/// The processes that work in a directory, which is where PostgreSQL's are.
fn processes_in(directory: &Path) -> Vec<i32> {
    let entries = fs::read_dir("/proc").expect("/proc is mounted").flatten();
    let mut found: Vec<i32> = entries
        .filter(|entry| fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == directory))
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    found.sort_unstable();
    found
}

/// The message of an attempt that must fail.
fn refusal(cluster: &Cluster) -> String {
    let refused = cluster.ensure_running();
    refused
        .expect_err("it should have been refused")
        .to_string()
}

#[test]
fn twelve_processes_that_find_nothing_agree_on_one_server() {
    let private = Private::absent();
    let directory = private.directory().join("postgres");
    let processes: Vec<_> = (0..12)
        .map(|_| {
            another_process(&this_binary(), &directory)
                .spawn()
                .expect("it is there")
        })
        .collect();
    let mut said: Vec<_> = processes.into_iter().map(said).collect();
    said.sort();
    said.dedup();

    let pid = private.postmaster();
    assert_eq!(
        said,
        [
            format!("server Server {{ pid: Some({pid}), start: AlreadyRunning }}"),
            format!("server Server {{ pid: Some({pid}), start: Created }}"),
        ]
    );
    let data = private.cluster().directory().join("data");
    let mut servers = private.processes();
    servers.sort_unstable();
    assert_eq!(processes_in(&data), servers, "there is another server");
    let session = nix::unistd::getsid(Some(Pid::from_raw(pid))).expect("it lives");
    assert_eq!(session.as_raw(), pid, "it has a session of its own");
}

#[tokio::test]
async fn what_was_committed_survives_a_kill_9_of_everything() {
    let private = Private::new();
    let database = private.database().await;
    database
        .execute("CREATE TABLE t (n int); INSERT INTO t VALUES (7)")
        .await;
    let before = private.postmaster();
    private.kill();
    assert_eq!(private.cluster().status(), Status::Stopped);

    let server = private.cluster().ensure_running().expect("it recovers");
    assert_eq!(server.start, Start::Started);
    assert_ne!(server.pid, Some(before));
    assert_eq!(database.query_one::<i32>("SELECT n FROM t").await, 7);
}

#[tokio::test]
async fn a_postmaster_killed_alone_is_replaced_when_its_children_have_died() {
    let private = Private::new();
    let database = private.database().await;
    database.execute("CREATE TABLE t AS SELECT 7 AS n").await;
    // Somebody is connected, and busy: that process ends only when it notices.
    let busy = database.connect().await;
    let busy = tokio::spawn(async move { busy.batch_execute("SELECT pg_sleep(600)").await });
    let sleeping = "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    until(SOON, "somebody sleeps", async || {
        database.query_one(sleeping).await
    })
    .await;

    kill(Pid::from_raw(private.postmaster()), Signal::SIGKILL).expect("it lives");
    let cluster = private.cluster().clone();
    let stopped = async || cluster.status() == Status::Stopped;
    until(SOON, "the postmaster is gone", stopped).await;
    let server = tokio::task::spawn_blocking(move || cluster.ensure_running());
    let server = server.await.expect("no panic").expect("it recovers");
    assert_eq!(server.start, Start::Started);
    assert!(busy.await.expect("no panic").is_err());
    assert_eq!(database.query_one::<i32>("SELECT n FROM t").await, 7);
}

#[tokio::test]
async fn it_stops_and_starts_and_does_neither_twice() {
    let private = Private::absent();
    let cluster = private.cluster();
    assert_eq!(cluster.status(), Status::Absent);
    assert_eq!(cluster.stop().expect("nothing to do"), Stopped::NotRunning);

    assert_eq!(
        cluster.ensure_running().expect("it starts").start,
        Start::Created
    );
    let again = cluster.ensure_running().expect("it runs");
    assert_eq!(again.start, Start::AlreadyRunning);
    assert_eq!(cluster.status(), Status::Running { pid: again.pid });

    assert_eq!(cluster.stop().expect("it stops"), Stopped::Stopped);
    assert_eq!(cluster.stop().expect("nothing to do"), Stopped::NotRunning);
    assert_eq!(cluster.status(), Status::Stopped);
    assert_eq!(
        cluster.ensure_running().expect("it starts").start,
        Start::Started
    );
}

#[test]
fn starting_and_stopping_at_once_ends_in_one_of_the_two() {
    let private = Private::new();
    let cluster = private.cluster();
    std::thread::scope(|scope| {
        for starts in [true, false, true, false] {
            scope.spawn(move || {
                for _ in 0..8 {
                    if starts {
                        cluster.ensure_running().expect("it starts");
                    } else {
                        cluster.stop().expect("it stops");
                    }
                }
            });
        }
    });
    let server = cluster.ensure_running().expect("it starts");
    assert_eq!(cluster.status(), Status::Running { pid: server.pid });
}

#[test]
fn a_running_server_is_found_without_being_asked() {
    let private = Private::new();
    private.freeze();
    // A frozen server answers nobody, so that this would never return if it were asked.
    let found = private.cluster().ensure_running().expect("it runs");
    assert_eq!(found.start, Start::AlreadyRunning);
    private.thaw();
}

#[tokio::test]
async fn it_is_durable_and_reached_by_its_socket_alone() {
    let private = Private::new();
    let database = private.database().await;
    for (setting, value) in [
        ("listen_addresses", ""),
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
    ] {
        let sql = format!("SELECT current_setting('{setting}')");
        assert_eq!(database.query_one::<String>(&sql).await, value, "{setting}");
    }
    // The directory is the lock on the door.
    let directory = private.cluster().directory();
    for closed in ["data", "run"] {
        let mode = fs::metadata(directory.join(closed))
            .expect("it is there")
            .mode();
        assert_eq!(mode & 0o777, 0o700, "{closed}");
    }
}

#[test]
fn psql_understands_the_url() {
    let private = Private::new();
    let output = Command::new("psql")
        .args([
            &private.cluster().url(),
            "-XAtc",
            "SELECT current_user, current_database()",
        ])
        .env("PGPORT", "1")
        .env("PGHOST", "/nowhere")
        .output();
    let output = output.expect("psql comes with the server");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "crontabber|crontabber\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn two_directories_are_two_servers() {
    let (one, two) = (Private::new(), Private::new());
    assert_ne!(one.postmaster(), two.postmaster());
    let identifier = "SELECT system_identifier::text FROM pg_control_system()";
    let (one, two) = (one.database().await, two.database().await);
    assert_ne!(
        one.query_one::<String>(identifier).await,
        two.query_one::<String>(identifier).await
    );
}

#[tokio::test]
async fn a_directory_too_deep_for_a_socket_is_reached_by_a_short_link() {
    let private = Private::absent();
    // With everything that would have to be quoted on the way.
    let deep = private
        .directory()
        .join("it's $HOME, \"quoted\" & 100%/".to_owned() + &"deep/".repeat(30));
    let cluster = Cluster::at(&deep);
    cluster.ensure_running().expect("it starts");
    let database = Postgres::at(cluster.url()).fresh().await;
    assert_eq!(database.query_one::<i32>("SELECT 7").await, 7);

    // As after a boot, when /tmp has been cleaned.
    let link = link_of(&cluster);
    fs::remove_file(&link).expect("it is a link");
    let found = cluster.ensure_running().expect("it runs");
    assert_eq!(found.start, Start::AlreadyRunning);
    assert_eq!(database.query_one::<i32>("SELECT 7").await, 7);

    drop(database);
    cluster.remove().expect("it can be removed");
    assert!(fs::symlink_metadata(&link).is_err(), "the link is left");
}

#[test]
fn a_short_link_of_somebody_elses_is_not_followed() {
    let private = Private::absent();
    let deep = private.directory().join("deep/".repeat(40));
    let cluster = Cluster::at(&deep);
    let link = link_of(&cluster);
    symlink("/somewhere/else", &link).expect("it is new");
    let refused = refusal(&cluster);
    let expected = format!(
        "`{}` is not ours: remove it, or choose a directory whose path is at most 89 bytes long",
        link.display()
    );
    assert_eq!(refused, expected);
    if is_root() {
        // The right place, today; but its owner may change that tomorrow.
        fs::remove_file(&link).expect("it is ours");
        symlink(cluster.directory().join("run"), &link).expect("it is new");
        std::os::unix::fs::lchown(&link, Some(65534), Some(65534)).expect("we are root");
        assert_eq!(refusal(&cluster), expected);
    }
    fs::remove_file(&link).expect("it is there");
}

/// The short link of a deep cluster, out of its URL.
fn link_of(cluster: &Cluster) -> PathBuf {
    let url = cluster.url();
    let host = url.split(['=', '&']).nth(1).expect("it names a host");
    assert!(host.starts_with("/tmp/crontabber-"), "{url}");
    host.into()
}

#[test]
fn a_creation_killed_halfway_leaves_nothing_half_made() {
    let private = Private::absent();
    let directory = private.directory().join("postgres");
    for _ in 0..3 {
        let mut process = another_process(&this_binary(), &directory)
            .spawn()
            .expect("it is there");
        let unfinished = directory.join("data.new/PG_VERSION");
        let since = std::time::Instant::now();
        while !unfinished.exists() {
            assert!(since.elapsed() < SOON, "no initdb was started");
            std::thread::sleep(Duration::from_millis(1));
        }
        // Its initdb goes on without it.
        process.kill().expect("it lives");
        process.wait().expect("it is our child");
        assert_eq!(private.cluster().status(), Status::Absent);
    }
    let server = private.cluster().ensure_running().expect("it starts");
    assert_eq!(server.start, Start::Created);
    assert!(!directory.join("data.new").exists());
}

#[tokio::test]
async fn a_pid_that_belongs_to_something_else_now_is_no_server() {
    let private = Private::new();
    let database = private.database().await;
    let data = private.cluster().directory().join("data");
    let owner = fs::metadata(&data).expect("it is there");
    let files = [
        data.join("postmaster.pid"),
        data.join("../run/.s.PGSQL.5432.lock"),
    ];
    let texts = files
        .clone()
        .map(|file| fs::read_to_string(file).expect("it runs"));
    let pid = private.postmaster().to_string();
    private.kill();

    // As after the restart of a container: the pid is taken, by another process of the same user.
    let mut sleep = Command::new("sleep");
    sleep.arg("600").uid(owner.uid()).gid(owner.gid());
    let mut sleep = sleep.spawn().expect("there is a sleep");
    for (file, text) in files.iter().zip(texts) {
        fs::write(file, text.replace(&pid, &sleep.id().to_string())).expect("we may");
        chown(file, Some(owner.uid()), Some(owner.gid())).expect("we may");
    }
    assert_eq!(private.cluster().status(), Status::Stopped);
    let server = private.cluster().ensure_running().expect("it starts");
    assert_eq!(server.start, Start::Started);
    assert_eq!(database.query_one::<i32>("SELECT 7").await, 7);
    assert!(
        sleep.try_wait().expect("it is our child").is_none(),
        "the stranger was harmed"
    );
    sleep.kill().expect("it lives");
    sleep.wait().expect("it is our child");
}

#[test]
fn a_start_that_fails_ends_with_the_words_of_the_server() {
    let private = Private::new();
    private.stop();
    let configuration = private.cluster().directory().join("data/postgresql.conf");
    let good = fs::read_to_string(&configuration).expect("it is there");
    fs::write(&configuration, format!("{good}\nnonsense = 1\n")).expect("we may");
    let refused = refusal(private.cluster());
    assert!(
        refused.starts_with("postgres failed (it ended before it was ready); the end of /"),
        "{refused}"
    );
    assert!(
        refused.contains("unrecognized configuration parameter \"nonsense\""),
        "{refused}"
    );

    fs::write(&configuration, good).expect("we may");
    private.start();
}

#[test]
fn a_long_log_is_moved_aside_at_the_next_start() {
    let private = Private::new();
    private.stop();
    let log = private.cluster().log();
    let long = "x".repeat(1024 * 1024 + 1);
    fs::write(&log, &long).expect("we may");
    private.start();
    let old = fs::read_to_string(log.with_file_name("server.log.1")).expect("it was kept");
    assert_eq!(old, long);
    let new = fs::read_to_string(&log).expect("it is there");
    assert!(new.contains("ready to accept connections"), "{new}");
    // The new one is locked by the server as the old one was.
    private.kill();
    private.start();
}

#[test]
fn data_of_another_major_version_are_refused_and_left_alone() {
    let private = Private::new();
    private.stop();
    let version = private.cluster().directory().join("data/PG_VERSION");
    let good = fs::read_to_string(&version).expect("it is there");
    fs::write(&version, "9\n").expect("we may");
    let refused = refusal(private.cluster());
    assert!(
        refused.contains("were made by PostgreSQL 9, which is not installed (found: "),
        "{refused}"
    );
    assert!(refused.ends_with("nothing was changed"), "{refused}");
    assert_eq!(private.cluster().status(), Status::Stopped);

    fs::write(&version, good).expect("we may");
    private.start();
}

#[test]
fn something_else_in_the_place_of_the_data_is_left_alone() {
    let private = Private::absent();
    let directory = private.cluster().directory();
    fs::create_dir_all(directory.join("data")).expect("it is new");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o711)).expect("it is ours");
    fs::write(directory.join("data/thesis"), "mine").expect("it is new");
    let refused = refusal(private.cluster());
    assert!(
        refused.contains("holds no PostgreSQL data: move it away"),
        "{refused}"
    );
    assert_eq!(
        fs::read_to_string(directory.join("data/thesis")).expect("it is there"),
        "mine"
    );
}

#[test]
fn a_directory_that_lacks_the_programs_is_refused_by_name() {
    let private = Private::absent();
    let empty = private.directory().to_owned();
    let cluster = private.cluster().clone().with_binaries(Some(empty.clone()));
    let expected = format!(
        "`bin_directory` is `{}`, which has no `initdb`",
        empty.display()
    );
    assert_eq!(refusal(&cluster), expected);
    assert_eq!(cluster.status(), Status::Absent);
}

#[test]
fn without_any_server_the_message_names_the_packages() {
    let message = EmbeddedError::NoBinaries {
        looked: vec!["/usr/bin".into(), "$PATH".into()],
    }
    .to_string();
    for expected in [
        "no `initdb` found",
        "/usr/bin, $PATH",
        "apt-get install postgresql\n",
        "create_main_cluster = false",
        "/etc/postgresql-common/createcluster.conf",
        "dnf install postgresql-server",
        "apk add postgresql",
        "pacman -S postgresql",
        "`bin_directory` in `[database]`",
    ] {
        assert!(
            message.contains(expected),
            "`{expected}` is not in: {message}"
        );
    }
}

#[test]
fn the_server_of_root_is_somebody_elses_and_anybody_elses_is_their_own() {
    let private = Private::new();
    let own = Uid::effective().as_raw();
    for pid in private.processes() {
        assert_eq!(user_of(pid) == own, own != 0, "process {pid}");
    }
}

#[test]
fn an_ordinary_user_needs_no_root() {
    // Who runs this test is one, or can become one.
    let nobody = User::from_name("nobody").expect("users can be looked up");
    let Some(nobody) = nobody.filter(|_| is_root()) else {
        Private::new();
        return;
    };
    let private = Private::absent();
    let home = private.directory().join("home");
    fs::create_dir(&home).expect("it is new");
    chown(&home, Some(nobody.uid.as_raw()), Some(nobody.gid.as_raw())).expect("we are root");
    // The build may lie where that user cannot go.
    let program = private.directory().join("copy");
    fs::copy(this_binary(), &program).expect("there is room");

    let directory = home.join("state/postgres");
    let mut process = another_process(&program, &directory);
    process
        .uid(nobody.uid.as_raw())
        .gid(nobody.gid.as_raw())
        .current_dir("/");
    let said = said(process.spawn().expect("it is there"));
    assert!(said.ends_with("start: Created }"), "{said}");

    // Root looks after it as that user, and leaves it usable for that user.
    let cluster = Cluster::at(&directory);
    let Status::Running { pid: Some(pid) } = cluster.status() else {
        panic!("{:?}", cluster.status());
    };
    assert_eq!(user_of(pid), nobody.uid.as_raw());
    assert_eq!(cluster.directory(), directory);
    cluster.stop().expect("root may");
    let server = cluster.ensure_running().expect("root may");
    assert_eq!(
        user_of(server.pid.expect("it is in sight")),
        nobody.uid.as_raw()
    );
    cluster.stop().expect("root may");
    let said = self::said(process.spawn().expect("it is there"));
    assert!(said.ends_with("start: Started }"), "{said}");
    cluster.remove().expect("root may");
}

#[test]
fn root_goes_elsewhere_when_its_server_cannot_enter_the_directory() {
    if !is_root() {
        // Nobody else's server runs as another user.
        return;
    }
    let private = Private::absent();
    let home = private.directory().join("home");
    fs::create_dir(&home).expect("it is new");
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).expect("it is ours");
    let asked = home.join("project/.demo/postgres");

    let cluster = Cluster::at(&asked);
    let elsewhere = cluster.directory();
    assert!(
        elsewhere.starts_with("/var/lib/crontabber"),
        "{}",
        elsewhere.display()
    );
    assert_eq!(
        cluster.ensure_running().expect("it starts").start,
        Start::Created
    );
    // Every process finds it there, by the same words and by others for the same directory.
    let same = Cluster::at(
        &private
            .directory()
            .join("home/../home/project/.demo/postgres"),
    );
    assert_eq!(
        same.ensure_running().expect("it runs").start,
        Start::AlreadyRunning
    );
    let note = fs::read_to_string(elsewhere.join("instead_of")).expect("it says why");
    assert_eq!(Path::new(note.trim_end()), asked);
    // There they stay, also when the way has been opened.
    fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).expect("it is ours");
    assert_eq!(cluster.directory(), elsewhere);
    cluster.remove().expect("it can be removed");
    assert!(!elsewhere.exists());
    assert_eq!(cluster.directory(), asked);
}

#[test]
fn data_that_have_become_unreachable_are_refused_and_not_made_anew() {
    if !is_root() {
        // Nobody else's server runs as another user.
        return;
    }
    let private = Private::new();
    private.stop();
    let mode = |mode| fs::set_permissions(private.directory(), fs::Permissions::from_mode(mode));
    mode(0o700).expect("it is ours");
    let refused = refusal(private.cluster());
    let expected = format!(
        "cannot enter `{}`: choose a directory below",
        private.directory().display()
    );
    assert!(refused.contains(&expected), "{refused}");
    mode(0o711).expect("it is ours");
    private.start();
}
