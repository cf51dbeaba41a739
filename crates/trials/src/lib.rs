//! Trials of the real binary: kill -9, cut power, full and read-only disks, damaged files, and hours of load, with a ledger that the client keeps.
//!
//! Owns: the ledger, the receivers and producers around a server under trial, the disks that it is put on, and what is done to them. `tidings-trials` runs
//! the long forms; the short ones are tests of the binary.
//!
//! Never: the store's or the engine's insides. What a trial knows, any client could know.

mod damage;
mod disk;
mod full;
mod kills;
mod ledger;
mod load;
mod power;
mod readonly;
mod receivers;
mod site;

use std::io::Write as _;

pub use damage::{Damage, Outcomes, damage};
pub use disk::can_cut_power;
pub use full::{Full, full, limited};
pub use kills::{Kills, kills};
pub use ledger::Audit;
pub use load::{Load, load};
pub use power::{Losses, Power, power};
pub use readonly::read_only;

/// Tells how a trial goes. Whether anybody listens does not matter.
pub(crate) fn say(words: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{words}");
}
