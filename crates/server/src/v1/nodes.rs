//! `/v1/nodes`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tidings_app::nodes::NodeView;
use tidings_model::Timestamp;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Authenticated;
use crate::problem::{ApiProblem, Refused};
use crate::state::ServerState;

pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// All nodes.
#[derive(Serialize, ToSchema)]
struct Nodes {
    /// By number.
    data: Vec<Node>,
}

/// A node that serves the store.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Node {
    /// Its number: given out when it joined, never again.
    number: u32,
    /// Where it listens.
    name: String,
    /// The version that it runs.
    version: String,
    /// Whether it is the one that answers this.
    answers: bool,
    /// When it joined, by its own clock.
    #[schema(value_type = String, format = DateTime)]
    joined_at: Timestamp,
    /// When it last said that it lives, by its own clock: every second. The others take over what it has when it is silent for five.
    #[schema(value_type = String, format = DateTime)]
    seen_at: Timestamp,
    /// Deliveries that it has leased and not sent yet.
    queued: u64,
    /// Attempts that it has under way.
    in_flight: u64,
    /// How late its latest attempt of the last second began, in milliseconds after it was due; 0 when it began none.
    lag_ms: u64,
}

impl From<NodeView> for Node {
    fn from(NodeView { node, answers }: NodeView) -> Self {
        Self {
            number: node.number.0,
            name: node.joined.name,
            version: node.joined.version,
            answers,
            joined_at: node.joined.at,
            seen_at: node.pulse.at,
            queued: node.pulse.queued,
            in_flight: node.pulse.in_flight,
            lag_ms: node.pulse.lag_ms,
        }
    }
}

/// List the nodes
///
/// Every process that serves the same store. With the embedded store there is one.
#[utoipa::path(
    get,
    path = "/v1/nodes",
    operation_id = "listNodes",
    tag = "Nodes",
    responses((status = 200, description = "All of them, by number.", body = Nodes), Refused)
)]
async fn list(State(state): State<ServerState>, Authenticated(caller): Authenticated) -> Result<Json<Nodes>, ApiProblem> {
    let nodes = state.app.nodes(&caller).await?;
    Ok(Json(Nodes {
        data: nodes.into_iter().map(Node::from).collect(),
    }))
}
