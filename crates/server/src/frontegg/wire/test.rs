//! The test button.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidings_app::Caller;
use tidings_app::testing::{TestInput, TestReport};
use tidings_model::{EnvironmentId, EventId, TenantId, Timestamp};
use utoipa::ToSchema;

/// The header that carries the message id.
const ID_HEADER: &str = "webhook-id";

/// A test as clients ask for it: of values that need not be saved.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct TestRequest {
    /// Where to. It has to be given.
    #[schema(example = "https://receiver.invalid/hook")]
    url: Option<String>,
    /// What to sign with.
    secret: Option<String>,
    /// What to send: a JSON object.
    #[schema(value_type = Option<Object>)]
    payload: Option<Box<RawValue>>,
}

impl TestRequest {
    /// What the verb takes.
    pub(crate) fn into_input(self) -> TestInput {
        TestInput {
            url: self.url.unwrap_or_default(),
            secret: self.secret,
            payload: self.payload.map(|payload| Bytes::from(Box::<str>::from(payload).into_string())),
            ..TestInput::default()
        }
    }
}

/// What came of a test. Clients take the numbers 200 and 201 for a success, and turn `body` into a text whatever it is: it is never null.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TestReply {
    /// What the receiver answered; 0 when it did not.
    status_code: u16,
    /// Its body: JSON, or a text.
    #[schema(value_type = serde_json::Value)]
    body: Box<RawValue>,
    /// The id that was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    id: Option<EventId>,
    /// Always null: nothing is saved.
    #[schema(value_type = Option<String>)]
    webhook_id: Option<()>,
    /// The tenant on whose behalf it was asked.
    #[schema(value_type = Option<String>)]
    tenant_id: Option<TenantId>,
    /// The environment.
    #[schema(value_type = String)]
    vendor_id: EnvironmentId,
    /// When it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Option<Timestamp>,
    /// The result in a sentence, for people.
    summary: String,
}

impl TestReply {
    /// The reply to whoever asked for the test.
    pub(crate) fn new(caller: &Caller, report: &TestReport) -> Self {
        let id = report.request_headers.iter().find(|(name, _)| name == ID_HEADER);
        let id: Option<EventId> = id.and_then(|(_, value)| value.parse().ok());
        let exchange = &report.exchange;
        let (status_code, body) = match (&exchange.failure, &exchange.reply) {
            (None, Some(reply)) => (reply.status, json_of(&reply.body)),
            _ => (0, text(&report.summary())), // a reply that broke off is no success, whatever its status
        };
        Self {
            status_code,
            body,
            id,
            webhook_id: None,
            tenant_id: caller.tenant().cloned(),
            vendor_id: caller.environment(),
            created_at: id.map(EventId::timestamp),
            summary: report.summary(),
        }
    }
}

/// A reply's body: as it is when it is JSON, as a text otherwise, and a null as a text too.
fn json_of(body: &[u8]) -> Box<RawValue> {
    match serde_json::from_slice::<Box<RawValue>>(body) {
        Ok(json) if json.get() != "null" => json,
        _ => text(&String::from_utf8_lossy(body)),
    }
}

fn text(text: &str) -> Box<RawValue> {
    serde_json::value::to_raw_value(text).expect("a text serialises into memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_shown_as_json_or_text_and_never_as_null() {
        let cases: [(&[u8], &str); 6] = [
            (b" {\"ok\": 1.0e0}", "{\"ok\": 1.0e0}"),
            (b"", "\"\""),
            (b"null", "\"null\""),
            (b"OK", "\"OK\""),
            (b"{\"cut\": ", "\"{\\\"cut\\\": \""),
            (b"\xff", "\"\u{fffd}\""),
        ];
        for (body, shown) in cases {
            assert_eq!(json_of(body).get(), shown);
        }
    }
}
