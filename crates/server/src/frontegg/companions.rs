//! Reads that the shared interface makes beside those of webhooks. Tidings offers no other channel, and says so in the shapes that the interface
//! reads without failing.

use axum::Json;
use axum::routing::get;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Asking;
use super::error::Refused;
use crate::state::ServerState;

/// The channels' configurations.
pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .routes(routes!(slack))
        .routes(routes!(none))
        .route("/integrations/resources/configurations/v2/sms", get(none))
}

/// A Slack integration without a subscription. The interface reads the length of the list unasked.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Slack {
    /// Empty: there is none.
    id: &'static str,
    /// Always empty.
    #[schema(value_type = Vec<Object>, max_items = 0)]
    slack_subscriptions: [(); 0],
}

/// Read the Slack integration
///
/// There is none.
#[utoipa::path(
    get,
    path = "/integrations/resources/configurations/v1/slack",
    operation_id = "slack",
    tag = "Other channels",
    params(("frontegg-tenant-id" = Option<String>, Header, description = "The tenant on whose behalf it is asked.")),
    responses((status = 200, description = "One without a subscription.", body = Slack), Refused)
)]
async fn slack(_asking: Asking) -> Json<Slack> {
    Json(Slack {
        id: "",
        slack_subscriptions: [],
    })
}

/// List e-mail integrations
///
/// There are none. The same of SMS is at `/integrations/resources/configurations/v2/sms`.
#[utoipa::path(
    get,
    path = "/integrations/resources/configurations/v1/emails",
    operation_id = "emails",
    tag = "Other channels",
    params(("frontegg-tenant-id" = Option<String>, Header, description = "The tenant on whose behalf it is asked.")),
    responses((status = 200, description = "Always empty.", body = Vec<Object>), Refused)
)]
async fn none(_asking: Asking) -> Json<[(); 0]> {
    Json([])
}
