//! Looking for what is rare.

use bytes::Bytes;
use tidings_app::look::{LOOK_EVENTS_MAX, LOOK_WEBHOOK_EVENTS_MAX};
use tidings_app::{DeliveryFilter, EventFilter, Page};
use tidings_model::{DeliveryId, EventId, Trigger, WebhookId};
use tidings_runtime::Clock;
use tidings_store::{NewEvent, Start, Store, Target};

use crate::support::World;

const RARE: &str = "order.rare";

/// Puts events into the log, each with a delivery that waits.
async fn log(world: &World, key: &str, events: usize) -> Vec<EventId> {
    let environment = world.operator.environment();
    let versions = world.store.routing_versions().await.unwrap();
    let routing_version = versions.into_iter().find(|(id, _)| *id == environment).unwrap().1;
    let event = NewEvent {
        environment,
        routing_version,
        key: key.parse().unwrap(),
        tenant: None,
        user: None,
        application: None,
        body: Bytes::from_static(b"{}"),
        at: world.clock.now(),
        idempotency: None,
        trigger: Trigger::Event,
        targets: vec![Target {
            webhook: WebhookId::new(world.clock.now(), 1),
            start: Start::Due,
        }],
    };
    let appended = world.store.append(vec![event; events]).await.unwrap();
    appended.into_iter().map(|appended| appended.unwrap().event).collect()
}

#[tokio::test]
async fn a_look_stops_after_so_many_events_and_goes_on_from_there() {
    let world = World::new().await;
    let rare = log(&world, RARE, 1).await[0];
    let common = log(&world, "order.placed", LOOK_EVENTS_MAX).await;
    let environment = world.operator.environment();
    let filter = || EventFilter {
        key: Some(RARE.parse().unwrap()),
        ..EventFilter::of(environment)
    };
    let look = async |before| {
        let page = Page { before, ..Page::first(10) };
        let looked = world.app.look_for_events(&world.operator, filter(), page).await.unwrap();
        let found: Vec<_> = looked.rows.iter().map(|event| event.id).collect();
        (found, looked.stopped.map(|stopped| stopped.at))
    };
    assert_eq!(look(None).await, (vec![], Some(common[0])), "it went through all the common ones");
    assert_eq!(look(Some(common[0])).await, (vec![rare], None));

    let one = WebhookId::new(world.clock.now(), 1);
    let deliveries = async |before: Option<EventId>, key: Option<&str>, webhook: Option<WebhookId>| {
        let filter = DeliveryFilter {
            webhook,
            event_key: key.map(|key| key.parse().unwrap()),
            ..DeliveryFilter::of(environment)
        };
        let before = before.map(|event| DeliveryId { event, ordinal: 0 });
        let page = Page { before, ..Page::first(10) };
        let looked = world.app.look_for_deliveries(&world.operator, filter, page).await.unwrap();
        (looked.rows.len(), looked.stopped.map(|stopped| stopped.at))
    };
    assert_eq!(deliveries(None, Some(RARE), None).await, (0, Some(common[0])));
    let edge = common[LOOK_EVENTS_MAX - LOOK_WEBHOOK_EVENTS_MAX];
    assert_eq!(deliveries(None, Some(RARE), Some(one)).await, (0, Some(edge)));
    assert_eq!(deliveries(Some(common[0]), Some(RARE), None).await, (1, None));
    assert_eq!(
        deliveries(None, Some("order.placed"), None).await,
        (10, None),
        "a full page goes on with its last row"
    );
    assert_eq!(deliveries(None, None, None).await, (10, None), "nothing is walked for");
}
