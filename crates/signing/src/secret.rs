//! A webhook's secret as text, and the key that the text stands for.
//!
//! Three kinds of text are known by their prefix: `whsec_` (base64 of a symmetric key), `whsk_` (base64 of an
//! Ed25519 private key) and anything else, whose UTF-8 bytes are the key.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use data_encoding::BASE64;
use zeroize::Zeroizing;

const SYMMETRIC_PREFIX: &str = "whsec_";
const PRIVATE_KEY_PREFIX: &str = "whsk_";
const PUBLIC_KEY_PREFIX: &str = "whpk_";

const ED25519_SEED_BYTES: usize = 32;
const ED25519_SEED_AND_PUBLIC_BYTES: usize = 64;

/// The secret of one webhook. Checked when made, wiped from memory when dropped, never shown by `Debug`.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

/// Why a text cannot be a webhook secret. No message repeats the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Nothing was given.
    #[error("the secret is empty; leave it out altogether to send unsigned deliveries")]
    Empty,
    /// Fewer than [`Secret::MIN_CHARS`] characters.
    #[error("the secret has {chars} characters; it needs at least {}", Secret::MIN_CHARS)]
    TooShort {
        /// Characters given.
        chars: usize,
    },
    /// More than [`Secret::MAX_CHARS`] characters.
    #[error("the secret has {chars} characters; it may have at most {}", Secret::MAX_CHARS)]
    TooLong {
        /// Characters given.
        chars: usize,
    },
    /// A line break, a tab or another character that cannot be seen, usually pasted by accident.
    #[error("character {position} of the secret is a control character such as a line break or a tab; remove it")]
    ControlCharacter {
        /// Counted from 1.
        position: usize,
    },
    /// A known prefix, but what follows is not base64.
    #[error("a secret that starts with {prefix} must go on in standard base64 with its = padding; this one does not")]
    NotBase64 {
        /// The prefix that promised base64.
        prefix: &'static str,
    },
    /// A known prefix, but the key behind it has a length that no key of its kind has.
    #[error("a secret that starts with {prefix} must hold {expected} bytes in base64; this one holds {bytes}")]
    KeyLength {
        /// The prefix that names the kind of key.
        prefix: &'static str,
        /// The lengths that are possible, in words.
        expected: &'static str,
        /// Bytes given.
        bytes: usize,
    },
    /// The two halves of a 64-byte `whsk_` key do not belong together.
    #[error("the public half of this whsk_ key does not belong to its private half; copy the key again")]
    KeyPairMismatch,
}

/// What a secret signs with in the Standard Webhooks scheme.
pub(crate) enum KeyMaterial {
    /// Bytes for HMAC-SHA256.
    Symmetric(Zeroizing<Vec<u8>>),
    /// A key pair for Ed25519.
    Ed25519(Ed25519KeyPair),
}

impl Secret {
    /// Fewest characters that a secret may have.
    pub const MIN_CHARS: usize = 8;
    /// Most characters that a secret may have.
    pub const MAX_CHARS: usize = 256;
    /// Fewest bytes behind a `whsec_` secret.
    pub const MIN_SYMMETRIC_BYTES: usize = 24;
    /// Most bytes behind a `whsec_` secret.
    pub const MAX_SYMMETRIC_BYTES: usize = 64;

    /// Takes `text` as a secret.
    ///
    /// # Errors
    /// When the text is too short, too long, holds a control character, or carries a prefix that it does not keep.
    pub fn new(text: impl Into<String>) -> Result<Self, SecretError> {
        // Wrapped before it is checked, so that a refused secret is wiped as well.
        let text = Zeroizing::new(text.into());
        check_text(&text)?;
        parse_key(&text)?;
        Ok(Self(text))
    }

    /// Makes a `whsec_` secret from 32 random bytes.
    pub fn generate(entropy: &[u8; 32]) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(SYMMETRIC_PREFIX.len() + BASE64.encode_len(32)));
        text.push_str(SYMMETRIC_PREFIX);
        BASE64.encode_append(entropy, &mut text);
        Self(text)
    }

    /// The text itself: for sealing it, and for showing it to somebody who may see it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The `whpk_` public key that receivers need, when this is a `whsk_` secret.
    pub fn public_key(&self) -> Option<String> {
        match self.key_material() {
            KeyMaterial::Symmetric(_) => None,
            KeyMaterial::Ed25519(pair) => Some(format!("{PUBLIC_KEY_PREFIX}{}", BASE64.encode(pair.public_key().as_ref()))),
        }
    }

    /// Decodes the key that the text stands for.
    pub(crate) fn key_material(&self) -> KeyMaterial {
        parse_key(&self.0).expect("the text was parsed when the secret was made")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

fn check_text(text: &str) -> Result<(), SecretError> {
    let chars = text.chars().count();
    if chars == 0 {
        return Err(SecretError::Empty);
    }
    if chars < Secret::MIN_CHARS {
        return Err(SecretError::TooShort { chars });
    }
    if chars > Secret::MAX_CHARS {
        return Err(SecretError::TooLong { chars });
    }
    match text.chars().position(char::is_control) {
        Some(index) => Err(SecretError::ControlCharacter { position: index + 1 }),
        None => Ok(()),
    }
}

fn parse_key(text: &str) -> Result<KeyMaterial, SecretError> {
    if let Some(encoded) = text.strip_prefix(SYMMETRIC_PREFIX) {
        let key = decode(SYMMETRIC_PREFIX, encoded)?;
        if !(Secret::MIN_SYMMETRIC_BYTES..=Secret::MAX_SYMMETRIC_BYTES).contains(&key.len()) {
            return Err(SecretError::KeyLength {
                prefix: SYMMETRIC_PREFIX,
                expected: "24 to 64",
                bytes: key.len(),
            });
        }
        return Ok(KeyMaterial::Symmetric(key));
    }
    if let Some(encoded) = text.strip_prefix(PRIVATE_KEY_PREFIX) {
        return parse_private_key(&decode(PRIVATE_KEY_PREFIX, encoded)?).map(KeyMaterial::Ed25519);
    }
    Ok(KeyMaterial::Symmetric(Zeroizing::new(text.as_bytes().to_vec())))
}

fn parse_private_key(key: &[u8]) -> Result<Ed25519KeyPair, SecretError> {
    match key.len() {
        ED25519_SEED_BYTES => Ok(Ed25519KeyPair::from_seed_unchecked(key).expect("every 32 bytes are a seed of Ed25519")),
        ED25519_SEED_AND_PUBLIC_BYTES => {
            let (seed, public) = key.split_at(ED25519_SEED_BYTES);
            Ed25519KeyPair::from_seed_and_public_key(seed, public).map_err(|_| SecretError::KeyPairMismatch)
        }
        bytes => Err(SecretError::KeyLength {
            prefix: PRIVATE_KEY_PREFIX,
            expected: "32 or 64",
            bytes,
        }),
    }
}

fn decode(prefix: &'static str, encoded: &str) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    match BASE64.decode(encoded.as_bytes()) {
        Ok(bytes) => Ok(Zeroizing::new(bytes)),
        Err(_) => Err(SecretError::NotBase64 { prefix }),
    }
}
