//! The tokens that the API itself hands out: JWTs, HS256, with the key's name in the header.

use aws_lc_rs::hmac;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Bytes of a key's hash that make its name.
const KID_BYTES: usize = 8;

/// Longest token that is looked at, in bytes: several times what the longest genuine one has.
const TOKEN_BYTES_MAX: usize = 8_192;

/// How far the clock may have been set back since a token was made.
const CLOCK_SLACK_SECS: u64 = 60;

/// Mints with the current key, and accepts what any of its keys minted, an older one's only for a while.
#[derive(Debug)]
pub struct TokenKeys {
    current: TokenKey,
    older: Vec<(TokenKey, u64)>,
}

/// The claims of a genuine token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<C> {
    /// What it says.
    pub claims: C,
    /// The Unix second from which on it is refused: when it expires, or its key does.
    pub until_secs: u64,
}

/// Why a token is refused.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Not a compact JWS, not JSON inside, or without a claim that every token has.
    #[error("the token is malformed: {0}")]
    Malformed(String),
    /// Signed with anything but HS256, or not at all.
    #[error("the token is not signed with HS256")]
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
    /// Its time is still to come.
    #[error("the token is valid from {from} (Unix seconds) on, which is still to come; compare the clocks")]
    NotYet {
        /// The claim `nbf` or `iat`.
        from: u64,
    },
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

/// The claims that this room checks by itself, because the library would ask the operating system for the time.
#[derive(Deserialize)]
struct Times {
    exp: u64,
    iat: Option<u64>,
    nbf: Option<u64>,
}

impl TokenKey {
    fn new(key: &[u8; 32]) -> Self {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(TokenKeys::name_of(key));
        Self {
            header,
            encoding: EncodingKey::from_secret(key),
            decoding: DecodingKey::from_secret(key),
        }
    }
}

impl TokenKeys {
    /// Keys of 32 random or derived bytes: the one that mints, and those that are still accepted, each until that Unix second.
    pub fn new(current: &[u8; 32], older: &[([u8; 32], u64)]) -> Self {
        Self {
            current: TokenKey::new(current),
            older: older.iter().map(|(key, until_secs)| (TokenKey::new(key), *until_secs)).collect(),
        }
    }

    /// The name by which tokens of a key tell which one made them. It tells nothing about the key.
    pub fn name_of(key: &[u8; 32]) -> String {
        // A keyed hash of a constant.
        let name = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), b"token key id");
        HEXLOWER.encode(&name.as_ref()[..KID_BYTES])
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
    pub fn verify<C: DeserializeOwned>(&self, token: &str, audience: &str, now_secs: u64) -> Result<Verified<C>, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed(format!("longer than {TOKEN_BYTES_MAX} bytes")));
        }
        let header = jsonwebtoken::decode_header(token).map_err(|error| match algorithm(token) {
            Some(_) => TokenError::Algorithm, // one that the library does not know
            None => refused(&error),
        })?;
        if header.alg != Algorithm::HS256 {
            return Err(TokenError::Algorithm);
        }
        let (key, key_until) = self.key(header.kid.as_deref(), now_secs)?;

        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "aud"]);
        validation.validate_exp = false;
        let claims: Box<RawValue> = jsonwebtoken::decode(token, &key.decoding, &validation)
            .map_err(|error| refused(&error))?
            .claims;

        let Times { exp, iat, nbf } = serde_json::from_str(claims.get()).map_err(TokenError::Claims)?;
        if now_secs >= exp {
            return Err(TokenError::Expired { exp });
        }
        if let Some(from) = iat.max(nbf)
            && from > now_secs.saturating_add(CLOCK_SLACK_SECS)
        {
            return Err(TokenError::NotYet { from });
        }
        Ok(Verified {
            claims: serde_json::from_str(claims.get()).map_err(TokenError::Claims)?,
            until_secs: exp.min(key_until),
        })
    }

    /// The key of that name, and until when it is accepted.
    fn key(&self, kid: Option<&str>, now_secs: u64) -> Result<(&TokenKey, u64), TokenError> {
        let older = self.older.iter().map(|(key, until)| (key, *until));
        std::iter::once((&self.current, u64::MAX))
            .chain(older)
            .find(|(key, until)| kid.is_some() && key.header.kid.as_deref() == kid && now_secs < *until)
            .ok_or(TokenError::UnknownKey)
    }
}

fn refused(error: &jsonwebtoken::errors::Error) -> TokenError {
    match error.kind() {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidAlgorithm => TokenError::Algorithm,
        ErrorKind::InvalidAudience => TokenError::Audience,
        ErrorKind::MissingRequiredClaim(claim) => TokenError::Malformed(format!("it has no '{claim}', or not as it should be")),
        // What the parser says of a stranger's bytes is of no use to anybody.
        _ => TokenError::Malformed(
            "it does not have the three parts of a JWT with JSON inside; send a token as it was handed out".to_owned(),
        ),
    }
}

/// What a token says that it is signed with, whether or not anybody knows it.
fn algorithm(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        alg: String,
    }
    let header = BASE64URL_NOPAD.decode(token.split('.').next()?.as_bytes()).ok()?;
    serde_json::from_slice::<Named>(&header).ok().map(|named| named.alg)
}
