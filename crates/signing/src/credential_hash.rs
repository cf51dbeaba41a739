//! What is kept of a client secret: a keyed hash.
//!
//! Generated client secrets have 256 bits of entropy: nobody can try them all, so a deliberately slow hash would
//! buy nothing and cost every request. The key buys something else: a stolen database alone cannot even confirm
//! a guess at a weaker secret that an operator chose. Passwords of people need a slow hash and do not come here.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

const HASH_BYTES: usize = 32;

/// Hashes with the current key, and recognises what any of its keys hashed.
#[derive(Debug)]
pub struct CredentialHasher {
    current: hmac::Key,
    older: Vec<hmac::Key>,
}

/// HMAC-SHA256 of a client secret, as the store keeps it. It has no `==`: only [`CredentialHasher::verify`] compares.
#[derive(Clone, Copy)]
pub struct CredentialHash([u8; HASH_BYTES]);

impl CredentialHasher {
    /// Keys of 32 derived bytes: the one that hashes, and those whose hashes are still in the store. A hash cannot be
    /// made anew without its secret, so an older key stays until its credentials are gone.
    pub fn new(current: &[u8; 32], older: &[[u8; 32]]) -> Self {
        let prepare = |key: &[u8; 32]| hmac::Key::new(hmac::HMAC_SHA256, key);
        Self {
            current: prepare(current),
            older: older.iter().map(prepare).collect(),
        }
    }

    /// The hash to store for `secret`.
    pub fn hash(&self, secret: &str) -> CredentialHash {
        hash_with(&self.current, secret)
    }

    /// Whether `hash` was made from `secret`; each comparison takes constant time.
    pub fn verify(&self, secret: &str, hash: &CredentialHash) -> bool {
        std::iter::once(&self.current)
            .chain(&self.older)
            .any(|key| verify_slices_are_equal(&hash_with(key, secret).0, &hash.0).is_ok())
    }
}

fn hash_with(key: &hmac::Key, secret: &str) -> CredentialHash {
    let mut bytes = [0; HASH_BYTES];
    bytes.copy_from_slice(hmac::sign(key, secret.as_bytes()).as_ref());
    CredentialHash(bytes)
}

impl CredentialHash {
    /// A hash as it was stored.
    pub const fn from_bytes(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub const fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }
}

impl fmt::Debug for CredentialHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialHash(…)")
    }
}
