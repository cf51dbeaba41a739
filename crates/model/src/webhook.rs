//! What a person configures: where events go.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::{CUSTOM_HEADER_NAME_CHARS_MAX, CUSTOM_HEADER_VALUE_CHARS_MAX, CUSTOM_HEADERS_MAX};
use crate::{EnvironmentId, Subscription, TenantId, Timestamp, WebhookId};

/// A secret as a store keeps it: sealed by the vault, unreadable without the master key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SealedSecret(pub Vec<u8>);

impl SealedSecret {
    /// The id of the key that sealed it. An envelope begins with its version (one byte) and that id; `None` for what is too short to be one.
    pub fn key_id(&self) -> Option<[u8; 4]> {
        self.0.get(1..5)?.try_into().ok()
    }
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedSecret({} bytes)", self.0.len())
    }
}

/// The secrets that sign a webhook's deliveries: the current one and, for a while after a rotation, the one before.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SealedSecretSet {
    /// Signs; `None` when the webhook has no secret.
    pub current: Option<SealedSecret>,
    /// Signs too, until the time beside it.
    pub rotating_out: Option<(SealedSecret, Timestamp)>,
}

/// Why a webhook is disabled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DisableReason {
    /// Somebody switched it off, or made it switched off.
    Operator,
    /// It answered 410.
    Gone,
    /// It failed for days without one success.
    Failing,
}

impl fmt::Display for DisableReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Operator => "it was switched off",
            Self::Gone => "it answered 410 Gone",
            Self::Failing => "it failed for days without one success",
        })
    }
}

/// Whether a webhook gets deliveries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WebhookState {
    /// It does.
    Active,
    /// It does not; what matches it is kept in the log as cancelled and can be resent.
    Disabled {
        /// Since when.
        at: Timestamp,
        /// Why.
        why: DisableReason,
    },
}

impl WebhookState {
    /// True when it gets deliveries.
    pub const fn is_active(&self) -> bool {
        matches!(self, Self::Active)
    }
}

/// A webhook as a store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// The environment it belongs to.
    pub environment: EnvironmentId,
    /// The tenant whose events it sees; `None` sees those of all tenants.
    pub tenant: Option<TenantId>,
    /// What people call it.
    pub name: String,
    /// What people say of it.
    pub description: String,
    /// Where deliveries go, in its normal form.
    pub url: String,
    /// What signs them.
    pub secrets: SealedSecretSet,
    /// Which events it wants.
    pub subscription: Subscription,
    /// Headers that are sent with every delivery: a JSON array of pairs, sealed, because they often carry credentials.
    pub headers: Option<SealedSecret>,
    /// Whether it gets deliveries.
    pub state: WebhookState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// How a webhook has been doing, kept beside it by every settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct WebhookHealth {
    /// Attempts made.
    pub attempts: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// When the last attempt ended.
    pub last_attempt_at: Option<Timestamp>,
    /// The first failure since the last success; `None` while it is well.
    pub failing_since: Option<Timestamp>,
}

/// A custom header cannot be sent; the message names it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum HeaderError {
    /// Too many of them.
    #[error("a webhook has at most {CUSTOM_HEADERS_MAX} custom headers")]
    TooMany,
    /// Not a token of RFC 9110, or too long.
    #[error("'{0}' is not a header name: use up to {CUSTOM_HEADER_NAME_CHARS_MAX} letters, digits and '-' or '_'")]
    Name(String),
    /// One of those that Tidings or HTTP itself sets.
    #[error("the header '{0}' is set by Tidings or by HTTP itself and cannot be given")]
    Reserved(String),
    /// The same name twice.
    #[error("the header '{0}' is given twice")]
    Twice(String),
    /// Not visible ASCII, or too long.
    #[error("the value of header '{0}' has to be at most {CUSTOM_HEADER_VALUE_CHARS_MAX} visible ASCII characters")]
    Value(String),
}

/// Header names that a webhook cannot set: those that frame the message, those that route it, and those that carry the signature.
pub const RESERVED_HEADERS: [&str; 18] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-webhook-secret",
];

/// Checks custom headers and gives them back with their names in lower case.
pub fn check_headers(headers: &[(String, String)]) -> Result<Vec<(String, String)>, HeaderError> {
    if headers.len() > CUSTOM_HEADERS_MAX {
        return Err(HeaderError::TooMany);
    }
    let mut checked: Vec<(String, String)> = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        let token = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if name.is_empty() || name.len() > CUSTOM_HEADER_NAME_CHARS_MAX || !token {
            return Err(HeaderError::Name(name.chars().take(CUSTOM_HEADER_NAME_CHARS_MAX).collect()));
        }
        if RESERVED_HEADERS.contains(&name.as_str()) || name.starts_with("webhook-") {
            return Err(HeaderError::Reserved(name));
        }
        if checked.iter().any(|(have, _)| *have == name) {
            return Err(HeaderError::Twice(name));
        }
        let visible = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if value.len() > CUSTOM_HEADER_VALUE_CHARS_MAX || !visible || value.trim() != value {
            return Err(HeaderError::Value(name));
        }
        checked.push((name, value.clone()));
    }
    Ok(checked)
}

/// Whether a header's name suggests that its value is a credential, which the log then masks.
pub fn carries_credential(name: &str) -> bool {
    ["auth", "token", "secret", "key", "cookie", "password", "signature"]
        .iter()
        .any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn headers_come_back_in_lower_case() {
        assert_eq!(
            check_headers(&[pair("X-Tenant-Source", "a b")]),
            Ok(vec![pair("x-tenant-source", "a b")])
        );
    }

    #[test]
    fn headers_that_would_break_the_message_are_refused() {
        assert_eq!(check_headers(&[pair("Host", "x")]), Err(HeaderError::Reserved("host".to_owned())));
        assert_eq!(
            check_headers(&[pair("Webhook-Signature", "x")]),
            Err(HeaderError::Reserved("webhook-signature".to_owned()))
        );
        assert_eq!(check_headers(&[pair("a b", "x")]), Err(HeaderError::Name("a b".to_owned())));
        assert_eq!(
            check_headers(&[pair("a", "x\r\nhost: evil")]),
            Err(HeaderError::Value("a".to_owned()))
        );
        assert_eq!(
            check_headers(&[pair("a", "1"), pair("A", "2")]),
            Err(HeaderError::Twice("a".to_owned()))
        );
        let many: Vec<_> = (0..17).map(|n| pair(&format!("x-{n}"), "v")).collect();
        assert_eq!(check_headers(&many), Err(HeaderError::TooMany));
    }
}
