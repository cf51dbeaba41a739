//! Which nodes serve the store, and how they are: for owners and admins.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use tidings_app::nodes::NodeView;

use crate::fault::{PageFault, show};
use crate::icon::Icon;
use crate::session::SignedIn;
use crate::shell::{Around, Section, Shell};
use crate::state::Portal;

pub(super) fn routes() -> Router<Portal> {
    Router::new().route(PATH, get(list))
}

const PATH: &str = "/nodes";

#[derive(Template)]
#[template(path = "nodes/nodes.html")]
struct NodesPage {
    shell: Shell,
    nodes: Vec<NodeView>,
}

async fn list(State(portal): State<Portal>, SignedIn(visit): SignedIn, around: Around) -> Result<Response, PageFault> {
    let nodes = portal.app.nodes_for(&visit).await?;
    let shell = around.global(&portal, &visit, Section::Nodes, "Nodes").await?;
    let page = NodesPage {
        shell: shell.crumb("Nodes", PATH),
        nodes,
    };
    show(&page, 200)
}
