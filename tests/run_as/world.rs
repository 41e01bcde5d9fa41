//! A site that everybody may read, and hosts of two kinds at it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use nix::unistd::{Uid, User};

use super::common::{Crontabber, Database, Site};

/// A user whom every machine has, and who may do nothing.
pub(crate) const OTHER: &str = "nobody";

/// Whether these tests may become others; if not, a line says that this was not tried.
pub(crate) fn is_root() -> bool {
    let is_root = Uid::effective().is_root();
    if !is_root {
        println!("not tried: it takes root");
    }
    is_root
}

pub(crate) fn uid_of(name: &str) -> u32 {
    let user = User::from_name(name).expect("users are known");
    user.expect("every machine has him").uid.as_raw()
}

/// The user of these tests, by name.
pub(crate) fn me() -> String {
    let user = User::from_uid(Uid::effective()).expect("users are known");
    user.expect("he has a name").name
}

/// A site whose configuration, jobs and files everybody may read.
pub(crate) fn site(database: &Database, jobs: &str) -> Site {
    let site = Site::with(database, |_| jobs.to_owned());
    open(&site.file(""), 0o755);
    open(&site.file("crontabber.toml"), 0o644);
    site
}

pub(crate) fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

/// The program, where everybody may execute it.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = std::env::temp_dir().join(format!("crontabber-run-as-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("/tmp takes directories");
    open(&directory, 0o755);
    let program = directory.join("crontabber");
    fs::copy(env!("CARGO_BIN_EXE_crontabber"), &program).expect("there is room for it");
    program
});

/// Takes the copy away; to be called by whoever has used it last. A test that fails leaves it in the temporary directory.
pub(crate) fn tidy_up() {
    let _ = fs::remove_dir_all(PROGRAM.parent().expect("it is in a directory"));
}

/// A command line of a host that is no root's: the tests' own user, or another that he becomes.
pub(crate) fn unprivileged(site: &Site, host: &str, arguments: &[&str]) -> Crontabber {
    let command = site.on(host, arguments);
    if !Uid::effective().is_root() {
        return command;
    }
    let other = format!(
        "exec setpriv --reuid={} --regid=65534 --clear-groups \"$@\"",
        uid_of(OTHER)
    );
    command.program(&*PROGRAM).behind_shell(&other)
}

/// Who such a host is.
pub(crate) fn its_name() -> String {
    if Uid::effective().is_root() {
        OTHER.to_owned()
    } else {
        me()
    }
}
