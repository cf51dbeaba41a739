//! Reading the catalogue.

use axum::Json;
use axum::extract::State;

use super::wire::EventTypeView;
use crate::auth::Authenticated;
use crate::problem::{ApiProblem, Refused};
use crate::query::Segment;
use crate::state::ServerState;
use crate::v1::page::All;

/// List event types
///
/// The built-in ones in their order, then the environment's own by key.
#[utoipa::path(
    get,
    path = "/v1/event-types",
    operation_id = "listEventTypes",
    tag = "Event types",
    responses((status = 200, description = "All of them.", body = All<EventTypeView>), Refused)
)]
pub(super) async fn list(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
) -> Result<Json<All<EventTypeView>>, ApiProblem> {
    let event_types = state.app.event_types(&caller)?;
    let view = |event_type: &_| EventTypeView::new(&state.app, &caller, event_type);
    let data = event_types.iter().map(|event_type| view(event_type)).collect();
    Ok(Json(All { data }))
}

/// Read an event type
#[utoipa::path(
    get,
    path = "/v1/event-types/{key}",
    operation_id = "readEventType",
    tag = "Event types",
    params(("key" = String, Path, description = "Its key.")),
    responses((status = 200, description = "The event type.", body = EventTypeView), Refused)
)]
pub(super) async fn read(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Segment(key): Segment,
) -> Result<Json<EventTypeView>, ApiProblem> {
    let event_type = state.app.event_type(&caller, &key)?;
    Ok(Json(EventTypeView::new(&state.app, &caller, &event_type)))
}
