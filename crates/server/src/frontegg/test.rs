//! The test button.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};

use super::caller::Confined;
use super::error::DialectProblem;
use super::input::Body;
use super::wire::test::{TestReply, TestRequest};
use crate::body;
use crate::state::ServerState;

/// `/webhook/test`.
pub(super) fn routes() -> Router<ServerState> {
    Router::new().route("/webhook/test", post(test))
}

async fn test(
    State(state): State<ServerState>,
    Confined(caller): Confined,
    Body(body::Json(request)): Body<body::Json<TestRequest>>,
) -> Result<Json<TestReply>, DialectProblem> {
    let report = state.app.test(&caller, request.into_input()).await?;
    Ok(Json(TestReply::new(&caller, &report)))
}
