//! Which addresses may be connected to. Pure: no name, no socket, no clock.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The operator's exceptions to the ranges that are refused by default.
///
/// An exception speaks of the spelling it is written in: `10.0.0.0/8` does not allow `::ffff:10.0.0.1`, because a name that resolves to an IPv4 address
/// in IPv6 clothes has no honest reason to.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct AddressPolicy {
    allow: Vec<IpNet>,
}

/// An address that the policy forbids; the text names the range and the way to allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "address {address} is {range} and refused by policy; the operator can allow it with --egress-allow {}",
    IpNet::from(*address)
)]
pub struct Refusal {
    /// The address that was refused.
    pub address: IpAddr,
    /// What the address is, in words: `private (RFC 1918)`.
    pub range: &'static str,
}

impl AddressPolicy {
    /// A policy with these exceptions. The order and overlaps do not matter: policies that allow the same addresses are equal.
    #[expect(clippy::needless_pass_by_value, reason = "ipnet's aggregate() asks for a reference to a Vec")]
    pub fn new(allow: Vec<IpNet>) -> Self {
        Self {
            allow: IpNet::aggregate(&allow),
        }
    }

    /// Refuses every address that is not global unicast, or that leads to one by embedding it, unless an exception allows it.
    pub fn check(&self, address: IpAddr) -> Result<(), Refusal> {
        match forbidden_range(address) {
            Some(range) if !self.allow.iter().any(|net| net.contains(&address)) => Err(Refusal { address, range }),
            _ => Ok(()),
        }
    }
}

/// The first matching line names the range, so the special ones stand before the ranges around them.
fn forbidden_range(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => FORBIDDEN_V4.iter().find(|(net, _)| net.contains(&v4)).map(|(_, range)| *range),
        IpAddr::V6(v6) => {
            let named = FORBIDDEN_V6.iter().find(|(net, _)| net.contains(&v6)).map(|(_, range)| *range);
            named.or_else(|| (!GLOBAL_UNICAST_V6.contains(&v6)).then_some("outside the global unicast space (2000::/3)"))
        }
    }
}

/// Everything in IPv6 that is routed on the public network lies in here.
const GLOBAL_UNICAST_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

const FORBIDDEN_V4: &[(Ipv4Net, &str)] = &[
    (v4([169, 254, 169, 254], 32), "a cloud metadata address"),
    (v4([169, 254, 170, 0], 23), "a cloud metadata address"),
    (v4([100, 100, 100, 200], 32), "a cloud metadata address"),
    (v4([192, 0, 0, 192], 32), "a cloud metadata address"),
    (v4([168, 63, 129, 16], 32), "a cloud metadata address"),
    (v4([0, 0, 0, 0], 32), "unspecified"),
    (v4([0, 0, 0, 0], 8), "on 'this network' (RFC 791)"),
    (v4([10, 0, 0, 0], 8), "private (RFC 1918)"),
    (v4([100, 64, 0, 0], 10), "carrier-grade NAT (RFC 6598)"),
    (v4([127, 0, 0, 0], 8), "loopback"),
    (v4([169, 254, 0, 0], 16), "link-local"),
    (v4([172, 16, 0, 0], 12), "private (RFC 1918)"),
    (v4([192, 0, 0, 0], 24), "reserved for IETF protocols (RFC 6890)"),
    (v4([192, 0, 2, 0], 24), "for documentation (RFC 5737)"),
    (v4([192, 31, 196, 0], 24), "an AS112 sink (RFC 7535)"),
    (v4([192, 52, 193, 0], 24), "an AMT relay (RFC 7450)"),
    (v4([192, 88, 99, 0], 24), "a 6to4 relay (RFC 7526)"),
    (v4([192, 168, 0, 0], 16), "private (RFC 1918)"),
    (v4([192, 175, 48, 0], 24), "an AS112 sink (RFC 7534)"),
    (v4([198, 18, 0, 0], 15), "for benchmarks (RFC 2544)"),
    (v4([198, 51, 100, 0], 24), "for documentation (RFC 5737)"),
    (v4([203, 0, 113, 0], 24), "for documentation (RFC 5737)"),
    (v4([224, 0, 0, 0], 4), "multicast"),
    (v4([255, 255, 255, 255], 32), "broadcast"),
    (v4([240, 0, 0, 0], 4), "reserved (RFC 1112)"),
];

const FORBIDDEN_V6: &[(Ipv6Net, &str)] = &[
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128), "a cloud metadata address"),
    (v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128), "a cloud metadata address"),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), "unspecified"),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "loopback"),
    (v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96), "an IPv4-mapped address (RFC 4291)"),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 96), "an IPv4-compatible address (RFC 4291)"),
    (v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96), "a NAT64 address (RFC 6052)"),
    (v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), "a local NAT64 address (RFC 8215)"),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 8), "reserved (::/8, RFC 4291)"),
    (v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), "discard-only (RFC 6666)"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), "a Teredo address (RFC 4380)"),
    (v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48), "for benchmarks (RFC 5180)"),
    (v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28), "an ORCHID (RFC 4843)"),
    (v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28), "an ORCHIDv2 (RFC 7343)"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), "reserved for IETF protocols (RFC 2928)"),
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), "for documentation (RFC 3849)"),
    (v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), "a 6to4 address (RFC 3056)"),
    (v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48), "an AS112 sink (RFC 7534)"),
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), "for documentation (RFC 9637)"),
    (v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16), "a segment routing identifier (RFC 9602)"),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), "unique-local (RFC 4193)"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "link-local"),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "site-local (RFC 3879)"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "multicast"),
];

const fn v4(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::from_octets(octets), prefix)
}

const fn v6(segments: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_segments(segments), prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_tables_is_reached() {
        let policy = AddressPolicy::default();
        for (net, range) in FORBIDDEN_V4 {
            let refused = [net.network(), net.broadcast()].map(|address| policy.check(IpAddr::V4(address)).unwrap_err().range);
            assert!(refused.contains(range), "{net} is never called '{range}'");
        }
        for (net, range) in FORBIDDEN_V6 {
            let refused = [net.network(), net.broadcast()].map(|address| policy.check(IpAddr::V6(address)).unwrap_err().range);
            assert!(refused.contains(range), "{net} is never called '{range}'");
        }
    }

    #[test]
    fn a_refusal_says_what_the_address_is_and_how_to_allow_it() {
        let refusal = AddressPolicy::default().check("10.0.0.5".parse().unwrap()).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "address 10.0.0.5 is private (RFC 1918) and refused by policy; the operator can allow it with --egress-allow 10.0.0.5/32"
        );
    }

    #[test]
    fn policies_that_allow_the_same_addresses_are_equal() {
        let nets = |texts: &[&str]| AddressPolicy::new(texts.iter().map(|text| text.parse().unwrap()).collect());
        assert_eq!(nets(&["10.0.0.0/9", "10.128.0.0/9", "10.1.0.0/16"]), nets(&["10.0.0.0/8"]));
        assert_eq!(nets(&["127.0.0.1/32", "10.0.0.0/8"]), nets(&["10.0.0.0/8", "127.0.0.1/32"]));
        assert_ne!(nets(&["10.0.0.0/8"]), nets(&[]));
    }
}
