//! Pruning, forgetting keys, figures.

use std::sync::Arc;

use tidings_model::{EventId, Verdict};

use super::people::person;
use super::world::{Done, LEASE, World, at, at_ms, environment_id, idempotency, nth, settlement};
use crate::{
    Activity, ActivityCounts, AuditEntry, AuditFilter, DeliveryFilter, EventFilter, NewEvent, Page, PersonRole, Pruned, Session, SessionId,
    Start, Store, StoreStats,
};

async fn left(world: &World) -> Vec<EventId> {
    let events = world
        .store
        .events(&EventFilter::of(world.environment), Page::first(100))
        .await
        .done();
    events.into_iter().rev().map(|event| event.id).collect()
}

/// A round of pruning removes the oldest up to its limit, and says whether there is more.
pub async fn a_round_of_pruning_removes_the_oldest_up_to_its_limit(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    other.publish(at(0), &[]).await;
    let mut ids = Vec::new();
    for seconds in 1..=5 {
        ids.push(world.publish(at(seconds), &[]).await);
    }
    let prune = async |before, limit| store.prune(world.environment, before, limit).await.done();
    assert_eq!(
        prune(at(1), 10).await,
        Pruned { events: 0, more: false },
        "accepted then, not before"
    );
    assert_eq!(prune(at_ms(1_001), 10).await, Pruned { events: 1, more: false });
    assert_eq!(left(&world).await, ids[1..]);
    assert_eq!(prune(at(5), 2).await, Pruned { events: 2, more: true });
    assert_eq!(left(&world).await, ids[3..]);
    assert_eq!(prune(at(5), 0).await, Pruned { events: 0, more: true });
    assert_eq!(
        prune(at(5), 1).await,
        Pruned { events: 1, more: false },
        "what is left is too young"
    );
    assert_eq!(left(&world).await, ids[4..]);
    assert_eq!(left(&other).await.len(), 1);
    assert_eq!(store.prune(environment_id(9), at(9), 10).await.done(), Pruned::default());
}

/// An event with something pending stays, whatever its age; those that are finished go past it.
pub async fn what_is_pending_is_not_pruned(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    let retried = world.publish(at(1), &[webhook, webhook]).await;
    let both = world.lease(webhook, at(1), 10).await.deliveries;
    let settlements = vec![
        settlement(&both[0], Verdict::Delivered, at(2)),
        settlement(&both[1], Verdict::RetryAt(at(50)), at(2)),
    ];
    store.settle(settlements.into()).await.done();
    let resent = world.publish(at(3), &[webhook]).await;
    world.attempt(webhook, Verdict::Exhausted, at(3)).await;
    store.resend(world.environment, nth(resent, 0), at(4)).await.done().done();
    let finished = world.publish(at(5), &[]).await;
    assert_eq!(left(&world).await, [retried, resent, finished]);

    let prune = async |limit| store.prune(world.environment, at(99), limit).await.done();
    assert_eq!(prune(1).await, Pruned { events: 1, more: false });
    assert_eq!(left(&world).await, [retried, resent]);
    for leased in world.lease(webhook, at(50), 10).await.deliveries {
        world.settle(settlement(&leased, Verdict::Exhausted, at(51))).await;
    }
    assert_eq!(prune(1).await, Pruned { events: 1, more: true });
    assert_eq!(left(&world).await, [resent]);
    assert_eq!(prune(1).await, Pruned { events: 1, more: false });
}

/// A pruned event takes its deliveries along, and no other's; health stays.
pub async fn a_pruned_event_takes_its_deliveries_along(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    let mut events = Vec::new();
    for seconds in [1, 2] {
        events.push(world.publish(at(seconds), &[webhook]).await);
        world.attempt(webhook, Verdict::Exhausted, at(seconds)).await;
    }
    assert_eq!(store.prune(world.environment, at(2), 10).await.done().events, 1);
    assert!(store.event(world.environment, events[0]).await.done().is_none());
    assert!(store.delivery(world.environment, nth(events[0], 0), at(9)).await.done().is_none());
    assert_eq!(
        store
            .delivery(world.environment, nth(events[1], 0), at(9))
            .await
            .done()
            .done()
            .attempts
            .len(),
        1
    );
    for filter in [
        DeliveryFilter::of(world.environment),
        DeliveryFilter {
            webhook: Some(webhook),
            ..DeliveryFilter::of(world.environment)
        },
    ] {
        assert_eq!(store.count_deliveries(&filter, 10).await.done(), 1);
    }
    assert!(store.resend(world.environment, nth(events[0], 0), at(9)).await.done().is_err());
    assert_eq!(store.webhook(world.environment, webhook).await.done().done().health.attempts, 2);
}

/// Expired keys are forgotten up to the limit; the others stay in force.
pub async fn expired_keys_are_forgotten(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    for (world, key, expires_at) in [
        (&world, "a", at(10)),
        (&world, "b", at(20)),
        (&other, "a", at(20)),
        (&world, "c", at(30)),
    ] {
        let event = NewEvent {
            idempotency: Some(idempotency(key, 1, expires_at)),
            ..world.event(at(1), &[]).await
        };
        world.append(event).await;
    }
    let forget = async |when, limit| store.forget_keys(when, limit).await.done();
    assert_eq!(forget(at_ms(9_999), 10).await, 0);
    assert_eq!(forget(at(10), 10).await, 1);
    assert_eq!(forget(at(20), 0).await, 0);
    assert_eq!(forget(at(20), 1).await, 1);
    assert_eq!(forget(at(20), 10).await, 1);
    assert_eq!(forget(at(20), 10).await, 0);
    let again = NewEvent {
        idempotency: Some(idempotency("c", 1, at(99))),
        ..world.event(at(29), &[]).await
    };
    assert!(!world.append(again).await.fresh, "a key that had not expired was forgotten");
    assert_eq!(forget(at(30), 10).await, 1, "a repetition does not keep a key alive");
}

/// Of sessions, audit entries and activity, each has its own time and at most the limit goes; the answer counts all of them.
pub async fn history_is_forgotten_up_to_a_limit_of_each_kind(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    store
        .create_person(&person("zoe@example.com", PersonRole::Owner))
        .await
        .done()
        .done();
    for number in 1..=3_u8 {
        let seconds = i64::from(number);
        let session = Session {
            id: SessionId([number; 32]),
            email: "zoe@example.com".to_owned(),
            created_at: at(0),
            seen_at: at(0),
            ends_at: at(seconds),
            agent: String::new(),
            address: String::new(),
        };
        assert!(store.create_session(&session).await.done());
        let entry = AuditEntry {
            at: at(seconds),
            actor: String::new(),
            action: String::new(),
            environment: None,
            target: String::new(),
            detail: String::new(),
        };
        store.record_audit(&entry).await.done();
        let span = Activity {
            environment: world.environment,
            webhook: None,
            from: at(seconds),
            counts: ActivityCounts::default(),
        };
        store.add_activity(vec![span]).await.done();
    }
    let left = async || {
        (
            store.sessions(None, at(0)).await.done().len(),
            store.audit(&AuditFilter::default(), Page::first(10)).await.done().len(),
            store.activity(world.environment, &[], at(0), at(9)).await.done().len(),
        )
    };
    let forget = async |at, audit, activity, limit| store.forget_history(at, audit, activity, limit).await.done();
    assert_eq!(
        forget(at_ms(999), at(1), at(1), 10).await,
        0,
        "an end is over at its time, the others are as old as theirs"
    );
    assert_eq!(forget(at(1), at(0), at(0), 10).await, 1);
    assert_eq!(left().await, (2, 3, 3));
    assert_eq!(forget(at(0), at_ms(1_001), at(0), 10).await, 1);
    assert_eq!(left().await, (2, 2, 3));
    assert_eq!(forget(at(0), at(0), at_ms(1_001), 10).await, 1);
    assert_eq!(left().await, (2, 2, 2));
    assert_eq!(forget(at(9), at(9), at(9), 0).await, 0);
    assert_eq!(forget(at(9), at(9), at(9), 1).await, 3);
    assert_eq!(left().await, (1, 1, 1));
    assert_eq!(forget(at(9), at(9), at(9), 10).await, 3);
    assert_eq!(left().await, (0, 0, 0));
}

/// What is pending is counted, and how much of it could have been leased for ten seconds or more.
pub async fn figures_count_what_is_pending_and_overdue(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    let (webhook, elsewhere) = (world.webhook(1).await, other.webhook(2).await);
    let stats = |pending, overdue| StoreStats { pending, overdue };
    assert_eq!(world.stats(at(0)).await, stats(0, 0));

    world.publish(at(1), &[webhook]).await;
    other.publish(at(1), &[elsewhere]).await;
    assert_eq!(world.stats(at_ms(10_999)).await, stats(2, 0));
    assert_eq!(world.stats(at(11)).await, stats(2, 2));

    let leased = world.lease_one(webhook, at(11)).await;
    assert_eq!(world.stats(at(12)).await, stats(2, 1), "one is leased");
    let end = at(11) + LEASE;
    assert_eq!(
        world.stats(at_ms(80_999)).await,
        stats(2, 1),
        "since {end} it could be leased again"
    );
    assert_eq!(world.stats(at(81)).await, stats(2, 2));
    world.settle(settlement(&leased, Verdict::RetryAt(at(500)), at(81))).await;
    assert_eq!(world.stats(at(82)).await, stats(2, 1), "one is to be retried");
    assert_eq!(world.stats(at(510)).await, stats(2, 2));
    other.attempt(elsewhere, Verdict::Delivered, at(83)).await;
    assert_eq!(world.stats(at(83)).await, stats(1, 0));
    let skip = Start::Skipped(tidings_model::CancelReason::WebhookDisabled);
    world.append(world.event(at(84), &[(webhook, skip)]).await).await;
    assert_eq!(world.stats(at(84)).await, stats(1, 0));
}
