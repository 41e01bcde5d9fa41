//! Where the database is, and on what terms it is reached: what libpq would make of the same words.
//!
//! Where we differ from libpq, on purpose:
//! - A connection that has gone silent is noticed: keepalives after 30 s, every 10 s, three of them, and
//!   30 s for data that nobody acknowledges. libpq leaves all of that to the kernel (hours).
//! - `connect_timeout=0` is not "for ever" but our own limit: every wait here has one.
//! - Keywords that we cannot honour are errors and not ignored: service files, GSS, revocation lists,
//!   `requirepeer`, `require_auth`, sockets in the abstract namespace.
//! - An `@` in the path of a URL is an error, because it is the end of a password with a `/` in it.
//!
//! The password file is read once, here.

// How the text is written.
mod conninfo;
// What it sets, together with the environment.
mod settings;
// The list of servers in it.
mod servers;
// What can be wrong with it.
mod error;

use std::{fmt, path::PathBuf, time::Duration};

use tokio_postgres::config::ChannelBinding;

pub use self::error::AddressError;
pub(super) use self::servers::{Place, Server};
use self::settings::Settings;
use super::{
    pgpass,
    tls::{Roots, TlsFile, TlsMode, TlsTerms},
};

/// Where the database is, and on what terms it is reached. Neither `Debug` nor [`Address::shown`]
/// has a password in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Address {
    pub(super) servers: Vec<Server>,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) application_name: Option<String>,
    pub(super) options: Option<String>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) keepalives: Option<Keepalives>,
    pub(super) tcp_user_timeout: Duration,
    pub(super) channel_binding: ChannelBinding,
    pub(super) session: SessionWanted,
    pub(super) tls: TlsTerms,
    warnings: Vec<String>,
}

/// When a silent TCP connection is probed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Keepalives {
    pub(super) idle: Duration,
    pub(super) interval: Duration,
    pub(super) count: u32,
}

/// What a session must be able to do: libpq's `target_session_attrs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SessionWanted {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

/// A text that `Debug` does not show.
#[derive(Clone, PartialEq)]
pub(super) struct Secret(String);

impl Secret {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the server and nobody else.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Looks up an environment variable.
pub type Variables = Box<dyn Fn(&str) -> Option<String>>;

/// What an [`Address`] takes from the machine instead of from its text.
pub struct Environment {
    /// The value of an environment variable.
    pub variable: Variables,
    /// Looks up the name of the operating system's user: the default role.
    pub user: fn() -> Option<String>,
    /// Where `.pgpass` and `.postgresql/` are.
    pub home: Option<PathBuf>,
    /// The directory of the server's socket where no host is named; `None`: `localhost`.
    pub socket_directory: Option<PathBuf>,
}

impl Environment {
    /// Where Debian's and Red Hat's PostgreSQL put their socket.
    const SOCKET_DIRECTORY: &str = "/var/run/postgresql";

    /// That of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
        Self {
            // A value that is not UTF-8 cannot be one of ours.
            variable: Box::new(|name| std::env::var(name).ok()),
            home: home
                .map(PathBuf::from)
                .or_else(|| this_user().map(|user| user.dir)),
            user: || this_user().map(|user| user.name),
            socket_directory: Some(PathBuf::from(Self::SOCKET_DIRECTORY))
                .filter(|directory| directory.is_dir()),
        }
    }
}

/// The entry of this process's user. Only where it is needed: the name service may ask half a dozen files for it.
fn this_user() -> Option<nix::unistd::User> {
    // A user without an entry (a container's) has no name, and then `user` must be given.
    let found = nix::unistd::User::from_uid(nix::unistd::geteuid());
    found.ok().flatten()
}

impl Address {
    /// What libpq would make of `text`, a `postgres://` URL or a keyword string, and of the environment
    /// for what it leaves out. An empty text leaves out everything.
    pub fn parse(text: &str, environment: &Environment) -> Result<Self, AddressError> {
        let mut settings = conninfo::parse(text)?;
        settings.add(environment);
        settings.refuse_unsupported()?;
        let warnings = check_service(&settings, environment)?;

        let text = |keyword| settings.text(keyword).map(str::to_owned);
        let user = text("user")
            .or_else(environment.user)
            .ok_or(AddressError::NoUser)?;
        let mut address = Self {
            servers: servers::servers(&settings, environment)?,
            database: text("dbname").unwrap_or_else(|| user.clone()),
            user,
            application_name: text("application_name")
                .or_else(|| text("fallback_application_name")),
            options: text("options"),
            connect_timeout: settings.seconds("connect_timeout")?,
            keepalives: Keepalives::of(&settings)?,
            tcp_user_timeout: tcp_user_timeout(&settings)?,
            channel_binding: settings
                .one_of("channel_binding", CHANNEL_BINDINGS)?
                .unwrap_or(ChannelBinding::Prefer),
            session: settings
                .one_of("target_session_attrs", SESSIONS)?
                .unwrap_or(SessionWanted::Any),
            tls: tls_terms(&settings, environment)?,
            warnings,
        };
        address.check_tls()?;
        address.find_passwords(&settings, environment);
        Ok(address)
    }

    /// The same address with `schema` as the search path of every session.
    ///
    /// It travels in the startup packet; PgBouncer refuses that unless its
    /// `ignore_startup_parameters` names `options`, and then forgets it: give the role a search path there.
    #[must_use]
    pub fn with_schema(mut self, schema: &str) -> Self {
        let quoted = format!("\"{}\"", schema.replace('"', "\"\""));
        let setting = format!("-c search_path={}", escape_option(&quoted));
        self.options = Some(match self.options {
            Some(options) => format!("{options} {setting}"),
            None => setting,
        });
        self
    }

    /// The address as a URL for people, without password and parameters.
    #[must_use]
    pub fn shown(&self) -> String {
        let servers: Vec<_> = self
            .servers
            .iter()
            .map(|server| format!("{}:{}", server.place.shown(), server.port))
            .collect();
        format!(
            "postgres://{}@{}/{}",
            percent_encode(&self.user),
            servers.join(","),
            percent_encode(&self.database)
        )
    }

    /// What the operator should hear though it works: a password file that is not used, and why.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn check_tls(&self) -> Result<(), AddressError> {
        let over_tcp = |server: &Server| !matches!(server.place, Place::Socket(_));
        if !cfg!(feature = "tls")
            && self.tls.mode >= TlsMode::Require
            && self.servers.iter().any(over_tcp)
        {
            return Err(AddressError::NoTls {
                mode: self.tls.mode,
            });
        }
        let nameless = |server: &Server| matches!(server.place, Place::Numeric(_, None));
        if self.tls.mode == TlsMode::VerifyFull && self.servers.iter().any(nameless) {
            return Err(AddressError::NoNameToVerify);
        }
        Ok(())
    }

    /// The password that was given is for all servers; the password file knows each by its own.
    fn find_passwords(&mut self, settings: &Settings, environment: &Environment) {
        if let Some(password) = settings.text("password") {
            for server in &mut self.servers {
                server.password = Some(Secret::new(password.to_owned()));
            }
            return;
        }
        let file = match (settings.text("passfile"), &environment.home) {
            (Some(file), _) => PathBuf::from(file),
            (None, Some(home)) => home.join(".pgpass"),
            (None, None) => return,
        };
        for server in &mut self.servers {
            let wanted = pgpass::Wanted {
                host: &server
                    .place
                    .in_password_file(environment.socket_directory.as_deref()),
                port: server.port,
                database: &self.database,
                user: &self.user,
            };
            match pgpass::look_up(&file, &wanted) {
                Ok(password) => server.password = password,
                // It holds for every server, and once is enough.
                Err(warning) => return self.warnings.push(warning),
            }
        }
    }
}

/// Values of `channel_binding`.
const CHANNEL_BINDINGS: &[(&str, ChannelBinding)] = &[
    ("disable", ChannelBinding::Disable),
    ("prefer", ChannelBinding::Prefer),
    ("require", ChannelBinding::Require),
];

/// Values of `target_session_attrs`.
const SESSIONS: &[(&str, SessionWanted)] = &[
    ("any", SessionWanted::Any),
    ("read-write", SessionWanted::ReadWrite),
    ("read-only", SessionWanted::ReadOnly),
    ("primary", SessionWanted::Primary),
    ("standby", SessionWanted::Standby),
    ("prefer-standby", SessionWanted::PreferStandby),
];

/// `PGSERVICE` would name a server that we do not learn: fatal where no other is named.
fn check_service(
    settings: &Settings,
    environment: &Environment,
) -> Result<Vec<String>, AddressError> {
    match (environment.variable)("PGSERVICE") {
        Some(service) if !service.is_empty() => {}
        _ => return Ok(Vec::new()),
    }
    if settings.text("host").is_none() && settings.text("hostaddr").is_none() {
        return Err(AddressError::Service);
    }
    Ok(vec![
        "PGSERVICE is set and ignored: service files are not read".to_owned(),
    ])
}

impl Keepalives {
    fn of(settings: &Settings) -> Result<Option<Self>, AddressError> {
        let keepalives = Self {
            idle: settings
                .seconds("keepalives_idle")?
                .unwrap_or(Duration::from_secs(30)),
            interval: settings
                .seconds("keepalives_interval")?
                .unwrap_or(Duration::from_secs(10)),
            count: settings
                .number("keepalives_count")?
                .filter(|&count| count > 0)
                .unwrap_or(3),
        };
        let off = settings.number("keepalives")? == Some(0);
        Ok((!off).then_some(keepalives))
    }
}

/// How long sent data may go unacknowledged: milliseconds in the text, as in libpq.
fn tcp_user_timeout(settings: &Settings) -> Result<Duration, AddressError> {
    let milliseconds = settings
        .number("tcp_user_timeout")?
        .filter(|&limit| limit > 0);
    Ok(Duration::from_millis(milliseconds.unwrap_or(30_000).into()))
}

/// `sslrootcert=system` means `verify-full`, and nothing weaker goes with it.
fn tls_terms(settings: &Settings, environment: &Environment) -> Result<TlsTerms, AddressError> {
    let mode = settings.one_of("sslmode", TlsMode::NAMES)?;
    let system = settings.text("sslrootcert") == Some("system");
    if system && mode.is_some_and(|mode| mode != TlsMode::VerifyFull) {
        return Err(AddressError::WeakForSystem);
    }
    let default = if system {
        TlsMode::VerifyFull
    } else {
        TlsMode::Prefer
    };
    let file =
        |keyword, name| TlsFile::of(settings.text(keyword), environment.home.as_deref(), name);
    Ok(TlsTerms {
        mode: mode.unwrap_or(default),
        roots: if system {
            Roots::System
        } else {
            Roots::File(file("sslrootcert", "root.crt"))
        },
        certificate: file("sslcert", "postgresql.crt"),
        key: file("sslkey", "postgresql.key"),
    })
}

/// Backslashes in front of what the server would take for the end of an option.
fn escape_option(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        if character.is_whitespace() || character == '\\' {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// Everything but letters, digits and `-._~` as `%41`.
pub(crate) fn percent_encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests;
