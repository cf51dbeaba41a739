//! From a host to the addresses that may be connected to: all of its addresses are allowed, or none is used.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tidings_model::limits::{CONNECT_ADDRESSES_MAX, DNS_ADDRESSES_MAX, RESOLVE_TIMEOUT_MS};
use tidings_runtime::{Clock, TimedOut, within};

use crate::{AddressPolicy, Refusal, Resolve};

/// A host that may not, or cannot, be connected to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VetError {
    /// The host is written as an address, and it is forbidden.
    #[error("{0}")]
    Refused(Refusal),
    /// One of the name's addresses is forbidden, and so the name is.
    #[error("{name} is refused: its {refusal}")]
    RefusedName { name: String, refusal: Refusal },
    /// Nobody needs that many; they would all have to be tried.
    #[error("{name} is refused: it has {count} addresses, and a name may have {DNS_ADDRESSES_MAX}")]
    TooManyAddresses { name: String, count: usize },
    /// The name has no address now.
    #[error("{name} does not resolve: {reason}")]
    Unresolved { name: String, reason: String },
}

/// Resolves a host and checks every address; the answer is what a connection may try, in that order.
pub(crate) async fn vet(
    host: &str,
    port: u16,
    policy: &AddressPolicy,
    resolver: &dyn Resolve,
    clock: &dyn Clock,
) -> Result<Vec<SocketAddr>, VetError> {
    if let Some(address) = literal(host) {
        policy.check(address).map_err(VetError::Refused)?;
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let unresolved = |reason| VetError::Unresolved {
        name: host.to_owned(),
        reason,
    };
    let late = |TimedOut| Err(format!("{} did not answer within {RESOLVE_TIMEOUT_MS} ms", resolver.asked()));
    let found = within(clock, Duration::from_millis(RESOLVE_TIMEOUT_MS), resolver.resolve(host)).await;
    let mut found = found.unwrap_or_else(late).map_err(unresolved)?;
    if found.is_empty() {
        return Err(unresolved("the name has no address".to_owned()));
    }
    if found.len() > DNS_ADDRESSES_MAX {
        return Err(VetError::TooManyAddresses {
            name: host.to_owned(),
            count: found.len(),
        });
    }
    for address in &found {
        policy.check(*address).map_err(|refusal| VetError::RefusedName {
            name: host.to_owned(),
            refusal,
        })?;
    }
    alternate_families(&mut found);
    Ok(found
        .into_iter()
        .take(CONNECT_ADDRESSES_MAX)
        .map(|address| SocketAddr::new(address, port))
        .collect())
}

/// The address that a URL's host spells, with or without the brackets of IPv6.
pub(crate) fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

/// Puts the families in turns, beginning with the resolver's first: one that leads nowhere costs one try, not all of them.
fn alternate_families(addresses: &mut Vec<IpAddr>) {
    let Some(first) = addresses.first().map(IpAddr::is_ipv4) else {
        return;
    };
    let (preferred, other): (Vec<_>, Vec<_>) = addresses.drain(..).partition(|address| address.is_ipv4() == first);
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    loop {
        match (preferred.next(), other.next()) {
            (None, None) => return,
            (one, two) => addresses.extend(one.into_iter().chain(two)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_in_the_order_of_the_resolver() {
        let mut addresses: Vec<IpAddr> = ["2a00::1", "2a00::2", "2a00::3", "1.1.1.1"]
            .map(|text| text.parse().unwrap())
            .to_vec();
        alternate_families(&mut addresses);
        assert_eq!(
            addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["2a00::1", "1.1.1.1", "2a00::2", "2a00::3"]
        );
    }
}
