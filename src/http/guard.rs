//! Which addresses are not asked, whoever names them.
//!
//! An address in a feed, or a redirect to one, is somebody else's word. Without a guard it makes this host ask what only
//! this host can reach: a database's port, a router, the address with the machine's credentials in many a cloud
//! (169.254.169.254). So every address is looked at before it is asked, in both ways there are to it: an address in the
//! text of a URL before the request, and one that a name resolves to between the resolver and the connection. A name
//! is never resolved a second time, and so cannot change its mind.

use std::{
    error::Error,
    fmt, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

use super::{error::HttpError, network::Network, redirect};

/// An address that is not asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Refused {
    /// The name that led to it; `None`: it was named itself.
    pub name: Option<String>,
    /// It.
    pub address: IpAddr,
    /// What it is: `loopback`.
    pub what: &'static str,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "`{name}` resolves to ")?;
        }
        let Self { address, what, .. } = self;
        write!(
            f,
            "{address}, which is {what}: not asked unless its network is allowed"
        )
    }
}

/// What is refused unless it is allowed: what the IANA's registries of special-purpose addresses (RFC 6890) do not call
/// globally reachable, and groups.
const REFUSED: [(Network, &str); 30] = [
    (Network::v4([0, 0, 0, 0], 8), "unspecified"),
    (Network::v4([10, 0, 0, 0], 8), "private"),
    (Network::v4([100, 64, 0, 0], 10), "shared between providers"),
    (Network::v4([127, 0, 0, 0], 8), "loopback"),
    (Network::v4([169, 254, 0, 0], 16), "link-local"),
    (Network::v4([172, 16, 0, 0], 12), "private"),
    (Network::v4([192, 0, 0, 0], 24), "reserved for protocols"),
    (Network::v4([192, 0, 2, 0], 24), "for documentation"),
    (Network::v4([192, 88, 99, 0], 24), "a relay of 6to4"),
    (Network::v4([192, 168, 0, 0], 16), "private"),
    (Network::v4([198, 18, 0, 0], 15), "for benchmarks"),
    (Network::v4([198, 51, 100, 0], 24), "for documentation"),
    (Network::v4([203, 0, 113, 0], 24), "for documentation"),
    (Network::v4([224, 0, 0, 0], 4), "multicast"),
    (Network::v4([240, 0, 0, 0], 4), "reserved"),
    (Network::v6([0, 0], 128), "unspecified"),
    // With ::1, and the addresses of version 4 that were once written so.
    (Network::v6([0, 0], 96), "loopback or obsolete"),
    (
        Network::v6([0x64, 0xff9b], 32),
        "for translation in a network of one's own",
    ),
    (Network::v6([0x100, 0], 64), "for discarding"),
    (Network::v6([0x2001, 0], 23), "reserved for protocols"),
    (Network::v6([0x2001, 0xdb8], 32), "for documentation"),
    (Network::v6([0x3fff, 0], 20), "for documentation"),
    (Network::v6([0x5f00, 0], 16), "for segment routing"),
    (Network::v6([0xfc00, 0], 7), "unique local"),
    (Network::v6([0xfe80, 0], 10), "link-local"),
    (Network::v6([0xfec0, 0], 10), "site-local"),
    (Network::v6([0xff00, 0], 8), "multicast"),
    // Outside of 2000::/3 nothing is assigned for the world.
    (Network::v6([0x0000, 0], 3), "reserved"),
    (Network::v6([0x4000, 0], 2), "reserved"),
    (Network::v6([0x8000, 0], 1), "reserved"),
];

/// Tells which addresses may be asked.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    allowed: Arc<[Network]>,
}

impl Guard {
    pub(super) fn new(allowed: Vec<Network>) -> Self {
        Self {
            allowed: allowed.into(),
        }
    }

    /// Looks at the address in a URL. A name passes: what it resolves to is looked at when that is known.
    pub(super) fn check(&self, url: &Url) -> Result<(), Refused> {
        let host = url.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        // The parser of URLs has turned 0x7f.1, 2130706433 and 127.1 into 127.0.0.1 by now.
        match bare.parse() {
            Ok(address) => self.look_at(address).map_err(|what| Refused {
                name: None,
                address,
                what,
            }),
            Err(_) => Ok(()),
        }
    }

    /// `Err`: what it is that it should not be asked.
    fn look_at(&self, address: IpAddr) -> Result<(), &'static str> {
        let inner = carried(address);
        let is_allowed = |address| self.allowed.iter().any(|network| network.contains(address));
        if is_allowed(address) || inner.is_some_and(is_allowed) {
            return Ok(());
        }
        let looked_at = inner.unwrap_or(address);
        let found = REFUSED
            .iter()
            .find(|(network, _)| network.contains(looked_at));
        found.map_or(Ok(()), |(_, what)| Err(what))
    }

    /// Those that may be asked; an error if there is none.
    fn among(
        &self,
        name: &str,
        found: impl Iterator<Item = SocketAddr>,
    ) -> Result<Addrs, Box<dyn Error + Send + Sync>> {
        let mut refused = None;
        let mut asked = Vec::new();
        for socket in found {
            match self.look_at(socket.ip()) {
                Ok(()) => asked.push(socket),
                Err(what) => {
                    refused.get_or_insert(Refused {
                        name: Some(name.to_owned()),
                        address: socket.ip(),
                        what,
                    });
                }
            }
        }
        match refused {
            Some(refused) if asked.is_empty() => Err(refused.into()),
            None if asked.is_empty() => Err(io::Error::other("it has no address").into()),
            _ => Ok(Box::new(asked.into_iter())),
        }
    }
}

/// Looks at an address that another program is to ask: as it is written, and as its name resolves now. That program may
/// choose any of those, so one that is refused is enough. Where its own look-up and the redirects that it follows lead,
/// nobody here can see.
pub async fn check_for_another(address: &str, allowed: &[Network]) -> Result<(), HttpError> {
    let guard = Guard::new(allowed.to_vec());
    let url = redirect::address(address)?;
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let found = tokio::net::lookup_host((host, 0)).await;
    let found = found.map_err(|error| HttpError::CannotResolve {
        host: host.to_owned(),
        why: error.to_string(),
    })?;
    for address in found.map(|socket| socket.ip()) {
        guard.look_at(address).map_err(|what| Refused {
            name: host.parse::<IpAddr>().is_err().then(|| host.to_owned()),
            address,
            what,
        })?;
    }
    Ok(())
}

/// The address of version 4 that one of version 6 leads to: mapped (RFC 4291), NAT64 (RFC 6052) or 6to4 (RFC 3056).
fn carried(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(address) = address else {
        return None;
    };
    if let Some(mapped) = address.to_ipv4_mapped() {
        return Some(mapped.into());
    }
    let v4 =
        |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)).into();
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

/// The system's resolver, without what is refused.
impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            guard.among(name.as_str(), found)
        })
    }
}

#[cfg(test)]
mod tests;
