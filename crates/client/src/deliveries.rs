//! Deliveries and their attempts.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::Query;
use crate::{Answer, Client, Error, Exchange, Page, PageRequest};

/// One event on its way to one webhook.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// `dlv_…`.
    pub id: String,
    /// The event.
    pub event_id: String,
    /// The webhook.
    pub webhook_id: String,
    /// The key of the event.
    pub event_key: String,
    /// The tenant of the event.
    #[serde(default)]
    pub tenant_id: Option<String>,
    /// `event`, `resend` or `test`.
    pub trigger: String,
    /// `scheduled`, `inFlight`, `retrying`, `delivered`, `exhausted` or `cancelled`.
    pub status: String,
    /// Attempts made so far.
    pub attempts: u32,
    /// HTTP status of the last attempt, when one came back.
    #[serde(default)]
    pub last_status_code: Option<u16>,
    /// When it is tried next (RFC 3339).
    #[serde(default)]
    pub next_attempt_at: Option<String>,
    /// When it came to its end (RFC 3339).
    #[serde(default)]
    pub finished_at: Option<String>,
    /// Why it was given up.
    #[serde(default)]
    pub cancel_reason: Option<String>,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// The body that is sent, when one delivery is read.
    #[serde(default)]
    pub request_body: Option<Box<RawValue>>,
    /// The disk altered that body, which is not shown any more.
    #[serde(default)]
    pub body_altered: bool,
    /// Every attempt, when one delivery is read.
    #[serde(default)]
    pub attempt_log: Vec<Attempt>,
}

/// One HTTP try.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// When it began (RFC 3339).
    pub started_at: String,
    /// The URL it went to.
    pub url: String,
    /// The headers as sent.
    #[serde(default)]
    pub request_headers: Vec<(String, String)>,
    /// What came of it.
    #[serde(flatten)]
    pub exchange: Exchange,
    /// `delivered`, `retry`, `exhausted` or `cancelled`.
    pub verdict: String,
    /// When it is tried again (RFC 3339).
    #[serde(default)]
    pub retry_at: Option<String>,
    /// The reason for the verdict, in words.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Which deliveries. Times are RFC 3339.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// To that webhook.
    pub webhook_id: Option<String>,
    /// `pending`, `retrying`, `delivered`, `exhausted` or `cancelled`.
    pub status: Option<String>,
    /// Of events of that key.
    pub event_key: Option<String>,
    /// Of events of that tenant.
    pub tenant_id: Option<String>,
    /// Of that event.
    pub event_id: Option<String>,
    /// Made at that time or later.
    pub from: Option<String>,
    /// Made before that time.
    pub until: Option<String>,
}

impl Client {
    /// Deliveries, newest first.
    pub async fn deliveries(&self, filter: &DeliveryFilter, page: &PageRequest) -> Result<Answer<Page<Delivery>>, Error> {
        let mut query = Query::default();
        query.put("webhookId", filter.webhook_id.as_ref());
        query.put("status", filter.status.as_ref());
        query.put("eventKey", filter.event_key.as_ref());
        query.put("tenantId", filter.tenant_id.as_ref());
        query.put("eventId", filter.event_id.as_ref());
        query.put("from", filter.from.as_ref());
        query.put("until", filter.until.as_ref());
        page.put(&mut query);
        self.get(&["v1", "deliveries"], query).await
    }

    /// One delivery with its body and every attempt.
    pub async fn delivery(&self, id: &str) -> Result<Answer<Delivery>, Error> {
        self.get(&["v1", "deliveries", id], Query::default()).await
    }

    /// Sends a delivery again: a new delivery of the same event to the same webhook.
    pub async fn resend(&self, id: &str) -> Result<Answer<Delivery>, Error> {
        self.post(&["v1", "deliveries", id, "resend"], &serde_json::Map::new()).await
    }
}
