//! Secrets: where they are kept, and the moment one is read.

use std::{
    fmt,
    fs::OpenOptions,
    io::{self, Read},
    ops::Range,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use thiserror::Error;

use crate::spec::SecretRef;

use super::{
    diagnostic::{Code, Findings},
    setting::{Found, Setting},
    surroundings::Surroundings,
};

/// A secret that was read. It prints as nothing at all.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the one who needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// Why a secret cannot be had.
#[derive(Debug, Error)]
pub enum BadSecret {
    /// systemd gave this process no credentials.
    #[error(
        "credential `{0}`: $CREDENTIALS_DIRECTORY is not set (systemd sets it for `LoadCredential=`)"
    )]
    NoCredentials(String),
    /// The file cannot be read.
    #[error("secret file {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Others than its owner can read the file.
    #[error(
        "secret file {} has mode {mode:04o}: others than its owner can get at it (chmod 0600)",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The variable is not set, or not text.
    #[error("environment variable `{0}` is not set to a text")]
    Unset(String),
    /// Not text, or more than 64 KiB of it, or nothing, or a NUL in it.
    #[error("{0} holds no usable secret: {1}")]
    Unusable(String, &'static str),
}

/// No key, certificate or URL is longer.
const LONGEST: u64 = 64 * 1024;

impl SecretRef {
    /// Reads the secret, without the newline that ends its file.
    pub fn resolve(&self, surroundings: &Surroundings) -> Result<Secret, BadSecret> {
        let text = match self {
            Self::Credential(name) => {
                let directory = surroundings
                    .path("CREDENTIALS_DIRECTORY")
                    .ok_or_else(|| BadSecret::NoCredentials(name.clone()))?;
                // No look at its mode: the directory keeps everybody else out.
                read(&directory.join(name), 0)?
            }
            Self::File(path) => read(path, 0o077)?,
            Self::Env(name) => surroundings
                .text(name)
                .ok_or_else(|| BadSecret::Unset(name.clone()))?,
        };
        let unusable = |why| Err(BadSecret::Unusable(self.to_string(), why));
        let trimmed = text.strip_suffix('\n').unwrap_or(&text);
        match trimmed.strip_suffix('\r').unwrap_or(trimmed) {
            "" => unusable("it is empty"),
            secret if secret.contains('\0') => unusable("it contains a NUL"),
            secret => Ok(Secret(secret.to_owned())),
        }
    }
}

fn read(path: &Path, forbidden: u32) -> Result<String, BadSecret> {
    let unreadable = |error| BadSecret::Unreadable {
        path: path.to_owned(),
        error,
    };
    let file = OpenOptions::new()
        .read(true)
        // A pipe without a writer would hold us here for ever.
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & forbidden != 0 {
        return Err(BadSecret::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    let unusable = |why| BadSecret::Unusable(path.display().to_string(), why);
    if !metadata.is_file() {
        return Err(unusable("it is no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > LONGEST {
        return Err(unusable("it is longer than 64 KiB"));
    }
    String::from_utf8(bytes).map_err(|_| unusable("it is not UTF-8 text"))
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential(name) => write!(f, "credential `{name}`"),
            Self::File(path) => write!(f, "secret file {}", path.display()),
            Self::Env(name) => write!(f, "environment variable `{name}`"),
        }
    }
}

impl Setting for SecretRef {
    const EXPECTED: &'static str =
        "a reference: { credential = \"name\" }, { file = \"/path\" } or { env = \"NAME\" }";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        if found.value.is_str() {
            refuse_literal(found, findings);
            return None;
        }
        let table = found.table::<Self>(findings)?;
        let entry = table.iter().next().filter(|_| table.len() == 1);
        let named = entry.and_then(|(key, value)| {
            let text = value.get_ref().as_str().filter(|text| !text.is_empty())?;
            match key.get_ref().as_ref() {
                "credential" if is_file_name(text) => Some(Self::Credential(text.to_owned())),
                "file" if text.starts_with('/') => Some(Self::File(text.into())),
                "env" if !text.contains(['=', '\0']) => Some(Self::Env(text.to_owned())),
                _ => None,
            }
        });
        if named.is_none() {
            let message = format!("`{}` of {} is no reference", found.name, found.owner);
            let error = findings.error(Code::BadValue, found.place, message);
            error.label("one of credential, file, env, and nothing else");
            error.help(Self::EXPECTED.trim_start_matches("a reference: "));
        }
        named
    }

    fn value(&self) -> Value {
        match self {
            Self::Credential(name) => json!({ "credential": name }),
            Self::File(path) => json!({ "file": path.to_string_lossy() }),
            Self::Env(name) => json!({ "env": name }),
        }
    }
}

fn is_file_name(text: &str) -> bool {
    !matches!(text, "." | "..") && !text.contains(['/', '\0'])
}

/// Refuses a secret in the open, and sees to it that no report repeats it.
pub(super) fn refuse_literal(found: &Found<'_>, findings: &mut Findings) {
    let length = found.value.as_str().map_or(0, str::len);
    let place = found.part(0..length);
    findings.secrets.push(place);
    let message = format!("`{}` of {} must be a reference", found.name, found.owner);
    findings
        .error(Code::InlineSecret, place, message)
        .label("a secret in the open")
        .help(SecretRef::EXPECTED.trim_start_matches("a reference: "));
}

/// Where a text spells out a password: `scheme://user:PASSWORD@host` or `password=PASSWORD`.
pub(crate) fn passwords(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, separator) in text.match_indices("://") {
        let authority = at + separator.len();
        let rest = &text[authority..];
        let length = rest.find(['/', '?', '"', '\'', ' ']).unwrap_or(rest.len());
        let user = rest[..length].rfind('@').map(|host| &rest[..host]);
        if let Some((name, password)) = user.and_then(|user| user.split_once(':')) {
            let start = authority + name.len() + 1;
            found.push(start..start + password.len());
        }
    }
    for (at, word) in text.match_indices("password") {
        if found
            .last()
            .is_some_and(|last: &Range<usize>| last.contains(&at))
        {
            continue;
        }
        let rest = &text[at + word.len()..];
        let Some(value) = rest.trim_start().strip_prefix('=') else {
            continue;
        };
        let value = value.trim_start_matches([' ', '\'']);
        let start = text.len() - value.len();
        let length = value.find(['&', '"', '\'', ' ']).unwrap_or(value.len());
        found.push(start..start + length);
    }
    found.retain(|password| !password.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_password_is_seen_in_a_url_and_in_key_value_form() {
        let found = |text: &'static str| {
            let found = passwords(text).into_iter().map(|range| &text[range]);
            found.collect::<Vec<_>>()
        };
        assert_eq!(found("postgres://u:p@h/db"), ["p"]);
        assert_eq!(found("postgres://u:p@ss@h/db"), ["p@ss"]);
        assert_eq!(found("postgres:///db?user=u&password=p&host=/run"), ["p"]);
        assert_eq!(found("host=h password = 'p' user=u"), ["p"]);
        assert_eq!(found("host=h sslpassword=p"), ["p"]);
        for none in [
            "postgres://u@h:5432/db",
            "postgresql:///db",
            "host=h passfile=/p",
            "postgres://u:@h",
        ] {
            assert!(found(none).is_empty(), "{none}");
        }
    }

    fn file(name: &str, content: &[u8], mode: u32) -> (tempfile::TempDir, SecretRef) {
        let directory = tempfile::tempdir().expect("there is a place for temporary files");
        let path = directory.path().join(name);
        fs::write(&path, content).expect("it is ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
        (directory, SecretRef::File(path))
    }

    #[test]
    fn the_newline_that_ends_a_secret_file_is_not_part_of_the_secret() {
        let (_directory, secret) = file("s", b"hunter2\n", 0o600);
        let secret = secret.resolve(&Surroundings::none()).unwrap();
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        for mode in [0o640, 0o604, 0o620] {
            let (_directory, secret) = file("s", b"hunter2\n", mode);
            let refused = secret.resolve(&Surroundings::none()).unwrap_err();
            assert!(matches!(refused, BadSecret::Exposed { mode: found, .. } if found == mode));
            assert!(!refused.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn a_secret_that_says_nothing_is_refused() {
        for content in [b"".as_slice(), b"\n", b"\xff", b"a\0b", &vec![b'x'; 70_000]] {
            let (_directory, secret) = file("s", content, 0o600);
            let refused = secret.resolve(&Surroundings::none()).unwrap_err();
            assert!(matches!(refused, BadSecret::Unusable(..)), "{refused}");
        }
    }

    #[test]
    fn a_credential_comes_from_the_directory_that_systemd_made() {
        let (directory, _) = file("db", b"postgres://\n", 0o644);
        let secret = SecretRef::Credential("db".to_owned());
        let surroundings =
            Surroundings::none().with("CREDENTIALS_DIRECTORY", directory.path().as_os_str());
        assert_eq!(
            secret.resolve(&surroundings).unwrap().expose(),
            "postgres://"
        );
        let refused = secret.resolve(&Surroundings::none()).unwrap_err();
        assert!(matches!(refused, BadSecret::NoCredentials(_)));
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let secret = SecretRef::Env("DB".to_owned());
        let refused = secret.resolve(&Surroundings::none()).unwrap_err();
        assert!(refused.to_string().contains("`DB`"));
        let surroundings = Surroundings::none().with("DB", "x");
        assert_eq!(secret.resolve(&surroundings).unwrap().expose(), "x");
    }
}
