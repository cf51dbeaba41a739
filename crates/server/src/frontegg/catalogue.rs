//! The catalogue, which Frontegg calls event configurations.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete, get};
use axum::{Json, Router};

use super::caller::Asking;
use super::error::DialectProblem;
use super::input::{Body, Done, Head};
use super::wire::catalogue::{CatalogueQuery, CategoryEntry, EventEntry, NewEventType};
use crate::body;
use crate::query::{Query, Segment};
use crate::state::ServerState;

/// `/event/resources/configurations`.
pub(super) fn routes() -> Router<ServerState> {
    const BASE: &str = "/event/resources/configurations/v1";
    Router::new()
        .route(BASE, get(list).post(create))
        .route(&format!("{BASE}/categories"), get(categories))
        .route(&format!("{BASE}/{{id}}"), delete(remove))
}

async fn categories(State(state): State<ServerState>, asking: Asking) -> Result<Json<Vec<CategoryEntry>>, DialectProblem> {
    let event_types = state.app.event_types(&asking.caller)?;
    Ok(Json(CategoryEntry::all(&event_types, asking.caller.environment())))
}

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

async fn remove(State(state): State<ServerState>, asking: Asking, Head(Segment(key)): Head<Segment>) -> Result<Done, DialectProblem> {
    state.app.delete_event_type(&asking.caller, &key).await?;
    Ok(Done)
}
