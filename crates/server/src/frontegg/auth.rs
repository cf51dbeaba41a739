//! Vendor tokens: client id and secret in, a token and its lifetime out.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::error::DialectProblem;
use super::input::Body;
use crate::body;
use crate::state::ServerState;

/// Every address that a client of Frontegg asks for a token.
pub(super) fn routes() -> Router<ServerState> {
    Router::new()
        .route("/auth/vendor", post(token))
        .route("/auth/vendor/", post(token))
        .route("/vendors/auth/token", post(token))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credentials {
    client_id: String,
    secret: String,
}

/// `expiresIn` is in seconds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Token {
    token: String,
    expires_in: u64,
}

async fn token(
    State(state): State<ServerState>,
    Body(body::StrangersJson(input)): Body<body::StrangersJson<Credentials>>,
) -> Result<Json<Token>, DialectProblem> {
    let minted = state.app.vendor_token(&input.client_id, &input.secret)?;
    Ok(Json(Token {
        token: minted.token,
        expires_in: minted.expires_in,
    }))
}
