//! Environments, and the event types that they have of their own.

use std::future::{Future, poll_fn};
use std::task::Poll;

use tidings_app::environments::SettingsChange;
use tidings_app::event_types::EventTypeDraft;
use tidings_app::webhooks::WebhookDraft;
use tidings_app::{Code, Page, WebhookFilter};
use tidings_store::Store as _;

use super::event;
use crate::support::{World, draft};

#[tokio::test]
async fn a_custom_event_type_can_be_subscribed_and_its_schema_holds() {
    let world = World::new().await;
    let custom = EventTypeDraft {
        key: "order.placed".to_owned(),
        category: "Orders".to_owned(),
        example: Some("{\"orderId\":1}".to_owned()),
        schema: Some("{\"type\":\"object\",\"required\":[\"orderId\"]}".to_owned()),
        ..EventTypeDraft::default()
    };
    world.app.create_event_type(&world.operator, custom.clone()).await.unwrap();
    assert_eq!(
        world.app.create_event_type(&world.operator, custom.clone()).await.unwrap_err().code,
        Code::Conflict
    );
    let built_in = EventTypeDraft {
        key: "frontegg.user.created".to_owned(),
        ..custom
    };
    assert_eq!(
        world.app.create_event_type(&world.operator, built_in).await.unwrap_err().code,
        Code::Conflict
    );
    world
        .app
        .create_webhook(
            &world.operator,
            WebhookDraft {
                event_keys: vec!["Orders.*".to_owned()],
                ..draft()
            },
        )
        .await
        .unwrap();

    let accepted = world
        .app
        .publish(&world.operator, event("order.placed", "{\"orderId\":7}"), None)
        .await
        .unwrap();
    assert_eq!(accepted.deliveries, 1);
    let refused = world
        .app
        .publish(&world.operator, event("order.placed", "{\"id\":7}"), None)
        .await
        .unwrap_err();
    assert!(refused.detail.contains("orderId"), "{refused}");
    world.app.delete_event_type(&world.operator, "order.placed").await.unwrap();
    assert!(
        world
            .app
            .publish(&world.operator, event("order.placed", "{\"orderId\":7}"), None)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn copying_an_environment_takes_types_and_settings_and_leaves_webhooks() {
    let world = World::new().await;
    let stranger = world.stranger().await;
    let custom = EventTypeDraft {
        key: "order.placed".to_owned(),
        category: "Orders".to_owned(),
        ..EventTypeDraft::default()
    };
    world.app.create_event_type(&world.operator, custom).await.unwrap();
    world.app.create_webhook(&world.operator, draft()).await.unwrap();
    let from = world.operator.environment();
    let settings = SettingsChange {
        timeout_ms: Some(5_000),
        ..SettingsChange::default()
    };
    world.app.change_environment(&world.operator, from, None, settings).await.unwrap();

    let report = world
        .app
        .copy_environment(&world.operator, from, stranger.environment())
        .await
        .unwrap();

    assert_eq!(
        (report.event_types_copied.len(), report.webhooks_left, report.credentials_left),
        (1, 1, 1)
    );
    assert!(world.app.event_type(&stranger, "order.placed").is_ok());
    assert!(
        world
            .app
            .webhooks(&stranger, WebhookFilter::default(), Page::first(10))
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        world
            .app
            .environment(&stranger, stranger.environment())
            .await
            .unwrap()
            .settings
            .timeout_ms,
        5_000
    );
}

#[tokio::test]
async fn an_environment_that_holds_something_is_deleted_only_by_force() {
    let world = World::new().await;
    let stranger = world.stranger().await;
    let refused = world
        .app
        .delete_environment(&world.operator, stranger.environment(), false)
        .await
        .unwrap_err();
    assert_eq!(refused.code, Code::Conflict);
    assert!(refused.detail.contains("1 credential"), "{refused}");
    world
        .app
        .delete_environment(&world.operator, stranger.environment(), true)
        .await
        .unwrap();
    assert!(
        world
            .app
            .webhooks(&stranger, WebhookFilter::default(), Page::first(1))
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(world.app.environments(&world.operator).await.unwrap().len(), 1);
}

/// Whoever asks may go at any step: the deletion is broken off after each number of waits that it can come to.
#[tokio::test]
async fn credentials_of_a_deleted_environment_are_refused_also_when_nobody_waits_for_its_end() {
    /// What a task may do before the runtime makes it wait.
    const BUDGET: usize = 128;
    let mut gone = 0;
    for waits in 0..8 {
        let world = World::new().await;
        let caller = world.stranger().await;
        let environment = caller.environment();
        let credentials = world.app.credentials(&world.operator, environment).await.unwrap();
        tokio::task::yield_now().await; // with a full budget
        let mut deleting = Box::pin(world.app.delete_environment(&world.operator, environment, true));
        for _ in 0..BUDGET - waits {
            tokio::task::coop::consume_budget().await;
        }
        poll_fn(|context| Poll::Ready(deleting.as_mut().poll(context).is_ready())).await;
        drop(deleting);
        world.tasks.shutdown().begin();
        world.tasks.ended().await;
        let left = world.store.environments().await.unwrap();
        let is_left = left.iter().any(|left| left.id == environment);
        let minted = world.app.tenant_token(&caller, "acme".parse().unwrap(), None, None).unwrap();
        assert_eq!(
            world.app.authenticate_token(&minted.token).is_ok(),
            is_left,
            "{waits} waits, {credentials:?}"
        );
        gone += usize::from(!is_left);
    }
    assert!(gone > 0, "none was deleted");
}
