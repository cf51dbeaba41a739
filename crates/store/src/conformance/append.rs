//! Appending: ids, the routing version, how deliveries begin.

use std::sync::Arc;

use tidings_model::EventId;

use super::world::{World, at, at_ms};
use crate::Store;

/// Ids are those of one `EventIdSequence`: they ascend whatever the clock does, over all environments.
pub async fn ids_ascend_and_begin_with_the_time(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    assert_eq!(world.publish(at(10), &[]).await, EventId::new(at(10), 0));
    assert_eq!(other.publish(at(10), &[]).await, EventId::new(at(10), 1));
    assert_eq!(world.publish(at(5), &[]).await, EventId::new(at(10), 2), "the clock went back");
    assert_eq!(world.publish(at_ms(10_001), &[]).await, EventId::new(at_ms(10_001), 0));
}
