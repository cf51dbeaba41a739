//! Triggers, in three generations, and the statuses of the last two.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tidings_app::{Caller, DeliveryFilter, Page, Problem};
use tidings_model::EventId;
use tidings_model::delivery::StatusFilter;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::{Asking, Producing};
use super::error::{DialectProblem, Refused};
use super::input::{Head, TriggerBody};
use super::wire::trigger::{ChannelState, EventStatus, Trigger, TriggerV1, TriggerV2, TriggerV3, Triggered};
use crate::json::parse;
use crate::query::Id;
use crate::state::ServerState;

/// `/event/resources/triggers`.
pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .routes(routes!(v1))
        .routes(routes!(v2))
        .routes(routes!(v3))
        .routes(routes!(status))
        .route("/event/resources/triggers/v3/{id}/statuses", get(status))
}

type Answer = Result<(StatusCode, Json<Triggered>), DialectProblem>;

/// Send an event, generation 1
///
/// Its payload is `metadata`.
#[utoipa::path(
    post,
    path = "/event/resources/triggers/v1",
    operation_id = "triggerV1",
    tag = "Triggers",
    params(("frontegg-tenant-id" = Option<String>, Header, description = "The tenant of the event.")),
    request_body = TriggerV1,
    responses((status = 202, description = "It is durable, with its deliveries.", body = Triggered), Refused)
)]
async fn v1(State(state): State<ServerState>, Producing(asking): Producing, TriggerBody(body): TriggerBody) -> Answer {
    publish(&state, &asking, parse::<TriggerV1<'_>>(&body)?.try_into()?).await
}

/// Send an event, generation 2
///
/// Its payload is `properties`, with the members that `channels.webhook` has instead, when that is an object.
#[utoipa::path(
    post,
    path = "/event/resources/triggers/v2",
    operation_id = "triggerV2",
    tag = "Triggers",
    params(("frontegg-tenant-id" = Option<String>, Header, description = "The tenant of the event.")),
    request_body = TriggerV2,
    responses((status = 202, description = "It is durable, with its deliveries.", body = Triggered), Refused)
)]
async fn v2(State(state): State<ServerState>, Producing(asking): Producing, TriggerBody(body): TriggerBody) -> Answer {
    publish(&state, &asking, parse::<TriggerV2<'_>>(&body)?.try_into()?).await
}

/// Send an event, generation 3
///
/// Its payload is `data`.
#[utoipa::path(
    post,
    path = "/event/resources/triggers/v3",
    operation_id = "triggerV3",
    tag = "Triggers",
    params(("frontegg-tenant-id" = Option<String>, Header, description = "The tenant of the event.")),
    request_body = TriggerV3,
    responses((status = 202, description = "It is durable, with its deliveries.", body = Triggered), Refused)
)]
async fn v3(State(state): State<ServerState>, Producing(asking): Producing, TriggerBody(body): TriggerBody) -> Answer {
    publish(&state, &asking, parse::<TriggerV3<'_>>(&body)?.into()).await
}

async fn publish(state: &ServerState, asking: &Asking, trigger: Trigger<'_>) -> Answer {
    let tenant = asking.tenant.as_ref().map(tidings_model::TenantId::as_str);
    let accepted = state.app.publish(&asking.caller, trigger.input(tenant), None).await?;
    let triggered = Triggered { event_id: accepted.event };
    Ok((StatusCode::ACCEPTED, Json(triggered)))
}

/// Read how far an event is
///
/// Also at `/event/resources/triggers/v3/{id}/statuses`.
#[utoipa::path(
    get,
    path = "/event/resources/triggers/v2/statuses/{id}",
    operation_id = "triggerStatus",
    tag = "Triggers",
    params(("id" = String, Path, description = "The event's id."), ("frontegg-tenant-id" = Option<String>, Header, description = "The tenant on whose behalf it is asked.")),
    responses((status = 200, description = "How far it is.", body = EventStatus), Refused)
)]
async fn status(
    State(state): State<ServerState>,
    asking: Asking,
    Head(Id(id)): Head<Id<EventId>>,
) -> Result<Json<EventStatus>, DialectProblem> {
    let event = state.app.event(&asking.caller, id).await?;
    let status = channel_state(&state, &asking.caller, event.id).await?;
    Ok(Json(EventStatus::new(event.id, event.key, status)))
}

/// Pending while anything is, failed when something was given up after it was tried, otherwise succeeded. A webhook that is switched off is not tried:
/// it did not want the event.
async fn channel_state(state: &ServerState, caller: &Caller, event: EventId) -> Result<ChannelState, Problem> {
    let any = async |status, attempted| -> Result<bool, Problem> {
        let filter = DeliveryFilter {
            event: Some(event),
            status: Some(status),
            attempted,
            ..DeliveryFilter::of(caller.environment())
        };
        Ok(!state.app.deliveries(caller, filter, Page::first(1)).await?.is_empty())
    };
    if any(StatusFilter::Pending, false).await? {
        return Ok(ChannelState::Pending);
    }
    if any(StatusFilter::Exhausted, false).await? || any(StatusFilter::Cancelled, true).await? {
        return Ok(ChannelState::Failed);
    }
    Ok(ChannelState::Succeeded)
}
