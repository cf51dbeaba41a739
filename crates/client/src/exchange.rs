//! What came of a request to a receiver, of a delivery or of a test.

use serde::Deserialize;

/// What came of a request to a receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Exchange {
    /// HTTP status, when one came back.
    pub status_code: Option<u16>,
    /// What came back.
    pub reply: Option<Reply>,
    /// Why it did not come whole.
    pub failure: Option<Failure>,
    /// The address that was connected to.
    pub address: Option<String>,
    /// How long it took.
    pub timings: Timings,
}

/// What a receiver answered.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    /// HTTP status.
    pub status_code: u16,
    /// Headers in the order received.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The beginning of the body; bytes that are not text are replaced.
    #[serde(default)]
    pub body: String,
    /// True when there was more of it.
    #[serde(default)]
    pub truncated: bool,
}

/// Why there was no whole reply.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Failure {
    /// The kind, for programs: `dns`, `connect`, `tls`, `timeout`, …
    pub kind: String,
    /// The reason, for people.
    pub message: String,
}

/// How long the parts of a try took, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Timings {
    /// Name resolution.
    pub dns_us: Option<u64>,
    /// TCP connect.
    pub connect_us: Option<u64>,
    /// TLS handshake.
    pub tls_us: Option<u64>,
    /// From the start to the reply's headers.
    pub first_byte_us: Option<u64>,
    /// The whole try.
    pub total_us: u64,
}
