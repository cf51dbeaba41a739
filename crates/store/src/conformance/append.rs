//! Appending: ids, the routing version, how deliveries begin.

use std::sync::Arc;

use bytes::Bytes;
use tidings_model::{CancelReason, Delivery, DeliveryState, Event, EventBody, EventId, Trigger};

use super::world::{Done, LEASE, World, at, at_ms, environment_id, key, nth, tenant};
use crate::{AppendRefusal, Appended, EventFilter, NewEvent, Page, Start, Store};

const fn written(event: EventId, deliveries: u32) -> Appended {
    Appended {
        event,
        fresh: true,
        deliveries,
    }
}

async fn count(world: &World) -> usize {
    world
        .store
        .events(&EventFilter::of(world.environment), Page::first(100))
        .await
        .done()
        .len()
}

/// Ids are those of one `EventIdSequence`: they ascend whatever the clock does, over all environments.
pub async fn ids_ascend_and_begin_with_the_time(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    assert_eq!(world.publish(at(10), &[]).await, EventId::new(at(10), 0));
    assert_eq!(other.publish(at(10), &[]).await, EventId::new(at(10), 1));
    assert_eq!(world.publish(at(5), &[]).await, EventId::new(at(10), 2), "the clock went back");
    assert_eq!(world.publish(at_ms(10_001), &[]).await, EventId::new(at_ms(10_001), 0));
}

/// An id is given out once, also when its event and all others were pruned and the clock goes back.
pub async fn ids_are_not_given_out_again_after_pruning(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    world.publish(at(10), &[]).await;
    assert_eq!(store.prune(world.environment, at(11), 10).await.done().events, 1);
    assert_eq!(world.publish(at(10), &[]).await, EventId::new(at(10), 1));
    assert_eq!(store.prune(world.environment, at(11), 10).await.done().events, 1);
    assert_eq!(world.publish(at(3), &[]).await, EventId::new(at(10), 2));
}

/// When the 32,768 numbers of a millisecond are used up, the next millisecond begins early.
pub async fn a_millisecond_that_is_used_up_lends_from_the_next(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let event = world.event(at(0), &[]).await;
    let answers = store.append(vec![event.clone(); 32_769]).await.done();
    assert_eq!(answers[32_767], Ok(written(EventId::new(at(0), 32_767), 0)));
    assert_eq!(answers[32_768], Ok(written(EventId::new(at_ms(1), 0), 0)));
    assert_eq!(world.publish(at_ms(1), &[]).await, EventId::new(at_ms(1), 1));
}

/// An event comes back as it was given, its body byte by byte.
pub async fn an_event_comes_back_whole(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let bare = world.event(at(1), &[]).await;
    let full = NewEvent {
        key: key("order.Paid-2_x"),
        tenant: Some(tenant("tenant-ß")),
        user: Some("user-1".to_owned()),
        application: Some("app-1".to_owned()),
        body: Bytes::from_static(b"{\"a\":\"\xc3\xa9\"}\x00\xff"),
        ..bare.clone()
    };
    let as_event = |id: EventId, new: NewEvent| Event {
        id,
        environment: new.environment,
        key: new.key,
        tenant: new.tenant,
        user: new.user,
        application: new.application,
        body: EventBody::Whole(new.body),
    };
    for new in [bare, full] {
        let id = world.append(new.clone()).await.event;
        assert_eq!(store.event(world.environment, id).await.done(), Some(as_event(id, new)));
    }
    assert_eq!(store.event(world.environment, EventId::new(at(9), 0)).await.done(), None);
}

/// Each delivery begins as its target says, with the place of its target as ordinal.
pub async fn deliveries_begin_as_their_targets_say(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let (first, second) = (world.webhook(1).await, world.webhook(2).await);
    let skipped = [CancelReason::WebhookDisabled, CancelReason::WebhookDeleted, CancelReason::Gone];
    let mut targets = vec![(first, Start::Leased(world.grant(at(5)))), (second, Start::Due)];
    targets.extend(skipped.map(|why| (first, Start::Skipped(why))));
    let new = NewEvent {
        tenant: Some(tenant("acme")),
        trigger: Trigger::Test,
        ..world.event(at(5), &targets).await
    };
    let appended = world.append(new).await;
    assert_eq!(appended, written(EventId::new(at(5), 0), 5));

    let expected = |ordinal, webhook, state, leased| Delivery {
        id: nth(appended.event, ordinal),
        environment: world.environment,
        webhook,
        trigger: Trigger::Test,
        event_key: key("order.placed"),
        tenant: Some(tenant("acme")),
        state,
        attempts: 0,
        last_status: None,
        leased,
        created_at: at(5),
    };
    let pending = DeliveryState::Pending { next_attempt_at: at(5) };
    assert_eq!(
        world.delivery(nth(appended.event, 0), at(5)).await,
        expected(0, first, pending, true)
    );
    assert_eq!(
        world.delivery(nth(appended.event, 0), at(5) + LEASE).await,
        expected(0, first, pending, false)
    );
    assert_eq!(
        world.delivery(nth(appended.event, 1), at(5)).await,
        expected(1, second, pending, false)
    );
    for (ordinal, why) in (2..).zip(skipped) {
        let cancelled = DeliveryState::Cancelled { at: at(5), why };
        assert_eq!(
            world.delivery(nth(appended.event, ordinal), at(5)).await,
            expected(ordinal, first, cancelled, false)
        );
    }
    assert!(
        store
            .delivery(world.environment, nth(appended.event, 5), at(5))
            .await
            .done()
            .is_none()
    );
}

/// While the clock is behind the ids, deliveries are due at the caller's time: they do not wait for the clock to catch up.
pub async fn deliveries_are_due_from_the_callers_time_on(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    world.publish(at(100), &[]).await;
    let event = world.publish(at(5), &[webhook]).await;
    assert_eq!(event, EventId::new(at(100), 1));
    assert_eq!(
        world.delivery(nth(event, 0), at(5)).await.created_at,
        at(100),
        "made when the id says"
    );
    let leased = world.lease_one(webhook, at(5)).await;
    assert_eq!(leased.due_at, at(5));
}

/// Targets that were matched against another routing than the current one are refused, and take no id.
pub async fn a_stale_routing_is_refused_and_takes_no_id(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    let stale = world.event(at(1), &[]).await;
    world.webhook(1).await;
    assert_eq!(store.append(vec![stale.clone()]).await.done(), [Err(AppendRefusal::StaleRouting)]);
    let ahead = NewEvent {
        routing_version: stale.routing_version + 100,
        ..stale.clone()
    };
    assert_eq!(store.append(vec![ahead]).await.done(), [Err(AppendRefusal::StaleRouting)]);
    assert_eq!(count(&world).await, 0);

    assert_eq!(
        other.publish(at(1), &[]).await,
        EventId::new(at(1), 0),
        "another environment is not concerned"
    );
    let fresh = NewEvent {
        routing_version: world.version().await,
        ..stale
    };
    assert_eq!(world.append(fresh).await.event, EventId::new(at(1), 1));
}

/// In one call, what is refused does not keep the rest from being written, and the answers are in order.
pub async fn each_event_of_a_call_stands_for_itself(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    let webhook = world.webhook(1).await;
    let good = world.event(at(1), &[(webhook, Start::Due)]).await;
    let stale = NewEvent {
        routing_version: good.routing_version + 1,
        ..good.clone()
    };
    let nowhere = NewEvent {
        environment: environment_id(9),
        ..good.clone()
    };
    let elsewhere = other.event(at(2), &[]).await;

    let answers = store.append(vec![good.clone(), stale, nowhere, elsewhere, good]).await.done();
    let expected = [
        Ok(written(EventId::new(at(1), 0), 1)),
        Err(AppendRefusal::StaleRouting),
        Err(AppendRefusal::NoEnvironment),
        Ok(written(EventId::new(at(2), 0), 0)),
        Ok(written(EventId::new(at(2), 1), 1)),
    ];
    assert_eq!(answers, expected);
    assert_eq!((count(&world).await, count(&other).await), (2, 1));
    assert_eq!(store.append(Vec::new()).await.done(), []);
}
