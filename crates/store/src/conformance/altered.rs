//! What becomes of an event whose body the disk altered. No verb does that, so a store's test says how, and calls these cases itself.

use std::sync::Arc;

use tidings_model::{CancelReason, DeliveryState, EventBody, EventId, Verdict};

use super::world::{Done, World, at, nth};
use crate::{DeliveryFilter, EventFilter, Page, ResendError, Store};

/// Lists show every event, the altered one as such, and it is found by itself.
pub async fn an_altered_event_is_shown_as_such_among_the_others(store: &Arc<dyn Store>, alter: impl AsyncFnOnce(EventId)) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    let altered = world.publish(at(1), &[webhook]).await;
    world.attempt(webhook, Verdict::Delivered, at(1)).await;
    let whole = world.publish(at(2), &[webhook]).await;
    alter(altered).await;

    let listed = store.events(&EventFilter::of(world.environment), Page::first(10)).await.done();
    let bodies: Vec<_> = listed.iter().map(|event| (event.id, event.body == EventBody::Altered)).collect();
    assert_eq!(bodies, [(whole, false), (altered, true)]);
    assert_eq!(store.event(world.environment, altered).await.done().as_ref(), Some(&listed[1]));
    let detail = store.delivery(world.environment, nth(altered, 0), at(3)).await.done().done();
    assert_eq!((&detail.event, detail.attempts.len()), (&listed[1], 1));
    let deliveries = store
        .deliveries(&DeliveryFilter::of(world.environment), Page::first(10), at(3))
        .await
        .done();
    assert_eq!(deliveries.len(), 2);
}

/// Its deliveries are cancelled when they would be leased, before or after their first attempt, and the webhook's others are leased.
pub async fn deliveries_of_an_altered_event_end_when_they_are_due(store: &Arc<dyn Store>, alter: impl AsyncFnOnce(EventId)) {
    let world = World::new(store).await;
    let (webhook, other) = (world.webhook(1).await, world.webhook(2).await);
    let altered = world.publish(at(1), &[webhook, other]).await;
    world.attempt(other, Verdict::RetryAt(at(20)), at(2)).await;
    let whole = world.publish(at(3), &[webhook]).await;
    alter(altered).await;

    let batch = world.lease(webhook, at(10), 10).await;
    let leased: Vec<_> = batch.deliveries.iter().map(|delivery| delivery.id).collect();
    assert_eq!(leased, [nth(whole, 0)]);
    let none = world.lease(other, at(20), 1).await;
    assert_eq!(
        (none.deliveries.len(), none.next_due),
        (0, None),
        "nothing of it is pending any more"
    );
    for (ordinal, ended, attempts) in [(0, 10, 0), (1, 20, 1)] {
        let delivery = world.delivery(nth(altered, ordinal), at(30)).await;
        let why = CancelReason::BodyAltered;
        assert_eq!(delivery.state, DeliveryState::Cancelled { at: at(ended), why });
        assert_eq!(delivery.attempts, attempts);
    }
}

/// What it was cannot be sent again, and the refusal leaves nothing behind.
pub async fn an_altered_event_is_not_sent_again(store: &Arc<dyn Store>, alter: impl AsyncFnOnce(EventId)) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    let altered = world.publish(at(1), &[webhook]).await;
    world.attempt(webhook, Verdict::Delivered, at(2)).await;
    alter(altered).await;

    let refused = store.resend(world.environment, nth(altered, 0), at(3)).await.done();
    assert_eq!(refused, Err(ResendError::BodyAltered));
    assert!(store.delivery(world.environment, nth(altered, 1), at(3)).await.done().is_none());
    world.disable(webhook).await;
    let refused = store.resend(world.environment, nth(altered, 0), at(4)).await.done();
    assert_eq!(refused, Err(ResendError::WebhookDisabled));
}
