//! The guard between an address that a stranger named and this machine's own network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::error::BoxError;

/// Resolves names to public addresses only. The check is made on what is then connected to, so a name that resolves
/// differently the second time gains nothing.
pub(super) struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(refusal(name.as_str()));
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Refuses what no resolver sees: other schemes, and addresses written as numbers.
pub(crate) fn check_address(url: &Url) -> Result<(), BoxError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("an address with the scheme {:?} is not fetched", url.scheme()).into());
    }
    let address = match url.host() {
        None => return Err("an address without a host is not fetched".into()),
        Some(Host::Domain(_)) => return Ok(()),
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
    };
    match is_public(address) {
        true => Ok(()),
        false => Err(refusal(&address.to_string())),
    }
}

fn refusal(host: &str) -> BoxError {
    format!("{host} is not a public address; strangers' links may not reach this machine's own network").into()
}

/// Whether what is sent to a host stays on this machine or in its own network, as far as the name tells.
pub fn is_own_network(host: &str) -> bool {
    if let Ok(address) = host.trim_matches(['[', ']']).parse() {
        return !is_public(address);
    }
    // A name without a dot is given by the network itself (compose, hosts file); the others are reserved for such use
    // (RFC 6761, RFC 6762, RFC 8375; ICANN resolution 2024.07.29.06).
    let name = host.trim_end_matches('.');
    let reserved = [".localhost", ".local", ".home.arpa", ".internal", ".test"];
    !name.is_empty() && (!name.contains('.') || reserved.iter().any(|own| name.ends_with(own)))
}

/// Whether an address belongs to the public internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// IANA special-purpose registry for IPv4 (RFC 6890 and its updates), read November 2026.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let protocols = a == 192 && b == 0 && c == 0;
    let relay = a == 192 && b == 88 && c == 99;
    let benchmark = a == 198 && (b == 18 || b == 19);
    !(a == 0
        || a >= 240
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || shared
        || protocols
        || relay
        || benchmark)
}

/// Only global unicast (2000::/3) less its special blocks; an address that carries an IPv4 one is judged by that.
fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    let parts = address.segments();
    let carried = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match parts[0] {
        // 64:ff9b::/96, translation to IPv4; 64:ff9b:1::/48 is for local use.
        0x64 if parts[1] == 0xff9b && parts[2..6] == [0; 4] => is_public_v4(carried(parts[6], parts[7])),
        // 6to4.
        0x2002 => is_public_v4(carried(parts[1], parts[2])),
        // Teredo, benchmarking, ORCHID, documentation.
        0x2001 => parts[1] >= 0x200 && parts[1] != 0xdb8,
        0x3fff => parts[1] >= 0x1000,
        first => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_told_from_public_ones() {
        let private = [
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:0a00:0001::1",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "fec0::1",
        ];
        for address in private {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        let public =
            ["1.1.1.1", "8.8.8.8", "100.128.0.1", "172.32.0.1", "193.0.0.1", "2606:4700:4700::1111", "2a00:1450::1"];
        for address in public {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn an_address_written_as_a_number_is_checked_in_every_spelling() {
        let refused = [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://017700000001/",
            "http://[::1]/",
            "http://[::ffff:7f00:1]/",
            "http://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
            "ftp://example.org/",
        ];
        for url in refused {
            assert!(check_address(&Url::parse(url).unwrap()).is_err(), "{url}");
        }
        assert!(check_address(&Url::parse("https://example.org/feed").unwrap()).is_ok());
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_this_machine_is_refused() {
        let error = PublicOnly.resolve("localhost".parse().unwrap()).await.err().unwrap();
        assert!(error.to_string().contains("not a public address"), "{error}");
    }
}
