//! The simulator: the real engine, application and router, one to three nodes of them, on the in-memory store, in a world that is made of a seed.
//!
//! Owns: the world (clock, chance, network, faulty stores), what is done in it, and the checkers of what has to be true afterwards whatever happened.
//! First everything goes wrong that the seed says; then the faults end, and everything has to come to its end. The same seed gives the same trace, to the
//! byte, so that a seed that fails is a bug that can be looked at.
//!
//! Never: sockets, a disk, the time of the machine, or a chance that is not the seed's.

mod check;
mod clock;
mod dice;
mod model;
mod network;
mod node;
mod play;
mod store;
mod trace;

pub use play::{Figures, Outcome, Sabotage, play};
