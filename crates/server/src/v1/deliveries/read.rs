//! Reading the log.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use tidings_app::DeliveryFilter;
use tidings_model::delivery::StatusFilter;
use tidings_model::{DeliveryId, EventId, EventKey, TenantId, Timestamp, WebhookId};

use super::attempts::DeliveryDetailView;
use super::wire::DeliveryView;
use crate::auth::Authenticated;
use crate::json::parsed;
use crate::problem::{ApiProblem, Refused};
use crate::query::{Id, Query};
use crate::state::ServerState;
use crate::v1::page::{Limit, List};

/// Which deliveries.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeliveriesQuery {
    /// Only those to this webhook.
    #[param(value_type = Option<String>)]
    webhook_id: Option<WebhookId>,
    /// Only those in this state: pending, retrying, delivered, exhausted or cancelled.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    status: Option<StatusFilter>,
    /// Only those of events of this key.
    #[param(value_type = Option<String>)]
    event_key: Option<EventKey>,
    /// Only those of events of this tenant.
    #[param(value_type = Option<String>)]
    tenant_id: Option<TenantId>,
    /// Only those of this event.
    #[param(value_type = Option<String>)]
    event_id: Option<EventId>,
    /// Only those of events accepted then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Only those of events accepted before then.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// Rows of the page.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// `nextCursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<DeliveryId>,
}

/// List deliveries
///
/// Newest first. A tenant's token sees those to its own webhooks.
#[utoipa::path(
    get,
    path = "/v1/deliveries",
    operation_id = "listDeliveries",
    tag = "Deliveries",
    params(DeliveriesQuery),
    responses((status = 200, description = "A page of them.", body = List<DeliveryView>), Refused)
)]
pub(super) async fn list(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Query(query): Query<DeliveriesQuery>,
) -> Result<Json<List<DeliveryView>>, ApiProblem> {
    let filter = DeliveryFilter {
        webhook: query.webhook_id,
        status: query.status,
        event_key: query.event_key,
        tenant: query.tenant_id,
        event: query.event_id,
        from: query.from,
        until: query.until,
        ..DeliveryFilter::of(caller.environment())
    };
    let deliveries = state.app.deliveries(&caller, filter, query.limit.after(query.cursor)).await?;
    let deliveries = deliveries.into_iter().map(DeliveryView::from).collect();
    Ok(Json(List::new(deliveries, query.limit, |delivery: &DeliveryView| {
        delivery.id.to_string()
    })))
}

/// Read a delivery
///
/// With what was sent and every attempt.
#[utoipa::path(
    get,
    path = "/v1/deliveries/{id}",
    operation_id = "readDelivery",
    tag = "Deliveries",
    params(("id" = String, Path, description = "The delivery's id.")),
    responses((status = 200, description = "The delivery.", body = DeliveryDetailView), Refused)
)]
pub(super) async fn read(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Id(id): Id<DeliveryId>,
) -> Result<Json<DeliveryDetailView>, ApiProblem> {
    Ok(Json(state.app.delivery(&caller, id).await?.into()))
}
