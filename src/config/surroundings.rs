//! What the configuration asks of the process around it.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    num::NonZero,
    path::{Path, PathBuf},
    thread,
};

/// Variables, directories and processors; tests hand in their own.
#[derive(Debug, Clone)]
pub struct Surroundings {
    variables: BTreeMap<OsString, OsString>,
    /// Where `./crontabber.toml` is looked for.
    directory: PathBuf,
    /// Where the machine's own configuration is.
    etc: PathBuf,
    /// `None`: as many as this process may use, counted when somebody asks.
    processors: Option<usize>,
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self {
            variables: env::vars_os().collect(),
            directory: PathBuf::from("."),
            etc: PathBuf::from("/etc/crontabber"),
            processors: None,
        }
    }

    /// No variables, one processor, and directories that do not exist.
    #[must_use]
    pub fn none() -> Self {
        Self {
            variables: BTreeMap::new(),
            directory: PathBuf::from("/nonexistent"),
            etc: PathBuf::from("/nonexistent"),
            processors: Some(1),
        }
    }

    /// The same with this variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// The same, in this directory.
    #[must_use]
    pub fn in_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = directory.into();
        self
    }

    /// The same, on a machine whose `/etc/crontabber` is here.
    #[must_use]
    pub fn with_etc(mut self, etc: impl Into<PathBuf>) -> Self {
        self.etc = etc.into();
        self
    }

    /// Where `./crontabber.toml` is looked for.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The machine's own configuration directory.
    #[must_use]
    pub fn etc(&self) -> &Path {
        &self.etc
    }

    /// How many processors this process may use.
    #[must_use]
    pub fn processors(&self) -> usize {
        // Asked of the control groups, file by file: a run has surroundings too, and does not want to know.
        self.processors
            .unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZero::get))
    }

    /// A variable that is set to text; the empty text counts as not set.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        let value = self.variables.get(OsStr::new(name))?.to_str()?;
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// A variable that names a path; the empty path counts as not set.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        let value = self.variables.get(OsStr::new(name))?;
        (!value.is_empty()).then(|| PathBuf::from(value))
    }
}
