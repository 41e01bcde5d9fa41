//! PgBouncer in transaction mode in front of a test's database.

use std::{
    fs::{self, File},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::unistd::Uid;
use tempfile::TempDir;
use tokio_postgres::{NoTls, config::Host};

use super::{Site, postgres_config, until};

/// How long one may take to start.
const SOON: Duration = Duration::from_secs(20);

/// How many sessions of the server it has for all its clients.
pub const POOL: usize = 5;

/// A pooler that lends a server's sessions out for one transaction each; killed with this value.
#[derive(Debug)]
pub struct Bouncer {
    directory: TempDir,
    /// The URL of the database behind it, and the one through it.
    behind: String,
    through: String,
    user: Option<u32>,
    process: Option<Child>,
}

impl Bouncer {
    /// One before the database of this URL. `None`, and a line that says so, where there is no PgBouncer.
    pub async fn before(url: &str) -> Option<Self> {
        Self::with(url, "").await
    }

    /// The same with more lines of settings.
    pub async fn with(url: &str, settings: &str) -> Option<Self> {
        let Some(program) = program() else {
            println!(
                "PgBouncer is missing, nothing was tried behind it: `scripts/need pgbouncer` installs it"
            );
            return None;
        };
        let directory = tempfile::Builder::new()
            .prefix("crontabber-bouncer-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .expect("/tmp takes directories");
        let config = postgres_config(url);
        let database = config.get_dbname().expect("a test names its database");
        let role = config.get_user().expect("and its role");
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let (host, user) = match config.get_hosts().first().expect("and its server") {
            // Who may enter the directory of the server's socket is who runs the server.
            Host::Unix(socket) => (socket.display().to_string(), owner(socket)),
            Host::Tcp(name) => (name.clone(), 65_534),
        };
        let user = Uid::effective().is_root().then_some(user);
        let password = config.get_password().map_or_else(String::new, |password| {
            format!(" password='{}'", String::from_utf8_lossy(password))
        });
        let file = |name: &str, text: &str| {
            fs::write(directory.path().join(name), text).expect("the directory is ours");
        };
        let own = directory.path().display();
        file("users", &format!("\"{role}\" \"\"\n"));
        file(
            "pgbouncer.ini",
            &format!(
                "[databases]\n{database} = host='{host}' port={port} dbname='{database}' user='{role}'{password}\n\
                 [pgbouncer]\nlisten_addr =\nlisten_port = 5432\nunix_socket_dir = {own}\nunix_socket_mode = 0777\n\
                 auth_type = trust\nauth_file = {own}/users\nadmin_users = {role}\npool_mode = transaction\n\
                 default_pool_size = {POOL}\nmax_client_conn = 500\nserver_login_retry = 1\n{settings}\n"
            ),
        );
        if let Some(user) = user {
            chown(directory.path(), Some(user), None).expect("root may give things away");
        }
        let mut bouncer = Self {
            through: format!("host={own} port=5432 user={role} dbname={database}"),
            behind: url.to_owned(),
            directory,
            user,
            process: None,
        };
        bouncer.start(&program).await;
        Some(bouncer)
    }

    /// The URL of the same database through it.
    pub fn url(&self) -> &str {
        &self.through
    }

    /// The URL of its own database, which answers `SHOW`.
    pub fn console(&self) -> String {
        let (before, _) = self.through.split_once(" dbname=").expect("it has one");
        format!("{before} dbname=pgbouncer")
    }

    /// Lets all hosts of a site go through it.
    pub fn before_site(&self, site: &Site) {
        let file = site.file("crontabber.toml");
        let text = fs::read_to_string(&file).expect("it is configured");
        assert!(text.contains(&self.behind), "it goes elsewhere: {text}");
        fs::write(&file, text.replace(&self.behind, &self.through)).expect("it is writable");
    }

    /// `kill -9`: all its clients lose their connection in the middle of whatever they do.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may be dead already; the test sees that by what it waits for.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts it again after a kill.
    pub async fn again(&mut self) {
        let program = program().expect("it was there a moment ago");
        self.start(&program).await;
    }

    async fn start(&mut self, program: &Path) {
        let own = self.directory.path();
        // Left by one that was killed; it does not start beside it.
        let _ = fs::remove_file(own.join(".s.PGSQL.5432"));
        let log = File::create(own.join("log")).expect("the directory is ours");
        let mut command = Command::new(program);
        command
            .arg(own.join("pgbouncer.ini"))
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        if let Some(user) = self.user {
            // It refuses to be root.
            command.uid(user).gid(65_534);
        }
        self.process = Some(command.spawn().expect("PgBouncer can be started"));
        let config = postgres_config(&self.through);
        let log = own.join("log");
        until(SOON, "PgBouncer lets somebody through", async || {
            let Ok((client, connection)) = config.connect(NoTls).await else {
                let ended = self.process.as_mut().expect("just started").try_wait();
                let ended = ended.expect("it is our child");
                let said = || fs::read_to_string(&log).unwrap_or_default();
                assert!(ended.is_none(), "PgBouncer has ended: {}", said());
                return false;
            };
            tokio::spawn(connection);
            client.simple_query("SELECT 1").await.is_ok()
        })
        .await;
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn owner(socket: &Path) -> u32 {
    let found =
        fs::metadata(socket).unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
    match found.uid() {
        0 => 65_534,
        uid => uid,
    }
}

/// Where distributions put it.
fn program() -> Option<PathBuf> {
    ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/usr/local/sbin"]
        .map(|directory| Path::new(directory).join("pgbouncer"))
        .into_iter()
        .find(|path| path.exists())
}
