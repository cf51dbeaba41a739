//! Adding a webhook.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use tidings_app::webhooks::WebhookDraft;
use utoipa::ToSchema;

use super::wire::{WebhookView, secret_change};
use crate::auth::Authenticated;
use crate::body;
use crate::json::{Member, Pairs};
use crate::problem::{ApiProblem, Refused};
use crate::state::ServerState;

/// A webhook to add.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewWebhook {
    /// What people call it; its host unless it is given.
    name: Option<String>,
    /// Where deliveries go.
    #[schema(example = "https://example.com/hooks")]
    url: String,
    /// What signs deliveries: at least 8 characters, or `whsec_…`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    secret: Member<String>,
    /// Whether to make a secret; the reply shows it this once.
    #[serde(default)]
    generate_secret: bool,
    /// Keys, `Category.*` or `*`.
    event_keys: Vec<String>,
    /// Whether it gets deliveries; it does unless asked otherwise.
    active: Option<bool>,
    /// What people say of it.
    description: Option<String>,
    /// The tenant whose events it sees; without one it sees those of all tenants.
    tenant_id: Option<String>,
    /// Headers that are sent with every delivery.
    #[serde(default)]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    headers: Pairs,
}

/// Add a webhook
///
/// Every rule of the environment's URL policy is checked now. A tenant's token adds it for its tenant.
#[utoipa::path(
    post,
    path = "/v1/webhooks",
    operation_id = "createWebhook",
    tag = "Webhooks",
    request_body = NewWebhook,
    responses((status = 201, description = "The webhook.", body = WebhookView), Refused)
)]
pub(super) async fn create(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    body::Json(new): body::Json<NewWebhook>,
) -> Result<(StatusCode, Json<WebhookView>), ApiProblem> {
    let draft = WebhookDraft {
        name: new.name.unwrap_or_default(),
        description: new.description.unwrap_or_default(),
        url: new.url,
        secret: secret_change(new.secret, new.generate_secret)?,
        event_keys: new.event_keys,
        active: new.active.unwrap_or(true),
        tenant_id: new.tenant_id,
        headers: new.headers.0,
    };
    let saved = state.app.create_webhook(&caller, draft).await?;
    Ok((StatusCode::CREATED, Json(WebhookView::saved(&state.app, &caller, saved)?)))
}
