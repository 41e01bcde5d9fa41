//! Files of `systemd/`, read and checked.

use std::{
    env, fs,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

/// Where the units expect the program.
pub(crate) const PROGRAM: &str = "/usr/bin/crontabber";

/// How much of a service may be exposed, of ten.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Exposed {
    OneAndAHalf,
    TwoAndFourTenths,
}

impl Exposed {
    /// As `systemd-analyze` takes it, in tenths.
    fn threshold(self) -> &'static str {
        match self {
            Self::OneAndAHalf => "--threshold=15",
            Self::TwoAndFourTenths => "--threshold=24",
        }
    }
}

/// The text of a file of `systemd/`.
pub(crate) fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("systemd")
        .join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A unit whose program is elsewhere.
pub(crate) fn rewritten(unit: &str, program: &str) -> String {
    unit.replace(PROGRAM, program)
}

/// Whether this program is on the PATH.
pub(crate) fn tool(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| directory.join(name).exists())
}

/// The settings of a unit, in order: section, key, value.
pub(crate) fn settings(unit: &str) -> Result<Vec<(String, String, String)>, String> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in unit.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            name.trim_end_matches(']').clone_into(&mut section);
            continue;
        }
        let (key, value) = line.split_once('=').ok_or(format!("no setting: {line}"))?;
        found.push((section.clone(), key.to_owned(), value.to_owned()));
    }
    Ok(found)
}

/// The last value of a key of `[Service]`.
pub(crate) fn service(unit: &str, key: &str) -> Option<String> {
    let settings = settings(unit).ok()?;
    let mut of_key = settings
        .into_iter()
        .filter(|(section, name, _)| section == "Service" && name == key);
    of_key.next_back().map(|(.., value)| value)
}

/// What `systemd-analyze verify` has against these units, one of them with a drop-in, with the built program in the
/// place of the installed one; `None`: there is no such tool here.
pub(crate) fn complaints(
    units: &[(&str, &str)],
    drop_in: Option<(&str, &str)>,
) -> Option<Result<(), String>> {
    let copies = copies(units, drop_in);
    let arguments = ["verify", "--man=no", "--recursive-errors=yes"];
    let done = analyze(&arguments, &copies, units)?;
    Some(clean(&done))
}

/// Whether a service, with a drop-in of its own, exposes more than it may; `None`: there is no tool to say so.
pub(crate) fn exposure(
    unit: (&str, &str),
    drop_in: Option<&str>,
    most: Exposed,
) -> Option<Result<(), String>> {
    let copies = copies(&[unit], drop_in.map(|text| (unit.0, text)));
    let done = analyze(
        &["security", "--offline=true", "--no-pager", most.threshold()],
        &copies,
        &[unit],
    )?;
    let report = String::from_utf8_lossy(&done.stdout);
    let last = report.lines().last().unwrap_or_default().to_owned();
    Some(if done.status.success() {
        Ok(())
    } else {
        Err(last)
    })
}

fn clean(done: &Output) -> Result<(), String> {
    let said = String::from_utf8_lossy(&done.stderr);
    if done.status.success() && said.is_empty() {
        Ok(())
    } else {
        Err(format!("{:?}: {said}", done.status))
    }
}

fn copies(units: &[(&str, &str)], drop_in: Option<(&str, &str)>) -> TempDir {
    let directory = tempfile::tempdir().expect("/tmp takes directories");
    for (name, text) in units {
        let text = rewritten(text, env!("CARGO_BIN_EXE_crontabber"));
        fs::write(directory.path().join(name), text).expect("it is ours");
    }
    if let Some((name, text)) = drop_in {
        let beside = directory.path().join(format!("{name}.d"));
        fs::create_dir(&beside).expect("it is ours");
        fs::write(beside.join("test.conf"), text).expect("it is ours");
    }
    directory
}

fn analyze(arguments: &[&str], copies: &TempDir, units: &[(&str, &str)]) -> Option<Output> {
    if !tool("systemd-analyze") {
        eprintln!("checked by reading alone: there is no systemd-analyze here");
        return None;
    }
    let mut command = Command::new("systemd-analyze");
    command.args(arguments);
    command.args(units.iter().map(|(name, _)| copies.path().join(name)));
    Some(command.output().expect("it was found"))
}
