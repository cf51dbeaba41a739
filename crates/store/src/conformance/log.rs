//! One event and one delivery of the log.

use std::sync::Arc;

use tidings_model::Verdict;

use super::world::{Done, LEASE, World, at, nth, settlement};
use crate::{DeliveryFilter, Page, Store};

/// Nothing of one environment is found from another, though the id is right.
pub async fn an_id_is_found_in_its_environment_alone(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    let webhook = world.webhook(1).await;
    let event = world.publish(at(1), &[webhook]).await;
    assert!(store.event(world.environment, event).await.done().is_some());
    assert!(store.delivery(world.environment, nth(event, 0), at(1)).await.done().is_some());
    assert!(store.event(other.environment, event).await.done().is_none());
    assert!(store.delivery(other.environment, nth(event, 0), at(1)).await.done().is_none());
}

/// A detail has the event with its body and the attempts of that delivery alone, and shows, as every list does, whether it is leased then.
pub async fn a_detail_has_the_event_and_the_attempts(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    let event = world.publish(at(1), &[webhook, webhook]).await;
    let both = world.lease(webhook, at(1), 10).await.deliveries;
    let settlements: Vec<_> = both
        .iter()
        .map(|leased| settlement(leased, Verdict::RetryAt(at(10)), at(2)))
        .collect();
    store.settle(settlements.clone().into()).await.done();
    let leased = world.lease(webhook, at(10), 1).await.deliveries.remove(0);

    let when = at(11);
    let detail = store.delivery(world.environment, leased.id, when).await.done().done();
    assert_eq!(detail.event, store.event(world.environment, event).await.done().done());
    assert_eq!(detail.attempts, [settlements[0].attempt.clone()]);
    assert!(detail.delivery.leased);
    let listed = store
        .deliveries(&DeliveryFilter::of(world.environment), Page::first(10), when)
        .await
        .done();
    assert_eq!(listed[1], detail.delivery);
    assert!(!listed[0].leased);

    let later = at(10) + LEASE;
    assert!(!world.delivery(leased.id, later).await.leased, "the lease has ended");
    let listed = store
        .deliveries(&DeliveryFilter::of(world.environment), Page::first(10), later)
        .await
        .done();
    assert!(!listed[1].leased);
}
