//! Reading webhooks.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use tidings_app::{Problem, WebhookFilter};
use tidings_model::{TenantId, WebhookId};

use super::wire::WebhookView;
use crate::auth::Authenticated;
use crate::problem::{ApiProblem, Refused};
use crate::query::{Id, Query};
use crate::state::ServerState;
use crate::v1::page::{Limit, List};

/// Which webhooks.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WebhooksQuery {
    /// Only those whose name or URL contains this text.
    search: Option<String>,
    /// Only those of this tenant.
    #[param(value_type = Option<String>)]
    tenant_id: Option<TenantId>,
    /// Only the active, or only the disabled.
    active: Option<bool>,
    /// Rows of the page.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// `nextCursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<WebhookId>,
}

/// List webhooks
///
/// Newest first. A tenant's token sees its own.
#[utoipa::path(
    get,
    path = "/v1/webhooks",
    operation_id = "listWebhooks",
    tag = "Webhooks",
    params(WebhooksQuery),
    responses((status = 200, description = "A page of them.", body = List<WebhookView>), Refused)
)]
pub(super) async fn list(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Query(query): Query<WebhooksQuery>,
) -> Result<Json<List<WebhookView>>, ApiProblem> {
    let filter = WebhookFilter {
        tenant: query.tenant_id,
        search: query.search,
        active: query.active,
        ..WebhookFilter::default()
    };
    let webhooks = state.app.webhooks(&caller, filter, query.limit.after(query.cursor)).await?;
    let webhooks: Result<Vec<_>, Problem> = webhooks
        .into_iter()
        .map(|webhook| WebhookView::new(&state.app, &caller, webhook))
        .collect();
    Ok(Json(List::new(webhooks?, query.limit, |webhook: &WebhookView| {
        webhook.id.to_string()
    })))
}

/// Read a webhook
#[utoipa::path(
    get,
    path = "/v1/webhooks/{id}",
    operation_id = "readWebhook",
    tag = "Webhooks",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The webhook.", body = WebhookView), Refused)
)]
pub(super) async fn read(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Id(id): Id<WebhookId>,
) -> Result<Json<WebhookView>, ApiProblem> {
    let webhook = state.app.webhook(&caller, id).await?;
    Ok(Json(WebhookView::new(&state.app, &caller, webhook)?))
}
