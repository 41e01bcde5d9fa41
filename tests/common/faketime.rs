//! Hosts whose clock is wrong.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::Crontabber;

/// How it got here, for the message of a test that misses it.
const MISSING: &str = "libfaketime is missing: `scripts/need faketime` installs it";

impl Crontabber {
    /// With a clock that is off by this much: `+2h`, `-13h`, `-2s`. Only the clock that people set; what is measured
    /// since the boot stays true, as on any host.
    #[must_use]
    pub fn clock(self, off: &str) -> Self {
        // Set for the program alone: a shell that becomes a program leaves something behind in /dev/shm.
        let text = format!(
            "exec env LD_PRELOAD='{}' FAKETIME='{off}' FAKETIME_DONT_FAKE_MONOTONIC=1 \"$@\"",
            library().display()
        );
        self.behind_shell(&text)
    }
}

/// Where distributions put it.
fn library() -> PathBuf {
    let triples = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut directories: Vec<_> = triples.map(|entry| entry.path()).collect();
    directories.extend(
        ["/usr/lib64", "/usr/lib", "/usr/local/lib"].map(|path| Path::new(path).to_owned()),
    );
    let found = directories
        .iter()
        .map(|directory| directory.join("faketime/libfaketime.so.1"))
        .find(|path| path.exists());
    found.expect(MISSING)
}
