//! Cancelling what waits for a webhook that is not to be sent to any more.

use std::sync::Arc;

use tidings_model::{CancelReason, DeliveryId, DeliveryState, DisableReason, EventId, Verdict, Webhook, WebhookId, WebhookState};

use super::world::{Done, LEASE, World, at, nth, settlement};
use crate::{Settled, Store};

/// The ids of those of the webhook's first deliveries that are pending.
async fn pending(world: &World, events: &[EventId]) -> Vec<DeliveryId> {
    let mut found = Vec::new();
    for event in events {
        let delivery = world.delivery(nth(*event, 0), at(0)).await;
        if matches!(delivery.state, DeliveryState::Pending { .. }) {
            found.push(delivery.id);
        }
    }
    found
}

/// Switches a webhook off.
async fn disable(world: &World, webhook: WebhookId) {
    world.store.disable_webhook(webhook, DisableReason::Operator, at(3)).await.done();
}

/// What waits for a webhook that is off is cancelled, due or not, for the reason that it is off, and other webhooks are not concerned.
pub async fn what_waits_is_cancelled_for_the_reason_that_the_webhook_is_off(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let bystander = world.webhook(9).await;
    for (number, why) in [(2, CancelReason::WebhookDisabled), (3, CancelReason::WebhookDeleted)] {
        let webhook = world.webhook(number).await;
        let retried = world.publish(at(1), &[webhook]).await;
        world.attempt(webhook, Verdict::RetryAt(at(9_000)), at(1)).await;
        let due = world.publish(at(2), &[webhook]).await;

        match why {
            CancelReason::WebhookDeleted => assert!(store.delete_webhook(world.environment, webhook, at(3)).await.done()),
            _ => disable(&world, webhook).await,
        }
        assert_eq!(store.cancel_pending(webhook, at(5), 10).await.done(), 2);
        let state = DeliveryState::Cancelled { at: at(5), why };
        let (retried, due) = (
            world.delivery(nth(retried, 0), at(5)).await,
            world.delivery(nth(due, 0), at(5)).await,
        );
        assert_eq!((retried.state, retried.attempts, retried.last_status), (state, 1, Some(503)));
        assert_eq!((due.state, due.attempts, due.last_status), (state, 0, None));
        assert_eq!(store.cancel_pending(webhook, at(6), 10).await.done(), 0);
    }
    let untouched = world.publish(at(1), &[bystander]).await;
    let idle = world.webhook(4).await;
    disable(&world, idle).await;
    assert_eq!(store.cancel_pending(idle, at(5), 10).await.done(), 0);
    assert_eq!(pending(&world, &[untouched]).await, [nth(untouched, 0)]);
}

/// Whoever looked while a webhook was off, and comes to cancel when it is on again, cancels nothing of what was accepted since.
pub async fn what_waits_for_a_webhook_that_is_on_again_is_not_cancelled(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let id = world.webhook(1).await;
    let waiting = world.publish(at(1), &[id]).await;
    disable(&world, id).await;
    let looked = world.due().await;
    assert_eq!(looked[0].cancelled, Some(CancelReason::WebhookDisabled));

    let webhook = world.read(id).await;
    let read = webhook.updated_at;
    let enabled = Webhook {
        state: WebhookState::Active,
        updated_at: at(4),
        ..webhook
    };
    assert!(store.replace_webhook(&enabled, read).await.done().is_ok());
    let accepted = world.publish(at(4), &[id]).await;
    world.lease(id, at(4), 1).await;

    assert_eq!(store.cancel_pending(id, at(4) + LEASE, 10).await.done(), 0);
    assert_eq!(pending(&world, &[waiting, accepted]).await, [nth(waiting, 0), nth(accepted, 0)]);
}

/// Who has a lease keeps it; when it has ended, its delivery is cancelled too, and the lease is lost.
pub async fn what_is_leased_is_not_cancelled(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    let settled = world.publish(at(1), &[webhook]).await;
    let kept = world.lease_one(webhook, at(1)).await;
    let ended = world.publish(at(2), &[webhook]).await;
    let lost = world.lease_one(webhook, at(2)).await;

    disable(&world, webhook).await;
    assert_eq!(store.cancel_pending(webhook, at(3), 10).await.done(), 0);
    world.settle(settlement(&kept, Verdict::Delivered, at(4))).await;
    let end = at(2) + LEASE;
    assert_eq!(store.cancel_pending(webhook, end, 10).await.done(), 1);
    assert_eq!(world.settle(settlement(&lost, Verdict::Delivered, end)).await, Settled::LeaseLost);
    assert_eq!(
        world.delivery(nth(settled, 0), end).await.state,
        DeliveryState::Delivered { at: at(4) }
    );
    let detail = store.delivery(world.environment, nth(ended, 0), end).await.done().done();
    let why = CancelReason::WebhookDisabled;
    assert_eq!(detail.delivery.state, DeliveryState::Cancelled { at: end, why });
    assert_eq!(detail.attempts, []);
}

/// A round of cancelling stops at its limit, oldest due first.
pub async fn a_round_of_cancelling_stops_at_its_limit(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    let last = world.publish(at(1), &[webhook]).await;
    world.attempt(webhook, Verdict::RetryAt(at(80)), at(1)).await;
    let (first, second) = (world.publish(at(10), &[webhook]).await, world.publish(at(20), &[webhook]).await);
    let events = [first, second, last];
    disable(&world, webhook).await;
    let cancel = async |limit| store.cancel_pending(webhook, at(30), limit).await.done();

    assert_eq!(cancel(0).await, 0);
    assert_eq!(cancel(1).await, 1);
    assert_eq!(pending(&world, &events).await, [nth(second, 0), nth(last, 0)]);
    assert_eq!(cancel(1).await, 1);
    assert_eq!(pending(&world, &events).await, [nth(last, 0)]);
    assert_eq!(cancel(5).await, 1);
}
