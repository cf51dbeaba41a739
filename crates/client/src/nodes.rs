//! The nodes that serve a store.

use serde::Deserialize;

use crate::client::Query;
use crate::{Answer, Client, Error};

/// All nodes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Nodes {
    /// By number.
    pub data: Vec<Node>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Its number, never given out again.
    pub number: u32,
    /// Where it listens.
    pub name: String,
    /// The version that it runs.
    pub version: String,
    /// Whether it is the one that answered.
    pub answers: bool,
    /// When it joined, by its own clock (RFC 3339).
    pub joined_at: String,
    /// When it last said that it lives, by its own clock (RFC 3339).
    pub seen_at: String,
    /// Deliveries that it has leased and not sent yet.
    pub queued: u64,
    /// Attempts that it has under way.
    pub in_flight: u64,
    /// How late its latest attempt of the last second began, in milliseconds.
    pub lag_ms: u64,
}

impl Client {
    /// The nodes that serve the store of the server, by number.
    pub async fn nodes(&self) -> Result<Answer<Nodes>, Error> {
        self.get(&["v1", "nodes"], Query::default()).await
    }
}
