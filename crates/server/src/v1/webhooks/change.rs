//! Changing a webhook.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use tidings_app::webhooks::WebhookChange;
use tidings_model::WebhookId;
use utoipa::ToSchema;

use super::wire::{WebhookView, secret_change};
use crate::auth::Authenticated;
use crate::body;
use crate::json::{Member, Pairs};
use crate::problem::{ApiProblem, Refused};
use crate::query::Id;
use crate::state::ServerState;

/// What to change of a webhook; what is not given stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WebhookPatch {
    /// What people call it.
    name: Option<String>,
    /// Where deliveries go.
    url: Option<String>,
    /// What signs deliveries; null for nothing.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    secret: Member<String>,
    /// Whether to make a secret; the reply shows it this once.
    #[serde(default)]
    generate_secret: bool,
    /// Keys, `Category.*` or `*`; empty for no new events.
    event_keys: Option<Vec<String>>,
    /// Whether it gets deliveries.
    active: Option<bool>,
    /// What people say of it.
    description: Option<String>,
    /// Headers that are sent with every delivery, in place of those before.
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>)]
    headers: Option<Pairs>,
}

/// Change a webhook
///
/// Deliveries that are under way go to the URL, and with the secret, that it has when they are sent. Other `eventKeys`, an empty array
/// too, hold for events that are accepted from then on: what was accepted for the webhook before is still delivered, and retried as its schedule says.
/// To stop that too, disable the webhook.
#[utoipa::path(
    patch,
    path = "/v1/webhooks/{id}",
    operation_id = "changeWebhook",
    tag = "Webhooks",
    params(("id" = String, Path, description = "Its id.")),
    request_body = WebhookPatch,
    responses((status = 200, description = "The webhook.", body = WebhookView), Refused)
)]
pub(super) async fn change(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Id(id): Id<WebhookId>,
    body::Json(patch): body::Json<WebhookPatch>,
) -> Result<Json<WebhookView>, ApiProblem> {
    let change = WebhookChange {
        name: patch.name,
        description: patch.description,
        url: patch.url,
        secret: secret_change(patch.secret, patch.generate_secret)?,
        event_keys: patch.event_keys,
        active: patch.active,
        headers: patch.headers.map(|Pairs(headers)| headers),
        unchanged_since: None,
    };
    let saved = state.app.change_webhook(&caller, id, change).await?;
    Ok(Json(WebhookView::saved(&state.app, &caller, saved)?))
}
