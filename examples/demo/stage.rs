//! A directory, a server and a configuration of the demo's own.

use std::{
    env,
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf, absolute},
    time::Instant,
};

use crontabber::{embedded::Cluster, store::error::DatabaseError};
use toml::{Table, Value};

use crate::{DemoError, database, feeds, processes, timeline::Timeline};

/// The file by which a directory is known to be a demo's, and locked while one plays there.
const LOCK: &str = "demo.lock";

/// Where the demo plays.
#[derive(Debug)]
pub(crate) struct Stage {
    project: PathBuf,
    directory: PathBuf,
    program: PathBuf,
    cluster: Cluster,
    _lock: File,
}

impl Stage {
    /// Chooses the places and locks the directory, which is made if it is missing. Nothing else is touched.
    pub(crate) fn choose() -> Result<Self, DemoError> {
        let project = env::current_dir().map_err(DemoError::io("enter", "."))?;
        let example = project.join("examples/demo/crontabber.toml");
        if !example.exists() {
            return Err(DemoError::NotTheProject(example));
        }
        let program = named("DEMO_PROGRAM").map_or_else(built_beside, Ok)?;
        let program = absolute(&program).map_err(DemoError::io("find", &program))?;
        if !program.exists() {
            return Err(DemoError::NoProgram(program));
        }
        let directory = project.join(named("DEMO_DIRECTORY").unwrap_or_else(|| ".demo".into()));
        let lock = lock(&directory)?;
        let cluster = Cluster::at(&directory.join("postgres"));
        Ok(Self {
            project,
            directory,
            program,
            cluster,
            _lock: lock,
        })
    }

    /// Clears away what an earlier demo left, starts the server and writes the configuration.
    pub(crate) fn set(&self, timeline: &Timeline) -> Result<(), DemoError> {
        self.clear()?;
        let since = Instant::now();
        let server = self.cluster.ensure_running()?;
        let psql = psql(server.pid)?;
        self.write_configuration(&psql)?;
        let tables = include_str!("tables.sql");
        database::ask(&self.url(), async |client| {
            Ok(client
                .batch_execute(tables)
                .await
                .map_err(DatabaseError::from)?)
        })?;
        feeds::begin(self)?;
        timeline.say(&format!(
            "PostgreSQL {}: made a private cluster in {} (Unix socket only), {:.1}s",
            self.major(),
            self.short(&self.cluster.directory()),
            since.elapsed().as_secs_f64()
        ))?;
        timeline.say("jobs: examples/demo/jobs.d and jobs; leases of 3s; Ctrl-C ends it")
    }

    /// Stops the server; the data stay to be looked at.
    pub(crate) fn strike(&self) -> Result<(), DemoError> {
        self.cluster.stop()?;
        Ok(())
    }

    /// The program that is shown.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// The configuration that both hosts go by.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.directory.join("crontabber.toml")
    }

    /// What a host has logged.
    pub(crate) fn log(&self, host: &str) -> PathBuf {
        self.directory.join(host).with_extension("log")
    }

    /// What the jobs have noted.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.directory.join("ledger")
    }

    /// The URL of the database.
    pub(crate) fn url(&self) -> String {
        self.cluster.url()
    }

    /// A path as somebody in the project's directory would type it.
    pub(crate) fn short(&self, path: &Path) -> String {
        path.strip_prefix(&self.project)
            .unwrap_or(path)
            .display()
            .to_string()
    }

    fn clear(&self) -> Result<(), DemoError> {
        self.cluster.remove()?;
        let entries =
            fs::read_dir(&self.directory).map_err(DemoError::io("read", &self.directory))?;
        for entry in entries {
            let path = entry
                .map_err(DemoError::io("read", &self.directory))?
                .path();
            if path.file_name().is_some_and(|name| name != LOCK) {
                let removed = if path.is_dir() {
                    fs::remove_dir_all(&path)
                } else {
                    fs::remove_file(&path)
                };
                removed.map_err(DemoError::io("delete", &path))?;
            }
        }
        Ok(())
    }

    fn major(&self) -> String {
        let version = self.cluster.directory().join("data/PG_VERSION");
        // Only for the greeting.
        fs::read_to_string(version)
            .map(|text| text.trim().to_owned())
            .unwrap_or_default()
    }

    /// Copies the shipped jobs; `feeds` may ask the server of feeds that we are.
    fn copy_shipped_jobs(&self) -> Result<PathBuf, DemoError> {
        let (shipped, copies) = (self.project.join("jobs"), self.directory.join("jobs"));
        fs::create_dir(&copies).map_err(DemoError::io("create", &copies))?;
        let files = fs::read_dir(&shipped).map_err(DemoError::io("read", &shipped))?;
        for file in files {
            let path = file.map_err(DemoError::io("read", &shipped))?.path();
            let mut table = read(path.clone())?;
            let feeds = table.get_mut("jobs").and_then(|jobs| jobs.get_mut("feeds"));
            if let Some(Value::Table(feeds)) = feeds {
                let with = entry(feeds, "with");
                with.insert("allow".into(), Value::Array(vec![feeds::ALLOWED.into()]));
                // All of them are on one host, and nobody has to be spared.
                with.insert("gap".into(), "0s".into());
            }
            let copy = copies.join(path.file_name().unwrap_or_default());
            fs::write(&copy, table.to_string()).map_err(DemoError::io("write", &copy))?;
        }
        Ok(copies)
    }

    /// Copies the example's configuration, and adds what only we know.
    fn write_configuration(&self, psql: &Path) -> Result<(), DemoError> {
        let example = self.project.join("examples/demo");
        let mut table = read(example.join("crontabber.toml"))?;
        let from_here = |path: &Path| Value::from(path.display().to_string());
        let jobs = vec![
            from_here(&example.join("jobs.d")),
            from_here(&self.copy_shipped_jobs()?),
        ];
        table.insert("jobs".into(), Value::Array(jobs));
        entry(&mut table, "database").insert(
            "directory".into(),
            from_here(&self.directory.join("postgres")),
        );
        let step = entry(entry(&mut table, "templates"), "step");
        step.insert("cwd".into(), from_here(&self.directory));
        let paths = [
            ("DEMO_BEGIN", example.join("begin.sh")),
            ("DEMO_PROGRAM", self.program.clone()),
            ("DEMO_CONFIG", self.configuration()),
            ("DEMO_PSQL", psql.to_owned()),
        ];
        for (name, path) in paths {
            entry(step, "env").insert(
                name.into(),
                Value::from(literal(&path.display().to_string())),
            );
        }
        let everywhere = entry(entry(&mut table, "defaults"), "env");
        everywhere.insert(processes::MARK.into(), Value::from(processes::mark()));
        let path = self.configuration();
        let text =
            format!("# Written by `make demo` from examples/demo/crontabber.toml.\n\n{table}");
        fs::write(&path, text).map_err(DemoError::io("write", &path))
    }
}

/// Reads a file of TOML.
fn read(path: PathBuf) -> Result<Table, DemoError> {
    let text = fs::read_to_string(&path).map_err(DemoError::io("read", &path))?;
    text.parse()
        .map_err(|source| DemoError::Configuration { path, source })
}

/// A path in a variable that is set and not empty.
fn named(variable: &str) -> Option<PathBuf> {
    env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// The program that cargo builds beside its examples, in the same profile.
fn built_beside() -> Result<PathBuf, DemoError> {
    let own = env::current_exe().map_err(DemoError::io("find", "/proc/self/exe"))?;
    let examples = own.parent().unwrap_or(Path::new(""));
    Ok(examples.with_file_name("crontabber"))
}

/// Locks a directory for this demo; one that holds anything must be a demo's, because it is cleared.
fn lock(directory: &Path) -> Result<File, DemoError> {
    let path = directory.join(LOCK);
    match fs::read_dir(directory) {
        Ok(mut entries) => {
            if entries.next().is_some() && !path.exists() {
                return Err(DemoError::NotOurs(directory.to_owned()));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir(directory).map_err(DemoError::io("create", directory))?;
            // The server's user goes through it, if we are root, whatever the umask is.
            fs::set_permissions(directory, Permissions::from_mode(0o755))
                .map_err(DemoError::io("open", directory))?;
        }
        Err(error) => return Err(DemoError::io("read", directory)(error)),
    }
    let lock = File::create(&path).map_err(DemoError::io("write", &path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => Err(DemoError::Busy(directory.to_owned())),
        Err(fs::TryLockError::Error(error)) => Err(DemoError::io("lock", path)(error)),
    }
}

/// The client that was installed with the server, or else the first one on the PATH.
fn psql(server: Option<i32>) -> Result<PathBuf, DemoError> {
    let beside = server
        .and_then(|pid| fs::read_link(format!("/proc/{pid}/exe")).ok())
        .map(|server| server.with_file_name("psql"));
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|directory| directory.join("psql"));
    beside
        .into_iter()
        .chain(on_path)
        .find(|psql| psql.exists())
        .ok_or(DemoError::NoPsql)
}

/// The table of this name, made if it is missing.
fn entry<'a>(table: &'a mut Table, name: &str) -> &'a mut Table {
    if !table.get(name).is_some_and(Value::is_table) {
        table.insert(name.to_owned(), Value::Table(Table::new()));
    }
    table
        .get_mut(name)
        .and_then(Value::as_table_mut)
        .expect("it is a table, or was just made one")
}

/// A text in which nothing is taken for a placeholder.
fn literal(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}
