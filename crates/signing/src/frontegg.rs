//! The Frontegg scheme: the header `x-webhook-secret` holds a JWT that the webhook's secret signed.
//!
//! A compact JWS, HS256, whose key is the UTF-8 bytes of the whole secret, prefix and all. Receivers verify it
//! with the one call `jwt.verify(header, secret)`; the claims beyond `iat` and `exp` are ours, and bind the
//! token to one event and to the exact bytes of one body.

use std::borrow::Cow;

use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};

use crate::{BodyDigest, Secret, SignInput};

/// Name of the header.
pub const HEADER: &str = "x-webhook-secret";

/// Seconds that a token is good for, counted from the attempt that carries it.
pub const LIFETIME_SECS: u64 = 300;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claims<'a> {
    /// When the attempt was made, in whole Unix seconds, never rounded up: some verifiers refuse the future.
    pub iat: u64,
    /// When the token stops being good, in Unix seconds.
    pub exp: u64,
    /// SHA-256 of the exact bytes of the body, in lower-case hex.
    pub body_sha256: Cow<'a, str>,
    /// The event's id, the same as in `webhook-id` and over all retries.
    pub event_id: Cow<'a, str>,
}

/// Why a token is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Not a compact JWS with the claims that a delivery carries.
    #[error("x-webhook-secret is not the token of a delivery: {0}")]
    Malformed(String),
    /// Signed with something else than HS256, or not at all.
    #[error("x-webhook-secret is signed with another algorithm than HS256")]
    Algorithm,
    /// The signature was not made with this secret, or the token was changed on its way.
    #[error("the signature of x-webhook-secret was not made with this secret")]
    Signature,
    /// Too old.
    #[error("x-webhook-secret expired at {exp} (Unix seconds)")]
    Expired {
        /// The claim `exp`.
        exp: u64,
    },
    /// Made in the future: the two clocks disagree.
    #[error("x-webhook-secret was made at {iat} (Unix seconds), which is still to come; compare the two clocks")]
    NotYet {
        /// The claim `iat`.
        iat: u64,
    },
    /// The token belongs to another body.
    #[error("x-webhook-secret was made for another body: its SHA-256 is not that of the bytes received")]
    Body,
}

/// A secret prepared for signing: at an attempt only the claims are hashed.
#[derive(Debug)]
pub(crate) struct SigningKey(Box<hmac::Key>);

/// The first part of every token, with the dot behind it: base64url of `{"typ":"JWT","alg":"HS256"}`.
const JOSE_HEADER: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.";
/// Room for a token: its header, four claims, and a signature of 43 characters.
const TOKEN_CAPACITY: usize = 352;

impl SigningKey {
    pub(crate) fn new(secret: &Secret) -> Self {
        Self(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes())))
    }

    pub(crate) fn sign(&self, input: &SignInput<'_>, digest: &BodyDigest) -> String {
        let mut hex = BodyDigest::hex_buffer();
        let claims = Claims {
            iat: input.timestamp_secs,
            exp: input.timestamp_secs.saturating_add(LIFETIME_SECS),
            body_sha256: Cow::Borrowed(digest.hex(&mut hex)),
            event_id: Cow::Borrowed(input.message_id),
        };
        // RFC 7515, section 7.1: three parts in base64url, the last over the first two.
        let claims = serde_json::to_vec(&claims).expect("numbers and strings serialise into memory");
        let mut token = String::with_capacity(TOKEN_CAPACITY);
        token.push_str(JOSE_HEADER);
        BASE64URL_NOPAD.encode_append(&claims, &mut token);
        let tag = hmac::sign(&self.0, token.as_bytes());
        token.push('.');
        BASE64URL_NOPAD.encode_append(tag.as_ref(), &mut token);
        token
    }
}

/// Checks the token of a delivery as a receiver does.
///
/// `body` is compared when given. `leeway_secs` forgives that much disagreement of the two clocks, either way.
///
/// # Errors
/// When the token was not made with `secret`, is not valid at `now_secs` (Unix seconds), or belongs to another body.
pub fn verify(secret: &Secret, token: &str, body: Option<&[u8]>, now_secs: u64, leeway_secs: u64) -> Result<Claims<'static>, VerifyError> {
    let mut validation = Validation::new(Algorithm::HS256);
    // The library would ask the operating system for the time: the claims are checked below, against `now_secs`.
    validation.validate_exp = false;
    let key = DecodingKey::from_secret(secret.expose().as_bytes());
    let claims: Claims<'static> = jsonwebtoken::decode(token, &key, &validation)
        .map_err(|error| match error.kind() {
            ErrorKind::InvalidSignature => VerifyError::Signature,
            ErrorKind::InvalidAlgorithm => VerifyError::Algorithm,
            _ => VerifyError::Malformed(error.to_string()),
        })?
        .claims;

    if now_secs >= claims.exp.saturating_add(leeway_secs) {
        return Err(VerifyError::Expired { exp: claims.exp });
    }
    if claims.iat > now_secs.saturating_add(leeway_secs) {
        return Err(VerifyError::NotYet { iat: claims.iat });
    }
    if body.is_some_and(|body| BodyDigest::of(body).to_string() != claims.body_sha256) {
        return Err(VerifyError::Body);
    }
    Ok(claims)
}
