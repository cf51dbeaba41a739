//! Whether a delivery's signatures hold.

use axum::http::HeaderMap;
use tidings_signing::{Secret, frontegg, standard};

use super::text;

/// Seconds that a signature may be old, and that two clocks may differ.
const TOLERANCE_SECONDS: u64 = 300;

/// What the signatures of a delivery are worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signature {
    /// Both schemes hold over the exact body.
    Verified,
    /// There is nothing to verify with: no secret was given.
    NotChecked,
    /// At least one does not hold, and why.
    Wrong(String),
}

impl std::fmt::Display for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Verified => f.write_str("verified"),
            Self::NotChecked => f.write_str("not checked (no --secret)"),
            Self::Wrong(reason) => write!(f, "WRONG: {reason}"),
        }
    }
}

/// Verifies `x-webhook-secret` and the Standard Webhooks headers.
pub(crate) fn check(secret: Option<&Secret>, headers: &HeaderMap, body: &[u8], now_secs: u64) -> Signature {
    let Some(secret) = secret else {
        return Signature::NotChecked;
    };
    match both(secret, headers, body, now_secs) {
        Ok(()) => Signature::Verified,
        Err(reason) => Signature::Wrong(reason),
    }
}

fn both(secret: &Secret, headers: &HeaderMap, body: &[u8], now_secs: u64) -> Result<(), String> {
    let header = |name: &'static str| text(headers, name).ok_or_else(|| format!("the header {name} is missing"));
    let token = header("x-webhook-secret")?;
    frontegg::verify(secret, token, Some(body), now_secs, TOLERANCE_SECONDS).map_err(|error| error.to_string())?;
    let signed = standard::Headers {
        id: header("webhook-id")?,
        timestamp: header("webhook-timestamp")?,
        signature: header("webhook-signature")?,
    };
    standard::verify(secret, &signed, body, now_secs, TOLERANCE_SECONDS).map_err(|error| error.to_string())
}
