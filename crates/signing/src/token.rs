//! The tokens that the API itself hands out: JWTs, HS256, with the key's name in the header.

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Bytes of a key's hash that make its name.
const KID_BYTES: usize = 8;

/// Mints with the current key, and accepts what any of its keys minted.
#[derive(Debug)]
pub struct TokenKeys {
    current: TokenKey,
    older: Vec<TokenKey>,
}

/// Why a token is refused.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Not a compact JWS, not JSON inside, or without a claim that every token has.
    #[error("the token is malformed: {0}")]
    Malformed(String),
    /// Signed with anything but HS256; unsigned tokens are [`TokenError::Malformed`].
    #[error("the token is signed with another algorithm than HS256")]
    Algorithm,
    /// Minted with a key that this server does not have, or no longer.
    #[error("the token was issued with a key that is not in use here; ask for a new token")]
    UnknownKey,
    /// The signature is wrong.
    #[error("the token's signature is wrong")]
    Signature,
    /// Meant for something else.
    #[error("the token was issued for another use")]
    Audience,
    /// Its time is over.
    #[error("the token expired at {exp} (Unix seconds); ask for a new one")]
    Expired {
        /// The claim `exp`.
        exp: u64,
    },
    /// Genuine, but its claims are not the ones asked for.
    #[error("the token's claims do not fit: {0}")]
    Claims(#[source] serde_json::Error),
}

/// The claims cannot be written as JSON: the caller's type is at fault, not its data.
#[derive(Debug, thiserror::Error)]
#[error("the claims of a new token cannot be written as JSON")]
pub struct MintError(#[source] jsonwebtoken::errors::Error);

#[derive(Debug)]
struct TokenKey {
    header: Header,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

/// The claim that this room checks by itself, because the library would ask the operating system for the time.
#[derive(Deserialize)]
struct Expiry {
    exp: u64,
}

impl TokenKey {
    fn new(key: &[u8; 32]) -> Self {
        // A keyed hash of a constant names the key and tells nothing about it.
        let name = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), b"token key id");
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(HEXLOWER.encode(&name.as_ref()[..KID_BYTES]));
        Self {
            header,
            encoding: EncodingKey::from_secret(key),
            decoding: DecodingKey::from_secret(key),
        }
    }
}

impl TokenKeys {
    /// Keys of 32 random or derived bytes: the one that mints, and those that are still accepted.
    pub fn new(current: &[u8; 32], older: &[[u8; 32]]) -> Self {
        Self {
            current: TokenKey::new(current),
            older: older.iter().map(TokenKey::new).collect(),
        }
    }

    /// Makes a token. `claims` must hold `exp` (Unix seconds, a whole number) and `aud`, or [`Self::verify`] refuses it.
    ///
    /// # Errors
    /// When the claims cannot be written as JSON.
    pub fn mint<C: Serialize>(&self, claims: &C) -> Result<String, MintError> {
        jsonwebtoken::encode(&self.current.header, claims, &self.current.encoding).map_err(MintError)
    }

    /// Reads the claims of a genuine token that was issued for `audience` and is valid at `now_secs` (Unix seconds).
    ///
    /// # Errors
    /// When the token is anything else; nothing in a token is believed before its signature was checked.
    pub fn verify<C: DeserializeOwned>(&self, token: &str, audience: &str, now_secs: u64) -> Result<C, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|error| refused(&error))?;
        if header.alg != Algorithm::HS256 {
            return Err(TokenError::Algorithm);
        }
        let key = self.key(header.kid.as_deref())?;

        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "aud"]);
        validation.validate_exp = false;
        let claims: Box<RawValue> = jsonwebtoken::decode(token, &key.decoding, &validation)
            .map_err(|error| refused(&error))?
            .claims;

        let Expiry { exp } = serde_json::from_str(claims.get()).map_err(TokenError::Claims)?;
        if now_secs >= exp {
            return Err(TokenError::Expired { exp });
        }
        serde_json::from_str(claims.get()).map_err(TokenError::Claims)
    }

    fn key(&self, kid: Option<&str>) -> Result<&TokenKey, TokenError> {
        std::iter::once(&self.current)
            .chain(&self.older)
            .find(|key| kid.is_some() && key.header.kid.as_deref() == kid)
            .ok_or(TokenError::UnknownKey)
    }
}

fn refused(error: &jsonwebtoken::errors::Error) -> TokenError {
    match error.kind() {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidAlgorithm => TokenError::Algorithm,
        ErrorKind::InvalidAudience => TokenError::Audience,
        _ => TokenError::Malformed(error.to_string()),
    }
}
