//! Which connections are encrypted, and whose certificate is believed: libpq's `sslmode` on rustls.
//!
//! | mode | first | then | the certificate |
//! |---|---|---|---|
//! | `disable` | plain | | |
//! | `allow` | plain | TLS, if the server refused the plain session | as `require` |
//! | `prefer` | TLS | plain, if the server has no TLS, the handshake failed, or the session was refused | as `require` |
//! | `require` | TLS | | not looked at, unless there is a root file: then as `verify-ca` |
//! | `verify-ca` | TLS | | signed by a root |
//! | `verify-full` | TLS | | signed by a root, for the host's name |
//!
//! Roots are those of `sslrootcert`, or `~/.postgresql/root.crt` where that exists, or the system's
//! (`sslrootcert=system`, with `verify-full` only). Unix sockets are never encrypted.
//!
//! Differences from libpq: "refused" is SQLSTATE 28000 (what `pg_hba.conf` answers), so that a wrong
//! password is not sent twice; a root, certificate or key file that is *named* must exist; a name in
//! the certificate's common name does not count, only its alternative names; a certificate that may sign
//! others is a server's only if it is itself in the file of roots; no TLS before 1.2.
//! The files are read at the first encrypted connection and kept.

// The client's side of the handshake.
#[cfg(feature = "tls")]
mod client;

use std::{
    fmt,
    path::{Path, PathBuf},
};

#[cfg(feature = "tls")]
pub(super) use self::client::{Connector, Handshakes};

/// libpq's `sslmode`, from the weakest to the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsMode {
    /// Never encrypted.
    Disable,
    /// Encrypted where the server insists.
    Allow,
    /// Encrypted where the server can.
    Prefer,
    /// Always encrypted.
    Require,
    /// And with a server whose certificate a root has signed.
    VerifyCa,
    /// And for the name that was asked for.
    VerifyFull,
}

impl TlsMode {
    /// The modes by their names.
    pub(super) const NAMES: &[(&str, Self)] = &[
        ("disable", Self::Disable),
        ("allow", Self::Allow),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];

    /// The ways to try a server over TCP, in order.
    pub(super) fn ways(self) -> &'static [Way] {
        match self {
            Self::Disable => &[Way::Plain],
            Self::Allow | Self::Prefer if !cfg!(feature = "tls") => &[Way::Plain],
            Self::Allow => &[Way::Plain, Way::Encrypted],
            Self::Prefer => &[Way::Offered, Way::Plain],
            Self::Require | Self::VerifyCa | Self::VerifyFull => &[Way::Encrypted],
        }
    }
}

impl fmt::Display for TlsMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, mode)| mode == self);
        f.write_str(name.expect("every mode has a name").0)
    }
}

/// One way to open a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Without encryption.
    Plain,
    /// Encrypted if the server can, plain on the same socket if it cannot.
    Offered,
    /// Encrypted or not at all.
    Encrypted,
}

/// On what terms a connection is encrypted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TlsTerms {
    pub(super) mode: TlsMode,
    pub(super) roots: Roots,
    pub(super) certificate: TlsFile,
    pub(super) key: TlsFile,
}

/// Whose signature is believed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Roots {
    /// Those the operating system trusts.
    System,
    /// Those of a file.
    File(TlsFile),
}

/// A file of the handshake.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TlsFile {
    /// The operator named it: it must be there.
    Named(PathBuf),
    /// libpq's default: used where it exists.
    Default(PathBuf),
    /// Nobody named it and there is no home to look in.
    Nowhere,
}

impl TlsFile {
    /// The file called `named`, or else `name` in `~/.postgresql`.
    pub(super) fn of(named: Option<&str>, home: Option<&Path>, name: &str) -> Self {
        match (named, home) {
            (Some(named), _) => Self::Named(PathBuf::from(named)),
            (None, Some(home)) => Self::Default(home.join(".postgresql").join(name)),
            (None, None) => Self::Nowhere,
        }
    }

    /// Its path, if it is to be read.
    #[cfg(feature = "tls")]
    fn path(&self) -> Option<&Path> {
        match self {
            Self::Named(path) => Some(path),
            Self::Default(path) if path.exists() => Some(path),
            Self::Default(_) | Self::Nowhere => None,
        }
    }
}
