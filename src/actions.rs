//! Actions: programs that jobs name without saying where they are, and hand a table to.
//!
//! An action gets the job's `with` table as JSON on its standard input. All else is as with any program: the
//! environment, the guard, the limits, the meaning of its exit code. Those that are shipped live in a folder each, run as
//! processes of their own, and know nothing of the engine.

use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use crate::spec::JobSpec;

#[cfg(feature = "feeds")]
pub mod feeds;

/// Their names: `crontabber action NAME`.
pub const NAMES: &[&str] = &[
    #[cfg(feature = "feeds")]
    "feeds",
];

/// Where the programs of jobs are looked for, as in a crontab of root's.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the names of the programs behind actions begin with.
const PREFIX: &str = "crontabber-";

/// Whether an action may be called this: 1 to 64 small letters, digits, `-` and `_`, a letter first.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(allowed)
}

/// Where a job's programs are looked for: its own `PATH`, or the usual one.
#[must_use]
pub fn path_of(spec: &JobSpec) -> &str {
    let own = spec.env.iter().find(|(name, _)| name == "PATH");
    own.map_or(PATH, |(_, path)| path)
}

/// What runs an action on this host, as a program and its arguments: this program itself, where the action is shipped with
/// it, else `crontabber-NAME` in the first directory of `path` that has it and lets this user run it.
#[must_use]
pub fn argv(name: &str, path: &str) -> Option<Vec<String>> {
    let argv = if NAMES.contains(&name) {
        let this = std::env::current_exe().ok()?;
        vec![this, "action".into(), name.into()]
    } else {
        vec![program(name, path)?]
    };
    let text = |part: PathBuf| part.to_str().map(str::to_owned);
    argv.into_iter().map(text).collect()
}

/// The program of an action: `crontabber-NAME` in the first directory of `path` that has it and lets this user run it.
/// Relative directories of `path` are left out: they would mean another program wherever the host happened to be started.
fn program(name: &str, path: &str) -> Option<PathBuf> {
    let directories = path.split(':').map(Path::new);
    let mut programs = directories
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(format!("{PREFIX}{name}")));
    programs.find(|program| program.is_file() && access(program, AccessFlags::X_OK).is_ok())
}

/// What a host says that does not have an action.
#[must_use]
pub fn missing(name: &str, path: &str) -> String {
    format!(
        "this host has no action `{name}`: it is not shipped with crontabber, and there is no program `{PREFIX}{name}` \
         that it may run in {path}; install it here, or name the hosts that have it in `hosts`"
    )
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn an_action_is_called_as_a_program_is() {
        for name in ["feeds", "journal-slack", "a1_b"] {
            assert!(is_name(name), "{name}");
        }
        let long = "a".repeat(65);
        for name in ["", "Feeds", "1a", "-a", "../sh", "a b", "a/b", "é", &long] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn its_program_is_the_first_on_the_path_that_may_be_run() {
        let directories = [(); 3].map(|()| tempfile::TempDir::new().expect("a directory"));
        let [empty, plain, runnable] = directories.each_ref().map(tempfile::TempDir::path);
        for (directory, mode) in [(plain, 0o644), (runnable, 0o755)] {
            let program = directory.join("crontabber-greet");
            fs::write(&program, "#!/bin/sh\n").expect("a file");
            fs::set_permissions(&program, fs::Permissions::from_mode(mode)).expect("it is ours");
        }
        fs::create_dir(empty.join("crontabber-greet")).expect("a directory");
        let path = [empty, plain, runnable].map(|directory| directory.display().to_string());
        let path = path.join(":");
        assert_eq!(
            program("greet", &path),
            Some(runnable.join("crontabber-greet"))
        );
        assert_eq!(program("other", &path), None);
        assert_eq!(program("greet", ""), None);
    }
}
