//! What tests need of the world outside: receivers that behave badly on purpose, names that resolve to what a test wants, and the binary as a process.
//!
//! Owns: [`TestReceiver`] with its [`Behaviour`]s, [`FixedResolver`], [`TestServer`]. Every one of them lives on a port of its own and ends when it is dropped.
//!
//! Never knows: the rooms that are tested with it. It is a dependency of tests only, so it panics where a test could not go on.

pub mod receiver;
mod resolver;
pub mod server;

pub use receiver::{Behaviour, Certificate, Received, TestReceiver};
pub use resolver::FixedResolver;
pub use server::TestServer;
