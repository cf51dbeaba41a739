//! Lists of events.

use std::sync::Arc;

use tidings_model::EventId;

use super::world::{Done, World, at, at_ms, key, page, tenant};
use crate::{EventFilter, NewEvent, Page, Store};

/// The events of a world that a filter admits.
async fn found(world: &World, narrow: impl FnOnce(&mut EventFilter), page: Page<EventId>) -> Vec<EventId> {
    let mut filter = EventFilter::of(world.environment);
    narrow(&mut filter);
    let events = world.store.events(&filter, page).await.done();
    events.into_iter().map(|event| event.id).collect()
}

/// Events are listed newest first; a page begins after its cursor and its skipped rows and ends at its limit.
pub async fn events_are_listed_newest_first_by_pages(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    let mut ids = Vec::new();
    for seconds in [1, 2, 2, 1, 3] {
        other.publish(at(seconds), &[]).await;
        ids.push(world.publish(at(seconds), &[]).await);
    }
    ids.reverse();
    let listed = async |page| found(&world, |_| {}, page).await;
    assert_eq!(listed(Page::first(10)).await, ids);
    assert_eq!(listed(Page::first(2)).await, ids[..2]);
    assert_eq!(listed(page(Some(ids[1]), 0, 2)).await, ids[2..4]);
    assert_eq!(listed(page(Some(ids[0]), 2, 9)).await, ids[3..]);
    assert_eq!(listed(page(Some(ids[4]), 0, 9)).await, []);
    assert_eq!(listed(Page::first(0)).await, []);
    let whole = store.events(&EventFilter::of(world.environment), Page::first(1)).await.done();
    assert_eq!(whole, [store.event(world.environment, ids[0]).await.done().done()]);
}

/// The event after so many others, of one environment, from the newest on or from another on.
pub async fn an_event_is_found_by_its_place(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    let mut ids = Vec::new();
    for seconds in [1, 2, 2, 3] {
        ids.push(world.publish(at(seconds), &[]).await);
        other.publish(at(seconds), &[]).await;
    }
    ids.reverse();
    let found = async |before, places| store.event_at(world.environment, before, places).await.done();
    assert_eq!(found(None, 0).await, Some(ids[0]));
    assert_eq!(found(None, 3).await, Some(ids[3]));
    assert_eq!(found(None, 4).await, None);
    assert_eq!(found(Some(ids[1]), 0).await, Some(ids[2]));
    assert_eq!(found(Some(ids[1]), 2).await, None);
}

/// Events are narrowed by key, tenant and time: from the first millisecond on, up to before the last.
pub async fn events_are_narrowed_by_key_tenant_and_time(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let placed = world.event(at(1), &[]).await;
    let (mut paid, mut rival) = (placed.clone(), placed.clone());
    (paid.at, paid.key, paid.tenant) = (at(2), key("order.paid"), Some(tenant("acme")));
    (rival.at, rival.tenant) = (at(3), Some(tenant("rival")));
    let append = async |event: NewEvent| world.append(event).await.event;
    let (placed, paid, rival) = (append(placed).await, append(paid).await, append(rival).await);

    let all = Page::first(10);
    assert_eq!(
        found(&world, |filter| filter.key = Some(key("order.placed")), all).await,
        [rival, placed]
    );
    assert_eq!(found(&world, |filter| filter.key = Some(key("order")), all).await, []);
    assert_eq!(found(&world, |filter| filter.tenant = Some(tenant("acme")), all).await, [paid]);
    assert_eq!(found(&world, |filter| filter.tenant = Some(tenant("ACME")), all).await, []);
    assert_eq!(found(&world, |filter| filter.from = Some(at(2)), all).await, [rival, paid]);
    assert_eq!(found(&world, |filter| filter.from = Some(at_ms(2_001)), all).await, [rival]);
    assert_eq!(found(&world, |filter| filter.until = Some(at(2)), all).await, [placed]);
    assert_eq!(found(&world, |filter| filter.until = Some(at_ms(2_001)), all).await, [paid, placed]);
    let both = |filter: &mut EventFilter| {
        (filter.from, filter.until, filter.key) = (Some(at(2)), Some(at(3)), Some(key("order.paid")));
    };
    assert_eq!(found(&world, both, all).await, [paid]);
    let with_tenant = |filter: &mut EventFilter| {
        both(filter);
        filter.tenant = Some(tenant("rival"));
    };
    assert_eq!(found(&world, with_tenant, all).await, []);
}
