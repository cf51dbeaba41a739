//! What a webhook keeps sealed: its secret and the values of its headers.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use tidings_app::webhooks::SecretChange;
use tidings_model::WebhookId;
use utoipa::ToSchema;

use super::wire::WebhookView;
use crate::auth::Authenticated;
use crate::body::JsonOrNothing;
use crate::problem::{ApiProblem, Refused};
use crate::query::Id;
use crate::state::ServerState;

/// What a webhook keeps sealed.
#[derive(Serialize, ToSchema)]
pub(super) struct WebhookSecrets {
    /// Its secret; null when deliveries are not signed.
    secret: Option<String>,
    /// The headers that are sent with every delivery, with their values.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    headers: serde_json::Map<String, serde_json::Value>,
}

/// Read a webhook's secret and headers
///
/// Needs the scope to write. The token of a tenant is refused with 403, for webhooks of its own as well: such a token lives in browsers.
#[utoipa::path(
    get,
    path = "/v1/webhooks/{id}/secret",
    operation_id = "readWebhookSecret",
    tag = "Webhooks",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "What it keeps sealed.", body = WebhookSecrets), Refused)
)]
pub(super) async fn secret(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Id(id): Id<WebhookId>,
) -> Result<Json<WebhookSecrets>, ApiProblem> {
    let found = state.app.webhook(&caller, id).await?;
    let unsealed = state.app.unseal(&caller, &found.webhook)?;
    Ok(Json(WebhookSecrets {
        secret: unsealed.secret,
        headers: unsealed.headers.into_iter().map(|(name, value)| (name, value.into())).collect(),
    }))
}

/// A new secret.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Rotation {
    /// The new secret; Tidings makes one unless it is given.
    secret: Option<String>,
    /// How long the secret before goes on signing beside it, in seconds; a day unless asked otherwise, a week at most.
    overlap_seconds: Option<u64>,
}

/// Rotate a webhook's secret
///
/// Both secrets sign until the overlap ends, so that the receiver can change over in its own time: `webhook-signature` has a signature of each. The token
/// in `x-webhook-secret` has room for one, and is made with the new secret from the first delivery after the rotation on.
#[utoipa::path(
    post,
    path = "/v1/webhooks/{id}/rotate-secret",
    operation_id = "rotateWebhookSecret",
    tag = "Webhooks",
    params(("id" = String, Path, description = "Its id.")),
    request_body = Option<Rotation>,
    responses((status = 200, description = "The webhook, with the secret if it was generated.", body = WebhookView), Refused)
)]
pub(super) async fn rotate(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Id(id): Id<WebhookId>,
    JsonOrNothing(rotation): JsonOrNothing<Rotation>,
) -> Result<Json<WebhookView>, ApiProblem> {
    let secret = rotation.secret.map_or(SecretChange::Generate, SecretChange::Set);
    let overlap = rotation.overlap_seconds.map(Duration::from_secs);
    let saved = state.app.rotate_secret(&caller, id, secret, overlap).await?;
    Ok(Json(WebhookView::saved(&state.app, &caller, saved)?))
}
