//! A body whose bytes are not those that were accepted goes nowhere, and keeps nobody waiting.

use tidings_store::{EventFilter, LeaseGrant, LeaseToken, Page, Start, Store, StoreError};

use crate::world::{World, at, database, open};

#[tokio::test]
async fn an_event_whose_body_was_altered_is_neither_sent_nor_shown_and_the_others_are() {
    let (world, store) = World::new().await;
    let altered = world.append(&store, world.event(1, Start::Due)).await;
    let whole = world.append(&store, world.event(2, Start::Due)).await;
    store.close().await;
    rusqlite::Connection::open(database(world.path()))
        .unwrap()
        .execute(
            "UPDATE bodies SET body = CAST(replace(body, '1', '3') AS BLOB) WHERE event = ?1",
            [altered.raw()],
        )
        .unwrap();
    let store = open(world.path());

    let grant = LeaseGrant {
        token: LeaseToken(7),
        until: at(200),
    };
    let leased = store.lease_due(world.webhook, at(10), 10, grant).await.unwrap();
    let events: Vec<_> = leased.deliveries.iter().map(|leased| leased.id.event).collect();
    assert_eq!(events, [whole]);
    assert_eq!(leased.next_due, Some(at(200)), "it is looked at again when the lease has ended");

    assert!(store.event(world.environment, whole).await.unwrap().is_some());
    let shown = store.event(world.environment, altered).await;
    assert!(
        matches!(&shown, Err(StoreError::Damaged(what)) if what.contains(&altered.to_string())),
        "{shown:?}"
    );
    let listed = store.events(&EventFilter::of(world.environment), Page::first(10)).await;
    assert!(matches!(listed, Err(StoreError::Damaged(_))), "{listed:?}");
}
