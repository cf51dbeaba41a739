//! What tests need of the world outside: receivers that behave badly on purpose, names that resolve to what a test wants, the binary as a process,
//! and being told to stop.
//!
//! Owns: [`TestReceiver`] with its [`Behaviour`]s, [`FixedResolver`], [`TestNameServer`], [`TestServer`] and its [`Process`], [`EphemeralPostgres`] and a
//! [`Pooler`] before it, and [the addresses](FORBIDDEN_RANGES) that
//! nobody may be sent to. Every server of them lives on a port of its own and ends when it is dropped.
//!
//! Never knows: the rooms that are tested with it. It is a dependency of tests only, so it panics where a test could not go on.

mod forbidden;
mod name_server;
mod pooler;
mod postgres;
mod process;
pub mod receiver;
mod resolver;
pub mod server;
mod stop;

pub use forbidden::{FORBIDDEN_RANGES, LOOPBACK_SPELLINGS, forbidden_ends, neighbours};
pub use name_server::TestNameServer;
pub use pooler::Pooler;
pub use postgres::{EphemeralPostgres, TestDatabase, as_postgres, free_port, hand_over, postgres_programs};
pub use process::Process;
pub use receiver::{Behaviour, Certificate, Received, TestReceiver};
pub use resolver::FixedResolver;
pub use server::TestServer;
pub use stop::unless_told_to_stop;
