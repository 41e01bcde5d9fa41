//! Throw-away servers that listen on TCP and on a socket, with encryption where a test wants it.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex, Weak},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid, User},
};
use tempfile::TempDir;

use super::certificates::Certificates;

/// Who may come in, and how.
const HBA: &str = "\
local     all all                    trust
hostssl   all tls_only  127.0.0.1/32 trust
hostnossl all plain_only 127.0.0.1/32 trust
host      all secret    127.0.0.1/32 scram-sha-256
hostssl   all certified 127.0.0.1/32 cert
host      all app       127.0.0.1/32 trust
";

/// The password of the role `secret`. No error may ever show it.
pub(crate) const PASSWORD: &str = "c4n4ry right";

/// A running server; stopped and removed with this value.
pub(crate) struct Cluster {
    pub(crate) port: u16,
    pub(crate) certificates: Certificates,
    directory: TempDir,
    server: Child,
}

/// What a server starts as.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Role {
    Primary,
    Standby,
}

impl Cluster {
    /// The server of all tests that do it no harm. The last one to leave stops it.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().expect("no test panics in here");
        if let Some(running) = shared.upgrade() {
            return running;
        }
        let fresh = Arc::new(Self::start(Role::Primary));
        *shared = Arc::downgrade(&fresh);
        fresh
    }

    /// A server of one's own.
    pub(crate) fn start(role: Role) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("crontabber-connect-")
            // Root's server runs as somebody else, who must get there.
            .permissions(fs::Permissions::from_mode(0o711))
            .tempdir()
            .expect("/tmp takes directories");
        let data = directory.path().join("data");
        give_away(&data);
        let made = done(
            run_as_server("initdb")
                .arg("-D")
                .arg(&data)
                .args("-U app -A trust -E UTF8 --locale=C --no-sync --no-instructions".split(' ')),
        );
        assert!(made.status.success(), "initdb: {made:?}");
        fs::write(data.join("pg_hba.conf"), HBA).expect("the data directory is writable");
        // In the file and not on the command line, so that a test can switch it off.
        fs::write(data.join("postgresql.auto.conf"), "ssl = on\n").expect("it is writable");
        if role == Role::Standby {
            fs::write(data.join("standby.signal"), "").expect("the data directory is writable");
        }
        let certificates = Certificates::make(directory.path());
        certificates.install(&certificates.server, &data);
        give_files(&data);

        let port = free_port();
        let server = launch(&data, port);
        let mut cluster = Self {
            port,
            certificates,
            directory,
            server,
        };
        cluster.wait();
        if role == Role::Primary {
            cluster.psql(&format!(
                "CREATE ROLE secret LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE certified LOGIN; \
                 CREATE ROLE tls_only LOGIN; CREATE ROLE plain_only LOGIN"
            ));
        }
        cluster
    }

    /// The directory of its socket, which is that of everything it has.
    pub(crate) fn socket(&self) -> &Path {
        self.directory.path()
    }

    /// Over its socket, as its superuser.
    pub(crate) fn local(&self) -> String {
        format!(
            "host={} port={} user=app dbname=postgres",
            self.socket().display(),
            self.port
        )
    }

    /// Over TCP by the name that its certificate has, as its superuser.
    pub(crate) fn tcp(&self) -> String {
        format!(
            "host=localhost hostaddr=127.0.0.1 port={} user=app dbname=postgres",
            self.port
        )
    }

    /// Puts another certificate into it.
    #[cfg(feature = "tls")]
    pub(crate) fn present(&self, certificate: &super::certificates::Pair) {
        let data = self.directory.path().join("data");
        self.certificates.install(certificate, &data);
        give_files(&data);
        self.psql("SELECT pg_reload_conf()");
    }

    /// Runs SQL with the server's own client, and returns what it prints.
    pub(crate) fn psql(&self, sql: &str) -> String {
        let output = done(
            run_as_server("psql")
                .args(["-XAtqc", sql])
                .arg(self.local()),
        );
        assert!(output.status.success(), "{sql}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Freezes the process that answers the door. The kernel still accepts sockets for it.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.server.id()).expect("a pid is an i32");
        kill(Pid::from_raw(pid), signal).expect("the server is our child");
    }

    fn wait(&mut self) {
        let since = Instant::now();
        loop {
            let asked = done(
                run_as_server("psql")
                    .args(["-XAtqc", "SELECT 1"])
                    .arg(self.local()),
            );
            if asked.status.success() {
                return;
            }
            let log = fs::read_to_string(self.directory.path().join("log"));
            let ended = self.server.try_wait().expect("it is our child");
            assert!(
                ended.is_none() && since.elapsed() < Duration::from_mins(1),
                "the server does not start: {asked:?} {log:?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.signal(Signal::SIGCONT);
        self.signal(Signal::SIGQUIT);
        self.server.wait().expect("it is our child");
    }
}

/// The program of the newest PostgreSQL here, run as the user that its server runs as.
pub(crate) fn run_as_server(program: &str) -> Command {
    let mut command = Command::new(programs().join(program));
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null());
    if let Some(user) = other_user() {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

fn done(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn launch(data: &Path, port: u16) -> Child {
    let directory = data.parent().expect("it lies in ours");
    let log = fs::File::create(directory.join("log")).expect("the directory is writable");
    run_as_server("postgres")
        .arg("-D")
        .arg(data)
        .arg("-k")
        .arg(directory)
        .args(["-p", &port.to_string()])
        .args(
            [
                "listen_addresses=127.0.0.1",
                "unix_socket_permissions=0777",
                "fsync=off",
                "shared_buffers=16MB",
            ]
            .iter()
            .flat_map(|setting| ["-c", *setting]),
        )
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("postgres can be started")
}

/// `pg_config` knows, or Debian's place for them.
fn programs() -> PathBuf {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    found.sort();
    if let Some((_, newest)) = found.pop() {
        return newest;
    }
    let asked = Command::new("pg_config").arg("--bindir").output();
    let asked = asked.expect("PostgreSQL's server is installed");
    PathBuf::from(String::from_utf8_lossy(&asked.stdout).trim())
}

/// PostgreSQL does not run as root.
fn other_user() -> Option<User> {
    if !Uid::effective().is_root() {
        return None;
    }
    let user = |name| User::from_name(name).expect("the user database is readable");
    Some(
        user("postgres")
            .or_else(|| user("nobody"))
            .expect("a user that is not root"),
    )
}

/// Makes a directory that belongs to the server; sockets and files go into its parent.
fn give_away(data: &Path) {
    fs::create_dir(data).expect("the directory is ours");
    fs::set_permissions(data, fs::Permissions::from_mode(0o700)).expect("it is ours");
    for path in [data, data.parent().expect("it lies in ours")] {
        give(path);
    }
}

fn give_files(data: &Path) {
    for name in [
        "pg_hba.conf",
        "postgresql.auto.conf",
        "server.crt",
        "server.key",
        "root.crt",
        "standby.signal",
    ] {
        if data.join(name).exists() {
            give(&data.join(name));
        }
    }
}

fn give(path: &Path) {
    if let Some(user) = other_user() {
        let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
        chown(path, Some(uid), Some(gid)).expect("root may give things away");
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there are free ports");
    listener.local_addr().expect("it is bound").port()
}
