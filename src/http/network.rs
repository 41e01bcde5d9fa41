//! Ranges of addresses: `10.0.0.0/8`, `fd00::/8`, or a single one.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use thiserror::Error;

/// A range of addresses of one family.
///
/// ```
/// use crontabber::http::Network;
///
/// let network: Network = "192.168.0.0/16".parse().unwrap();
/// assert!(network.contains("192.168.7.1".parse().unwrap()));
/// assert!(!network.contains("192.169.0.1".parse().unwrap()));
/// let mistake = "192.168.7.1/16".parse::<Network>().unwrap_err();
/// assert_eq!(mistake.to_string(), "`192.168.7.1/16` has bits beyond its prefix: write 192.168.0.0/16");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    /// At most 32, or 128.
    prefix: u8,
}

/// Why a text is no range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NetworkError {
    /// It does not start with an address.
    #[error("`{0}` is no network: write 10.0.0.0/8, fd00::/8, or a single address")]
    NoAddress(String),
    /// Its prefix is longer than an address, or no number.
    #[error("`{0}` has no prefix between 0 and {1}")]
    BadPrefix(String, u8),
    /// It is an address in a range and not the range.
    #[error("`{0}` has bits beyond its prefix: write {1}")]
    LooseBits(String, Network),
}

impl Network {
    /// A range of the version 4; bits beyond the prefix do not count.
    pub(super) const fn v4(first: [u8; 4], prefix: u8) -> Self {
        let bits = u32::from_be_bytes(first) & mask_of_32(prefix);
        Self {
            first: IpAddr::V4(Ipv4Addr::from_bits(bits)),
            prefix,
        }
    }

    /// A range of the version 6, by its first two groups.
    pub(super) const fn v6(first: [u16; 2], prefix: u8) -> Self {
        let [first, second] = first;
        let first = Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0);
        let bits = first.to_bits() & mask_of_128(prefix);
        Self {
            first: IpAddr::V6(Ipv6Addr::from_bits(bits)),
            prefix,
        }
    }

    /// Whether the address is in it. One of version 4 in the dress of version 6 is another address.
    #[must_use]
    pub const fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                (first.to_bits() ^ address.to_bits()) & mask_of_32(self.prefix) == 0
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                (first.to_bits() ^ address.to_bits()) & mask_of_128(self.prefix) == 0
            }
            _ => false,
        }
    }
}

const fn mask_of_32(prefix: u8) -> u32 {
    match prefix {
        0 => 0,
        1..=32 => u32::MAX << (32 - prefix),
        _ => u32::MAX,
    }
}

const fn mask_of_128(prefix: u8) -> u128 {
    match prefix {
        0 => 0,
        1..=128 => u128::MAX << (128 - prefix),
        _ => u128::MAX,
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let shown = || text.chars().take(60).collect::<String>();
        let (address, prefix) = text
            .split_once('/')
            .map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address
            .parse()
            .map_err(|_| NetworkError::NoAddress(shown()))?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            // `+8` is a number for the parser.
            Some(prefix) => Some(prefix)
                .filter(|prefix| prefix.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|prefix| prefix.parse().ok())
                .filter(|prefix| *prefix <= longest)
                .ok_or_else(|| NetworkError::BadPrefix(shown(), longest))?,
        };
        let first = match address {
            IpAddr::V4(address) => {
                Ipv4Addr::from_bits(address.to_bits() & mask_of_32(prefix)).into()
            }
            IpAddr::V6(address) => {
                Ipv6Addr::from_bits(address.to_bits() & mask_of_128(prefix)).into()
            }
        };
        let network = Self { first, prefix };
        if first == address {
            Ok(network)
        } else {
            Err(NetworkError::LooseBits(shown(), network))
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_address_and_a_prefix_and_says_what_is_wrong_with_others() {
        for (text, shown) in [
            ("127.0.0.1", Ok("127.0.0.1/32")),
            ("10.0.0.0/8", Ok("10.0.0.0/8")),
            ("0.0.0.0/0", Ok("0.0.0.0/0")),
            ("::/0", Ok("::/0")),
            ("::1", Ok("::1/128")),
            ("fd00::/8", Ok("fd00::/8")),
            (
                "",
                Err("`` is no network: write 10.0.0.0/8, fd00::/8, or a single address"),
            ),
            (
                "10.0.0/8",
                Err("`10.0.0/8` is no network: write 10.0.0.0/8, fd00::/8, or a single address"),
            ),
            (
                "10.0.0.0/",
                Err("`10.0.0.0/` has no prefix between 0 and 32"),
            ),
            (
                "10.0.0.0/33",
                Err("`10.0.0.0/33` has no prefix between 0 and 32"),
            ),
            (
                "10.0.0.0/+8",
                Err("`10.0.0.0/+8` has no prefix between 0 and 32"),
            ),
            ("::/129", Err("`::/129` has no prefix between 0 and 128")),
            (
                "fd00::1/8",
                Err("`fd00::1/8` has bits beyond its prefix: write fd00::/8"),
            ),
        ] {
            let read = text.parse::<Network>();
            let read = read.map(|network| network.to_string());
            let read = read.map_err(|error| error.to_string());
            assert_eq!(read.as_deref().map_err(String::as_str), shown, "{text}");
        }
    }

    #[test]
    fn a_network_ends_where_its_prefix_says() {
        for (network, inside, outside) in [
            ("172.16.0.0/12", "172.31.255.255", "172.32.0.0"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("fe80::/10", "febf:ffff::1", "fec0::"),
            ("::/0", "ffff::", "1.2.3.4"),
        ] {
            let network: Network = network.parse().unwrap();
            assert!(
                network.contains(inside.parse().unwrap()),
                "{network} {inside}"
            );
            assert!(
                !network.contains(outside.parse().unwrap()),
                "{network} {outside}"
            );
        }
    }
}
