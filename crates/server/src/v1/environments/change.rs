//! Adding, changing and deleting environments.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use tidings_model::EnvironmentId;

use super::wire::{EnvironmentPatch, EnvironmentView, NewEnvironment};
use crate::auth::Authenticated;
use crate::body;
use crate::problem::{ApiProblem, Refused};
use crate::query::{Id, Query};
use crate::state::ServerState;

/// Add an environment
///
/// It begins empty. Only an operator adds one.
#[utoipa::path(
    post,
    path = "/v1/environments",
    operation_id = "createEnvironment",
    tag = "Environments",
    request_body = NewEnvironment,
    responses((status = 201, description = "The environment.", body = EnvironmentView), Refused)
)]
pub(super) async fn create(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    body::Json(new): body::Json<NewEnvironment>,
) -> Result<(StatusCode, Json<EnvironmentView>), ApiProblem> {
    let environment = state.app.create_environment(&caller, &new.name, new.settings.into()).await?;
    Ok((StatusCode::CREATED, Json(environment.into())))
}

/// Change an environment
///
/// What is not given stays.
#[utoipa::path(
    patch,
    path = "/v1/environments/{id}",
    operation_id = "changeEnvironment",
    tag = "Environments",
    params(("id" = String, Path, description = "Its id.")),
    request_body = EnvironmentPatch,
    responses((status = 200, description = "The environment.", body = EnvironmentView), Refused)
)]
pub(super) async fn change(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Id(id): Id<EnvironmentId>,
    body::Json(patch): body::Json<EnvironmentPatch>,
) -> Result<Json<EnvironmentView>, ApiProblem> {
    let environment = state
        .app
        .change_environment(&caller, id, patch.name.as_deref(), patch.settings.into())
        .await?;
    Ok(Json(environment.into()))
}

/// How to delete.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeleteQuery {
    /// Whether to delete it with everything in it.
    #[serde(default)]
    force: bool,
}

/// Delete an environment
///
/// An empty one; one that holds anything only when forced, and then with everything in it.
#[utoipa::path(
    delete,
    path = "/v1/environments/{id}",
    operation_id = "deleteEnvironment",
    tag = "Environments",
    params(("id" = String, Path, description = "Its id."), DeleteQuery),
    responses((status = 204, description = "Deleted."), Refused)
)]
pub(super) async fn delete(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Id(id): Id<EnvironmentId>,
    Query(query): Query<DeleteQuery>,
) -> Result<StatusCode, ApiProblem> {
    state.app.delete_environment(&caller, id, query.force).await?;
    Ok(StatusCode::NO_CONTENT)
}
