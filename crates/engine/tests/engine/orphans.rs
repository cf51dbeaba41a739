//! Deliveries that can never be sent are counted, whoever made them.

use std::time::Duration;

use bytes::Bytes;
use tidings_model::{Trigger, WebhookId};
use tidings_store::{NewEvent, Start, Store, Target};

use crate::support::{START, World};

#[tokio::test]
async fn a_pending_delivery_without_a_webhook_is_on_the_gauge_until_it_has_ended() {
    let world = World::new().await;
    world.pass(Duration::from_secs(1)).await;
    assert_eq!(world.engine.metrics.orphaned.get(), 0);
    let routing = world.store.routing(world.environment).await.unwrap().unwrap();
    let event = NewEvent {
        environment: world.environment,
        routing_version: routing.version,
        key: "order.placed".parse().unwrap(),
        tenant: None,
        user: None,
        application: None,
        body: Bytes::from_static(b"{}"),
        at: START,
        idempotency: None,
        trigger: Trigger::Event,
        targets: vec![Target {
            webhook: WebhookId::new(START, 999),
            start: Start::Due,
        }],
    };
    world.store.append(vec![event]).await.unwrap()[0].unwrap();

    world.engine.orphans_tick().await.unwrap();
    assert_eq!(world.engine.metrics.orphaned.get(), 1);

    // The model takes a webhook that it does not know for one that was deleted, so that reconciling cancels what waits for it.
    world.pass(Duration::from_secs(301)).await;
    assert_eq!(world.engine.metrics.orphaned.get(), 0, "it is looked for every five minutes");
}
