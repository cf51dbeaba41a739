//! The nodes that serve one store: how each is told from the others, and how the others notice that it is gone.
//!
//! Nobody's clock is compared with anybody else's: a node is gone when it has not beaten while somebody else did so several times.

use std::collections::BTreeMap;
use std::time::Duration;

use tidings_model::Timestamp;

use crate::LeaseToken;

/// How often a node says that it lives.
pub const BEAT_EVERY: Duration = Duration::from_secs(1);
/// Beats of one's own in which another node had none, after which it is taken for gone.
pub const MISSED_BEATS_MAX: u32 = 5;

/// Bits of a [`LeaseToken`] that count the leases of one node; those above are its number.
const LEASE_BITS: u32 = 40;

/// Which node it is: given out by the store when it joins, ascending from 1, and never again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeNumber(pub u32);

impl NodeNumber {
    /// The highest there is: with it a token still fits into an `i64`.
    pub const MAX: Self = Self((1 << (i64::BITS - 1 - LEASE_BITS)) - 1);

    /// The token of its n-th lease, of up to 2^40: a lease of a node that has left ends with it.
    pub const fn lease(self, nth: u64) -> LeaseToken {
        LeaseToken(((self.0 as i64) << LEASE_BITS) | (nth & ((1 << LEASE_BITS) - 1)) as i64)
    }
}

impl std::fmt::Display for NodeNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl LeaseToken {
    /// Whose lease it is; 0 is nobody's.
    pub const fn node(self) -> NodeNumber {
        NodeNumber((self.0 >> LEASE_BITS) as u32)
    }
}

/// A node that joins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewNode {
    /// Where people find it.
    pub name: String,
    /// The version of Tidings that it runs.
    pub version: String,
    /// When it joined, by its own clock.
    pub at: Timestamp,
}

/// What a node says of itself with each beat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pulse {
    /// When, by its own clock.
    pub at: Timestamp,
    /// Deliveries that it has leased and not sent yet.
    pub queued: u64,
    /// Attempts that it has under way.
    pub in_flight: u64,
    /// How late the latest of its attempts began that began since the beat before, in milliseconds after it was due.
    pub lag_ms: u64,
}

/// A node as the others see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// Its number.
    pub number: NodeNumber,
    /// As it joined.
    pub joined: NewNode,
    /// How often it has beaten since it joined.
    pub beats: u64,
    /// What it said with the last beat; when it joined until then.
    pub pulse: Pulse,
}

/// The nodes of a store that lives in one process, and what has changed in it.
#[derive(Debug, Default)]
pub struct Roll {
    nodes: BTreeMap<NodeNumber, Node>,
    given_out: u32,
    changes: u64,
}

impl Roll {
    /// See [`Store::join`](crate::Store::join). `None`: all numbers were given out.
    pub fn join(&mut self, node: &NewNode) -> Option<NodeNumber> {
        let number = NodeNumber(self.given_out + 1);
        if number > NodeNumber::MAX {
            return None;
        }
        self.given_out = number.0;
        let pulse = Pulse {
            at: node.at,
            queued: 0,
            in_flight: 0,
            lag_ms: 0,
        };
        let joined = node.clone();
        self.nodes.insert(
            number,
            Node {
                number,
                joined,
                beats: 0,
                pulse,
            },
        );
        Some(number)
    }

    /// See [`Store::beat`](crate::Store::beat).
    pub fn beat(&mut self, number: NodeNumber, pulse: Pulse) -> Option<u64> {
        let node = self.nodes.get_mut(&number)?;
        node.beats += 1;
        node.pulse = pulse;
        Some(self.changes)
    }

    /// See [`Store::strike_node`](crate::Store::strike_node).
    pub fn strike(&mut self, number: NodeNumber, beats: Option<u64>) -> bool {
        let still = |node: &Node| beats.is_none_or(|beats| node.beats == beats);
        self.nodes.get(&number).is_some_and(still) && self.nodes.remove(&number).is_some()
    }

    /// See [`Store::nodes`](crate::Store::nodes).
    pub fn nodes(&self) -> Vec<Node> {
        self.nodes.values().cloned().collect()
    }

    /// Whether a lease is of a node that has left.
    pub fn is_lost(&self, lease: LeaseToken) -> bool {
        let node = lease.node();
        node.0 != 0 && !self.nodes.contains_key(&node)
    }

    /// Something that nodes keep in memory was changed.
    pub const fn changed(&mut self) {
        self.changes += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_node_and_no_two_are_the_same() {
        let last = (1 << LEASE_BITS) - 1;
        for node in [NodeNumber(1), NodeNumber(2), NodeNumber::MAX] {
            for nth in [0, 1, last] {
                assert_eq!(node.lease(nth).node(), node);
                assert!(node.lease(nth).0 > 0);
            }
        }
        assert_ne!(NodeNumber(1).lease(last), NodeNumber(2).lease(0));
        assert_eq!(LeaseToken(7).node(), NodeNumber(0));
    }
}
