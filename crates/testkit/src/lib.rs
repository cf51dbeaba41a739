//! What tests need of the world outside: receivers that behave badly on purpose, and names that resolve to what a test wants.
//!
//! Owns: [`TestReceiver`] with its [`Behaviour`]s, [`FixedResolver`]. Every one of them lives on a port of its own and ends when it is dropped.
//!
//! Never knows: the rooms that are tested with it. It is a dependency of tests only, so it panics where a test could not go on.

pub mod receiver;
mod resolver;

pub use receiver::{Behaviour, Certificate, Received, TestReceiver};
pub use resolver::FixedResolver;
