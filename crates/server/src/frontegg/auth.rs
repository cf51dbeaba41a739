//! Vendor tokens: client id and secret in, a token and its lifetime out.

use axum::Json;
use axum::extract::State;
use axum::routing::post;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{DialectProblem, Refused};
use super::input::Body;
use crate::body;
use crate::state::ServerState;

/// Every address that a client of Frontegg asks for a token.
pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .routes(routes!(token))
        .route("/auth/vendor/", post(token))
        .route("/vendors/auth/token", post(token))
}

/// Who asks for a token.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Credentials {
    /// The client id.
    client_id: String,
    /// The client secret.
    secret: String,
}

/// A token for a while.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Token {
    /// The token.
    token: String,
    /// Seconds until it ends.
    expires_in: u64,
}

/// Get a vendor token
///
/// Also at `/auth/vendor/` and `/vendors/auth/token`.
#[utoipa::path(
    post,
    path = "/auth/vendor",
    operation_id = "vendorToken",
    tag = "Tokens",
    security(()),
    request_body = Credentials,
    responses((status = 200, description = "A token.", body = Token), Refused)
)]

async fn token(
    State(state): State<ServerState>,
    Body(body::StrangersJson(input)): Body<body::StrangersJson<Credentials>>,
) -> Result<Json<Token>, DialectProblem> {
    state.app.catch_up().await?;
    let minted = state.app.vendor_token(&input.client_id, &input.secret)?;
    Ok(Json(Token {
        token: minted.token,
        expires_in: minted.expires_in,
    }))
}
