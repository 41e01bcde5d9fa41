//! The files beside the units: systemd makes the user and the directories, and cron reads its line.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::{Command, Output},
};

use crontabber::schedule::Crontab;
use nix::unistd::Uid;
use tempfile::TempDir;

use super::unit::{PROGRAM, file, tool};

/// A command on a root of its own that holds these files.
fn on_a_root(command: &[&str], files: &[(&str, &str)]) -> (TempDir, Output) {
    let root = tempfile::tempdir().expect("/tmp takes directories");
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("it is below the root")).expect("it is ours");
        fs::write(path, text).expect("it is ours");
    }
    let done = Command::new(command[0])
        .arg(format!("--root={}", root.path().display()))
        .args(&command[1..])
        .output()
        .expect("it was found");
    (root, done)
}

#[test]
fn systemd_makes_the_user() {
    let ours = file("crontabber.sysusers");
    let line = ours
        .lines()
        .find(|line| line.starts_with('u'))
        .expect("a user");
    assert!(line.contains(" crontabber ") && line.contains(" /var/lib/crontabber "));
    if !tool("systemd-sysusers") {
        eprintln!("read alone: there is no systemd-sysusers here");
        return;
    }
    let path = "usr/lib/sysusers.d/crontabber.conf";
    let command = ["systemd-sysusers", "--dry-run", "crontabber.conf"];
    let (_root, done) = on_a_root(&command, &[(path, &ours)]);
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success() && said.contains("Creating user 'crontabber'"),
        "{said}"
    );
    let (_root, done) = on_a_root(&command, &[(path, "x crontabber -\n")]);
    assert!(!done.status.success());
}

#[test]
fn systemd_makes_the_directories() {
    let ours = file("crontabber.tmpfiles");
    let lines: Vec<Vec<&str>> = ours
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert!(
        lines
            .iter()
            .all(|fields| fields.len() == 6 && fields[0] == "d"),
        "{lines:?}"
    );
    if !tool("systemd-tmpfiles") || !Uid::effective().is_root() {
        eprintln!("read alone: it takes systemd-tmpfiles, and root, to give directories away");
        return;
    }
    let files = [
        ("usr/lib/tmpfiles.d/crontabber.conf", ours.as_str()),
        (
            "etc/passwd",
            "root:x:0:0::/:/bin/sh\ncrontabber:x:711:712::/:/bin/sh\n",
        ),
        ("etc/group", "root:x:0:\ncrontabber:x:712:\n"),
    ];
    let command = ["systemd-tmpfiles", "--create", "crontabber.conf"];
    let (root, done) = on_a_root(&command, &files);
    assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
    for (path, mode, owner, group) in [
        ("etc/crontabber", 0o750, 0, 712),
        ("etc/crontabber/jobs.d", 0o750, 0, 712),
        ("var/lib/crontabber", 0o750, 711, 712),
    ] {
        let found = fs::metadata(root.path().join(path)).expect("it was made");
        assert_eq!(
            (
                found.permissions().mode() & 0o7777,
                found.uid(),
                found.gid()
            ),
            (mode, owner, group),
            "{path}"
        );
    }
    let unknown = ours.replace("root       crontabber -", "root       nobody_here -");
    let files = [("usr/lib/tmpfiles.d/crontabber.conf", unknown.as_str())];
    let (root, _) = on_a_root(&command, &files);
    assert!(!Path::new(&root.path().join("etc/crontabber")).exists());
}

#[test]
fn the_line_for_cron_names_a_minute_a_user_the_program_and_who_gets_mail() {
    let cron = file("crontabber.cron");
    let lines: Vec<&str> = cron.lines().filter(|line| !line.starts_with('#')).collect();
    for variable in [
        "MAILTO=root",
        "CRONTABBER_CONFIG=/etc/crontabber/crontabber.toml",
    ] {
        assert!(lines.contains(&variable), "{variable}");
    }
    assert!(lines.iter().any(|line| line.starts_with("PATH=/")));
    let entry: Vec<&str> = lines
        .iter()
        .find(|line| line.starts_with('*'))
        .expect("an entry")
        .split_whitespace()
        .collect();
    assert!(Crontab::parse(&entry[..5].join(" ")).is_ok());
    assert_eq!(entry[5..], ["crontabber", PROGRAM, "tick"]);
    // cron takes no file whose last line does not end.
    assert!(cron.ends_with('\n'));
}
