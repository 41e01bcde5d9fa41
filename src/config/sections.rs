//! The keys of every section but the jobs.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::{place::OnDisagreement, spec::SecretRef};

use super::{
    diagnostic::{Code, Findings},
    secret::passwords,
    setting::{Found, Setting, settings},
    texts::{Argv, Directory, HostName, Identifier, Texts},
    value::{Count, Limit},
};

settings! {
    /// The keys of `[database]`.
    DatabaseSettings {
        /// Where the database is: a literal without a password, or a reference.
        url: Url,
        /// Whether a private database is started from the machine's own `PostgreSQL`.
        embedded: bool,
        /// Where the private database keeps its files.
        directory: Directory,
        /// Where its programs are, `initdb` and `postgres`; looked for unless named.
        bin_directory: Directory,
        /// The schema that holds the tables.
        schema: Identifier,
        /// How long an attempt to connect may take.
        connect_timeout: Limit,
    }
}

settings! {
    /// The keys of `[database.NAME]`.
    NamedDatabaseSettings {
        /// Where it is: a literal without a password, or a reference. Jobs with `sql` name it: `database = "NAME"`.
        url: Url,
        /// How long an attempt to connect may take.
        connect_timeout: Limit,
    }
}

settings! {
    /// The keys of `[daemon]`.
    DaemonSettings {
        /// How many runs this host has at once; the number of processors, at least 4, unless named.
        max_parallel: Count<1, 10_000>,
        /// How long the proof of a claim lasts.
        lease: Limit,
        /// How often a lease is renewed; a sixth of the lease unless named.
        heartbeat: Limit,
        /// How much earlier than its lease a run is dead; a sixth of the lease unless named.
        margin: Limit,
        /// How long after SIGTERM a run may tidy up; a twelfth of the lease unless named.
        grace: Limit,
        /// How long a daemon that is told to stop waits for its runs.
        drain: Limit,
        /// How long a tick that is told to stop waits for its runs.
        tick_drain: Limit,
        /// How long the claim of a Python host is respected, which has no lease. The same on all hosts: `migrate`
        /// tells the database, which holds Python hosts to it.
        max_ongoing_age: Limit,
        /// How often a daemon looks at the table though nobody told it to.
        poll: Limit,
        /// Which hosts run a job that they do not all mean the same by.
        on_disagreement: OnDisagreement,
        /// Where it keeps outcomes that the database has not taken yet; `$STATE_DIRECTORY`, or the state directory of
        /// the user, unless named.
        state_directory: Directory,
        /// What this host offers; job files say `hosts = ["tag:..."]`.
        tags: Texts,
        /// Where the page, the API and `/metrics` are served; off unless named.
        listen: Address,
        /// The name of this host; the system's name for it unless named.
        host: HostName,
    }
}

settings! {
    /// The keys of `[compat]`.
    CompatSettings {
        /// What runs a `class`: a program and its arguments; the class is added as the last.
        run_with: Argv,
    }
}

settings! {
    /// The keys of `[notify.X]`.
    NotifySettings {
        /// What kind of channel it is.
        kind: String,
        /// Where it is.
        webhook: SecretRef,
        /// What it hears of.
        on: Texts,
    }
}

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Url {
    /// In the open, without a password.
    Literal(String),
    /// Kept elsewhere, password and all.
    Secret(SecretRef),
}

impl Setting for Url {
    const EXPECTED: &'static str =
        "a URL without a password, or a reference such as { credential = \"database_url\" }";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        if found.value.is_table() {
            return SecretRef::read(found, findings).map(Self::Secret);
        }
        let text = found.text::<Self>(findings)?;
        if text.is_empty() {
            found.bad_value(findings, "nothing here");
            return None;
        }
        let passwords = passwords(text);
        for password in &passwords {
            let place = found.part(password.clone());
            findings.secrets.push(place);
            findings
                .error(Code::InlineSecret, place, format!("`url` of {} contains a password", found.owner))
                .label("a secret in the open")
                .help("keep the whole URL elsewhere: { credential = \"database_url\" }, { file = \"/path\" } or { env = \"NAME\" };\nor leave the password to ~/.pgpass");
        }
        passwords.is_empty().then(|| Self::Literal(text.to_owned()))
    }

    fn value(&self) -> Value {
        match self {
            Self::Literal(url) => json!(url),
            Self::Secret(reference) => reference.value(),
        }
    }
}

/// An address and a port.
#[derive(Debug, Clone, Copy)]
pub(super) struct Address(pub(super) SocketAddr);

impl Setting for Address {
    const EXPECTED: &'static str = "an address such as \"127.0.0.1:7070\"";

    fn read(found: &Found<'_>, findings: &mut Findings) -> Option<Self> {
        let text = found.text::<Self>(findings)?;
        let address = text.parse().ok();
        if address.is_none() {
            found.bad_value(findings, "an IP address, a colon and a port");
        }
        address.map(Self)
    }

    fn value(&self) -> Value {
        json!(self.0.to_string())
    }
}
