//! The store through its public door: what every store promises, and what only one that several nodes share can.

#![expect(clippy::unwrap_used, reason = "what a test prepares has to work")]

mod altered;
mod away;
mod batches;
mod conformance;
mod nodes;
mod opening;
mod pooler;
mod pruning;
mod transfer;
mod verify;
mod world;
