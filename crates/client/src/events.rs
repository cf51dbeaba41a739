//! Events.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::client::Query;
use crate::{Answer, Client, Delivery, Error, FieldError, Page, PageRequest};

/// An event to be sent.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewEvent {
    /// Its key: `frontegg.user.created`.
    pub event_key: String,
    /// A JSON object, sent byte for byte.
    pub payload: Box<RawValue>,
    /// The tenant it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// The user it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The application it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_id: Option<String>,
}

/// An event that was accepted: it and its deliveries are durable.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedEvent {
    /// `evt_…`.
    pub id: String,
    /// Its key.
    pub event_key: String,
    /// When it was accepted (RFC 3339).
    pub accepted_at: String,
    /// Deliveries that it gave rise to.
    pub deliveries: u64,
    /// True when the same idempotency key had already sent it; nothing was stored again.
    #[serde(default)]
    pub repeated: bool,
}

/// What became of a batch.
#[derive(Clone, Debug, Deserialize)]
pub struct BatchReport {
    /// One for each event, in their order.
    pub results: Vec<BatchResult>,
    /// How many were accepted.
    pub accepted: u64,
    /// How many were not.
    pub refused: u64,
}

/// What became of one event of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum BatchResult {
    /// It was accepted.
    Accepted(AcceptedEvent),
    /// It was not.
    Refused(RefusedEvent),
}

/// Why an event of a batch was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RefusedEvent {
    /// The HTTP status that it would have got alone.
    pub status: u16,
    /// The kind of the problem.
    pub code: String,
    /// What happened and what to do.
    pub detail: String,
    /// The fields that are wrong.
    #[serde(default)]
    pub errors: Vec<FieldError>,
}

/// An event in the log.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// `evt_…`.
    pub id: String,
    /// Its key.
    pub event_key: String,
    /// The tenant it belongs to.
    #[serde(default)]
    pub tenant_id: Option<String>,
    /// The user it is about.
    #[serde(default)]
    pub user_id: Option<String>,
    /// The application it comes from.
    #[serde(default)]
    pub application_id: Option<String>,
    /// When it was accepted (RFC 3339).
    pub accepted_at: String,
    /// The body that webhooks get; `None` when the disk altered it.
    #[serde(default)]
    pub body: Option<Box<RawValue>>,
    /// The disk altered the body.
    #[serde(default)]
    pub body_altered: bool,
    /// Its deliveries, when one event is read.
    #[serde(default)]
    pub deliveries: Vec<Delivery>,
}

/// Which events. Times are RFC 3339.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Of that key.
    pub event_key: Option<String>,
    /// Of that tenant.
    pub tenant_id: Option<String>,
    /// Accepted at that time or later.
    pub from: Option<String>,
    /// Accepted before that time.
    pub until: Option<String>,
}

#[derive(Serialize)]
struct Batch<'a> {
    events: &'a [NewEvent],
}

impl Client {
    /// Sends an event. With an idempotency key, sending it again within a day is harmless.
    pub async fn send_event(&self, event: &NewEvent, idempotency_key: Option<&str>) -> Result<Answer<AcceptedEvent>, Error> {
        self.post_once(&["v1", "events"], event, idempotency_key).await
    }

    /// Sends up to 1,000 events; each is accepted or refused by itself.
    pub async fn send_events(&self, events: &[NewEvent], idempotency_key: Option<&str>) -> Result<Answer<BatchReport>, Error> {
        self.post_once(&["v1", "events", "batch"], &Batch { events }, idempotency_key).await
    }

    /// Events, newest first.
    pub async fn events(&self, filter: &EventFilter, page: &PageRequest) -> Result<Answer<Page<Event>>, Error> {
        let mut query = Query::default();
        query.put("eventKey", filter.event_key.as_ref());
        query.put("tenantId", filter.tenant_id.as_ref());
        query.put("from", filter.from.as_ref());
        query.put("until", filter.until.as_ref());
        page.put(&mut query);
        self.get(&["v1", "events"], query).await
    }

    /// One event with its deliveries.
    pub async fn event(&self, id: &str) -> Result<Answer<Event>, Error> {
        self.get(&["v1", "events", id], Query::default()).await
    }
}
