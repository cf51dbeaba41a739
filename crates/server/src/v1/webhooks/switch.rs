//! Switching a webhook on and off.

use axum::Json;
use axum::extract::State;
use tidings_model::WebhookId;

use super::wire::WebhookView;
use crate::auth::Authenticated;
use crate::problem::{ApiProblem, Refused};
use crate::query::Id;
use crate::state::ServerState;

/// Enable a webhook
///
/// It gets what is published from now on; what it missed can be resent from the log.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/enable",
    operation_id = "enableWebhook",
    tag = "Webhooks",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The webhook.", body = WebhookView), Refused)
)]
pub(super) async fn enable(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Id(id): Id<WebhookId>,
) -> Result<Json<WebhookView>, ApiProblem> {
    let webhook = state.app.switch_webhook(&caller, id, true).await?;
    Ok(Json(WebhookView::new(&state.app, &caller, webhook)?))
}

/// Disable a webhook
///
/// What is waiting for it is cancelled; what matches it from now on is kept in the log as cancelled.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/disable",
    operation_id = "disableWebhook",
    tag = "Webhooks",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The webhook.", body = WebhookView), Refused)
)]
pub(super) async fn disable(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Id(id): Id<WebhookId>,
) -> Result<Json<WebhookView>, ApiProblem> {
    let webhook = state.app.switch_webhook(&caller, id, false).await?;
    Ok(Json(WebhookView::new(&state.app, &caller, webhook)?))
}
