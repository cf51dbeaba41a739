//! `tidings nodes`.

use clap::Args;
use tidings_client::Node;

use crate::config::{Ask, Flags};
use crate::failure::Outcome;
use crate::output::table;
use crate::session::Session;

/// Nodes: which serve the store, and what each has in hand.
///
/// A node is a process that serves the store: where it listens, what it has in hand, and when it last said that it lives. With the embedded store there
/// is one.
#[derive(Args)]
pub(crate) struct Nodes {
    #[command(flatten)]
    server: Flags<Ask>,
}

pub(crate) async fn run(args: Nodes) -> Outcome {
    let session = Session::open(&args.server)?;
    let answer = session.ask(session.client().nodes()).await?;
    session.show(&answer, |nodes| rows(&nodes.data))
}

fn rows(nodes: &[Node]) -> String {
    let rows = nodes.iter().map(|node| {
        let name = if node.answers {
            format!("{} (asked)", node.name)
        } else {
            node.name.clone()
        };
        [
            node.number.to_string(),
            name,
            node.version.clone(),
            node.queued.to_string(),
            node.in_flight.to_string(),
            format!("{} ms", node.lag_ms),
            node.joined_at.clone(),
            node.seen_at.clone(),
        ]
    });
    table(["number", "node", "version", "leased", "in flight", "lag", "joined", "seen"], rows)
}
