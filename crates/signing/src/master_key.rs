//! The master key: 32 bytes from which every other key of an installation is derived.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const KEY_BYTES: usize = 32;
const HEX_CHARS: usize = 2 * KEY_BYTES;

/// Keeps these derivations apart from those of any other program that was given the same bytes.
const SALT: &[u8] = b"tidings";

/// The key that an installation's secrets depend on. Wiped from memory when dropped, never shown by `Debug`.
///
/// Its text form is 44 characters of base64 or 64 hex digits.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; KEY_BYTES]);

/// Names a master key without telling anything about it: eight hex digits derived from the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub(crate) [u8; KeyId::BYTES]);

/// Why a text is not a master key. The message does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 32 bytes, written as 44 characters of standard base64 or as 64 hex digits; this text is neither")]
pub struct MasterKeyError;

impl MasterKey {
    /// Takes 32 bytes as they are; new keys are made from 32 random bytes.
    pub const fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The key as base64: for the key file of a data folder, and for nothing else.
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64.encode(&self.0))
    }

    /// The name under which this key's envelopes are found.
    pub fn id(&self) -> KeyId {
        let [a, b, c, d, ..] = self.derive("key id");
        KeyId([a, b, c, d])
    }

    /// A key for one purpose (HKDF-SHA256). The same key and purpose always give the same bytes; keys of different
    /// purposes tell nothing about each other or about the master key.
    pub fn derive(&self, purpose: &str) -> [u8; KEY_BYTES] {
        let mut derived = [0; KEY_BYTES];
        Salt::new(HKDF_SHA256, SALT)
            .extract(&self.0)
            .expand(&[purpose.as_bytes()], HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut derived))
            .expect("HKDF gives up to 255 blocks, and this is one");
        derived
    }
}

impl FromStr for MasterKey {
    type Err = MasterKeyError;

    /// Reads base64 or hex; white space around it, such as the line break at a file's end, is ignored.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let encoding = if text.len() == HEX_CHARS { HEXLOWER_PERMISSIVE } else { BASE64 };
        let bytes = Zeroizing::new(encoding.decode(text.as_bytes()).map_err(|_| MasterKeyError)?);
        bytes.as_slice().try_into().map(Self).map_err(|_| MasterKeyError)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id())
    }
}

impl KeyId {
    pub(crate) const BYTES: usize = 4;

    /// The id of a key, as it was kept.
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The id as bytes, to be kept.
    pub const fn bytes(self) -> [u8; Self::BYTES] {
        self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", HEXLOWER.encode_display(&self.0))
    }
}
