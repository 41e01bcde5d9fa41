//! The units as such: systemd finds nothing wrong with them, and they say what the instructions say.

use std::{fs, path::Path};

use super::unit::{Exposed, PROGRAM, complaints, exposure, file, service, settings};

const TICK: &str = "crontabber-tick.service";
const RUN: &str = "crontabber-run@.service";
pub(crate) const DAEMON: &str = "crontabber.service";
const SWITCHING: &str = "user-switching.conf";

/// What there is in `systemd/` for systemd to load.
const UNITS: [&str; 5] = [
    TICK,
    RUN,
    DAEMON,
    "crontabber-tick.timer",
    "crontabber-embedded.service",
];

/// Every key that a file of ours may use: what stands in for `systemd-analyze` where there is none.
const KEYS: &str = "\
    Unit: Description Wants After Before \
    Install: WantedBy \
    Timer: OnCalendar AccuracySec RandomizedDelaySec FixedRandomDelay Persistent \
    Service: Type NotifyAccess RemainAfterExit ExecStart ExecReload ExecStop SuccessExitStatus TimeoutStartSec \
    TimeoutStopSec KillMode WatchdogSec WatchdogSignal Restart RestartSec RestartPreventExitStatus Delegate \
    OOMPolicy User Group UMask StateDirectory StateDirectoryMode Environment EnvironmentFile LoadCredential \
    AmbientCapabilities CapabilityBoundingSet LockPersonality NoNewPrivileges PrivateDevices PrivateMounts PrivateTmp \
    ProtectClock ProtectControlGroups ProtectHome ProtectHostname ProtectKernelLogs ProtectKernelModules \
    ProtectKernelTunables ProtectProc ProtectSystem ReadWritePaths RestrictAddressFamilies RestrictNamespaces RestrictRealtime \
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
    let texts = UNITS.map(file);
    for (name, text) in UNITS.iter().zip(&texts) {
        assert_eq!(stranger(text), None, "{name}");
    }
    assert_eq!(stranger(&file(SWITCHING)), None);
    let units: Vec<(&str, &str)> = UNITS
        .into_iter()
        .zip(texts.iter().map(String::as_str))
        .collect();
    let found = complaints(&units, None);
    assert!(matches!(found, None | Some(Ok(()))), "{found:?}");
    let found = complaints(&units, Some((DAEMON, &file(SWITCHING))));
    assert!(matches!(found, None | Some(Ok(()))), "{found:?}");
}

#[test]
fn every_unit_of_the_directory_is_checked() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    for entry in fs::read_dir(directory).expect("it is there") {
        let name = entry.expect("it is there").file_name();
        let name = name.to_str().expect("our names are text");
        let is_unit = [".service", ".timer"].iter().any(|end| name.ends_with(end));
        assert!(!is_unit || UNITS.contains(&name), "{name}");
    }
}

#[test]
fn a_key_that_systemd_does_not_know_is_found() {
    let tick = file(TICK).replace("[Service]\n", "[Service]\nKilMode=mixed\n");
    assert_eq!(stranger(&tick).as_deref(), Some("[Service] KilMode"));
    if let Some(found) = complaints(&[(TICK, &tick)], None) {
        assert!(found.is_err_and(|said| said.contains("KilMode")));
    }
    // In a drop-in too.
    let daemon = file(DAEMON);
    if let Some(found) = complaints(
        &[(DAEMON, &daemon)],
        Some((DAEMON, "[Service]\nUsr=root\n")),
    ) {
        assert!(found.is_err_and(|said| said.contains("Usr")));
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
fn the_daemon_is_watched_comes_back_and_is_the_only_one_that_is_told_to_stop() {
    let daemon = file(DAEMON);
    let said = |key| service(&daemon, key).unwrap_or_default();
    assert_eq!(said("ExecStart"), format!("{PROGRAM} daemon"));
    for (key, value) in [
        ("Type", "notify"),
        ("NotifyAccess", "main"),
        ("WatchdogSec", "60s"),
        ("Restart", "on-failure"),
        ("RestartPreventExitStatus", "64 77 78"),
        ("KillMode", "mixed"),
        ("Delegate", "yes"),
        ("OOMPolicy", "continue"),
        ("User", "crontabber"),
        (
            "Environment",
            "CRONTABBER_CONFIG=/etc/crontabber/crontabber.toml",
        ),
    ] {
        assert_eq!(said(key), value, "{key}");
    }
    // Looked at before it is told, and the last word is the signal.
    let reload: Vec<String> = settings(&daemon)
        .expect("every line is a setting")
        .into_iter()
        .filter_map(|(_, key, value)| (key == "ExecReload").then_some(value))
        .collect();
    assert_eq!(
        reload,
        [
            format!("{PROGRAM} config check --no-secrets"),
            "/bin/kill -HUP $MAINPID".to_owned()
        ]
    );
}

#[test]
fn one_job_is_run_by_its_name_and_is_well_in_the_hands_of_another_host() {
    let run = file(RUN);
    let said = |key| service(&run, key).unwrap_or_default();
    assert_eq!(said("ExecStart"), format!("{PROGRAM} run %i"));
    assert_eq!(said("Type"), "oneshot");
    assert_eq!(said("SuccessExitStatus"), "2 3 4");
    assert_eq!(said("TimeoutStartSec"), "infinity");
    assert_eq!(said("KillMode"), "mixed");
}

#[test]
fn the_services_that_run_jobs_share_one_sandbox_and_one_way_to_the_database() {
    let of = |name: &str| {
        let lines = settings(&file(name)).expect("every line is a setting");
        let shared: Vec<(String, String)> = lines
            .into_iter()
            .skip_while(|(_, key, _)| key != "User")
            // Its own cgroup, which the others have no use for, and that somebody wants it.
            .filter(|(section, key, _)| section == "Service" && key != "ReadWritePaths")
            .map(|(_, key, value)| (key, value))
            .collect();
        shared
    };
    assert!(of(TICK).len() > 25, "{:?}", of(TICK));
    assert_eq!(of(RUN), of(TICK));
    assert_eq!(of(DAEMON), of(TICK));
}

#[test]
fn a_service_is_exposed_by_no_more_than_one_and_a_half_of_ten() {
    for name in [TICK, RUN, DAEMON] {
        let found = exposure((name, &file(name)), None, Exposed::OneAndAHalf);
        assert!(matches!(found, None | Some(Ok(()))), "{name}: {found:?}");
    }
}

#[test]
fn a_daemon_that_becomes_other_users_is_exposed_by_no_more_than_two_and_four_tenths() {
    let (daemon, switching) = (file(DAEMON), file(SWITCHING));
    let found = |drop_in: &str, most| exposure((DAEMON, &daemon), Some(drop_in), most);
    let right = found(&switching, Exposed::TwoAndFourTenths);
    assert!(matches!(right, None | Some(Ok(()))), "{right:?}");
    // It is the drop-in that was looked at, and all of root would be found.
    for (drop_in, most) in [
        (switching.as_str(), Exposed::OneAndAHalf),
        (
            "[Service]\nUser=root\nCapabilityBoundingSet=~\n",
            Exposed::TwoAndFourTenths,
        ),
    ] {
        assert!(found(drop_in, most).is_none_or(|found| found.is_err()));
    }
    let said = |key| service(&switching, key).unwrap_or_default();
    assert_eq!(said("User"), "root");
    assert_eq!(
        said("CapabilityBoundingSet"),
        "CAP_SETUID CAP_SETGID CAP_KILL"
    );
    assert_eq!(said("NoNewPrivileges"), "");
}

#[test]
fn a_line_that_is_gone_from_the_sandbox_is_found() {
    for line in [
        "SystemCallFilter=@system-service\n",
        "CapabilityBoundingSet=\n",
        "RestrictNamespaces=yes\n",
        "ProtectSystem=strict\n",
        "ProtectControlGroups=yes\n",
        "User=crontabber\n",
    ] {
        for name in [TICK, DAEMON] {
            let unit = without(&file(name), line);
            if let Some(found) = exposure((name, &unit), None, Exposed::OneAndAHalf) {
                assert!(found.is_err(), "{name} {line}");
            }
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

/// The keys below the line that begins the sandbox of a service.
pub(crate) fn sandbox(name: &str) -> Vec<String> {
    let unit = file(name);
    let (_, lines) = unit
        .split_once("# The sandbox")
        .expect("a comment begins it");
    let lines = format!("[Service]\n#{lines}");
    let mut keys: Vec<String> = settings(&lines)
        .expect("every line is a setting")
        .into_iter()
        .filter_map(|(section, key, _)| (section == "Service").then_some(key))
        .collect();
    keys.dedup();
    keys
}

#[test]
fn the_instructions_say_of_each_line_of_the_sandbox_what_it_means_for_jobs() {
    let documented: Vec<String> = documented().collect();
    for key in sandbox(DAEMON) {
        assert!(documented.contains(&key), "README.md is silent on {key}");
    }
}
