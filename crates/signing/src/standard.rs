//! The Standard Webhooks scheme: `webhook-id`, `webhook-timestamp` and `webhook-signature`.
//!
//! Signed is `id.timestamp.body` over the exact bytes of the body. `v1` is HMAC-SHA256, `v1a` is Ed25519; the
//! header lists one signature per secret, so that receivers can change over to a new secret in their own time.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use data_encoding::BASE64;

use crate::Secret;
use crate::secret::KeyMaterial;

/// Header with the id of the event, the same over all retries.
pub const ID_HEADER: &str = "webhook-id";
/// Header with the time of this attempt in Unix seconds.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// Header with the signatures, separated by spaces.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

const HMAC_LABEL: &str = "v1";
const ED25519_LABEL: &str = "v1a";

/// The three headers as a receiver got them.
#[derive(Debug, Clone, Copy)]
pub struct Headers<'a> {
    /// Value of [`ID_HEADER`].
    pub id: &'a str,
    /// Value of [`TIMESTAMP_HEADER`].
    pub timestamp: &'a str,
    /// Value of [`SIGNATURE_HEADER`].
    pub signature: &'a str,
}

/// Why a delivery is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The timestamp is not a number of seconds.
    #[error("webhook-timestamp is not a whole number of Unix seconds")]
    Timestamp,
    /// Older than the tolerance: perhaps replayed.
    #[error("webhook-timestamp is {by_secs} seconds old, more than is tolerated")]
    TooOld {
        /// Age in seconds.
        by_secs: u64,
    },
    /// Further in the future than the tolerance.
    #[error("webhook-timestamp is {by_secs} seconds in the future, more than is tolerated; compare the two clocks")]
    TooNew {
        /// Distance in seconds.
        by_secs: u64,
    },
    /// None of the signatures was made with this secret over these bytes.
    #[error("no signature in webhook-signature was made with this secret over this id, timestamp and body")]
    NoMatch,
}

/// A secret prepared for signing.
#[derive(Debug)]
pub(crate) enum SigningKey {
    /// Boxed: a prepared HMAC key is 1.2 kB, twenty times the other kind.
    Hmac(Box<hmac::Key>),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    pub(crate) fn new(secret: &Secret) -> Self {
        match secret.key_material() {
            KeyMaterial::Symmetric(key) => Self::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, &key))),
            KeyMaterial::Ed25519(pair) => Self::Ed25519(pair),
        }
    }

    /// Appends one entry of the signature list, `label,base64`, to `list`.
    pub(crate) fn sign_into(&self, list: &mut String, id: &str, timestamp: &str, body: &[u8]) {
        list.push_str(self.label());
        list.push(',');
        match self {
            Self::Hmac(key) => {
                BASE64.encode_append(hmac_tag(key, id, timestamp, body).as_ref(), list);
            }
            Self::Ed25519(pair) => {
                BASE64.encode_append(pair.sign(&signed_content(id, timestamp, body)).as_ref(), list);
            }
        }
    }

    fn label(&self) -> &'static str {
        match self {
            Self::Hmac(_) => HMAC_LABEL,
            Self::Ed25519(_) => ED25519_LABEL,
        }
    }

    fn verifies(&self, signature: &[u8], headers: &Headers<'_>, body: &[u8]) -> bool {
        match self {
            Self::Hmac(key) => {
                let tag = hmac_tag(key, headers.id, headers.timestamp, body);
                verify_slices_are_equal(tag.as_ref(), signature).is_ok()
            }
            Self::Ed25519(pair) => UnparsedPublicKey::new(&ED25519, pair.public_key())
                .verify(&signed_content(headers.id, headers.timestamp, body), signature)
                .is_ok(),
        }
    }
}

/// Checks a delivery as a receiver does: the age first, then every signature in the list.
///
/// # Errors
/// When the timestamp is further than `tolerance_secs` from `now_secs` (Unix seconds) either way, or when no
/// signature in the list was made with `secret` over these bytes.
pub fn verify(secret: &Secret, headers: &Headers<'_>, body: &[u8], now_secs: u64, tolerance_secs: u64) -> Result<(), VerifyError> {
    let timestamp: u64 = headers.timestamp.parse().map_err(|_| VerifyError::Timestamp)?;
    let by_secs = now_secs.abs_diff(timestamp);
    if by_secs > tolerance_secs {
        return Err(if timestamp < now_secs {
            VerifyError::TooOld { by_secs }
        } else {
            VerifyError::TooNew { by_secs }
        });
    }

    let key = SigningKey::new(secret);
    let matched = headers
        .signature
        .split(' ')
        .filter_map(|entry| entry.split_once(','))
        .filter(|(label, _)| *label == key.label())
        .filter_map(|(_, encoded)| BASE64.decode(encoded.as_bytes()).ok())
        .any(|signature| key.verifies(&signature, headers, body));
    if matched { Ok(()) } else { Err(VerifyError::NoMatch) }
}

/// HMAC over the signed content without putting it together in memory first.
fn hmac_tag(key: &hmac::Key, id: &str, timestamp: &str, body: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        context.update(part);
    }
    context.sign()
}

/// The signed content in one piece, which Ed25519 needs because it reads it twice.
fn signed_content(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), timestamp.as_bytes(), body].join(&b'.')
}
