//! Publishing one event: the hot road.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidings_app::publish::{Accepted, EventInput};
use tidings_model::{EventId, Timestamp};
use utoipa::ToSchema;

use super::idempotency::Idempotency;
use crate::auth::Producer;
use crate::body::EventBody;
use crate::json::{self, Text};
use crate::problem::{ApiProblem, Refused};
use crate::state::ServerState;

/// An event to publish. It borrows from the request, whose payload is never taken apart.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewEvent<'a> {
    /// A key of the catalogue, or of one of the environment's own event types.
    #[serde(borrow)]
    #[schema(value_type = String, example = "frontegg.user.created")]
    event_key: Text<'a>,
    /// A JSON object, which receivers get as its bytes are. `eventContext` and `eventKey` are added to it. A name comes once in an object, and a number
    /// is one that a double can hold, up to about 1.8e308: larger ones go as strings.
    #[serde(borrow)]
    #[schema(value_type = Object)]
    payload: &'a RawValue,
    /// The tenant it belongs to.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>)]
    tenant_id: Option<Text<'a>>,
    /// The user it is about.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>)]
    user_id: Option<Text<'a>>,
    /// The application it comes from.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>)]
    application_id: Option<Text<'a>>,
}

impl NewEvent<'_> {
    pub(super) fn input(&self) -> EventInput<'_> {
        EventInput {
            event_key: self.event_key.as_str(),
            payload: self.payload.get().as_bytes(),
            tenant_id: self.tenant_id.as_ref().map(Text::as_str),
            user_id: self.user_id.as_ref().map(Text::as_str),
            application_id: self.application_id.as_ref().map(Text::as_str),
            for_webhooks: true,
            payload_name: "payload",
        }
    }
}

/// An event that is durable, with its deliveries.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AcceptedEvent {
    /// Its id.
    #[schema(value_type = String, example = "evt_1hf8wz3m60000")]
    id: EventId,
    /// Its key.
    event_key: String,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    accepted_at: Timestamp,
    /// How many deliveries it has, those to disabled webhooks included.
    deliveries: u32,
    /// Whether the idempotency key had sent it before: nothing was stored again.
    repeated: bool,
}

impl AcceptedEvent {
    pub(super) fn new(event: &NewEvent<'_>, accepted: &Accepted) -> Self {
        Self {
            id: accepted.event,
            event_key: event.event_key.as_str().to_owned(),
            accepted_at: accepted.event.timestamp(),
            deliveries: accepted.deliveries,
            repeated: !accepted.fresh,
        }
    }
}

/// Publish an event
///
/// Answers when the event and its deliveries are durable. The same `Idempotency-Key` with the same bytes gives the same event again for 24 hours; with
/// other bytes it is a conflict. A payload that receivers would read in different ways is refused: a name that comes twice in one object, half a
/// surrogate pair, a number out of the range of doubles such as `1e999999`.
#[utoipa::path(
    post,
    path = "/v1/events",
    operation_id = "publishEvent",
    tag = "Events",
    params(("Idempotency-Key" = Option<String>, Header, description = "Up to 256 visible characters.")),
    request_body = NewEvent,
    responses((status = 202, description = "Accepted.", body = AcceptedEvent), Refused)
)]
pub(super) async fn publish(
    State(state): State<ServerState>,
    Producer(caller): Producer,
    idempotency: Idempotency,
    EventBody(body): EventBody,
) -> Result<(StatusCode, Json<AcceptedEvent>), ApiProblem> {
    let event: NewEvent<'_> = json::parse(&body)?;
    let accepted = state.app.publish(&caller, event.input(), idempotency.of(&body)).await?;
    Ok((StatusCode::ACCEPTED, Json(AcceptedEvent::new(&event, &accepted))))
}
