//! Publishing: what is accepted, once, and what is refused.

use std::time::Duration;

use tidings_app::publish::IdempotencyKey;
use tidings_app::{Code, Page};

use super::{event, fields};
use crate::support::World;

#[tokio::test]
async fn an_unknown_key_names_its_neighbours_and_stores_nothing() {
    let world = World::new().await;
    let problem = world
        .app
        .publish(&world.operator, event("frontegg.user.signedup", "{}"), None)
        .await
        .unwrap_err();
    assert_eq!((problem.code, fields(&problem)), (Code::Invalid, vec!["eventKey"]));
    assert!(problem.detail.contains("frontegg.user.signedUp"), "{problem}");
    let filter = tidings_app::EventFilter::of(world.operator.environment());
    assert!(world.app.events(&world.operator, filter, Page::first(10)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_payload_that_is_too_large_or_cannot_be_read_is_refused() {
    let world = World::new().await;
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(1_024));
    assert_eq!(
        world
            .app
            .publish(&world.operator, event("frontegg.user.created", &large), None)
            .await
            .unwrap_err()
            .code,
        Code::TooLarge
    );
    for payload in ["[]", "{\"a\":1,\"a\":2}", "{\"eventKey\":\"x\"}", "{"] {
        let problem = world
            .app
            .publish(&world.operator, event("frontegg.user.created", payload), None)
            .await
            .unwrap_err();
        assert_eq!((problem.code, fields(&problem)), (Code::Invalid, vec!["payload"]), "{payload}");
    }
}

#[tokio::test]
async fn the_same_key_and_bytes_give_the_same_event_and_other_bytes_a_conflict() {
    let world = World::new().await;
    let key = |request| Some(IdempotencyKey { key: "order-7", request });
    let first = world
        .app
        .publish(&world.operator, event("frontegg.user.created", "{}"), key(b"one"))
        .await
        .unwrap();
    let again = world
        .app
        .publish(&world.operator, event("frontegg.user.created", "{}"), key(b"one"))
        .await
        .unwrap();
    assert_eq!((first.fresh, again.fresh, first.event == again.event), (true, false, true));
    let other = world
        .app
        .publish(&world.operator, event("frontegg.user.created", "{}"), key(b"two"))
        .await
        .unwrap_err();
    assert_eq!(other.code, Code::Conflict);
    world.clock.advance(Duration::from_secs(24 * 3_600));
    let later = world
        .app
        .publish(&world.operator, event("frontegg.user.created", "{}"), key(b"two"))
        .await
        .unwrap();
    assert!(later.fresh, "a key is remembered for a day");
}

#[tokio::test]
async fn in_a_batch_each_event_stands_for_itself() {
    let world = World::new().await;
    let events = [
        event("frontegg.user.created", "{}"),
        event("no.such.key", "{}"),
        event("frontegg.user.deleted", "{}"),
    ];
    let answers = world.app.publish_batch(&world.operator, &events, None).await.unwrap();
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
}
