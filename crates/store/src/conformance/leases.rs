//! Leases: who may send what, and for how long.

use std::sync::Arc;

use bytes::Bytes;
use tidings_model::{CancelReason, DeliveryId, DisableReason, Trigger, Verdict};

use super::world::{Done, LEASE, World, at, at_ms, nth, settlement};
use crate::{DueBatch, DueWebhook, LeaseToken, LeasedDelivery, NewEvent, Settled, Start, Store};

fn ids(batch: &DueBatch) -> Vec<DeliveryId> {
    batch.deliveries.iter().map(|leased| leased.id).collect()
}

/// A lease carries all that is needed to send.
pub async fn a_lease_carries_what_is_needed_to_send(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    let body = Bytes::from_static(b"{\"eventKey\":\"\xff\"}");
    let new = NewEvent {
        body: body.clone(),
        trigger: Trigger::Test,
        ..world.event(at(1), &[(webhook, Start::Due)]).await
    };
    let event = world.append(new).await.event;

    let lease = world.grant(at(2));
    let batch = store.lease_due(webhook, at(2), 10, lease).await.done();
    let mut expected = LeasedDelivery {
        id: nth(event, 0),
        environment: world.environment,
        webhook,
        trigger: Trigger::Test,
        attempts: 0,
        due_at: at(1),
        body,
        lease,
    };
    assert_eq!(
        batch,
        DueBatch {
            deliveries: vec![expected.clone()],
            next_due: Some(lease.until)
        }
    );

    world.settle(settlement(&expected, Verdict::RetryAt(at(30)), at(3))).await;
    expected.lease = world.grant(at(31));
    (expected.attempts, expected.due_at) = (1, at(30));
    let batch = store.lease_due(webhook, at(31), 10, expected.lease).await.done();
    assert_eq!(batch.deliveries, [expected]);
}

/// What was due first is leased first, whatever its id; no more than wanted, none that is not due, and none of another webhook.
pub async fn the_oldest_due_is_leased_first(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let (webhook, other) = (world.webhook(1).await, world.webhook(2).await);
    let first = world.publish(at(1), &[webhook]).await;
    world.attempt(webhook, Verdict::RetryAt(at(50)), at(1)).await;
    let second = world.publish(at(20), &[other, webhook, webhook]).await;
    let third = world.publish(at(60), &[webhook]).await;

    let early = world.lease(webhook, at_ms(19_999), 10).await;
    assert_eq!(
        early,
        DueBatch {
            deliveries: Vec::new(),
            next_due: Some(at(20))
        }
    );
    let one = world.lease(webhook, at(70), 1).await;
    assert_eq!(
        (ids(&one), one.next_due),
        (vec![nth(second, 1)], Some(at(20))),
        "more is due than was wanted"
    );
    let rest = world.lease(webhook, at(70), 10).await;
    assert_eq!(ids(&rest), [nth(second, 2), nth(first, 0), nth(third, 0)]);
    assert_eq!(rest.next_due, Some(at(70) + LEASE));
    assert_eq!(ids(&world.lease(webhook, at(71), 10).await), []);
    assert_eq!(ids(&world.lease(other, at(71), 10).await), [nth(second, 0)]);
}

/// A lease keeps others away until it ends, not a millisecond longer; who takes it over has it alone.
pub async fn a_lease_keeps_others_away_until_it_ends(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    world.publish(at(1), &[webhook]).await;
    let first = world.lease_one(webhook, at(1)).await;
    let end = at(1) + LEASE;

    let waiting = world.lease(webhook, at_ms(60_999), 10).await;
    assert_eq!(
        waiting,
        DueBatch {
            deliveries: Vec::new(),
            next_due: Some(end)
        }
    );
    let second = world.lease_one(webhook, end).await;
    assert_eq!((second.id, second.attempts, second.due_at), (first.id, 0, at(1)));
    assert_ne!(second.lease.token, first.lease.token);

    assert_eq!(world.settle(settlement(&first, Verdict::Delivered, end)).await, Settled::LeaseLost);
    store.release(vec![(first.id, first.lease.token)]).await.done();
    assert_eq!(
        ids(&world.lease(webhook, end, 10).await),
        [],
        "the lost lease gave the new one back"
    );
    assert_eq!(
        world.settle(settlement(&second, Verdict::Delivered, end)).await,
        Settled::Recorded { failing_since: None }
    );
    assert_eq!(world.lease(webhook, end + LEASE, 10).await, DueBatch::default());
}

/// A delivery that began leased is nobody else's until that lease ends.
pub async fn a_delivery_that_began_leased_is_leased_again_when_that_ends(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    let event = world
        .append(world.event(at(1), &[(webhook, Start::Leased(world.grant(at(1))))]).await)
        .await
        .event;
    let end = at(1) + LEASE;
    assert_eq!(
        world.lease(webhook, at(2), 10).await,
        DueBatch {
            deliveries: Vec::new(),
            next_due: Some(end)
        }
    );
    assert_eq!(world.lease_one(webhook, end).await.id, nth(event, 0));
}

/// The next due time is the earliest of all that is pending, the later of due time and end of lease for each.
pub async fn the_next_due_time_counts_leases(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    let next_due = async |want| world.lease(webhook, at(10), want).await.next_due;
    assert_eq!(next_due(0).await, None, "nothing is pending");

    world.publish(at(1), &[webhook]).await;
    let leased = world.lease_one(webhook, at(1)).await;
    assert_eq!(next_due(0).await, Some(at(1) + LEASE), "leased");
    world.settle(settlement(&leased, Verdict::RetryAt(at(500)), at(2))).await;
    assert_eq!(next_due(9).await, Some(at(500)), "to be retried");
    let later = world.publish(at(10), &[webhook]).await;
    assert_eq!(next_due(0).await, Some(at(10)), "due, and not wanted");
    assert_eq!(next_due(9).await, Some(at(10) + LEASE), "leased, and to be retried later");
    store.release(vec![(nth(later, 0), LeaseToken(-1))]).await.done();
    assert_eq!(next_due(9).await, Some(at(10) + LEASE), "released by somebody who never had it");
}

/// A lease that is over before its delivery is due, as when the clock went back in between, makes nothing due early.
pub async fn a_lease_that_is_over_makes_nothing_due_early(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    let over = world.grant(at(0) - LEASE);
    world.append(world.event(at(5), &[(webhook, Start::Leased(over))]).await).await;
    assert_eq!(world.due().await[0].next_due, at(5));
    let early = world.lease(webhook, at(1), 10).await;
    assert_eq!((ids(&early), early.next_due), (vec![], Some(at(5))));
    assert_eq!(world.stats(at_ms(14_999)).await.overdue, 0);
    assert_eq!(world.lease_one(webhook, at(5)).await.due_at, at(5));
}

/// What is released is due as it was, and the lease is over.
pub async fn what_is_released_is_due_as_it_was(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    let (one, two) = (world.publish(at(1), &[webhook]).await, world.publish(at(2), &[webhook]).await);
    let batch = world.lease(webhook, at(3), 10).await;
    let unknown = (nth(two, 9), batch.deliveries[0].lease.token);
    let leases = batch
        .deliveries
        .iter()
        .map(|leased| (leased.id, leased.lease.token))
        .chain([unknown])
        .collect();
    store.release(leases).await.done();

    assert!(!world.delivery(nth(one, 0), at(3)).await.leased);
    assert_eq!(
        world.settle(settlement(&batch.deliveries[0], Verdict::Delivered, at(4))).await,
        Settled::LeaseLost
    );
    let again = world.lease(webhook, at(3), 10).await;
    assert_eq!(ids(&again), [nth(one, 0), nth(two, 0)]);
    assert_eq!(
        again.deliveries.iter().map(|leased| leased.due_at).collect::<Vec<_>>(),
        [at(1), at(2)]
    );

    world.settle(settlement(&again.deliveries[0], Verdict::Delivered, at(4))).await;
    store.release(vec![(nth(one, 0), again.deliveries[0].lease.token)]).await.done();
    assert_eq!(ids(&world.lease(webhook, at(4), 10).await), [], "a finished delivery was released");
}

/// Every webhook with pending deliveries is shown, with its next due time and whether anything may still be sent.
pub async fn every_webhook_with_pending_deliveries_is_shown(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    let [leased, disabled, deleted, idle, skipped] = [1, 2, 3, 4, 5].map(|number| world.webhook(number));
    let (leased, disabled, deleted) = (leased.await, disabled.await, deleted.await);
    let (_, skipped) = (idle.await, skipped.await);
    let elsewhere = other.webhook(6).await;

    world.publish(at(1), &[leased, disabled, deleted]).await;
    world.publish(at(2), &[leased, disabled]).await;
    other.publish(at(3), &[elsewhere]).await;
    let skip = Start::Skipped(CancelReason::WebhookDisabled);
    world.append(world.event(at(3), &[(skipped, skip)]).await).await;
    assert_eq!(world.lease(leased, at(4), 10).await.deliveries.len(), 2);
    assert!(store.disable_webhook(disabled, DisableReason::Gone, at(5)).await.done());
    assert!(store.delete_webhook(world.environment, deleted, at(5)).await.done());

    let due = |webhook, world: &World, next_due, cancelled| DueWebhook {
        webhook,
        environment: world.environment,
        next_due,
        cancelled,
    };
    let expected = [
        due(leased, &world, at(4) + LEASE, None),
        due(disabled, &world, at(1), Some(CancelReason::WebhookDisabled)),
        due(deleted, &world, at(1), Some(CancelReason::WebhookDeleted)),
        due(elsewhere, &other, at(3), None),
    ];
    assert_eq!(world.due().await, expected);

    other.attempt(elsewhere, Verdict::Delivered, at(6)).await;
    assert_eq!(world.due().await, expected[..3], "nothing of the last is pending any more");
}
