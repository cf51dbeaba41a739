//! Triggers, in three generations, and the statuses of the last two.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use tidings_app::{Caller, DeliveryFilter, Page, Problem};
use tidings_model::EventId;
use tidings_model::delivery::StatusFilter;

use super::caller::Asking;
use super::error::DialectProblem;
use super::input::{Head, TriggerBody};
use super::wire::trigger::{ChannelState, EventStatus, Trigger, TriggerV1, TriggerV2, TriggerV3, Triggered};
use crate::json::parse;
use crate::query::Id;
use crate::state::ServerState;

/// `/event/resources/triggers`.
pub(super) fn routes() -> Router<ServerState> {
    const BASE: &str = "/event/resources/triggers";
    Router::new()
        .route(&format!("{BASE}/v1"), post(v1))
        .route(&format!("{BASE}/v2"), post(v2))
        .route(&format!("{BASE}/v3"), post(v3))
        .route(&format!("{BASE}/v2/statuses/{{id}}"), get(status))
        .route(&format!("{BASE}/v3/{{id}}/statuses"), get(status))
}

type Answer = Result<(StatusCode, Json<Triggered>), DialectProblem>;

async fn v1(State(state): State<ServerState>, asking: Asking, TriggerBody(body): TriggerBody) -> Answer {
    publish(&state, &asking, parse::<TriggerV1<'_>>(&body)?.try_into()?).await
}

async fn v2(State(state): State<ServerState>, asking: Asking, TriggerBody(body): TriggerBody) -> Answer {
    publish(&state, &asking, parse::<TriggerV2<'_>>(&body)?.try_into()?).await
}

async fn v3(State(state): State<ServerState>, asking: Asking, TriggerBody(body): TriggerBody) -> Answer {
    publish(&state, &asking, parse::<TriggerV3<'_>>(&body)?.into()).await
}

async fn publish(state: &ServerState, asking: &Asking, trigger: Trigger<'_>) -> Answer {
    let tenant = asking.tenant.as_ref().map(tidings_model::TenantId::as_str);
    let accepted = state.app.publish(&asking.caller, trigger.input(tenant), None).await?;
    let triggered = Triggered { event_id: accepted.event };
    Ok((StatusCode::ACCEPTED, Json(triggered)))
}

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
