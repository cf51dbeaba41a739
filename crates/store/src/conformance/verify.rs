//! What a verification finds, as far as the verbs themselves can bring it about; and that it finds nothing else.

use std::sync::Arc;
use std::time::Duration;

use tidings_model::{CancelReason, DisableReason, Timestamp, Verdict, WebhookId};

use super::people::person;
use super::world::{Done, World, at, credential, event_type, idempotency, nth, settlement, webhook};
use crate::{AsOf, Finding, LeaseGrant, Missing, NewEvent, OVERDUE_AFTER, PersonRole, Place, Start, Store, Thing};

/// While an engine works on the store.
const fn served(at: Timestamp) -> AsOf {
    AsOf {
        at,
        served_since: Some(Timestamp::from_millis(0)),
    }
}

/// Everything that can happen to events, in an environment with two webhooks. The second is told.
async fn use_up(world: &World) -> WebhookId {
    let (first, second) = (world.webhook(1).await, world.webhook(2).await);
    for seconds in 0..4 {
        let leased = Start::Leased(world.grant(at(seconds)));
        let event = NewEvent {
            idempotency: Some(idempotency(&format!("key {seconds}"), 1, at(900))),
            ..world.event(at(seconds), &[(first, Start::Due), (second, leased)]).await
        };
        world.append(event).await;
    }
    let skipped = Start::Skipped(CancelReason::WebhookDisabled);
    world
        .append(world.event(at(4), &[(first, skipped), (first, Start::Due)]).await)
        .await;
    let batch = world.lease(first, at(5), 4).await.deliveries;
    let verdicts = [
        Verdict::Delivered,
        Verdict::RetryAt(at(20)),
        Verdict::Exhausted,
        Verdict::Cancel(CancelReason::Gone),
    ];
    for (leased, verdict) in batch.iter().zip(verdicts) {
        world.settle(settlement(leased, verdict, at(6))).await;
    }
    let retried = world.lease(first, at(20), 10).await.deliveries;
    world.settle(settlement(&retried[0], Verdict::RetryAt(at(40)), at(21))).await;
    let resent = nth(batch[0].id.event, 0);
    world.store.resend(world.environment, resent, at(22)).await.done().done();
    world.store.disable_webhook(first, DisableReason::Failing, at(22)).await.done();
    world.store.cancel_pending(first, at(22), 1).await.done();
    second
}

/// Whatever the verbs do, nothing is found afterwards: after every kind of end, after deletions, pruning, and a forgotten environment.
pub async fn a_store_that_was_used_as_it_should_be_is_sound(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    assert_eq!(world.verify(served(at(0)), 10).await, []);
    store.create_credential(&credential(1, world.environment)).await.done();
    store.create_credential(&credential(2, other.environment)).await.done();
    store
        .create_person(&person("zoe@example.com", PersonRole::Owner))
        .await
        .done()
        .done();
    store
        .create_event_type(other.environment, &event_type("order.placed"))
        .await
        .done()
        .done();
    let second = use_up(&world).await;
    let now = served(at(61));
    assert_eq!(world.verify(now, 10).await, []);
    assert!(store.delete_webhook(world.environment, second, at(24)).await.done());
    assert_eq!(world.verify(now, 10).await, []);
    other.publish(at(30), &[other.webhook(3).await]).await;
    store.delete_environment(other.environment, true).await.done().done();
    assert_eq!(world.verify(now, 10).await, []);
    while store.cancel_pending(second, at(500), 10).await.done() > 0 {}
    assert!(store.prune(world.environment, at(3), 10).await.done().events > 0);
    assert_eq!(world.verify(now, 10).await, [], "keys outlive what was pruned");
}

/// Steps of any size find the same, and each of them ends.
pub async fn a_verification_goes_on_where_it_stopped(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    use_up(&world).await;
    let lease = LeaseGrant {
        until: at(100_000),
        ..world.grant(at(50))
    };
    let webhook = world.webhook(5).await;
    for seconds in [50, 51, 52] {
        world.append(world.event(at(seconds), &[(webhook, Start::Due)]).await).await;
    }
    let leased = store.lease_due(webhook, at(60), 10, lease).await.done().deliveries;
    let expected: Vec<_> = leased
        .iter()
        .map(|leased| Finding::LeaseTooLong {
            delivery: leased.id,
            until: lease.until,
        })
        .collect();
    assert_eq!(expected.len(), 3);
    for limit in [0, 1, 2, 1_000] {
        assert_eq!(world.verify(served(at(61)), limit).await, expected, "so many at a time: {limit}");
    }
    let mut place = Some(Place::start());
    let mut looked_at = 0;
    while let Some(here) = place {
        let verified = store.verify(&here, served(at(61)), 1).await.done();
        looked_at += verified.looked_at;
        place = verified.next;
    }
    assert!(looked_at >= 8, "eight events were there, and {looked_at} rows were looked at");
}

/// What is due for long, in nobody's hands, is found with the delivery that has waited longest.
pub async fn what_nobody_works_on_is_found(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let (waiting, leased) = (world.webhook(1).await, world.webhook(2).await);
    let oldest = world.publish(at(1), &[waiting]).await;
    world.publish(at(2), &[waiting]).await;
    let held = world.append(world.event(at(3), &[(leased, Start::Due)]).await).await.event;
    let lease = world.lease(leased, at(3), 1).await.deliveries[0].lease;
    let overdue = |webhook, event, since| Finding::Overdue {
        webhook,
        delivery: nth(event, 0),
        since,
    };
    let almost = at(1) + OVERDUE_AFTER - Duration::from_millis(1);
    assert_eq!(world.verify(served(almost), 10).await, []);
    let long = at(1) + OVERDUE_AFTER;
    assert_eq!(world.verify(served(long), 10).await, [overdue(waiting, oldest, at(1))]);
    let ended = lease.until + OVERDUE_AFTER;
    assert_eq!(
        world.verify(served(ended), 10).await,
        [overdue(waiting, oldest, at(1)), overdue(leased, held, lease.until)],
        "a lease that ended long ago holds nothing"
    );
}

/// A webhook whose deliveries wait behind each other is not late: it is leased from, or was attempted lately. A store that nobody serves is not either.
pub async fn what_is_due_is_not_late_where_somebody_works_or_nobody_serves(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    for seconds in 1..=3 {
        world.publish(at(seconds), &[webhook]).await;
    }
    let long = at(3) + OVERDUE_AFTER;
    let stopped = AsOf {
        at: long,
        served_since: None,
    };
    assert_eq!(world.verify(served(long), 10).await.len(), 1);
    assert_eq!(world.verify(stopped, 10).await, []);
    let started = AsOf {
        at: long,
        served_since: Some(at(4)),
    };
    assert_eq!(world.verify(started, 10).await, [], "who has just begun is given the time");
    let leased = world.lease(webhook, long, 1).await.deliveries;
    assert_eq!(world.verify(served(long), 10).await, [], "the first of them is being sent");
    world.settle(settlement(&leased[0], Verdict::Exhausted, long)).await;
    assert_eq!(world.verify(served(long), 10).await, [], "one was sent just now");
    let later = long + OVERDUE_AFTER;
    assert_eq!(world.verify(served(later), 10).await.len(), 1, "and none since");
}

/// A lease that ends later than any engine asks for is found: nobody else may have the delivery until then.
pub async fn a_lease_that_does_not_end_is_found(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    let event = world.publish(at(1), &[webhook]).await;
    let until = at(1) + Duration::from_secs(400 * 24 * 3_600);
    let grant = LeaseGrant {
        until,
        ..world.grant(at(1))
    };
    assert_eq!(store.lease_due(webhook, at(1), 1, grant).await.done().deliveries.len(), 1);
    let too_long = Finding::LeaseTooLong {
        delivery: nth(event, 0),
        until,
    };
    assert_eq!(world.verify(served(at(2)), 10).await, [too_long]);
}

/// Attempts are numbered from 1 without a gap.
pub async fn an_attempt_without_the_one_before_it_is_found(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    let event = world.publish(at(1), &[webhook]).await;
    let mut second = settlement(&world.lease_one(webhook, at(1)).await, Verdict::Exhausted, at(2));
    second.attempt.number = 2;
    world.settle(second).await;
    let gap = Finding::AttemptsNotNumbered {
        delivery: nth(event, 0),
        expected: 1,
        found: 2,
    };
    assert_eq!(world.verify(served(at(3)), 10).await, [gap]);
}

/// An event of one environment does not go to a webhook of another.
pub async fn a_delivery_into_another_environment_is_found(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let elsewhere = world.beside(2).await.webhook(1).await;
    let event = world.publish(at(1), &[elsewhere]).await;
    let crossing = Finding::OtherEnvironment {
        thing: Thing::Delivery(nth(event, 0)),
        into: Thing::Webhook(elsewhere),
    };
    assert_eq!(world.verify(served(at(2)), 10).await, [crossing]);
}

/// What waits for a webhook that there has never been waits for ever.
pub async fn a_pending_delivery_to_no_webhook_is_found(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let nowhere = webhook(world.environment, 77).id;
    let event = world.publish(at(1), &[nowhere]).await;
    let orphan = Finding::Orphan {
        delivery: nth(event, 0),
        webhook: nowhere,
        missing: Missing::Webhook,
    };
    assert_eq!(world.verify(served(at(2)), 10).await, [orphan]);
}
