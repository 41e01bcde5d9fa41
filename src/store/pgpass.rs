//! A password from libpq's password file, `~/.pgpass`.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    os::unix::fs::MetadataExt,
    path::Path,
};

use super::address::Secret;

/// How much of a password file is read; lines beyond it are not seen.
const MAX_BYTES: u64 = 1 << 20;

/// What a line must match: the fields of `host:port:database:user:password`.
pub(super) struct Wanted<'a> {
    /// `localhost` for the default socket directory and for no host at all.
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

/// The password of the first line in `file` that matches; a file that does not exist has none.
///
/// The error is libpq's warning: why a file that is there was not used.
pub(super) fn look_up(file: &Path, wanted: &Wanted<'_>) -> Result<Option<Secret>, String> {
    match read(file) {
        Ok(Some(text)) => Ok(find(&text, wanted)),
        Ok(None) => Ok(None),
        Err(reason) => Err(format!(
            "password file {} is ignored: {reason}",
            file.display()
        )),
    }
}

fn read(file: &Path) -> Result<Option<String>, String> {
    let metadata = match file.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    if !metadata.is_file() {
        return Err("it is not a plain file".to_owned());
    }
    if metadata.mode() & 0o077 != 0 {
        return Err("others can read it; its mode should be 0600 or less".to_owned());
    }
    let mut text = String::new();
    File::open(file)
        .and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text))
        .map_err(|error| error.to_string())?;
    Ok(Some(text))
}

fn find(text: &str, wanted: &Wanted<'_>) -> Option<Secret> {
    let port = wanted.port.to_string();
    let fields = [wanted.host, &port, wanted.database, wanted.user];
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| {
            let mut rest = line;
            for field in fields {
                rest = after_match(rest, field)?;
            }
            let (password, _) = field(rest);
            (!password.is_empty()).then(|| Secret::new(password))
        })
}

/// What follows the first field of `line`, if that field is `*` or spells `wanted`.
fn after_match<'a>(line: &'a str, wanted: &str) -> Option<&'a str> {
    if let Some(rest) = line.strip_prefix("*:") {
        return Some(rest);
    }
    let (spelled, rest) = field(line);
    rest.filter(|_| spelled == wanted)
}

/// The first field of `line` without its escapes, and what follows its colon.
fn field(line: &str) -> (String, Option<&str>) {
    let mut value = String::new();
    let mut characters = line.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            ':' => return (value, Some(&line[at + 1..])),
            '\\' => value.push(characters.next().map_or('\\', |(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, None)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    const APP: Wanted<'_> = Wanted {
        host: "db1",
        port: 5432,
        database: "jobs",
        user: "app",
    };

    fn found(text: &str, wanted: &Wanted<'_>) -> Option<String> {
        find(text, wanted).map(|secret| secret.reveal().to_owned())
    }

    #[test]
    fn the_first_line_that_matches_wins() {
        let text = "# db1:5432:jobs:app:comment\n\
                    db2:5432:jobs:app:other host\n\
                    db1:5433:jobs:app:other port\n\
                    db1:5432:*:app:right\n\
                    *:*:*:*:too late\n";
        assert_eq!(found(text, &APP).as_deref(), Some("right"));
    }

    #[test]
    fn colons_and_backslashes_are_escaped() {
        assert_eq!(
            found(r"db1:5432:jobs:app:a\:b\\c", &APP).as_deref(),
            Some(r"a:b\c")
        );
        let odd = Wanted {
            database: "jo:bs",
            ..APP
        };
        assert_eq!(found(r"*:*:jo\:bs:app:yes", &odd).as_deref(), Some("yes"));
    }

    #[test]
    fn a_line_that_stops_early_matches_nothing() {
        for text in ["db1:5432:jobs:app", "db1:5432:jobs", "db1", "", "*:*:*:*"] {
            assert_eq!(found(text, &APP), None, "{text}");
        }
    }

    #[test]
    fn a_star_within_a_word_is_not_a_wildcard() {
        assert_eq!(found("db*:*:*:*:no", &APP), None);
    }

    #[test]
    fn carriage_returns_are_no_part_of_a_password() {
        assert_eq!(found("*:*:*:*:secret\r\n", &APP).as_deref(), Some("secret"));
    }

    #[test]
    fn a_file_that_others_can_read_is_ignored_with_a_warning() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("pgpass");
        fs::write(&file, "*:*:*:*:canary").expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("its mode");
        let warning = look_up(&file, &APP).expect_err("others can read it");
        assert!(warning.contains("0600"), "{warning}");
        assert!(!warning.contains("canary"), "{warning}");

        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("its mode");
        assert_eq!(
            look_up(&file, &APP),
            Ok(Some(Secret::new("canary".to_owned())))
        );
        assert!(look_up(directory.path(), &APP).is_err());
        assert_eq!(look_up(&directory.path().join("none"), &APP), Ok(None));
    }
}
