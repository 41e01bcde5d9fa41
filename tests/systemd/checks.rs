//! The files as such: systemd finds nothing wrong with them, and they say what the instructions say.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::{Command, Output},
};

use crontabber::schedule::Crontab;
use nix::unistd::Uid;
use tempfile::TempDir;

use super::unit::{PROGRAM, complaints, exposure, file, service, settings, tool};

const TICK: &str = "crontabber-tick.service";

/// Every key that a file of ours may use: what stands in for `systemd-analyze` where there is none.
const KEYS: &str = "\
    Unit: Description Wants After Before \
    Install: WantedBy \
    Timer: OnCalendar AccuracySec RandomizedDelaySec FixedRandomDelay Persistent \
    Service: Type RemainAfterExit ExecStart ExecStop SuccessExitStatus TimeoutStartSec TimeoutStopSec KillMode \
    OOMPolicy User Group UMask StateDirectory StateDirectoryMode Environment EnvironmentFile LoadCredential \
    AmbientCapabilities CapabilityBoundingSet LockPersonality NoNewPrivileges PrivateDevices PrivateMounts PrivateTmp \
    ProtectClock ProtectControlGroups ProtectHome ProtectHostname ProtectKernelLogs ProtectKernelModules \
    ProtectKernelTunables ProtectProc ProtectSystem RestrictAddressFamilies RestrictNamespaces RestrictRealtime \
    RestrictSUIDSGID SystemCallArchitectures SystemCallErrorNumber SystemCallFilter";

/// The first setting that is not one of ours.
fn stranger(unit: &str) -> Option<String> {
    let known = |section: &str, key: &str| {
        let from = KEYS
            .split(&format!("{section}: "))
            .nth(1)
            .unwrap_or_default();
        let keys = from
            .split_whitespace()
            .take_while(|word| !word.ends_with(':'));
        keys.into_iter().any(|known| known == key)
    };
    let found = settings(unit).expect("every line is a setting");
    let mut strangers = found
        .into_iter()
        .filter(|(section, key, _)| !known(section, key));
    strangers
        .next()
        .map(|(section, key, _)| format!("[{section}] {key}"))
}

/// Without one line.
fn without(unit: &str, line: &str) -> String {
    assert!(unit.contains(line), "there is no line {line}");
    unit.replace(line, "")
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let names = [TICK, "crontabber-tick.timer", "crontabber-embedded.service"];
    let texts = names.map(file);
    for (name, text) in names.iter().zip(&texts) {
        assert_eq!(stranger(text), None, "{name}");
    }
    let units: Vec<(&str, &str)> = names
        .iter()
        .zip(&texts)
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    assert!(
        matches!(complaints(&units), None | Some(Ok(()))),
        "{:?}",
        complaints(&units)
    );
}

#[test]
fn a_key_that_systemd_does_not_know_is_found() {
    let tick = file(TICK).replace("[Service]\n", "[Service]\nKilMode=mixed\n");
    assert_eq!(stranger(&tick).as_deref(), Some("[Service] KilMode"));
    if let Some(found) = complaints(&[(TICK, &tick)]) {
        assert!(found.is_err_and(|said| said.contains("KilMode")));
    }
}

#[test]
fn the_service_runs_the_program_and_takes_lost_races_and_failed_jobs_for_success() {
    let tick = file(TICK);
    let said = |key| service(&tick, key).unwrap_or_default();
    assert_eq!(said("ExecStart"), format!("{PROGRAM} tick"));
    assert_eq!(said("Type"), "oneshot");
    assert_eq!(said("SuccessExitStatus"), "1 2 3");
    assert_eq!(said("TimeoutStartSec"), "infinity");
    assert_eq!(said("KillMode"), "mixed");
    assert_eq!(said("OOMPolicy"), "continue");
    assert_eq!(said("User"), "crontabber");
    assert_eq!(
        said("Environment"),
        "CRONTABBER_CONFIG=/etc/crontabber/crontabber.toml"
    );
}

#[test]
fn the_service_is_exposed_by_no_more_than_one_and_a_half_of_ten() {
    let tick = file(TICK);
    assert!(
        matches!(exposure((TICK, &tick)), None | Some(Ok(()))),
        "{:?}",
        exposure((TICK, &tick))
    );
}

#[test]
fn a_line_that_is_gone_from_the_sandbox_is_found() {
    for line in [
        "SystemCallFilter=@system-service\n",
        "CapabilityBoundingSet=\n",
        "RestrictNamespaces=yes\n",
        "ProtectSystem=strict\n",
        "User=crontabber\n",
    ] {
        let tick = without(&file(TICK), line);
        if let Some(found) = exposure((TICK, &tick)) {
            assert!(found.is_err(), "{line}");
        }
        // By reading: the instructions name it.
        let key = line.split('=').next().expect("a key");
        assert!(documented().any(|known| known == key), "{key}");
    }
}

/// The keys of the sandbox, as the table of the instructions has them.
fn documented() -> impl Iterator<Item = String> {
    let readme = file("README.md");
    let rows: Vec<String> = readme
        .lines()
        .filter_map(|row| Some(row.strip_prefix("| `")?.split('`').next()?.to_owned()))
        .collect();
    rows.into_iter()
        .map(|row| row.split('=').next().unwrap_or_default().to_owned())
}

/// The keys below the line that begins the sandbox.
pub(crate) fn sandbox() -> Vec<String> {
    let tick = file(TICK);
    let (_, lines) = tick
        .split_once("# The sandbox")
        .expect("a comment begins it");
    let lines = format!("[Service]\n#{lines}");
    let mut keys: Vec<String> = settings(&lines)
        .expect("every line is a setting")
        .into_iter()
        .map(|(_, key, _)| key)
        .collect();
    keys.dedup();
    keys
}

#[test]
fn the_instructions_say_of_each_line_of_the_sandbox_what_it_means_for_jobs() {
    let documented: Vec<String> = documented().collect();
    for key in sandbox() {
        assert!(documented.contains(&key), "README.md is silent on {key}");
    }
}

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
