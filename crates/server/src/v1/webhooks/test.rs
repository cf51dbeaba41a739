//! The test button: one signed request now, under the same policy as a delivery, outside the log.

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidings_app::testing::{TestInput, TestReport};
use tidings_model::{Exchange, WebhookId};
use utoipa::ToSchema;

use crate::auth::Authenticated;
use crate::body::{self, JsonOrNothing};
use crate::json::{Pairs, RawJson};
use crate::problem::{ApiProblem, Refused};
use crate::query::Id;
use crate::state::ServerState;
use crate::v1::exchange::{FailureView, ReplyView, TimingsView};

/// What to send, and where to.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewTest {
    /// Where to.
    url: String,
    /// What signs it.
    secret: Option<String>,
    /// Custom headers.
    #[serde(default)]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    headers: Pairs,
    /// The event type whose example is sent, or whose context is added to the payload.
    event_key: Option<String>,
    /// The payload, in place of the example.
    #[schema(value_type = Option<Object>)]
    payload: Option<Box<RawValue>>,
}

/// What to send to a saved webhook.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewSavedTest {
    /// The event type whose example is sent, or whose context is added to the payload; the first that the webhook wants unless it is given.
    event_key: Option<String>,
    /// The payload, in place of the example.
    #[schema(value_type = Option<Object>)]
    payload: Option<Box<RawValue>>,
}

/// What came of a test.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TestReport)]
pub(super) struct TestReportView {
    /// Whether the receiver answered 200.
    passed: bool,
    /// The result in one line, with what to do.
    summary: String,
    /// HTTP status, when one came.
    status_code: Option<u16>,
    /// What the receiver answered, as far as it came.
    reply: Option<ReplyView>,
    /// Why it did not come whole.
    failure: Option<FailureView>,
    /// The address that was chosen.
    address: Option<String>,
    /// How long it took.
    timings: TimingsView,
    /// What was sent.
    request: TestRequest,
}

/// What was sent.
#[derive(Serialize, ToSchema)]
struct TestRequest {
    /// Its headers, as pairs of name and value; credentials are masked.
    #[schema(value_type = Vec<Vec<String>>)]
    headers: Vec<(String, String)>,
    /// Its body, byte for byte.
    #[schema(value_type = Object)]
    body: RawJson,
}

impl From<TestReport> for TestReportView {
    fn from(report: TestReport) -> Self {
        let summary = report.summary();
        let status_code = report.exchange.status();
        let Exchange {
            reply,
            failure,
            address,
            timings,
        } = report.exchange;
        Self {
            passed: report.passed,
            summary,
            status_code,
            reply: reply.map(ReplyView::from),
            failure: failure.map(FailureView::from),
            address: address.map(|address| address.to_string()),
            timings: timings.into(),
            request: TestRequest {
                headers: report.request_headers,
                body: RawJson(report.request_body),
            },
        }
    }
}

fn bytes(payload: Box<RawValue>) -> Bytes {
    Bytes::from(String::from(Box::<str>::from(payload)))
}

/// Test a URL
///
/// Signs and sends the example of an event type, or the payload given, to a URL that need not be saved, and answers with what came of it. The test passes
/// with 200.
#[utoipa::path(
    post,
    path = "/v1/webhooks/test",
    operation_id = "testUrl",
    tag = "Webhooks",
    request_body = NewTest,
    responses((status = 200, description = "What came of it, a failure too.", body = TestReportView), Refused)
)]
pub(super) async fn test(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    body::Json(new): body::Json<NewTest>,
) -> Result<Json<TestReportView>, ApiProblem> {
    let input = TestInput {
        url: new.url,
        secret: new.secret,
        headers: new.headers.0,
        event_key: new.event_key,
        payload: new.payload.map(bytes),
    };
    Ok(Json(state.app.test(&caller, input).await?.into()))
}

/// Test a webhook
///
/// With its URL, its secret and its headers.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/test",
    operation_id = "testWebhook",
    tag = "Webhooks",
    params(("id" = String, Path, description = "Its id.")),
    request_body = Option<NewSavedTest>,
    responses((status = 200, description = "What came of it, a failure too.", body = TestReportView), Refused)
)]
pub(super) async fn test_saved(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Id(id): Id<WebhookId>,
    JsonOrNothing(new): JsonOrNothing<NewSavedTest>,
) -> Result<Json<TestReportView>, ApiProblem> {
    let report = state.app.test_webhook(&caller, id, new.event_key, new.payload.map(bytes)).await?;
    Ok(Json(report.into()))
}
