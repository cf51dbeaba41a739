//! Deliveries that can never be sent are counted, whoever made them.

use std::time::Duration;

use tidings_model::WebhookId;
use tidings_store::Start;

use crate::support::{START, World};

#[tokio::test]
async fn a_pending_delivery_without_a_webhook_is_on_the_gauge_until_it_has_ended() {
    let world = World::new().await;
    world.pass(Duration::from_secs(1)).await;
    assert_eq!(world.engine.metrics.orphaned.get(), 0);
    world.append(world.environment, WebhookId::new(START, 999), Start::Due).await;

    world.engine.orphans_tick().await.unwrap();
    assert_eq!(world.engine.metrics.orphaned.get(), 1);

    // The model takes a webhook that it does not know for one that was deleted, so that reconciling cancels what waits for it.
    world.pass(Duration::from_secs(301)).await;
    assert_eq!(world.engine.metrics.orphaned.get(), 0, "it is looked for every five minutes");
}
