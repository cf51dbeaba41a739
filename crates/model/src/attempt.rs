//! One HTTP try of a delivery: what was sent, what came back, how long each part took.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::verdict::Verdict;
use crate::{DeliveryId, Timestamp};

/// What a receiver answered, capped as the limits say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status code.
    pub status: u16,
    /// Headers in the order received, capped.
    pub headers: Vec<(String, String)>,
    /// The first bytes of the body, as received: never decompressed.
    pub body: Bytes,
    /// True when the receiver sent more body than is kept.
    pub body_truncated: bool,
}

impl Reply {
    /// Any 2xx.
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// The value of the first header of that name, compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(have, _)| have.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// Why there was no complete reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The address policy or the URL policy forbids it; nothing was sent.
    Refused,
    /// The name did not resolve.
    Dns,
    /// No connection: refused, unreachable, reset while connecting.
    Connect,
    /// TLS did not come about.
    Tls,
    /// The deadline passed.
    Timeout,
    /// The connection ended or broke before the reply was complete.
    Disconnected,
    /// What came back was not HTTP, or more of it than is accepted.
    Protocol,
}

/// A try that ended without a complete reply, in words for people.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// The kind, for programs.
    pub kind: FailureKind,
    /// The reason, for people: `connection refused by 192.0.2.1:443`.
    pub message: String,
}

impl Failure {
    /// A failure with its message.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// How long the parts of an exchange took, in microseconds; `None` where a part did not happen (a reused connection has no DNS, connect or TLS).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timings {
    /// Name resolution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_us: Option<u64>,
    /// TCP connect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_us: Option<u64>,
    /// TLS handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_us: Option<u64>,
    /// From the start of the try to the reply's headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_us: Option<u64>,
    /// The whole try.
    pub total_us: u64,
}

/// What the world did with one request: the outcome from which the verdict follows. Both parts can be there: headers that came, a body that broke.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Exchange {
    /// The reply, as far as it came.
    pub reply: Option<Reply>,
    /// Why it did not come whole.
    pub failure: Option<Failure>,
    /// The address that was chosen.
    pub address: Option<SocketAddr>,
    /// How long it took.
    pub timings: Timings,
}

impl Exchange {
    /// A try that failed before anything came back.
    pub fn failed(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            failure: Some(Failure::new(kind, message)),
            ..Self::default()
        }
    }

    /// A whole reply with a 2xx status: the only success.
    pub fn is_success(&self) -> bool {
        self.failure.is_none() && self.reply.as_ref().is_some_and(Reply::is_success)
    }

    /// The status, when one came.
    pub fn status(&self) -> Option<u16> {
        self.reply.as_ref().map(|reply| reply.status)
    }

    /// In one line for people: `200`, `HTTP 503`, `connection refused by …`.
    pub fn summary(&self) -> String {
        match (&self.failure, &self.reply) {
            (Some(failure), _) => failure.message.clone(),
            (None, Some(reply)) => format!("HTTP {}", reply.status),
            (None, None) => "nothing was sent".to_owned(),
        }
    }
}

/// One try as the log keeps it: append-only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The delivery that was tried.
    pub delivery: DeliveryId,
    /// From 1.
    pub number: u16,
    /// When it began.
    pub started_at: Timestamp,
    /// The URL it went to.
    pub url: String,
    /// The headers as sent; values of custom headers that look like credentials are masked.
    pub request_headers: Vec<(String, String)>,
    /// What came of it.
    pub exchange: Exchange,
    /// What was decided.
    pub verdict: Verdict,
}
