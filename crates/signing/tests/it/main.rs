//! The promises of the signing room, seen through its public doors.

#![expect(clippy::unwrap_used, reason = "the tests' own helpers may fail as the tests do")]

mod credential_hash;
mod secret;
mod signer;
mod token;
mod vault;
mod verify;
