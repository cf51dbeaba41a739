//! The catalogue, which Frontegg calls event configurations.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Asking;
use super::error::{DialectProblem, Refused};
use super::input::{Body, Done, Empty, Head};
use super::wire::catalogue::{CatalogueQuery, CategoryEntry, EventEntry, NewEventType};
use crate::body;
use crate::query::{Query, Segment};
use crate::state::ServerState;

/// `/event/resources/configurations`.
pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(categories))
        .routes(routes!(remove))
}

/// List categories
///
/// With their event types.
#[utoipa::path(
    get,
    path = "/event/resources/configurations/v1/categories",
    operation_id = "eventCategories",
    tag = "Catalogue",
    params(("frontegg-tenant-id" = Option<String>, Header, description = "The tenant on whose behalf it is asked.")),
    responses((status = 200, description = "All of them.", body = Vec<CategoryEntry>), Refused)
)]
async fn categories(State(state): State<ServerState>, asking: Asking) -> Result<Json<Vec<CategoryEntry>>, DialectProblem> {
    let event_types = state.app.event_types(&asking.caller)?;
    Ok(Json(CategoryEntry::all(&event_types, asking.caller.environment())))
}

/// List event types
#[utoipa::path(
    get,
    path = "/event/resources/configurations/v1",
    operation_id = "eventConfigurations",
    tag = "Catalogue",
    params(CatalogueQuery, ("frontegg-tenant-id" = Option<String>, Header, description = "The tenant on whose behalf it is asked.")),
    responses((status = 200, description = "Those of the channels asked for.", body = Vec<EventEntry>), Refused)
)]
async fn list(
    State(state): State<ServerState>,
    asking: Asking,
    Head(Query(query)): Head<Query<CatalogueQuery>>,
) -> Result<Json<Vec<EventEntry>>, DialectProblem> {
    let event_types = state.app.event_types(&asking.caller)?;
    let vendor_id = asking.caller.environment();
    let entries = event_types.iter().filter(|_| query.of_webhooks());
    Ok(Json(entries.map(|event_type| EventEntry::new(event_type, vendor_id)).collect()))
}

/// Create an event type
///
/// And a webhook, when `url` and `events` come with it.
#[utoipa::path(
    post,
    path = "/event/resources/configurations/v1",
    operation_id = "createEventConfiguration",
    tag = "Catalogue",
    params(("frontegg-tenant-id" = Option<String>, Header, description = "The tenant on whose behalf it is asked.")),
    request_body = NewEventType,
    responses((status = 201, description = "The event type.", body = EventEntry), Refused)
)]
async fn create(
    State(state): State<ServerState>,
    asking: Asking,
    Body(body::Json(input)): Body<body::Json<NewEventType>>,
) -> Result<(StatusCode, Json<EventEntry>), DialectProblem> {
    let (draft, webhook) = input.into_drafts();
    let caller = asking.caller.clone();
    let event_type = state.app.create_event_type(&caller, draft).await?;
    if let Some(webhook) = webhook {
        let made = match asking.confined() {
            Ok(confined) => state.app.create_webhook(&confined, webhook).await.map(drop),
            Err(problem) => Err(problem),
        };
        if let Err(problem) = made {
            // One request, one result: an event type without the webhook that came with it would be in the way of the next try.
            state.app.delete_event_type(&caller, event_type.key.as_str()).await?;
            return Err(problem.into());
        }
    }
    Ok((StatusCode::CREATED, Json(EventEntry::new(&event_type, caller.environment()))))
}

/// Delete an event type
#[utoipa::path(
    delete,
    path = "/event/resources/configurations/v1/{id}",
    operation_id = "deleteEventConfiguration",
    tag = "Catalogue",
    params(("id" = String, Path, description = "Its key."), ("frontegg-tenant-id" = Option<String>, Header, description = "The tenant on whose behalf it is asked.")),
    responses((status = 200, description = "It is gone.", body = Empty), Refused)
)]
async fn remove(State(state): State<ServerState>, asking: Asking, Head(Segment(key)): Head<Segment>) -> Result<Done, DialectProblem> {
    state.app.delete_event_type(&asking.caller, &key).await?;
    Ok(Done)
}
