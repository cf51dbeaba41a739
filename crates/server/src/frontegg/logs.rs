//! The log of a webhook, and sending one of its deliveries again.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tidings_app::log::COUNT_MAX;
use tidings_app::{DeliveryFilter, Page, Problem};
use tidings_model::{DeliveryId, WebhookId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Confined;
use super::error::{DialectProblem, Refused};
use super::input::Head;
use super::wire::log::{LogPage, LogQuery, LogRow, Retried};
use crate::query::{Id, Query, id};
use crate::state::ServerState;

/// `/webhook/logs`.
pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .route("/webhook/logs/", get(list))
        .routes(routes!(retry))
}

/// List deliveries
///
/// Newest first. Also at `/webhook/logs/`.
#[utoipa::path(
    get,
    path = "/webhook/logs",
    operation_id = "webhookLogs",
    tag = "Logs",
    params(LogQuery, ("frontegg-tenant-id" = Option<String>, Header, description = "The tenant on whose behalf it is asked.")),
    responses((status = 200, description = "A part of the log.", body = LogPage), Refused)
)]
async fn list(
    State(state): State<ServerState>,
    Confined(caller): Confined,
    Head(Query(query)): Head<Query<LogQuery>>,
) -> Result<Json<LogPage>, DialectProblem> {
    if query.offset > COUNT_MAX {
        return Err(Problem::field("offset", format!("has to be at most {COUNT_MAX}")).into());
    }
    let webhook: Option<WebhookId> = query.id.as_deref().map(id).transpose()?;
    let filter = DeliveryFilter {
        webhook,
        attempted: true, // what was never sent has nothing that a row could show
        ..DeliveryFilter::of(caller.environment())
    };
    let count = state.app.count_deliveries(&caller, filter.clone()).await?;
    if let (0, Some(webhook)) = (count, webhook) {
        state.app.webhook(&caller, webhook).await?; // a deleted one keeps its log, an unknown one is said to be unknown
    }
    let page = Page {
        before: None,
        skip: query.offset,
        limit: query.rows(),
    };
    let entries = match page.limit {
        0 => Vec::new(),
        _ => state.app.log_entries(&caller, filter, page).await?,
    };
    Ok(Json(LogPage {
        count,
        rows: entries.into_iter().map(LogRow::from).collect(),
    }))
}

/// Send a delivery again
#[utoipa::path(
    post,
    path = "/webhook/logs/{id}/retries",
    operation_id = "retryWebhookLog",
    tag = "Logs",
    params(("id" = String, Path, description = "The delivery's id."), ("frontegg-tenant-id" = Option<String>, Header, description = "The tenant on whose behalf it is asked.")),
    responses((status = 202, description = "It is on its way.", body = Retried), Refused)
)]
async fn retry(
    State(state): State<ServerState>,
    Confined(caller): Confined,
    Head(Id(id)): Head<Id<DeliveryId>>,
) -> Result<(StatusCode, Json<Retried>), DialectProblem> {
    let delivery = state.app.resend(&caller, id).await?;
    Ok((StatusCode::ACCEPTED, Json(delivery.into())))
}
