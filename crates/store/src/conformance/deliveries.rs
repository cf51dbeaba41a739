//! Lists of deliveries, and their counts.

use std::sync::Arc;

use tidings_model::delivery::StatusFilter;
use tidings_model::{CancelReason, DeliveryId, EventId, Verdict, WebhookId};

use super::world::{Done, World, at, at_ms, key, nth, page, tenant, webhook};
use crate::{DeliveryFilter, NewEvent, Page, Start, Store};

/// A filter of the deliveries of a world.
fn narrowed(world: &World, narrow: impl FnOnce(&mut DeliveryFilter)) -> DeliveryFilter {
    let mut filter = DeliveryFilter::of(world.environment);
    narrow(&mut filter);
    filter
}

async fn listed(world: &World, filter: &DeliveryFilter, page: Page<DeliveryId>) -> Vec<DeliveryId> {
    let deliveries = world.store.deliveries(filter, page, at(0)).await.done();
    deliveries.into_iter().map(|delivery| delivery.id).collect()
}

/// The deliveries that a filter admits; they are as many as are counted.
async fn found(world: &World, narrow: impl FnOnce(&mut DeliveryFilter)) -> Vec<DeliveryId> {
    let filter = narrowed(world, narrow);
    let found = listed(world, &filter, Page::first(100)).await;
    assert_eq!(world.store.count_deliveries(&filter, 100).await.done(), found.len(), "{filter:?}");
    found
}

/// Deliveries are listed newest first, by event and then by ordinal, also from a cursor amid an event, and alike whatever narrows the list.
pub async fn deliveries_are_listed_newest_first_by_pages(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let mut owned = webhook(world.environment, 1);
    owned.tenant = Some(tenant("acme"));
    let (one, two) = (world.add(owned).await, world.webhook(2).await);
    let mut ids = Vec::new();
    for seconds in [1, 2, 3] {
        let event = world.publish(at(seconds), &[one, two, one]).await;
        ids.extend((0..3).map(|ordinal| nth(event, ordinal)));
    }
    let again = store.resend(world.environment, ids[0], at(9)).await.done().done().id;
    ids.insert(3, again);
    ids.reverse();
    let of_one: Vec<_> = ids.iter().copied().filter(|id| id.ordinal != 1).collect();

    let filters = [
        (&ids, narrowed(&world, |_| {})),
        (&ids, narrowed(&world, |filter| filter.status = Some(StatusFilter::Pending))),
        (&of_one, narrowed(&world, |filter| filter.webhook = Some(one))),
        (&of_one, narrowed(&world, |filter| filter.owner = Some(tenant("acme")))),
    ];
    for (expected, filter) in filters {
        let listed = async |page| listed(&world, &filter, page).await;
        assert_eq!(listed(Page::first(20)).await, **expected, "{filter:?}");
        assert_eq!(listed(Page::first(4)).await, expected[..4], "{filter:?}");
        for cursor in 0..expected.len() {
            let end = expected.len().min(cursor + 4);
            let rows = listed(page(Some(expected[cursor]), 0, 3)).await;
            assert_eq!(rows, expected[cursor + 1..end], "after row {cursor} of {filter:?}");
        }
        assert_eq!(listed(page(Some(expected[1]), 2, 2)).await, expected[4..6], "{filter:?}");
        assert_eq!(listed(page(None, 2, 0)).await, [], "{filter:?}");
        assert_eq!(listed(page(None, 99, 9)).await, [], "{filter:?}");
    }
}

/// Deliveries in every state there is, the way each came about, oldest first.
struct Life {
    world: World,
    webhook: WebhookId,
    delivered: DeliveryId,
    exhausted: DeliveryId,
    skipped: DeliveryId,
    gone: DeliveryId,
    retrying: DeliveryId,
    leased: DeliveryId,
    scheduled: DeliveryId,
}

async fn life(store: &Arc<dyn Store>) -> Life {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    let attempted = async |seconds, verdict| {
        let event = world.publish(at(seconds), &[webhook]).await;
        world.attempt(webhook, verdict, at(seconds)).await;
        nth(event, 0)
    };
    let delivered = attempted(1, Verdict::Delivered).await;
    let exhausted = attempted(2, Verdict::Exhausted).await;
    let skip = Start::Skipped(CancelReason::WebhookDisabled);
    let skipped = nth(world.append(world.event(at(3), &[(webhook, skip)]).await).await.event, 0);
    let gone = attempted(4, Verdict::Cancel(CancelReason::Gone)).await;
    let retrying = attempted(5, Verdict::RetryAt(at(9_000))).await;
    let leased = nth(world.publish(at(6), &[webhook]).await, 0);
    world.lease_one(webhook, at(6)).await;
    let scheduled = nth(world.publish(at(7), &[webhook]).await, 0);
    Life {
        world,
        webhook,
        delivered,
        exhausted,
        skipped,
        gone,
        retrying,
        leased,
        scheduled,
    }
}

/// Deliveries are narrowed by state, and by whether there was an attempt, alone and together with the webhook.
pub async fn deliveries_are_narrowed_by_state(store: &Arc<dyn Store>) {
    let life = life(store).await;
    for webhook in [None, Some(life.webhook)] {
        let found = async |status, attempted| {
            let narrow = |filter: &mut DeliveryFilter| {
                (filter.webhook, filter.status, filter.attempted) = (webhook, status, attempted);
            };
            found(&life.world, narrow).await
        };
        assert_eq!(found(Some(StatusFilter::Delivered), false).await, [life.delivered]);
        assert_eq!(found(Some(StatusFilter::Exhausted), false).await, [life.exhausted]);
        assert_eq!(found(Some(StatusFilter::Cancelled), false).await, [life.gone, life.skipped]);
        assert_eq!(
            found(Some(StatusFilter::Pending), false).await,
            [life.scheduled, life.leased, life.retrying]
        );
        assert_eq!(found(Some(StatusFilter::Retrying), false).await, [life.retrying]);
        assert_eq!(found(None, true).await, [life.retrying, life.gone, life.exhausted, life.delivered]);
        assert_eq!(found(Some(StatusFilter::Cancelled), true).await, [life.gone]);
        assert_eq!(found(Some(StatusFilter::Pending), true).await, [life.retrying]);
        assert_eq!(found(None, false).await.len(), 7);
    }
}

/// Deliveries are narrowed by what is known of their event and of their webhook.
pub async fn deliveries_are_narrowed_by_event_and_webhook(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let (open, owned, [one, two, three]) = three_events(&world).await;
    let both = |event| [nth(event, 1), nth(event, 0)];
    let acme = || Some(tenant("acme"));

    assert_eq!(
        found(&world, |filter| filter.webhook = Some(open)).await,
        [three, two, one].map(|event| nth(event, 0))
    );
    assert_eq!(
        found(&world, |filter| filter.webhook = Some(owned)).await,
        [three, two, one].map(|event| nth(event, 1))
    );
    assert_eq!(
        found(&world, |filter| filter.owner = acme()).await,
        [three, two, one].map(|event| nth(event, 1))
    );
    assert_eq!(found(&world, |filter| filter.owner = Some(tenant("rival"))).await, []);
    assert_eq!(found(&world, |filter| filter.event = Some(two)).await, both(two));
    assert_eq!(found(&world, |filter| filter.event_key = Some(key("order.paid"))).await, both(two));
    assert_eq!(found(&world, |filter| filter.tenant = acme()).await, both(one));
    assert_eq!(found(&world, |filter| filter.from = Some(at_ms(2_001))).await, both(three));
    assert_eq!(found(&world, |filter| filter.until = Some(at(2))).await, both(one));
    let second = |filter: &mut DeliveryFilter| (filter.from, filter.until) = (Some(at(2)), Some(at_ms(2_001)));
    assert_eq!(found(&world, second).await, both(two));
}

/// Of a filter, everything that is given has to hold.
pub async fn everything_that_a_filter_says_has_to_hold(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let (open, owned, [one, two, _]) = three_events(&world).await;
    let everything = |change: fn(&mut DeliveryFilter, WebhookId)| {
        move |filter: &mut DeliveryFilter| {
            (filter.webhook, filter.owner) = (Some(owned), Some(tenant("acme")));
            (filter.event, filter.event_key, filter.tenant) = (Some(two), Some(key("order.paid")), Some(tenant("rival")));
            (filter.from, filter.until) = (Some(at(2)), Some(at(3)));
            filter.status = Some(StatusFilter::Pending);
            change(filter, open);
        }
    };
    assert_eq!(found(&world, everything(|_, _| {})).await, [nth(two, 1)]);
    assert_eq!(
        found(&world, everything(|filter, open| filter.webhook = Some(open))).await,
        [],
        "not the tenant's own"
    );
    assert_eq!(
        found(&world, everything(|filter, _| filter.owner = Some(tenant("rival")))).await,
        []
    );
    assert_eq!(
        found(&world, everything(|filter, _| filter.event_key = Some(key("order.placed")))).await,
        []
    );
    assert_eq!(
        found(&world, everything(|filter, _| filter.tenant = Some(tenant("acme")))).await,
        []
    );
    assert_eq!(
        found(&world, everything(|filter, _| filter.status = Some(StatusFilter::Delivered))).await,
        []
    );
    assert_eq!(found(&world, everything(|filter, _| filter.from = Some(at(3)))).await, []);
    assert_eq!(found(&world, everything(|filter, _| filter.until = Some(at(2)))).await, []);
    assert_eq!(found(&world, everything(|filter, _| filter.attempted = true)).await, []);
    let of_another_event = |filter: &mut DeliveryFilter| {
        everything(|_, _| {})(filter);
        filter.event = Some(one);
    };
    assert_eq!(found(&world, of_another_event).await, []);
}

/// An open webhook and one of the tenant `acme`, and three events to both: of `acme`, of `rival` with a key of its own, of nobody.
async fn three_events(world: &World) -> (WebhookId, WebhookId, [EventId; 3]) {
    let mut owned = webhook(world.environment, 2);
    owned.tenant = Some(tenant("acme"));
    let (open, owned) = (world.webhook(1).await, world.add(owned).await);
    let three = world.event(at(3), &[(open, Start::Due), (owned, Start::Due)]).await;
    let (mut one, mut two) = (three.clone(), three.clone());
    (one.at, one.tenant) = (at(1), Some(tenant("acme")));
    (two.at, two.tenant, two.key) = (at(2), Some(tenant("rival")), key("order.paid"));
    let append = async |event: NewEvent| world.append(event).await.event;
    (open, owned, [append(one).await, append(two).await, append(three).await])
}

/// What a tenant may see of the log stays when its webhook is deleted.
pub async fn a_deleted_webhook_keeps_its_log_and_its_owner(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let (open, owned, events) = three_events(&world).await;
    for webhook in [owned, open] {
        assert!(store.delete_webhook(world.environment, webhook, at(2)).await.done());
    }
    let newest_first = |ordinal| [2, 1, 0].map(|place: usize| nth(events[place], ordinal));
    assert_eq!(found(&world, |filter| filter.owner = Some(tenant("acme"))).await, newest_first(1));
    assert_eq!(found(&world, |filter| filter.webhook = Some(open)).await, newest_first(0));
    assert_eq!(found(&world, |_| {}).await.len(), 6);
    assert_eq!(world.delivery(nth(events[0], 1), at(2)).await.webhook, owned);
}

/// A count goes up to its cap.
pub async fn a_count_stops_at_its_cap(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let (one, two) = (world.webhook(1).await, world.webhook(2).await);
    world.publish(at(1), &[one, one, two]).await;
    let all = narrowed(&world, |_| {});
    for (cap, expected) in [(0, 0), (2, 2), (3, 3), (4, 3), (usize::MAX, 3)] {
        assert_eq!(store.count_deliveries(&all, cap).await.done(), expected, "up to {cap}");
    }
    let of_one = narrowed(&world, |filter| filter.webhook = Some(one));
    assert_eq!(store.count_deliveries(&of_one, 1).await.done(), 1);
    assert_eq!(store.count_deliveries(&of_one, 9).await.done(), 2);
}

/// No list shows anything of another environment, whatever it is narrowed by.
pub async fn no_list_shows_another_environment(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    let (_, owned, [event, ..]) = three_events(&world).await;
    assert_eq!(found(&other, |_| {}).await, []);
    assert_eq!(found(&other, |filter| filter.webhook = Some(owned)).await, []);
    assert_eq!(found(&other, |filter| filter.owner = Some(tenant("acme"))).await, []);
    assert_eq!(found(&other, |filter| filter.event = Some(event)).await, []);
    assert_eq!(found(&other, |filter| filter.tenant = Some(tenant("acme"))).await, []);
    assert_eq!(found(&other, |filter| filter.status = Some(StatusFilter::Pending)).await, []);
    let both = |filter: &mut DeliveryFilter| (filter.webhook, filter.status) = (Some(owned), Some(StatusFilter::Pending));
    assert_eq!(found(&other, both).await, []);
}
