//! From `--admin.conf=F.ini` to the configuration that was imported from it.

use std::path::{Path, PathBuf};

use super::super::fail::Failure;

/// The TOML that stands for `--admin.conf`: the file itself when it is TOML, else the one of the same name beside it.
pub(super) fn toml_of(conf: &Path) -> Result<PathBuf, Failure> {
    let toml = conf.with_extension("toml");
    // Also where it cannot be looked at: reading it will say why.
    if toml == conf || toml.try_exists().unwrap_or(true) {
        return Ok(toml);
    }
    let (ini, toml) = (quoted(conf), quoted(&toml));
    Err(Failure::NotImported(format!(
        "{ini} is not read any more: its place is taken by {toml}, which does not exist; write it with\n       \
         crontabber import crontabber {ini} --output {toml}"
    )))
}

/// As a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    if text.chars().all(is_plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
