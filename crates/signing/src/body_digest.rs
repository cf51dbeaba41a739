//! The part of a signature that depends on the body alone.

use std::fmt;

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use data_encoding::HEXLOWER;

/// Length of a digest written in hex.
const HEX_LEN: usize = 2 * SHA256_OUTPUT_LEN;

/// SHA-256 of the exact bytes of a body, computed once when one body goes to many webhooks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BodyDigest([u8; SHA256_OUTPUT_LEN]);

impl BodyDigest {
    /// Hashes `body`.
    pub fn of(body: &[u8]) -> Self {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(digest(&SHA256, body).as_ref());
        Self(bytes)
    }

    /// Writes the digest as 64 lower-case hex digits into `buffer`, so that signing needs no allocation for it.
    pub(crate) fn hex<'a>(&self, buffer: &'a mut [u8; HEX_LEN]) -> &'a str {
        HEXLOWER.encode_mut_str(&self.0, buffer)
    }

    /// An empty buffer of the size that [`Self::hex`] needs.
    pub(crate) const fn hex_buffer() -> [u8; HEX_LEN] {
        [0; HEX_LEN]
    }
}

impl fmt::Display for BodyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hex(&mut Self::hex_buffer()))
    }
}

impl fmt::Debug for BodyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BodyDigest({self})")
    }
}
