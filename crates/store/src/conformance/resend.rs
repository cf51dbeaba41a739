//! Sending a delivery again.

use std::sync::Arc;

use tidings_model::{CancelReason, Delivery, DeliveryState, EventId, Trigger, Verdict, Webhook, WebhookState};

use super::world::{Done, World, at, key, nth, tenant};
use crate::{NewEvent, ResendError, Start, Store};

/// A resend is a new delivery of the same event to the same webhook, due at once; the first one stays as it is.
pub async fn a_resend_is_a_new_delivery(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let (webhook, other) = (world.webhook(1).await, world.webhook(2).await);
    let targets = [(webhook, Start::Due), (other, Start::Due)];
    let new = NewEvent {
        tenant: Some(tenant("acme")),
        trigger: Trigger::Test,
        ..world.event(at(1), &targets).await
    };
    let event = world.append(new).await.event;
    world.attempt(webhook, Verdict::Exhausted, at(1)).await;
    let first = world.delivery(nth(event, 0), at(50)).await;

    let expected = Delivery {
        id: nth(event, 2),
        environment: world.environment,
        webhook,
        trigger: Trigger::Resend,
        event_key: key("order.placed"),
        tenant: Some(tenant("acme")),
        state: DeliveryState::Pending { next_attempt_at: at(50) },
        attempts: 0,
        last_status: None,
        leased: false,
        created_at: at(50),
    };
    assert_eq!(store.resend(world.environment, first.id, at(50)).await.done().done(), expected);
    assert_eq!(world.delivery(nth(event, 2), at(50)).await, expected);
    assert_eq!(world.delivery(first.id, at(50)).await, first);
    let leased = world.lease_one(webhook, at(50)).await;
    assert_eq!(
        (leased.id, leased.trigger, leased.attempts, leased.due_at),
        (nth(event, 2), Trigger::Resend, 0, at(50))
    );
}

/// Whatever its state, a delivery can be sent again and again, each time with the next ordinal of the event.
pub async fn every_delivery_can_be_sent_again(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    let skip = Start::Skipped(CancelReason::WebhookDisabled);
    let event = world
        .append(world.event(at(1), &[(webhook, skip), (webhook, Start::Due)]).await)
        .await
        .event;
    for (again, ordinal) in [(0, 2), (1, 3), (0, 4), (4, 5)] {
        let new = store.resend(world.environment, nth(event, again), at(2)).await.done().done();
        assert_eq!(new.id, nth(event, ordinal), "resent {again}");
    }
    assert_eq!(world.lease(webhook, at(2), 10).await.deliveries.len(), 5);
}

/// What does not exist, in that environment, is not sent again; neither is what has no webhook to go to.
pub async fn what_cannot_be_sent_again_is_refused(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let neighbour = world.beside(2).await;
    let (disabled, deleted) = (world.webhook(1).await, world.webhook(2).await);
    let event = world.publish(at(1), &[disabled, deleted]).await;
    let resend = async |world: &World, id| store.resend(world.environment, id, at(2)).await.done();

    assert_eq!(resend(&world, nth(event, 2)).await, Err(ResendError::NotFound));
    assert_eq!(resend(&world, nth(EventId::new(at(9), 9), 0)).await, Err(ResendError::NotFound));
    assert_eq!(resend(&neighbour, nth(event, 0)).await, Err(ResendError::NotFound));
    world.disable(disabled).await;
    assert_eq!(resend(&world, nth(event, 0)).await, Err(ResendError::WebhookDisabled));
    assert!(store.delete_webhook(world.environment, deleted, at(2)).await.done());
    assert_eq!(resend(&world, nth(event, 1)).await, Err(ResendError::WebhookDeleted));
    assert!(
        store.delivery(world.environment, nth(event, 2), at(2)).await.done().is_none(),
        "a refusal left a delivery"
    );

    let read = world.read(disabled).await;
    let active = Webhook {
        state: WebhookState::Active,
        updated_at: at(3),
        ..read.clone()
    };
    store.replace_webhook(&active, read.updated_at).await.done().done();
    assert_eq!(resend(&world, nth(event, 0)).await.done().id, nth(event, 2));
}
