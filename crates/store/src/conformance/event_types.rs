//! The event types that environments add.

use std::sync::Arc;

use super::world::{Done, World, at, environment_id, event_type, key};
use crate::{CreateEventTypeError, CustomEventType, Store};

async fn of(world: &World) -> Vec<CustomEventType> {
    world.store.routing(world.environment).await.done().done().event_types
}

/// Event types come back whole, by key.
pub async fn event_types_come_by_key(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let shipped = event_type("order.shipped");
    let bare = CustomEventType {
        category: "Zoll".to_owned(),
        example: None,
        schema: None,
        created_at: at(9),
        ..event_type("order.paid")
    };
    store.create_event_type(world.environment, &shipped).await.done().done();
    store.create_event_type(world.environment, &bare).await.done().done();
    assert_eq!(of(&world).await, [bare, shipped]);
}

/// A key is unique in its environment, case counts, and other environments are not concerned.
pub async fn a_key_is_taken_in_one_environment_alone(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    let first = event_type("order.paid");
    store.create_event_type(world.environment, &first).await.done().done();

    let again = CustomEventType {
        description: "Another.".to_owned(),
        ..event_type("order.paid")
    };
    assert_eq!(
        store.create_event_type(world.environment, &again).await.done(),
        Err(CreateEventTypeError::KeyTaken)
    );
    assert_eq!(
        store.create_event_type(environment_id(9), &again).await.done(),
        Err(CreateEventTypeError::NoEnvironment)
    );
    assert_eq!(of(&world).await, [first], "the refused one left a trace");

    store.create_event_type(other.environment, &again).await.done().done();
    store
        .create_event_type(world.environment, &event_type("order.Paid"))
        .await
        .done()
        .done();
    assert_eq!(of(&world).await.len(), 2);
}

/// An event type is removed from its own environment, once, and its key is free.
pub async fn an_event_type_is_removed_from_its_environment_alone(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    for world in [&world, &other] {
        store
            .create_event_type(world.environment, &event_type("order.paid"))
            .await
            .done()
            .done();
    }
    assert!(!store.delete_event_type(world.environment, &key("order.lost")).await.done());
    assert!(!store.delete_event_type(environment_id(9), &key("order.paid")).await.done());
    assert!(store.delete_event_type(world.environment, &key("order.paid")).await.done());
    assert!(!store.delete_event_type(world.environment, &key("order.paid")).await.done());
    assert_eq!((of(&world).await.len(), of(&other).await.len()), (0, 1));
    store
        .create_event_type(world.environment, &event_type("order.paid"))
        .await
        .done()
        .done();
}
