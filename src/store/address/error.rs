//! Why a text is no address.

use thiserror::Error;

use crate::store::tls::TlsMode;

/// Why a text is no address. No value of the text is repeated: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressError {
    /// A word without a value in a keyword string.
    #[error(
        "expected `keyword=value`{}: a value with a space in it wants quotes, as in password='two words'",
        .previous.map(|keyword| format!(" after the value of `{keyword}`")).unwrap_or_default()
    )]
    MissingEquals {
        /// The keyword in front of it.
        previous: Option<&'static str>,
    },
    /// A `'` that is opened and not closed.
    #[error("the quote in the value of `{keyword}` is not closed")]
    UnterminatedQuote {
        /// The keyword.
        keyword: &'static str,
    },
    /// A keyword that libpq does not know.
    #[error("unknown keyword `{keyword}`, did you mean `{nearest}`?")]
    Unknown {
        /// What was written.
        keyword: String,
        /// The known keyword that is spelled most like it.
        nearest: &'static str,
    },
    /// An unknown keyword behind the password, which may well be a part of it.
    #[error(
        "what follows the value of `password` is no keyword: quote a password with a space in it ('two words'), and write `&` as %26 in a URL"
    )]
    AfterPassword,
    /// A percent sign without two hexadecimal digits, a zero byte, or something that is not UTF-8.
    #[error(
        "bad encoding: after `%` come two hexadecimal digits (`%` itself is %25), and the whole is UTF-8 without zero bytes"
    )]
    BadEncoding,
    /// An IPv6 address without its brackets in order.
    #[error(
        "an IPv6 address in a URL stands in brackets, followed by `:`, `/`, `?`, `,` or nothing"
    )]
    BadBrackets,
    /// An `@` behind the first `/` of a URL.
    #[error(
        "an `@` behind the first `/`: write a `/` in a password as %2F, and an `@` in the database's name as %40"
    )]
    AtSignInPath,
    /// A part of a URL's query that is not `keyword=value`.
    #[error(
        "expected `keyword=value` between `?`, `&` and the end{}: `=` in a value is %3D, `&` is %26",
        .previous.map(|keyword| format!(" after the value of `{keyword}`")).unwrap_or_default()
    )]
    BadParameter {
        /// The keyword in front of it.
        previous: Option<&'static str>,
    },
    /// A value that the keyword cannot have.
    #[error("the value of `{named}` must be {expected}")]
    Invalid {
        /// The keyword or the environment variable.
        named: &'static str,
        /// What it should be.
        expected: String,
    },
    /// Lists of different lengths.
    #[error("`{named}` lists {found} values for {servers} servers")]
    Mismatch {
        /// The keyword or the environment variable.
        named: &'static str,
        /// How many it lists.
        found: usize,
        /// How many servers there are.
        servers: usize,
    },
    /// Something that libpq can do and we cannot.
    #[error("`{named}` is not supported{}", only(.accepted))]
    Unsupported {
        /// The keyword or the environment variable.
        named: &'static str,
        /// The values that change nothing and are accepted.
        accepted: &'static [&'static str],
    },
    /// `PGSERVICE` is all there is.
    #[error("PGSERVICE is set, but service files are not read: name the host and the database")]
    Service,
    /// Neither the text nor the machine names a user.
    #[error("no user: this process has no name in the user database, so `user` must be given")]
    NoUser,
    /// The system's certificates say nothing without the name.
    #[error("sslrootcert=system goes with sslmode=verify-full only")]
    WeakForSystem,
    /// `verify-full` for a server that is only a number.
    #[error(
        "sslmode=verify-full needs `host` beside `hostaddr`: the name that the certificate must have"
    )]
    NoNameToVerify,
    /// Encryption is asked for in a build without it.
    #[error("sslmode={mode} needs a build with the feature `tls`, and this one has none")]
    NoTls {
        /// What was asked for.
        mode: TlsMode,
    },
}

fn only(accepted: &[&str]) -> String {
    if accepted.is_empty() {
        return String::new();
    }
    format!(" (only {})", accepted.join(", "))
}
