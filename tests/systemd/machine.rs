//! A small machine with a real systemd: this one's programs, and an `/etc` of the test's own.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

use nix::unistd::Uid;
use tempfile::TempDir;

use super::{
    common::Database,
    relay::Relay,
    unit::{file, rewritten, tool},
};

/// What the machine's director says first: nothing that the units rest on is of this machine.
const TARGETS: [&str; 3] = ["basic.target", "sysinit.target", "network-online.target"];

/// Where the witness of each service writes how it ended.
const WITNESSES: [(&str, &str); 3] = [
    ("crontabber-tick.service", "passes"),
    ("crontabber-run@.service", "runs"),
    ("crontabber.service", "daemons"),
];

/// How each run of a service ended, as systemd sees it, into a file of `/out`. Not by asking for the unit's properties:
/// systemd forgets those of a unit that is over and well.
fn witness(file: &str) -> String {
    format!(
        "[Service]\nExecStopPost=+/bin/sh -c 'echo $SERVICE_RESULT $EXIT_STATUS >> /out/{file}'\n"
    )
}

/// The director's unit: the scenario is all that the machine boots for.
const DIRECTOR: &str = "\
[Unit]
DefaultDependencies=no
Wants=systemd-journald.socket
After=systemd-journald.socket
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
ExecStart=/bin/sh -eu /etc/scenario
StandardOutput=append:/out/log
StandardError=append:/out/log
";

/// A machine that has not been started yet.
pub(crate) struct Machine {
    tree: TempDir,
    relay: Relay,
}

impl Machine {
    /// A machine with our units, user and directories as the instructions install them, on which these sections
    /// make the configuration; `None`, with a line that says why, where a systemd cannot be started.
    pub(crate) async fn new(database: &Database, sections: &str) -> Option<Self> {
        if let Some(lacking) = &*LACKING {
            eprintln!("not tried on a systemd of its own: {lacking}");
            return None;
        }
        let relay = Relay::to(database).await;
        let tree = tempfile::tempdir().expect("/tmp takes directories");
        let machine = Self { tree, relay };
        fs::create_dir(machine.path("out")).expect("it is ours");
        machine.write("etc/passwd", "root:x:0:0::/root:/bin/sh\n");
        machine.write("etc/group", "root:x:0:\n");
        machine.write("etc/machine-id", "");
        for target in TARGETS {
            let unit = format!("etc/systemd/system/{target}");
            machine.write(&unit, "[Unit]\nDefaultDependencies=no\n");
        }
        machine.write("etc/systemd/system/director.service", DIRECTOR);
        machine.install();
        for (unit, file) in WITNESSES {
            let path = format!("etc/systemd/system/{unit}.d/witness.conf");
            machine.write(&path, &witness(file));
        }
        let url = machine.relay.url();
        machine.write("etc/credstore/crontabber.database_url", url);
        let toml = format!("[database]\nurl = {{ credential = \"database_url\" }}\n\n{sections}");
        machine.write("etc/crontabber/crontabber.toml", &toml);
        Some(machine)
    }

    /// Puts our files where the instructions put them.
    fn install(&self) {
        for unit in [
            "crontabber-tick.service",
            "crontabber-tick.timer",
            "crontabber-embedded.service",
            "crontabber-run@.service",
            "crontabber.service",
        ] {
            let path = format!("etc/systemd/system/{unit}");
            self.write(&path, &rewritten(&file(unit), "/opt/crontabber"));
        }
        self.write(
            "etc/sysusers.d/crontabber.conf",
            &file("crontabber.sysusers"),
        );
        self.write(
            "etc/tmpfiles.d/crontabber.conf",
            &file("crontabber.tmpfiles"),
        );
        let root = format!("--root={}", self.tree.path().display());
        for command in [
            ["systemd-sysusers", "crontabber.conf"].as_slice(),
            &["systemd-tmpfiles", "--create", "crontabber.conf"],
        ] {
            let done = Command::new(command[0])
                .arg(&root)
                .args(&command[1..])
                .output()
                .expect("it was found before");
            assert!(done.status.success(), "{command:?}: {done:?}");
        }
    }

    /// Writes a file of the machine's `/etc`, or `/out`.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        let directory = path.parent().expect("it is below the tree");
        fs::create_dir_all(directory).expect("it is ours");
        fs::write(path, text).expect("it is ours");
    }

    /// Adds to one of our units, as an operator does.
    pub(crate) fn drop_in(&self, unit: &str, text: &str) {
        self.write(&format!("etc/systemd/system/{unit}.d/test.conf"), text);
    }

    /// Boots it, has this shell text carried out by root, and shuts it down. What the text has written below `/out`
    /// can be read then.
    pub(crate) async fn boot(&self, scenario: &str) {
        self.write("etc/scenario", scenario);
        let mut boot = boot(
            self.tree.path(),
            Path::new(env!("CARGO_BIN_EXE_crontabber")),
        );
        // The relay needs this thread meanwhile.
        let booted = tokio::task::spawn_blocking(move || boot.output());
        let booted = booted
            .await
            .expect("it does not panic")
            .expect("there is a shell");
        assert!(
            booted.status.success(),
            "the scenario: {:?}\n{}\n{}",
            booted.status,
            String::from_utf8_lossy(&booted.stderr),
            self.said("log"),
        );
    }

    /// What the scenario has written into this file of `/out`.
    pub(crate) fn said(&self, name: &str) -> String {
        fs::read_to_string(self.path("out").join(name)).unwrap_or_default()
    }

    fn path(&self, path: &str) -> PathBuf {
        self.tree.path().join(path)
    }
}

/// The command that starts a machine from this tree; one that hangs is killed, and its test fails.
fn boot(tree: &Path, program: &Path) -> Command {
    let mut boot = Command::new("timeout");
    boot.args(["--kill-after=2", "120", "sh"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/systemd/boot.sh"))
        .args([tree, program])
        .stdin(Stdio::null());
    boot
}

/// What is missing here to start a systemd, asked once.
static LACKING: LazyLock<Option<String>> = LazyLock::new(|| {
    if !Uid::effective().is_root() {
        return Some("only root can".to_owned());
    }
    for program in [
        "systemd-sysusers",
        "systemd-tmpfiles",
        "timeout",
        "unshare",
        "setarch",
        "perl",
    ] {
        if !tool(program) {
            return Some(format!("there is no {program}"));
        }
    }
    if !Path::new("/usr/lib/systemd/systemd").exists() {
        return Some("there is no systemd".to_owned());
    }
    let tree = tempfile::tempdir().expect("/tmp takes directories");
    for directory in ["etc/systemd/system", "out"] {
        fs::create_dir_all(tree.path().join(directory)).expect("it is ours");
    }
    fs::set_permissions(tree.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    let unit = "[Unit]\nDefaultDependencies=no\nSuccessAction=exit\n[Service]\nType=oneshot\nExecStart=/bin/true\nStandardOutput=null\nStandardError=null\n";
    fs::write(
        tree.path().join("etc/systemd/system/director.service"),
        unit,
    )
    .expect("it is ours");
    let booted = boot(tree.path(), Path::new("/bin/true")).output();
    let booted = booted.expect("there is a shell");
    (!booted.status.success()).then(|| {
        let said = String::from_utf8_lossy(&booted.stderr).into_owned();
        format!("{:?}: {}", booted.status, said.trim())
    })
});
