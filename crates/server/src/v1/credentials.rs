//! `/v1/environments/{id}/credentials`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tidings_app::Problem;
use tidings_model::{Credential, CredentialId, EnvironmentId, Scopes, Timestamp};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::All;
use crate::auth::Authenticated;
use crate::body;
use crate::problem::{ApiProblem, Refused};
use crate::query::{Id, Ids};
use crate::state::ServerState;

pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(revoke))
}

/// A client id and what it may do.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Credential)]
struct CredentialView {
    /// The client id.
    #[schema(value_type = String)]
    client_id: CredentialId,
    /// What people call it.
    name: String,
    /// read, write, operator.
    scopes: Vec<&'static str>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Credential> for CredentialView {
    fn from(credential: Credential) -> Self {
        Self {
            client_id: credential.id,
            name: credential.name,
            scopes: credential.scopes.names(),
            created_at: credential.created_at,
        }
    }
}

/// A credential that has just been made.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CreatedCredential {
    #[serde(flatten)]
    credential: CredentialView,
    /// The client secret, which is shown this once.
    client_secret: String,
}

/// A credential to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewCredential {
    /// What people call it.
    name: String,
    /// read, write, operator; read and write unless asked otherwise.
    scopes: Option<Vec<String>>,
}

/// Scopes by their names.
pub(super) fn scopes(names: Option<&[String]>) -> Result<Option<Scopes>, Problem> {
    let scopes = names.map(|names| Scopes::from_names(names.iter().map(String::as_str)));
    scopes.transpose().map_err(|error| Problem::field("scopes", error.to_string()))
}

/// List an environment's credentials
#[utoipa::path(
    get,
    path = "/v1/environments/{id}/credentials",
    operation_id = "listCredentials",
    tag = "Environments",
    params(("id" = String, Path, description = "The environment's id.")),
    responses((status = 200, description = "All of them, oldest first, without their secrets.", body = All<CredentialView>), Refused)
)]
async fn list(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Id(environment): Id<EnvironmentId>,
) -> Result<Json<All<CredentialView>>, ApiProblem> {
    let credentials = state.app.credentials(&caller, environment).await?;
    let data = credentials.into_iter().map(CredentialView::from).collect();
    Ok(Json(All { data }))
}

/// Make a credential
///
/// The secret is in this reply and never shown again.
#[utoipa::path(
    post,
    path = "/v1/environments/{id}/credentials",
    operation_id = "createCredential",
    tag = "Environments",
    params(("id" = String, Path, description = "The environment's id.")),
    request_body = NewCredential,
    responses((status = 201, description = "The credential and its secret.", body = CreatedCredential), Refused)
)]
async fn create(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Id(environment): Id<EnvironmentId>,
    body::Json(new): body::Json<NewCredential>,
) -> Result<(StatusCode, Json<CreatedCredential>), ApiProblem> {
    let scopes = scopes(new.scopes.as_deref())?;
    let created = state.app.create_credential(&caller, environment, &new.name, scopes).await?;
    let created = CreatedCredential {
        credential: created.credential.into(),
        client_secret: created.secret,
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Revoke a credential
///
/// It and every token minted with it stop working at once.
#[utoipa::path(
    delete,
    path = "/v1/environments/{id}/credentials/{clientId}",
    operation_id = "revokeCredential",
    tag = "Environments",
    params(
        ("id" = String, Path, description = "The environment's id."),
        ("clientId" = String, Path, description = "The client id.")
    ),
    responses((status = 204, description = "Revoked."), Refused)
)]
async fn revoke(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Ids(environment, credential): Ids<EnvironmentId, CredentialId>,
) -> Result<StatusCode, ApiProblem> {
    state.app.revoke_credential(&caller, environment, credential).await?;
    Ok(StatusCode::NO_CONTENT)
}
