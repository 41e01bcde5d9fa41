//! What the operator set, by keyword: from the text, then from the environment.

use std::{collections::BTreeMap, time::Duration};

use super::{AddressError, Environment};

/// What the operator set, by keyword.
#[derive(Default)]
pub(super) struct Settings(BTreeMap<&'static str, Setting>);

/// A value, and how the operator named it: by keyword or by environment variable.
struct Setting {
    named: &'static str,
    value: String,
}

impl Settings {
    /// Sets a keyword of the text; the last of several counts.
    pub(super) fn set(&mut self, keyword: &'static str, value: String) {
        self.0.insert(
            keyword,
            Setting {
                named: keyword,
                value,
            },
        );
    }

    /// Adds what the environment says. A keyword that is set, even to nothing, keeps its variable out.
    pub(super) fn add(&mut self, environment: &Environment) {
        for keyword in KEYWORDS {
            let Some(named) = keyword.variable else {
                continue;
            };
            if let Some(value) = (environment.variable)(named) {
                self.0
                    .entry(keyword.name)
                    .or_insert(Setting { named, value });
            }
        }
    }

    /// Fails for a setting that libpq would honour and we would not.
    pub(super) fn refuse_unsupported(&self) -> Result<(), AddressError> {
        for keyword in KEYWORDS {
            let Support::Only(accepted) = keyword.support else {
                continue;
            };
            let supported = |value: &str| accepted.contains(&value.to_ascii_lowercase().as_str());
            if self
                .text(keyword.name)
                .is_some_and(|value| !supported(value))
            {
                return Err(AddressError::Unsupported {
                    named: self.named(keyword.name),
                    accepted,
                });
            }
        }
        Ok(())
    }

    /// The value of a keyword; an empty one is as good as none.
    pub(super) fn text(&self, keyword: &str) -> Option<&str> {
        self.0
            .get(keyword)
            .map(|setting| setting.value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// How the operator named a keyword.
    pub(super) fn named(&self, keyword: &'static str) -> &'static str {
        self.0.get(keyword).map_or(keyword, |setting| setting.named)
    }

    /// The comma-separated values of a keyword; none where it is not set.
    pub(super) fn list(&self, keyword: &str) -> Vec<&str> {
        self.text(keyword)
            .map(|value| value.split(',').map(str::trim).collect())
            .unwrap_or_default()
    }

    /// A whole number. Below zero means what zero means in libpq: the default.
    pub(super) fn number(&self, keyword: &'static str) -> Result<Option<u32>, AddressError> {
        let Some(value) = self.text(keyword) else {
            return Ok(None);
        };
        match value.trim().parse::<i32>() {
            Ok(number) => Ok(u32::try_from(number).ok()),
            Err(_) => Err(self.invalid(keyword, "a whole number")),
        }
    }

    /// A number of seconds; none for 0, the default.
    pub(super) fn seconds(&self, keyword: &'static str) -> Result<Option<Duration>, AddressError> {
        let seconds = self.number(keyword)?.filter(|&seconds| seconds > 0);
        Ok(seconds.map(|seconds| Duration::from_secs(seconds.into())))
    }

    /// What the value of a keyword means, by a table of all it can be.
    pub(super) fn one_of<T: Copy>(
        &self,
        keyword: &'static str,
        meanings: &[(&str, T)],
    ) -> Result<Option<T>, AddressError> {
        let Some(value) = self.text(keyword) else {
            return Ok(None);
        };
        let meant = meanings.iter().find(|(name, _)| *name == value);
        let names = || meanings.iter().map(|&(name, _)| name).collect::<Vec<_>>();
        meant
            .map(|&(_, meaning)| Some(meaning))
            .ok_or_else(|| self.invalid(keyword, &format!("one of {}", names().join(", "))))
    }

    /// The error of a value that a keyword cannot have.
    pub(super) fn invalid(&self, keyword: &'static str, expected: &str) -> AddressError {
        AddressError::Invalid {
            named: self.named(keyword),
            expected: expected.to_owned(),
        }
    }
}

/// A keyword of libpq.
pub(super) struct Keyword {
    pub(super) name: &'static str,
    /// The environment variable that is its default.
    variable: Option<&'static str>,
    support: Support,
}

/// What we do with a keyword.
enum Support {
    /// What libpq does.
    Full,
    /// Nothing, so only these values, which ask for nothing else, are accepted.
    Only(&'static [&'static str]),
}

const fn full(name: &'static str, variable: Option<&'static str>) -> Keyword {
    Keyword {
        name,
        variable,
        support: Support::Full,
    }
}

const fn only(
    name: &'static str,
    variable: Option<&'static str>,
    values: &'static [&'static str],
) -> Keyword {
    Keyword {
        name,
        variable,
        support: Support::Only(values),
    }
}

/// The keywords of libpq 12 to 18 that a connection like ours can carry.
pub(super) const KEYWORDS: &[Keyword] = &[
    full("application_name", Some("PGAPPNAME")),
    full("channel_binding", Some("PGCHANNELBINDING")),
    full("connect_timeout", Some("PGCONNECT_TIMEOUT")),
    full("dbname", Some("PGDATABASE")),
    full("fallback_application_name", None),
    full("host", Some("PGHOST")),
    full("hostaddr", Some("PGHOSTADDR")),
    full("keepalives", None),
    full("keepalives_count", None),
    full("keepalives_idle", None),
    full("keepalives_interval", None),
    full("options", Some("PGOPTIONS")),
    full("passfile", Some("PGPASSFILE")),
    full("password", Some("PGPASSWORD")),
    full("port", Some("PGPORT")),
    full("sslcert", Some("PGSSLCERT")),
    full("sslkey", Some("PGSSLKEY")),
    full("sslmode", Some("PGSSLMODE")),
    full("sslrootcert", Some("PGSSLROOTCERT")),
    full("target_session_attrs", Some("PGTARGETSESSIONATTRS")),
    full("tcp_user_timeout", None),
    full("user", Some("PGUSER")),
    // Whatever would loosen or change a connection if it were ignored is refused by name.
    only(
        "client_encoding",
        Some("PGCLIENTENCODING"),
        &["auto", "utf8", "utf-8", "unicode"],
    ),
    only("gssencmode", Some("PGGSSENCMODE"), &["disable", "prefer"]),
    only(
        "load_balance_hosts",
        Some("PGLOADBALANCEHOSTS"),
        &["disable"],
    ),
    only("replication", None, &["false", "off", "no", "0"]),
    only("require_auth", Some("PGREQUIREAUTH"), &[]),
    only("requirepeer", Some("PGREQUIREPEER"), &[]),
    only("service", None, &[]),
    only(
        "ssl_max_protocol_version",
        Some("PGSSLMAXPROTOCOLVERSION"),
        &["tlsv1.3"],
    ),
    only(
        "ssl_min_protocol_version",
        Some("PGSSLMINPROTOCOLVERSION"),
        &["tlsv1", "tlsv1.1", "tlsv1.2"],
    ),
    only("sslcertmode", Some("PGSSLCERTMODE"), &["allow"]),
    only("sslcompression", Some("PGSSLCOMPRESSION"), &["0"]),
    only("sslcrl", Some("PGSSLCRL"), &[]),
    only("sslcrldir", Some("PGSSLCRLDIR"), &[]),
    only("sslnegotiation", Some("PGSSLNEGOTIATION"), &["postgres"]),
    only("sslpassword", None, &[]),
    only("sslsni", Some("PGSSLSNI"), &["1"]),
];
