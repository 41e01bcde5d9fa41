//! Which files make the configuration, and how each is read.

use std::{
    ffi::OsStr,
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read},
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    diagnostic::{At, Code, Findings},
    source::Place,
    surroundings::Surroundings,
};

/// All files together; ten thousand jobs take a quarter of it.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The main file: the one that is named, or the first that is there.
pub(super) fn main_file(
    named: Option<&Path>,
    surroundings: &Surroundings,
    findings: &mut Findings,
) -> Option<PathBuf> {
    if let Some(named) = named {
        return Some(named.to_owned());
    }
    if let Some(named) = surroundings.path("CRONTABBER_CONFIG") {
        return Some(named);
    }
    let here = surroundings.directory().join("crontabber.toml");
    let there = surroundings.etc().join("crontabber.toml");
    if is_there(&here) {
        refuse_strangers(&here, findings);
        return Some(here);
    }
    if is_there(&there) {
        return Some(there);
    }
    findings
        .error(Code::NoFile, At::Nowhere, "there is no configuration")
        .help(format!(
            "looked for {} and {}; `--config FILE` and $CRONTABBER_CONFIG name another",
            here.display(),
            there.display()
        ));
    None
}

/// Whether something has this name. What cannot be looked at is there too: reading it says why.
fn is_there(path: &Path) -> bool {
    !matches!(fs::metadata(path), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

/// In a directory like `/tmp` anybody can put a configuration before us, with commands of their own.
fn refuse_strangers(path: &Path, findings: &mut Findings) {
    let ours = nix::unistd::geteuid().as_raw();
    let owner = fs::metadata(path).map(|metadata| metadata.uid());
    if let Ok(owner) = owner
        && owner != 0
        && owner != ours
    {
        let message =
            format!("the file belongs to user {owner}, neither to us ({ours}) nor to root");
        findings
            .error(Code::FileOwner, At::Path(path.to_owned()), message)
            .help("to use it all the same name it with `--config`");
    }
}

/// The drop-ins of a directory: `*.toml` in byte order, without dotfiles.
pub(super) fn drop_ins(
    directory: &Path,
    named_at: Option<Place>,
    findings: &mut Findings,
) -> Vec<PathBuf> {
    let listed = fs::read_dir(directory).and_then(|entries| {
        entries
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<io::Result<Vec<_>>>()
    });
    let mut names = match listed {
        Ok(names) => names,
        Err(error) => {
            let message = format!("{} cannot be read: {error}", directory.display());
            let at = named_at.map_or_else(|| At::Path(directory.to_owned()), At::Place);
            findings.error(Code::Unreadable, at, message);
            return Vec::new();
        }
    };
    names.retain(|name| is_drop_in(name));
    names.sort_unstable();
    names.iter().map(|name| directory.join(name)).collect()
}

fn is_drop_in(name: &OsStr) -> bool {
    name.as_bytes().ends_with(b".toml") && !name.as_bytes().starts_with(b".")
}

/// Whether a directory may be everybody's, if it is sticky.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sticky {
    /// It may: nobody can replace a file of ours in it.
    Tolerated,
    /// It may not: adding a file is adding a job.
    Refused,
}

/// Refuses a directory into which anybody could put a file of theirs.
pub(super) fn check_directory(directory: &Path, sticky: Sticky, findings: &mut Findings) {
    // A path without a directory is a file of the current one.
    let directory = if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    };
    // What cannot be looked at cannot be read either, and reading says so.
    let Ok(metadata) = fs::metadata(directory) else {
        return;
    };
    let is_sticky = metadata.mode() & 0o1000 != 0;
    if !(is_sticky && sticky == Sticky::Tolerated) {
        refuse_world_writable(directory, &metadata, "directory", findings);
    }
}

fn refuse_world_writable(path: &Path, metadata: &Metadata, what: &str, findings: &mut Findings) {
    let mode = metadata.mode() & 0o7777;
    if mode & 0o002 != 0 {
        let message = format!("anybody can write to this {what} (mode {mode:04o})");
        findings
            .error(Code::FileMode, At::Path(path.to_owned()), message)
            .help(format!("chmod o-w {}", path.display()));
    }
}

/// Reads files, no more than so many bytes in total, and hashes what it reads.
#[derive(Debug)]
pub(super) struct Reader {
    left: u64,
    hashes: Vec<[u8; 32]>,
}

/// Why a file was not read.
type Refusal = (Code, String);

impl Reader {
    pub(super) fn new() -> Self {
        Self {
            left: LARGEST,
            hashes: Vec::new(),
        }
    }

    /// The text of a file of the configuration; what is wrong with it goes to the findings, at `at`
    /// or at the file itself.
    pub(super) fn read(
        &mut self,
        path: &Path,
        at: Option<At>,
        findings: &mut Findings,
    ) -> Option<String> {
        let whole = At::Path(path.to_owned());
        let (file, metadata) = match open(path) {
            Ok(opened) => opened,
            Err((code, why)) => {
                findings.error(code, at.unwrap_or(whole), why);
                return None;
            }
        };
        refuse_world_writable(path, &metadata, "file", findings);
        match self.text(file) {
            Ok(text) => Some(text),
            Err((code, why)) => {
                findings.error(code, whole, why);
                None
            }
        }
    }

    fn text(&mut self, file: File) -> Result<String, Refusal> {
        let mut bytes = Vec::new();
        file.take(self.left + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| {
                (
                    Code::Unreadable,
                    format!("the file cannot be read: {error}"),
                )
            })?;
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(|| {
            let mib = LARGEST / 1024 / 1024;
            let why = format!("with this file the configuration is larger than {mib} MiB");
            (Code::TooLarge, why)
        })?;
        self.hashes.push(Sha256::digest(&bytes).into());
        String::from_utf8(bytes).map_err(|error| {
            let good = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..good]
                .split(|byte| *byte == b'\n')
                .count();
            (
                Code::NotUtf8,
                format!("the file is not UTF-8 text: line {line} has other bytes"),
            )
        })
    }

    /// One hash over everything that was read, whatever the order: 16 hex digits.
    pub(super) fn hash(mut self) -> String {
        self.hashes.sort_unstable();
        let whole = Sha256::digest(self.hashes.concat());
        crate::spec::short_hex(&whole)
    }
}

fn open(path: &Path) -> Result<(File, Metadata), Refusal> {
    let unreadable = |why: String| (Code::Unreadable, why);
    let cannot = |error| unreadable(format!("{} cannot be read: {error}", path.display()));
    let file = OpenOptions::new()
        .read(true)
        // A pipe without a writer would hold us here for ever.
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    if !metadata.is_file() {
        return Err(unreadable(format!("{} is no regular file", path.display())));
    }
    Ok((file, metadata))
}
