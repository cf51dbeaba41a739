//! Addresses for operators and their machines: is it alive, does it want traffic, what are its figures.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tidings_app::{Code, Problem};

use crate::metrics::CONTENT_TYPE;
use crate::problem::ApiProblem;
use crate::state::ServerState;

/// The routes, open to everybody who reaches the port.
pub(crate) fn routes() -> Router<ServerState> {
    Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
}

/// The process answers: that is all there is to be alive.
async fn health() -> &'static str {
    "ok\n"
}

/// 503 before the start is complete, while nothing can be stored, and as soon as the end begins.
async fn readiness(State(state): State<ServerState>) -> Response {
    if !state.ready.is_ready() {
        return not_ready("not ready\n".to_owned());
    }
    match state.app.can_store().await {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => not_ready(format!("not ready: {reason}\n")),
    }
}

/// Whoever asks whether it is ready may ask again soon.
fn not_ready(why: String) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], why).into_response()
}

async fn metrics(State(state): State<ServerState>) -> Result<Response, ApiProblem> {
    let text = state.metrics.render().await;
    let text = text.map_err(|error| Problem::new(Code::Internal, format!("the figures cannot be written: {error}")))?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}
