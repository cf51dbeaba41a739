//! Trials of the real binary: kill -9, cut power, full and read-only disks, damaged files, hours of load, and nodes that share a database which are killed,
//! stopped, cut off or lose it, with a ledger that the client keeps.
//!
//! Owns: the ledger, the receivers and producers around a server under trial, the disks that it is put on, and what is done to them. `tidings-trials` runs
//! the long forms; the short ones are tests of the binary.
//!
//! Never: the store's or the engine's insides. What a trial knows, any client could know.

mod cluster;
mod cut_off;
mod damage;
mod disk;
mod failover;
mod full;
mod kills;
mod ledger;
mod load;
mod network;
mod nodes;
mod patroni;
mod power;
mod producers;
mod readonly;
mod receivers;
mod site;
mod spans;
mod tools;

use std::io::Write as _;

pub use cluster::Outcome;
pub use cluster::faults::Explained;
pub use cut_off::{CutOff, Cuts, cut_off};
pub use damage::{Damage, Outcomes, damage};
pub use disk::can_cut_power;
pub use failover::{Failover, Recovered, failover};
pub use full::{Full, full, limited};
pub use kills::{Kills, kills};
pub use ledger::Audit;
pub use load::{Load, load};
pub use network::can_cut_off;
pub use nodes::{Nodes, nodes};
pub use power::{Losses, Power, power};
pub use readonly::read_only;
pub use spans::Spans;

/// Tells how a trial goes. Whether anybody listens does not matter.
pub(crate) fn say(words: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{words}");
}
