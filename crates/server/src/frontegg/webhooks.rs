//! Webhooks: list, create, merge, delete.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use tidings_app::{App, Caller, Page, Problem, WebhookFilter, WebhookWithHealth};
use tidings_model::WebhookId;
use tidings_model::limits::PAGE_ROWS_MAX;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::{Confined, sees_secrets};
use super::error::{DialectProblem, Refused};
use super::input::{Body, Done, Empty, Head};
use super::wire::webhook::{WebhookInput, WebhookRow};
use crate::body;
use crate::query::Id;
use crate::state::ServerState;

/// Webhooks in the list, newest first: Frontegg's has no pages, so it has to end somewhere.
const LIST_ROWS_MAX: usize = 5_000;

/// `/webhook`.
pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(create))
        .routes(routes!(change, delete))
}

/// List webhooks
///
/// Newest first, at most 5,000.
#[utoipa::path(
    get,
    path = "/webhook",
    operation_id = "webhooks",
    tag = "Webhooks",
    params(("frontegg-tenant-id" = Option<String>, Header, description = "The tenant on whose behalf it is asked.")),
    responses((status = 200, description = "All of them.", body = Vec<WebhookRow>), Refused)
)]
async fn list(State(state): State<ServerState>, Confined(caller): Confined) -> Result<Json<Vec<WebhookRow>>, DialectProblem> {
    let mut rows = Vec::new();
    let mut before = None;
    while rows.len() < LIST_ROWS_MAX {
        let page = Page {
            before,
            ..Page::first(PAGE_ROWS_MAX)
        };
        let found = state.app.webhooks(&caller, WebhookFilter::default(), page).await?;
        let last = found.len() < PAGE_ROWS_MAX;
        before = found.last().map(|found| found.webhook.id);
        for webhook in found {
            rows.push(row(&state.app, &caller, webhook)?);
        }
        if last {
            break;
        }
    }
    Ok(Json(rows))
}

/// Create a webhook
#[utoipa::path(
    post,
    path = "/webhook/custom",
    operation_id = "createWebhook",
    tag = "Webhooks",
    params(("frontegg-tenant-id" = Option<String>, Header, description = "The tenant on whose behalf it is asked.")),
    request_body = WebhookInput,
    responses((status = 201, description = "The webhook.", body = WebhookRow), Refused)
)]
async fn create(
    State(state): State<ServerState>,
    Confined(caller): Confined,
    Body(body::Json(input)): Body<body::Json<WebhookInput>>,
) -> Result<(StatusCode, Json<WebhookRow>), DialectProblem> {
    let saved = state.app.create_webhook(&caller, input.into_draft()?).await?;
    Ok((StatusCode::CREATED, Json(row(&state.app, &caller, saved.saved)?)))
}

/// Change a webhook
///
/// Merges: what is absent or null stays as it is.
#[utoipa::path(
    patch,
    path = "/webhook/{id}",
    operation_id = "changeWebhook",
    tag = "Webhooks",
    params(("id" = String, Path, description = "Its id."), ("frontegg-tenant-id" = Option<String>, Header, description = "The tenant on whose behalf it is asked.")),
    request_body = WebhookInput,
    responses((status = 200, description = "The webhook as it is now.", body = WebhookRow), Refused)
)]
async fn change(
    State(state): State<ServerState>,
    Confined(caller): Confined,
    Head(Id(id)): Head<Id<WebhookId>>,
    Body(body::Json(input)): Body<body::Json<WebhookInput>>,
) -> Result<Json<WebhookRow>, DialectProblem> {
    let current = state.app.webhook(&caller, id).await?.webhook;
    let secret = state.app.open_webhook(&current)?.secret;
    let saved = state
        .app
        .change_webhook(&caller, id, input.into_change(&current, secret.as_deref()))
        .await?;
    Ok(Json(row(&state.app, &caller, saved.saved)?))
}

/// Delete a webhook
#[utoipa::path(
    delete,
    path = "/webhook/{id}",
    operation_id = "deleteWebhook",
    tag = "Webhooks",
    params(("id" = String, Path, description = "Its id."), ("frontegg-tenant-id" = Option<String>, Header, description = "The tenant on whose behalf it is asked.")),
    responses((status = 200, description = "It is gone.", body = Empty), Refused)
)]
async fn delete(
    State(state): State<ServerState>,
    Confined(caller): Confined,
    Head(Id(id)): Head<Id<WebhookId>>,
) -> Result<Done, DialectProblem> {
    state.app.delete_webhook(&caller, id).await?;
    Ok(Done)
}

fn row(app: &App, caller: &Caller, found: WebhookWithHealth) -> Result<WebhookRow, Problem> {
    let secret = if sees_secrets(caller) {
        app.unseal(caller, &found.webhook)?.secret
    } else {
        None
    };
    Ok(WebhookRow::new(found, secret))
}
