//! Webhooks: list, create, merge, delete.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use tidings_app::{App, Caller, Page, Problem, WebhookFilter, WebhookWithHealth};
use tidings_model::WebhookId;
use tidings_model::limits::PAGE_ROWS_MAX;

use super::caller::{Confined, sees_secrets};
use super::error::DialectProblem;
use super::input::{Body, Done, Head};
use super::wire::webhook::{WebhookInput, WebhookRow};
use crate::body;
use crate::query::Id;
use crate::state::ServerState;

/// Webhooks in the list, newest first: Frontegg's has no pages, so it has to end somewhere.
const LIST_ROWS_MAX: usize = 5_000;

/// `/webhook`.
pub(super) fn routes() -> Router<ServerState> {
    Router::new()
        .route("/webhook", get(list))
        .route("/webhook/custom", post(create))
        .route("/webhook/{id}", patch(change).delete(delete))
}

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

async fn create(
    State(state): State<ServerState>,
    Confined(caller): Confined,
    Body(body::Json(input)): Body<body::Json<WebhookInput>>,
) -> Result<(StatusCode, Json<WebhookRow>), DialectProblem> {
    let saved = state.app.create_webhook(&caller, input.into_draft()?).await?;
    Ok((StatusCode::CREATED, Json(row(&state.app, &caller, saved.saved)?)))
}

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
