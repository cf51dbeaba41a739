//! Deleting a webhook.

use axum::extract::State;
use axum::http::StatusCode;
use tidings_model::WebhookId;

use crate::auth::Authenticated;
use crate::problem::{ApiProblem, Refused};
use crate::query::Id;
use crate::state::ServerState;

/// Delete a webhook
///
/// What is waiting for it is cancelled. Its log stays as long as the environment keeps events.
#[utoipa::path(
    delete,
    path = "/v1/webhooks/{id}",
    operation_id = "deleteWebhook",
    tag = "Webhooks",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 204, description = "Deleted."), Refused)
)]
pub(super) async fn delete(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Id(id): Id<WebhookId>,
) -> Result<StatusCode, ApiProblem> {
    state.app.delete_webhook(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
