//! The nodes that serve the store, for whoever runs them.

use tidings_store::Node;

use crate::app::App;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::visit::Visit;

/// A node, as it is shown.
#[derive(Clone, Debug)]
pub struct NodeView {
    /// What the roll has of it.
    pub node: Node,
    /// Whether it is the one that answers.
    pub answers: bool,
}

impl App {
    /// The nodes that serve this store, by number: for operators.
    pub async fn nodes(&self, caller: &Caller) -> Result<Vec<NodeView>, Problem> {
        caller.can_operate()?;
        self.roll().await
    }

    /// The nodes that serve this store, by number: for owners and admins.
    pub async fn nodes_for(&self, visit: &Visit) -> Result<Vec<NodeView>, Problem> {
        visit.can_see_nodes()?;
        self.roll().await
    }

    /// Whether other nodes serve this store at the moment, as far as this one knows.
    pub fn has_other_nodes(&self) -> bool {
        self.engine.has_others()
    }

    async fn roll(&self) -> Result<Vec<NodeView>, Problem> {
        let own = self.engine.node();
        let nodes = self.store.nodes().await?.into_iter();
        let view = |node: Node| NodeView {
            answers: node.number == own,
            node,
        };
        Ok(nodes.map(view).collect())
    }
}
