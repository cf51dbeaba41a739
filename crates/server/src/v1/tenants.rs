//! `/v1/tenants`: tokens that see one tenant's webhooks and log.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tidings_app::Problem;
use tidings_model::{TenantId, TenantIdError};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::credentials::scopes;
use crate::auth::Authenticated;
use crate::body::JsonOrNothing;
use crate::problem::{ApiProblem, Refused};
use crate::query::Segment;
use crate::state::ServerState;

pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(mint))
}

/// A token to mint.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewToken {
    /// How long it lasts, in seconds; an hour unless asked otherwise, 30 days at most.
    ttl_seconds: Option<u64>,
    /// read, write, or both, which is what it has unless asked otherwise.
    scopes: Option<Vec<String>>,
}

/// A token of a tenant.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Token {
    /// Send it as `Authorization: Bearer <token>`.
    token: String,
    /// Seconds until it ends.
    expires_in: u64,
}

/// Mint a tenant's token
///
/// It sees that tenant's webhooks and their log, and nothing else; a vendor gives it to a page that it embeds for the tenant. It ends with the credential
/// that it is minted with.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenantId}/tokens",
    operation_id = "mintTenantToken",
    tag = "Tenants",
    params(("tenantId" = String, Path, description = "The tenant's id.")),
    request_body = Option<NewToken>,
    responses((status = 201, description = "The token.", body = Token), Refused)
)]
async fn mint(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Segment(tenant): Segment,
    JsonOrNothing(new): JsonOrNothing<NewToken>,
) -> Result<(StatusCode, Json<Token>), ApiProblem> {
    let tenant: TenantId = tenant
        .parse()
        .map_err(|error: TenantIdError| Problem::field("tenantId", error.to_string()))?;
    let minted = state
        .app
        .tenant_token(&caller, tenant, scopes(new.scopes.as_deref())?, new.ttl_seconds)?;
    let token = Token {
        token: minted.token,
        expires_in: minted.expires_in,
    };
    Ok((StatusCode::CREATED, Json(token)))
}
