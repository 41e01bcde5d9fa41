//! The list of servers: hosts, addresses and ports, zipped as libpq zips them.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use super::{AddressError, Environment, Secret, percent_encode, settings::Settings};

/// The port of a server whose port nobody named.
const DEFAULT_PORT: u16 = 5432;

/// One server of the list, and the password for it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) struct Server {
    pub(in crate::store) place: Place,
    pub(in crate::store) port: u16,
    pub(in crate::store) password: Option<Secret>,
}

/// How a server is reached.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) enum Place {
    /// The directory of its Unix socket.
    Socket(PathBuf),
    /// A name, which is looked up.
    Host(String),
    /// A numeric address, and the name to verify, if there is one.
    Numeric(IpAddr, Option<String>),
}

impl Place {
    /// The place in a URL.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Socket(directory) => percent_encode(&directory.to_string_lossy()),
            Self::Host(name) | Self::Numeric(_, Some(name)) => percent_encode(name),
            Self::Numeric(IpAddr::V6(number), None) => format!("[{number}]"),
            Self::Numeric(number, None) => number.to_string(),
        }
    }

    /// The first field of the password file's lines for it.
    pub(super) fn in_password_file(&self, default_directory: Option<&Path>) -> String {
        match self {
            Self::Socket(directory) if Some(directory.as_path()) == default_directory => {
                "localhost".to_owned()
            }
            Self::Socket(directory) => directory.to_string_lossy().into_owned(),
            Self::Host(name) | Self::Numeric(_, Some(name)) => name.clone(),
            Self::Numeric(number, None) => number.to_string(),
        }
    }
}

/// The servers of `host`, `hostaddr` and `port`; where none is named, that of this machine.
pub(super) fn servers(
    settings: &Settings,
    environment: &Environment,
) -> Result<Vec<Server>, AddressError> {
    let hosts = settings.list("host");
    let addresses = settings.list("hostaddr");
    let ports = settings.list("port");
    let count = hosts.len().max(addresses.len()).max(1);
    for (keyword, found, alternative) in [
        ("host", hosts.len(), 0),
        ("hostaddr", addresses.len(), 0),
        ("port", ports.len(), 1),
    ] {
        if found != count && found != alternative && found != 0 {
            return Err(AddressError::Mismatch {
                named: settings.named(keyword),
                found,
                servers: count,
            });
        }
    }
    let at = |list: &[&str], index: usize| list.get(index).copied().unwrap_or("").to_owned();
    (0..count)
        .map(|index| {
            let port = if ports.len() == 1 { 0 } else { index };
            Ok(Server {
                place: place(
                    settings,
                    environment,
                    &at(&hosts, index),
                    &at(&addresses, index),
                )?,
                port: parse_port(settings, &at(&ports, port))?,
                password: None,
            })
        })
        .collect()
}

fn place(
    settings: &Settings,
    environment: &Environment,
    host: &str,
    address: &str,
) -> Result<Place, AddressError> {
    if !address.is_empty() {
        let number = address
            .parse()
            .map_err(|_| settings.invalid("hostaddr", "an IPv4 or IPv6 address"))?;
        let name = Some(host.to_owned()).filter(|name| !name.is_empty());
        return Ok(Place::Numeric(number, name));
    }
    match host.chars().next() {
        None => Ok(match &environment.socket_directory {
            Some(directory) => Place::Socket(directory.clone()),
            None => Place::Host("localhost".to_owned()),
        }),
        Some('/') => Ok(Place::Socket(PathBuf::from(host))),
        Some('@') => Err(settings.invalid("host", "a name, a number or a directory")),
        Some(_) => Ok(Place::Host(host.to_owned())),
    }
}

fn parse_port(settings: &Settings, port: &str) -> Result<u16, AddressError> {
    if port.is_empty() {
        return Ok(DEFAULT_PORT);
    }
    port.parse()
        .ok()
        .filter(|&port| port != 0)
        .ok_or_else(|| settings.invalid("port", "a number from 1 to 65535"))
}
