//! What nobody may be sent to: the ranges, written down apart from the product's own table, and what a URL can say instead of the loopback.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// The ranges that are refused by default, each with a word of the reason. A range in another stands before it.
pub const FORBIDDEN_RANGES: &[(&str, &str)] = &[
    ("0.0.0.0/32", "unspecified"),
    ("0.0.0.0/8", "this network"),
    ("10.0.0.0/8", "private (RFC 1918)"),
    ("100.100.100.200/32", "metadata"),
    ("100.64.0.0/10", "carrier-grade NAT"),
    ("127.0.0.0/8", "loopback"),
    ("168.63.129.16/32", "metadata"),
    ("169.254.169.254/32", "metadata"),
    ("169.254.170.0/23", "metadata"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private (RFC 1918)"),
    ("192.0.0.192/32", "metadata"),
    ("192.0.0.0/24", "IETF"),
    ("192.0.2.0/24", "documentation"),
    ("192.31.196.0/24", "AS112"),
    ("192.52.193.0/24", "AMT"),
    ("192.88.99.0/24", "6to4"),
    ("192.168.0.0/16", "private (RFC 1918)"),
    ("192.175.48.0/24", "AS112"),
    ("198.18.0.0/15", "benchmarks"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("255.255.255.255/32", "broadcast"),
    ("240.0.0.0/4", "reserved"),
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("::/96", "IPv4-compatible"),
    ("::ffff:0:0/96", "IPv4-mapped"),
    ("64:ff9b::/96", "NAT64"),
    ("64:ff9b:1::/48", "NAT64"),
    ("::/8", "::/8"),
    ("100::/64", "discard-only"),
    ("2001::/32", "Teredo"),
    ("2001:2::/48", "benchmarks"),
    ("2001:10::/28", "ORCHID"),
    ("2001:20::/28", "ORCHIDv2"),
    ("2001::/23", "IETF"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "6to4"),
    ("2620:4f:8000::/48", "AS112"),
    ("3fff::/20", "documentation"),
    ("5f00::/16", "segment routing"),
    ("fd00:ec2::254/128", "metadata"),
    ("fc00::/7", "unique-local"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "site-local"),
    ("ff00::/8", "multicast"),
];

/// Everything that a URL can say, as its host, instead of an address of the loopback.
pub const LOOPBACK_SPELLINGS: &[&str] = &[
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f.1",
    "0x7f000001",
    "0X7F.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "0177.0x0.0.1",
    "127.0.0.0x1",
    "127\u{3002}0\u{3002}0\u{3002}1",
    "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
    "%31%32%37.0.0.1",
    "0",
    "0.0.0.0",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "\u{24db}ocalhost",
];

/// The first and the last address of every range, each with a word of the reason that refuses it.
pub fn forbidden_ends() -> Vec<(IpAddr, &'static str)> {
    let ends = ranges().into_iter().flat_map(|range| [range.network(), range.broadcast()]);
    ends.map(|address| (address, reason(address).expect("an end of a range is in it")))
        .collect()
}

/// The addresses right before and right after every range that are in no other, and are routed on the public network.
pub fn neighbours() -> Vec<IpAddr> {
    let public_v6: IpNet = "2000::/3".parse().expect("it is a range");
    let around = ranges()
        .into_iter()
        .flat_map(|range| [before(range.network()), after(range.broadcast())]);
    around
        .flatten()
        .filter(|address| reason(*address).is_none() && (address.is_ipv4() || public_v6.contains(address)))
        .collect()
}

fn ranges() -> Vec<IpNet> {
    let ranges = FORBIDDEN_RANGES
        .iter()
        .map(|(range, _)| range.parse().expect("the table holds ranges"));
    ranges.collect()
}

/// The word of the first range that an address is in.
fn reason(address: IpAddr) -> Option<&'static str> {
    let number = ranges().iter().position(|range| range.contains(&address))?;
    Some(FORBIDDEN_RANGES[number].1)
}

fn before(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => Some(Ipv4Addr::from_bits(v4.to_bits().checked_sub(1)?).into()),
        IpAddr::V6(v6) => Some(Ipv6Addr::from_bits(v6.to_bits().checked_sub(1)?).into()),
    }
}

fn after(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => Some(Ipv4Addr::from_bits(v4.to_bits().checked_add(1)?).into()),
        IpAddr::V6(v6) => Some(Ipv6Addr::from_bits(v6.to_bits().checked_add(1)?).into()),
    }
}
