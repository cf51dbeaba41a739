//! Environments, and the event types that they have of their own.

use tidings_app::environments::SettingsChange;
use tidings_app::event_types::EventTypeDraft;
use tidings_app::webhooks::WebhookDraft;
use tidings_app::{Code, Page, WebhookFilter};

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
