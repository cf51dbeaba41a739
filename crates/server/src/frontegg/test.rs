//! The test button.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Confined;
use super::error::{DialectProblem, Refused};
use super::input::Body;
use super::wire::test::{TestReply, TestRequest};
use crate::body;
use crate::state::ServerState;

/// `/webhook/test`.
pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(test))
}

/// Test a webhook
///
/// Sends one delivery at once, to values that need not be saved.
#[utoipa::path(
    post,
    path = "/webhook/test",
    operation_id = "testWebhook",
    tag = "Webhooks",
    params(("frontegg-tenant-id" = Option<String>, Header, description = "The tenant on whose behalf it is asked.")),
    request_body = TestRequest,
    responses((status = 200, description = "What came of it.", body = TestReply), Refused)
)]
async fn test(
    State(state): State<ServerState>,
    Confined(caller): Confined,
    Body(body::Json(request)): Body<body::Json<TestRequest>>,
) -> Result<Json<TestReply>, DialectProblem> {
    let report = state.app.test(&caller, request.into_input()).await?;
    Ok(Json(TestReply::new(&caller, &report)))
}
