//! Reading environments.

use axum::Json;
use axum::extract::State;
use tidings_model::EnvironmentId;

use super::wire::EnvironmentView;
use crate::auth::Authenticated;
use crate::problem::{ApiProblem, Refused};
use crate::query::Id;
use crate::state::ServerState;
use crate::v1::page::All;

/// List environments
///
/// All of them for an operator; for anybody else its own.
#[utoipa::path(
    get,
    path = "/v1/environments",
    operation_id = "listEnvironments",
    tag = "Environments",
    responses((status = 200, description = "The environments.", body = All<EnvironmentView>), Refused)
)]
pub(super) async fn list(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
) -> Result<Json<All<EnvironmentView>>, ApiProblem> {
    let environments = state.app.environments(&caller).await?;
    let data = environments.into_iter().map(EnvironmentView::from).collect();
    Ok(Json(All { data }))
}

/// Read an environment
#[utoipa::path(
    get,
    path = "/v1/environments/{id}",
    operation_id = "readEnvironment",
    tag = "Environments",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The environment.", body = EnvironmentView), Refused)
)]
pub(super) async fn read(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Id(id): Id<EnvironmentId>,
) -> Result<Json<EnvironmentView>, ApiProblem> {
    Ok(Json(state.app.environment(&caller, id).await?.into()))
}
