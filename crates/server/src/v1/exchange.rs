//! What the world did with a request, on the wire: in the log and in the answer to a test.

use serde::Serialize;
use tidings_model::{Failure, FailureKind, Reply, Timings};
use utoipa::ToSchema;

/// What a receiver answered.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Reply)]
pub(super) struct ReplyView {
    /// HTTP status.
    status_code: u16,
    /// Its headers, as pairs of name and value.
    #[schema(value_type = Vec<Vec<String>>)]
    headers: Vec<(String, String)>,
    /// The first bytes of its body; what is not UTF-8 is replaced.
    body: String,
    /// Whether it sent more than is kept.
    truncated: bool,
}

impl From<Reply> for ReplyView {
    fn from(reply: Reply) -> Self {
        Self {
            status_code: reply.status,
            headers: reply.headers,
            body: String::from_utf8_lossy(&reply.body).into_owned(),
            truncated: reply.body_truncated,
        }
    }
}

/// Why there was no whole reply.
#[derive(Serialize, ToSchema)]
#[schema(as = Failure)]
pub(super) struct FailureView {
    /// The kind, for programs: refused, dns, connect, tls, timeout, disconnected or protocol.
    #[schema(value_type = String, example = "connect")]
    kind: FailureKind,
    /// The reason, for people.
    message: String,
}

impl From<Failure> for FailureView {
    fn from(Failure { kind, message }: Failure) -> Self {
        Self { kind, message }
    }
}

/// How long the parts of a try took, in microseconds. A part that did not happen is absent.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Timings)]
#[expect(clippy::struct_field_names, reason = "a unit belongs to a name")]
pub(super) struct TimingsView {
    /// Name resolution.
    #[serde(skip_serializing_if = "Option::is_none")]
    dns_us: Option<u64>,
    /// TCP connect.
    #[serde(skip_serializing_if = "Option::is_none")]
    connect_us: Option<u64>,
    /// TLS handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_us: Option<u64>,
    /// From the start to the reply's headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte_us: Option<u64>,
    /// The whole try.
    total_us: u64,
}

impl From<Timings> for TimingsView {
    fn from(timings: Timings) -> Self {
        let Timings {
            dns_us,
            connect_us,
            tls_us,
            first_byte_us,
            total_us,
        } = timings;
        Self {
            dns_us,
            connect_us,
            tls_us,
            first_byte_us,
            total_us,
        }
    }
}
