//! Every line of the sandbox is in force around a pass, and none of them keeps it from its work.

use std::collections::BTreeMap;

use super::{
    checks::sandbox,
    common::{Database, Postgres, Site},
    machine::Machine,
    unit::tool,
};

/// What a job meets: a line of the sandbox, a text of shell that feels it, and what that prints where it is in force.
struct Probe(&'static str, &'static str, &'static str);

const PROBES: [Probe; 16] = [
    Probe(
        "CapabilityBoundingSet",
        "grep CapBnd: /proc/self/status | cut -f2",
        "0000000000000000",
    ),
    Probe(
        "LockPersonality",
        "setarch -R true || echo refused",
        "refused",
    ),
    Probe(
        "NoNewPrivileges",
        "grep NoNewPrivs: /proc/self/status | cut -f2",
        "1",
    ),
    Probe("PrivateDevices", "ls /dev/disk || echo refused", "refused"),
    Probe(
        "PrivateMounts",
        "grep -xF \"$(readlink /proc/self/ns/mnt)\" /srv/shared/namespaces || echo own",
        "own",
    ),
    Probe(
        "PrivateTmp",
        "ls /var/tmp/of_another || echo refused",
        "refused",
    ),
    Probe(
        "ProtectControlGroups",
        "grep ' /sys/fs/cgroup ' /proc/self/mounts | tail -n 1 | cut -d ' ' -f 4 | cut -c -2",
        "ro",
    ),
    Probe(
        "ProtectHome",
        "ls /home/other/file || echo refused",
        "refused",
    ),
    Probe(
        "ProtectHostname",
        "grep -xF \"$(readlink /proc/self/ns/uts)\" /srv/shared/namespaces || echo own",
        "own",
    ),
    Probe(
        "ProtectKernelTunables",
        "grep -c ' /proc/sys proc ro' /proc/self/mounts",
        "1",
    ),
    Probe("ProtectProc", "cat /proc/1/comm || echo refused", "refused"),
    Probe(
        "ProtectSystem",
        "touch /srv/shared/by_a_job || echo refused",
        "refused",
    ),
    // Without it a packet socket is refused for the lack of a capability.
    Probe(
        "RestrictAddressFamilies",
        "perl -MErrno=EAFNOSUPPORT -e 'socket(S, 17, 2, 0) or $! == EAFNOSUPPORT and print \"refused\"'",
        "refused",
    ),
    Probe(
        "RestrictNamespaces",
        "unshare --user true || echo refused",
        "refused",
    ),
    Probe(
        "RestrictSUIDSGID",
        "touch mine && chmod u+s mine || echo refused",
        "refused",
    ),
    // 1, and no death of a signal: that is SystemCallErrorNumber.
    Probe(
        "SystemCallFilter",
        "touch own && chgrp \"$(id -g)\" own; echo $?",
        "1",
    ),
];

/// What an unprivileged job cannot tell from the lines above: it has no capability to set a clock, load a module, read
/// the kernel's log or run before others with, and no program of another architecture.
const UNFELT: [&str; 7] = [
    "AmbientCapabilities",
    "ProtectClock",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "RestrictRealtime",
    "SystemCallArchitectures",
    "SystemCallErrorNumber",
];

/// All of the sandbox taken back.
const BARE: &str = "\
[Service]
CapabilityBoundingSet=~
LockPersonality=no
NoNewPrivileges=no
PrivateDevices=no
PrivateMounts=no
PrivateTmp=no
ProtectClock=no
ProtectControlGroups=no
ProtectHome=no
ProtectHostname=no
ProtectKernelLogs=no
ProtectKernelModules=no
ProtectKernelTunables=no
ProtectProc=default
ProtectSystem=no
RestrictAddressFamilies=
RestrictNamespaces=no
RestrictRealtime=no
RestrictSUIDSGID=no
SystemCallArchitectures=
SystemCallFilter=
";

/// A pass as the timer starts it, and what systemd makes of its end.
const ONE_PASS: &str = "\
readlink /proc/self/ns/mnt /proc/self/ns/uts > /srv/shared/namespaces
systemctl start crontabber-tick.service
";

/// A job that prints `KEY=what it met` for each line of the sandbox.
fn probe() -> String {
    let lines: Vec<String> = PROBES
        .iter()
        .map(|Probe(key, shell, _)| format!("echo \"{key}=$( ({shell}) 2> /dev/null )\""))
        .collect();
    format!(
        "[jobs.probe]\nevery = \"1d\"\nstart = \"now\"\ncwd = \"/var/lib/crontabber\"\nshell = '''\n{}\n'''\n\n",
        lines.join("\n")
    )
}

/// A job that does not end in time and leaves a child in the background, and one that ends when that child is dead.
const KILLED: &str = r#"
[jobs.hangs]
every = "1d"
start = "now"
timeout = "2s"
cwd = "/var/lib/crontabber"
shell = "setsid sleep 1000 & echo $! > pid.new; mv pid.new pid; sleep 1000"

[jobs.witness]
every = "1d"
start = "now"
cwd = "/var/lib/crontabber"
shell = "until [ -e pid ]; do sleep 0.02; done; while [ -e /proc/$(cat pid) ]; do sleep 0.02; done; echo dead"
"#;

async fn outcome(database: &Database, job: &str) -> String {
    let sql = format!("SELECT outcome FROM crontabber_log WHERE app_name = '{job}'");
    database.query_one(&sql).await
}

/// What the job has met, by line of the sandbox.
async fn met(database: &Database) -> BTreeMap<String, String> {
    let sql = "SELECT output FROM crontabber_log WHERE app_name = 'probe'";
    let output: String = database.query_one(sql).await;
    let pairs = output.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn there_is_a_probe_for_each_line_of_the_sandbox_that_a_job_can_feel() {
    let felt: Vec<&str> = PROBES.iter().map(|Probe(key, ..)| *key).collect();
    for key in sandbox("crontabber-tick.service") {
        let key = key.as_str();
        assert!(felt.contains(&key) ^ UNFELT.contains(&key), "{key}");
    }
}

#[tokio::test]
async fn a_pass_does_all_its_work_with_each_line_of_the_sandbox_in_force() {
    let database = Postgres::database().await;
    let jobs = probe() + KILLED;
    let Some(machine) = Machine::new(&database, &jobs).await else {
        return;
    };
    machine.boot(ONE_PASS).await;
    // A job has failed, and the unit has not.
    assert_eq!(
        machine.said("passes"),
        "success 1\n",
        "{}",
        machine.said("log")
    );
    assert_eq!(outcome(&database, "probe").await, "success");
    assert_eq!(outcome(&database, "hangs").await, "timeout");
    assert_eq!(outcome(&database, "witness").await, "success");
    let met = met(&database).await;
    for Probe(key, _, in_force) in PROBES {
        assert_eq!(
            met.get(key).map(String::as_str),
            Some(in_force),
            "{key}: {met:?}"
        );
    }
    // What a host of another boot is told apart by.
    let boot_id: String = database
        .query_one("SELECT boot_id FROM crontabber_host")
        .await;
    assert_eq!(boot_id.len(), 36, "{boot_id}");
}

#[tokio::test]
async fn without_the_sandbox_a_job_meets_none_of_it() {
    let database = Postgres::database().await;
    let Some(machine) = Machine::new(&database, &probe()).await else {
        return;
    };
    machine.drop_in("crontabber-tick.service", BARE);
    machine.boot(ONE_PASS).await;
    assert_eq!(
        machine.said("passes"),
        "success 0\n",
        "{}",
        machine.said("log")
    );
    let met = met(&database).await;
    for Probe(key, _, in_force) in PROBES {
        assert_ne!(
            met.get(key).map(String::as_str),
            Some(in_force),
            "{key}: {met:?}"
        );
    }
}

/// What of the sandbox needs neither root nor systemd: the part that is tried on every machine.
#[tokio::test]
async fn a_pass_needs_no_privilege_that_could_be_gained() {
    if !tool("setpriv") {
        eprintln!("not tried: there is no setpriv here");
        return;
    }
    let database = Postgres::database().await;
    let meets = "grep -e NoNewPrivs -e Seccomp: /proc/self/status; umask";
    let site = Site::with(&database, |_| {
        format!("[jobs.probe]\nevery = \"1d\"\nstart = \"now\"\nshell = {meets:?}\n\n")
    });
    let tick = site.on("web1", &["tick"]);
    let ended = tick
        .behind_shell("umask 077; exec setpriv --no-new-privs -- \"$@\"")
        .run()
        .await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(outcome(&database, "probe").await, "success");
    let sql = "SELECT output FROM crontabber_log WHERE app_name = 'probe'";
    let output: String = database.query_one(sql).await;
    assert!(output.contains("NoNewPrivs:\t1\n"), "{output}");
    // Files of jobs are not the program's: they are readable, as cron's are.
    assert!(output.ends_with("0022\n"), "{output}");
}
