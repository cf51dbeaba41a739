//! Whether anybody serves a store, as somebody sees it who does not: nodes beat.

use std::collections::BTreeMap;

use tidings_runtime::Clock;
use tidings_store::{Node, NodeNumber, Store, StoreError};

use crate::roll::{BEAT_EVERY, MISSED_BEATS_MAX};

/// Watches the roll for as long as a node may be silent before others think it gone. Gives those that beat meanwhile; where none did, takes off the roll
/// those that did not.
pub async fn wait_for_silence(store: &dyn Store, clock: &dyn Clock) -> Result<Vec<Node>, StoreError> {
    let first: BTreeMap<NodeNumber, u64> = beats(store.nodes().await?);
    for _ in 0..MISSED_BEATS_MAX {
        if first.is_empty() {
            break;
        }
        clock.sleep(BEAT_EVERY).await;
        let mut nodes = store.nodes().await?;
        nodes.retain(|node| first.get(&node.number) != Some(&node.beats));
        if !nodes.is_empty() {
            return Ok(nodes);
        }
    }
    for (node, beats) in first {
        store.strike_node(node, Some(beats)).await?;
    }
    store.nodes().await // who came or beat in the last moment
}

fn beats(nodes: Vec<Node>) -> BTreeMap<NodeNumber, u64> {
    nodes.into_iter().map(|node| (node.number, node.beats)).collect()
}
