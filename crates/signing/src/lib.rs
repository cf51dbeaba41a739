//! Signing: bytes in, headers out.
//!
//! This room owns everything that needs a key: the signatures on a delivery ([`Signer`], with its two
//! schemes [`frontegg`] and [`standard`]), webhook secrets at rest ([`Vault`], [`MasterKey`]), the API's own
//! tokens ([`TokenKeys`]) and the keyed hashes of client secrets ([`CredentialHasher`]).
//!
//! It may never know I/O, a clock, a source of randomness or any other room: time and entropy are arguments,
//! secrets never reach `Debug` or an error message, and comparisons with a secret take constant time.

mod body_digest;
mod credential_hash;
pub mod frontegg;
mod master_key;
mod secret;
mod signer;
pub mod standard;
mod token;
mod vault;

pub use body_digest::BodyDigest;
pub use credential_hash::{CredentialHash, CredentialHasher};
pub use master_key::{KeyId, MasterKey, MasterKeyError};
pub use secret::{Secret, SecretError};
pub use signer::{SignInput, SignedHeaders, Signer};
pub use token::{MintError, TokenError, TokenKeys, Verified};
pub use vault::{GIVE_OLD_KEY, OpenError, Vault};
