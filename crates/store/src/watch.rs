//! Who lives of the nodes on a roll, as somebody sees it who is not on it: nodes beat.

use std::collections::BTreeMap;

use tidings_runtime::Clock;

use crate::nodes::{BEAT_EVERY, MISSED_BEATS_MAX};
use crate::{Node, NodeNumber, Store, StoreError};

/// Watches the roll for as long as a node may be silent before others think it gone, or until all on it have beaten. Gives those that beat meanwhile, and
/// those that did not.
pub async fn watch_roll(store: &dyn Store, clock: &dyn Clock) -> Result<(Vec<Node>, Vec<Node>), StoreError> {
    let first: BTreeMap<NodeNumber, u64> = store.nodes().await?.into_iter().map(|node| (node.number, node.beats)).collect();
    let is_silent = |node: &Node| first.get(&node.number) == Some(&node.beats);
    let mut watched = (Vec::new(), Vec::new());
    for _ in 0..=MISSED_BEATS_MAX {
        if first.is_empty() {
            break;
        }
        clock.sleep(BEAT_EVERY).await;
        watched = store.nodes().await?.into_iter().partition(|node| !is_silent(node));
        if watched.1.is_empty() {
            break;
        }
    }
    Ok(watched)
}
