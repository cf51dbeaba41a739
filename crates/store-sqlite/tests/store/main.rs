//! The store through its public door: what every store promises, and what only one with files can.

#![expect(clippy::unwrap_used, reason = "what a test prepares has to work")]

mod altered;
mod backup;
mod commits;
mod conformance;
mod fixtures;
mod lives;
mod log;
mod opening;
mod restore;
mod room;
mod story;
mod verify;
mod verify_in_use;
mod verify_lists;
mod world;
