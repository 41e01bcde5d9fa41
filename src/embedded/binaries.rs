//! Finding the programs of an installed PostgreSQL server.

use std::{
    env, fs, iter,
    path::{Path, PathBuf},
    process::Command,
};

use super::EmbeddedError;

/// What a directory must hold to run a server.
const PROGRAMS: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// Where distributions keep one directory a version: what stands before and after the version.
const VERSIONED: [(&str, &str, &str); 4] = [
    ("/usr/lib/postgresql", "", "bin"), // Debian, Ubuntu
    ("/usr", "pgsql-", "bin"),          // the project's own RPMs
    ("/usr/libexec", "postgresql", ""), // Alpine
    ("/usr/lib", "postgresql", "bin"),  // openSUSE
];

/// Where there is one version. After these comes the PATH, which cron keeps short.
const PLAIN: [&str; 3] = ["/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin"];

/// The programs of one installed version.
#[derive(Debug)]
pub(super) struct Binaries {
    directory: PathBuf,
}

impl Binaries {
    /// The newest installed, or those of major version `wanted` where there are data already. If
    /// `named` is given, those in it are the only ones.
    pub(super) fn find(
        named: Option<&Path>,
        wanted: Option<u32>,
        data: &Path,
    ) -> Result<Self, EmbeddedError> {
        let directories = match named {
            Some(directory) => vec![checked(directory)?],
            None => installed()?,
        };
        let Some(made_by) = wanted else {
            let newest = directories.into_iter().next();
            let directory = newest.expect("both ways of finding them fail when there are none");
            return Ok(Self { directory });
        };
        let majors: Vec<_> = directories
            .iter()
            .map(|directory| major(directory))
            .collect();
        let fitting = iter::zip(&directories, &majors).find(|(_, major)| **major == Some(made_by));
        match fitting {
            Some((directory, _)) => Ok(Self {
                directory: directory.clone(),
            }),
            None => Err(EmbeddedError::OtherMajor {
                data: data.to_owned(),
                made_by,
                installed: majors.into_iter().flatten().collect(),
            }),
        }
    }

    /// The path of one of them.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// The directory an operator named, if it is one.
fn checked(directory: &Path) -> Result<PathBuf, EmbeddedError> {
    match missing(directory) {
        None => Ok(directory.to_owned()),
        Some(program) => Err(EmbeddedError::NotABinDirectory {
            directory: directory.to_owned(),
            program,
        }),
    }
}

fn missing(directory: &Path) -> Option<&'static str> {
    PROGRAMS
        .into_iter()
        .find(|program| !directory.join(program).is_file())
}

/// Every complete directory of this machine, the highest version first. Never empty.
fn installed() -> Result<Vec<PathBuf>, EmbeddedError> {
    let mut found = versioned();
    let path = env::var_os("PATH").unwrap_or_default();
    found.extend(PLAIN.into_iter().map(PathBuf::from));
    found.extend(env::split_paths(&path).filter(|directory| directory.is_absolute()));
    found.retain(|directory| missing(directory).is_none());
    if found.is_empty() {
        let mut looked: Vec<_> = VERSIONED
            .into_iter()
            .map(|(top, before, after)| Path::new(top).join(format!("{before}*")).join(after))
            .collect();
        looked.extend(PLAIN.into_iter().map(PathBuf::from));
        looked.push("$PATH".into());
        return Err(EmbeddedError::NoBinaries { looked });
    }
    Ok(found)
}

/// The directories named after a version, the highest first.
fn versioned() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (top, before, after) in VERSIONED {
        // No such directory: no such distribution.
        for entry in fs::read_dir(top).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let version = name.to_str().and_then(|name| name.strip_prefix(before));
            if let Some(version) = version.and_then(|version| version.parse::<u32>().ok()) {
                found.push((version, entry.path().join(after)));
            }
        }
    }
    found.sort();
    found.into_iter().rev().map(|(_, path)| path).collect()
}

/// The major version of the `postgres` in `directory`; `None`: it does not say.
fn major(directory: &Path) -> Option<u32> {
    let said = Command::new(directory.join("postgres"))
        .arg("-V")
        .env_clear()
        .output()
        .ok()?;
    parse_major(&String::from_utf8_lossy(&said.stdout))
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` is 15, and `18beta1` is 18.
fn parse_major(version: &str) -> Option<u32> {
    let version = version.strip_prefix("postgres (PostgreSQL) ")?;
    let digits = version.find(|c: char| !c.is_ascii_digit())?;
    version[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_known_by_its_leading_digits() {
        let debian = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n";
        assert_eq!(parse_major(debian), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(parse_major("postgres (PostgreSQL) devel\n"), None);
        assert_eq!(parse_major("bash: no"), None);
    }

    #[test]
    fn a_named_directory_is_the_only_one() {
        let empty = tempfile::tempdir().expect("/tmp takes directories");
        let refused = Binaries::find(Some(empty.path()), None, Path::new("/data"))
            .expect_err("there is no initdb");
        assert_eq!(
            refused.to_string(),
            format!(
                "`bin_directory` is `{}`, which has no `initdb`",
                empty.path().display()
            )
        );
    }
}
