//! The attempts of a delivery on the wire.

use serde::Serialize;
use tidings_app::DeliveryDetail;
use tidings_model::{Attempt, EventBody, Exchange, Timestamp, Verdict};
use utoipa::ToSchema;

use super::wire::DeliveryView;
use crate::json::RawJson;
use crate::v1::exchange::{FailureView, ReplyView, TimingsView};

/// A delivery with what was sent and every attempt.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DeliveryDetail)]
pub(super) struct DeliveryDetailView {
    #[serde(flatten)]
    delivery: DeliveryView,
    /// What is sent, byte for byte. Null when the disk altered it: what is stored is not what was accepted.
    #[schema(value_type = Option<Object>)]
    request_body: Option<RawJson>,
    /// The disk altered the body, which is neither shown nor sent any more.
    body_altered: bool,
    /// Its attempts, oldest first.
    attempt_log: Vec<AttemptView>,
}

impl From<DeliveryDetail> for DeliveryDetailView {
    fn from(detail: DeliveryDetail) -> Self {
        Self {
            delivery: detail.delivery.into(),
            body_altered: detail.event.body == EventBody::Altered,
            request_body: detail.event.body.whole().cloned().map(RawJson),
            attempt_log: detail.attempts.into_iter().map(AttemptView::from).collect(),
        }
    }
}

/// One HTTP try.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Attempt)]
struct AttemptView {
    /// From 1.
    number: u16,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// Where it went.
    url: String,
    /// The headers as sent, as pairs of name and value; credentials are masked.
    #[schema(value_type = Vec<Vec<String>>)]
    request_headers: Vec<(String, String)>,
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
    /// delivered, retry, exhausted or cancelled.
    verdict: &'static str,
    /// When it is tried again.
    #[schema(value_type = Option<String>, format = DateTime)]
    retry_at: Option<Timestamp>,
    /// The reason for the verdict, in words.
    reason: String,
}

impl From<Attempt> for AttemptView {
    fn from(attempt: Attempt) -> Self {
        let reason = reason(&attempt);
        let (verdict, retry_at) = match attempt.verdict {
            Verdict::Delivered => ("delivered", None),
            Verdict::RetryAt(at) => ("retry", Some(at)),
            Verdict::Exhausted => ("exhausted", None),
            Verdict::Cancel(_) => ("cancelled", None),
        };
        let status_code = attempt.exchange.status();
        let Exchange {
            reply,
            failure,
            address,
            timings,
        } = attempt.exchange;
        Self {
            number: attempt.number,
            started_at: attempt.started_at,
            url: attempt.url,
            request_headers: attempt.request_headers,
            status_code,
            reply: reply.map(ReplyView::from),
            failure: failure.map(FailureView::from),
            address: address.map(|address| address.to_string()),
            timings: timings.into(),
            verdict,
            retry_at,
            reason,
        }
    }
}

/// What happened and what follows from it, for people.
fn reason(attempt: &Attempt) -> String {
    let happened = attempt.exchange.summary();
    match attempt.verdict {
        Verdict::Delivered => format!("{happened}: the receiver took it"),
        Verdict::RetryAt(at) => format!("{happened}; it is tried again at {at}"),
        Verdict::Exhausted => format!("{happened}; there is no further attempt"),
        Verdict::Cancel(why) => format!("{happened}; given up because {why}"),
    }
}
