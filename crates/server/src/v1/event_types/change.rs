//! An environment's own event types.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::wire::{EventTypeView, NewEventType};
use crate::auth::Authenticated;
use crate::body;
use crate::problem::{ApiProblem, Refused};
use crate::query::Segment;
use crate::state::ServerState;

/// Add an event type
///
/// To the environment only. From then on its events can be published and subscribed.
#[utoipa::path(
    post,
    path = "/v1/event-types",
    operation_id = "createEventType",
    tag = "Event types",
    request_body = NewEventType,
    responses((status = 201, description = "The event type.", body = EventTypeView), Refused)
)]
pub(super) async fn create(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    body::Json(new): body::Json<NewEventType>,
) -> Result<(StatusCode, Json<EventTypeView>), ApiProblem> {
    let event_type = state.app.create_event_type(&caller, new.into()).await?;
    Ok((StatusCode::CREATED, Json(EventTypeView::new(&state.app, &caller, &event_type))))
}

/// Delete an event type
///
/// Only one of the environment's own. Its events stay in the log; new ones are refused.
#[utoipa::path(
    delete,
    path = "/v1/event-types/{key}",
    operation_id = "deleteEventType",
    tag = "Event types",
    params(("key" = String, Path, description = "Its key.")),
    responses((status = 204, description = "Deleted."), Refused)
)]
pub(super) async fn delete(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Segment(key): Segment,
) -> Result<StatusCode, ApiProblem> {
    state.app.delete_event_type(&caller, &key).await?;
    Ok(StatusCode::NO_CONTENT)
}
