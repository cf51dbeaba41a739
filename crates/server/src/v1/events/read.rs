//! Reading events.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use tidings_app::{DeliveryFilter, EventFilter, Page};
use tidings_model::limits::PAGE_ROWS_MAX;
use tidings_model::{Event, EventBody, EventId, EventKey, TenantId, Timestamp};
use utoipa::ToSchema;

use crate::auth::Authenticated;
use crate::json::RawJson;
use crate::problem::{ApiProblem, Refused};
use crate::query::{Id, Query};
use crate::state::ServerState;
use crate::v1::deliveries::wire::DeliveryView;
use crate::v1::page::{Limit, List};

/// An accepted event.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Event)]
pub(super) struct EventView {
    /// Its id.
    #[schema(value_type = String, example = "evt_1hf8wz3m60000")]
    id: EventId,
    /// Its key.
    #[schema(value_type = String)]
    event_key: EventKey,
    /// The tenant it belongs to.
    #[schema(value_type = Option<String>)]
    tenant_id: Option<TenantId>,
    /// The user it is about.
    user_id: Option<String>,
    /// The application it comes from.
    application_id: Option<String>,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    accepted_at: Timestamp,
    /// What every receiver gets, byte for byte. Null when the disk altered it: what is stored is not what was accepted.
    #[schema(value_type = Option<Object>)]
    body: Option<RawJson>,
    /// The disk altered the body, which is neither shown nor sent any more.
    body_altered: bool,
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        Self {
            id: event.id,
            accepted_at: event.accepted_at(),
            event_key: event.key,
            tenant_id: event.tenant,
            user_id: event.user,
            application_id: event.application,
            body_altered: event.body == EventBody::Altered,
            body: event.body.whole().cloned().map(RawJson),
        }
    }
}

/// An event and where it went.
#[derive(Serialize, ToSchema)]
pub(super) struct EventDetail {
    #[serde(flatten)]
    event: EventView,
    /// Its newest deliveries, at most 200.
    deliveries: Vec<DeliveryView>,
}

/// Which events.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Only those of this key.
    #[param(value_type = Option<String>)]
    event_key: Option<EventKey>,
    /// Only those of this tenant.
    #[param(value_type = Option<String>)]
    tenant_id: Option<TenantId>,
    /// Only those accepted then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Only those accepted before then.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// Rows of the page.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// `nextCursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<EventId>,
}

/// List events
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/v1/events",
    operation_id = "listEvents",
    tag = "Events",
    params(EventsQuery),
    responses((status = 200, description = "A page of them.", body = List<EventView>), Refused)
)]
pub(super) async fn list(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Query(query): Query<EventsQuery>,
) -> Result<Json<List<EventView>>, ApiProblem> {
    let filter = EventFilter {
        environment: caller.environment(),
        key: query.event_key,
        tenant: query.tenant_id,
        from: query.from,
        until: query.until,
    };
    let events = state.app.events(&caller, filter, query.limit.after(query.cursor)).await?;
    let events = events.into_iter().map(EventView::from).collect();
    Ok(Json(List::new(events, query.limit, |event: &EventView| event.id.to_string())))
}

/// Read an event
///
/// With its deliveries.
#[utoipa::path(
    get,
    path = "/v1/events/{id}",
    operation_id = "readEvent",
    tag = "Events",
    params(("id" = String, Path, description = "The event's id.")),
    responses((status = 200, description = "The event.", body = EventDetail), Refused)
)]
pub(super) async fn read(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Id(id): Id<EventId>,
) -> Result<Json<EventDetail>, ApiProblem> {
    let event = state.app.event(&caller, id).await?;
    let filter = DeliveryFilter {
        event: Some(id),
        ..DeliveryFilter::of(caller.environment())
    };
    let deliveries = state.app.deliveries(&caller, filter, Page::first(PAGE_ROWS_MAX)).await?;
    Ok(Json(EventDetail {
        event: event.into(),
        deliveries: deliveries.into_iter().map(DeliveryView::from).collect(),
    }))
}
