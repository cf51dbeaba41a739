//! Webhooks: what is refused, what is sealed, what signs, what a test sends.

use std::time::Duration;

use tidings_app::keys::MasterKeys;
use tidings_app::testing::TestInput;
use tidings_app::waiting::Waiting;
use tidings_app::webhooks::{SecretChange, WebhookChange, WebhookDraft};
use tidings_app::{Code, Page, WebhookFilter};
use tidings_signing::MasterKey;
use tidings_store::Store;

use super::{event, fields};
use crate::support::{MASTER_KEY, World, app_with, draft};

#[tokio::test]
async fn everything_that_is_wrong_with_a_webhook_is_said_at_once() {
    let world = World::new().await;
    let wrong = WebhookDraft {
        name: "\u{7}".to_owned(),
        url: "http://receiver.test/".to_owned(),
        secret: SecretChange::Set("short".to_owned()),
        event_keys: vec!["frontegg.user.create".to_owned()],
        headers: vec![("Host".to_owned(), "x".to_owned())],
        tenant_id: Some("a b".to_owned()),
        ..draft()
    };
    let problem = world.app.create_webhook(&world.operator, wrong).await.unwrap_err();
    assert_eq!(problem.code, Code::Invalid);
    assert_eq!(fields(&problem), ["url", "name", "eventKeys", "headers", "secret", "tenantId"]);
    assert!(problem.detail.contains("did you mean frontegg.user.created"), "{problem}");
    let refused = WebhookDraft {
        url: "https://forbidden.test/".to_owned(),
        ..draft()
    };
    assert_eq!(
        fields(&world.app.create_webhook(&world.operator, refused).await.unwrap_err()),
        ["url"]
    );
    assert!(
        world
            .app
            .webhooks(&world.operator, WebhookFilter::default(), Page::first(10))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_generated_secret_is_shown_once_and_kept_sealed() {
    let world = World::new().await;
    let made = world
        .app
        .create_webhook(
            &world.operator,
            WebhookDraft {
                secret: SecretChange::Generate,
                ..draft()
            },
        )
        .await
        .unwrap();
    let secret = made.generated.unwrap();
    assert!(secret.starts_with("whsec_"));
    let stored = world
        .store
        .webhook(world.operator.environment(), made.saved.webhook.id)
        .await
        .unwrap()
        .unwrap()
        .webhook;
    let sealed = &stored.secrets.current.as_ref().unwrap().0;
    assert!(
        !sealed
            .windows(8)
            .any(|window| secret.as_bytes().windows(8).any(|part| part == window))
    );
    assert_eq!(world.app.unseal(&world.operator, &stored).unwrap().secret, Some(secret));
}

#[tokio::test]
async fn after_a_rotation_both_secrets_sign_until_the_overlap_ends() {
    let world = World::new().await;
    let made = world
        .app
        .create_webhook(
            &world.operator,
            WebhookDraft {
                secret: SecretChange::Generate,
                ..draft()
            },
        )
        .await
        .unwrap();
    world
        .app
        .rotate_secret(
            &world.operator,
            made.saved.webhook.id,
            SecretChange::Generate,
            Some(Duration::from_secs(60)),
        )
        .await
        .unwrap();

    let mut signatures = Vec::new();
    for _ in 0..2 {
        world
            .app
            .publish(&world.operator, event("frontegg.user.created", "{}"), None)
            .await
            .unwrap();
        while world.network.got.lock().len() == signatures.len() {
            tokio::task::yield_now().await;
        }
        let header = world
            .network
            .got
            .lock()
            .last()
            .unwrap()
            .headers
            .iter()
            .find(|(name, _)| name == "webhook-signature")
            .unwrap()
            .1
            .clone();
        signatures.push(header.split(' ').count());
        world.clock.advance(Duration::from_secs(61));
    }
    assert_eq!(signatures, [2, 1]);
}

#[tokio::test]
async fn a_test_sends_the_example_and_passes_with_200() {
    let world = World::new().await;
    let input = TestInput {
        url: "https://receiver.test/hook".to_owned(),
        secret: Some("correct-horse".to_owned()),
        event_key: Some("frontegg.user.created".to_owned()),
        ..TestInput::default()
    };
    let report = world.app.test(&world.operator, input).await.unwrap();
    assert!(report.passed, "{}", report.summary());
    let sent = world.network.got.lock()[0].clone();
    assert_eq!(sent.body, report.request_body);
    assert!(sent.headers.iter().any(|(name, _)| name == "x-webhook-secret"));
    let body: serde_json::Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(body["eventKey"], "frontegg.user.created");
    assert!(body["user"]["email"].is_string());
}

#[tokio::test]
async fn a_draft_that_is_only_checked_is_refused_in_the_same_words_and_saved_never() {
    let world = World::new().await;
    let wrong = WebhookDraft {
        url: "ftp://receiver.test/".to_owned(),
        secret: SecretChange::Set("short".to_owned()),
        ..draft()
    };
    let checked = world.app.check_webhook(&world.operator, wrong.clone()).await.unwrap_err();
    assert_eq!(checked, world.app.create_webhook(&world.operator, wrong).await.unwrap_err());
    world.app.check_webhook(&world.operator, draft()).await.unwrap();
    let all = world.app.webhooks(&world.operator, WebhookFilter::default(), Page::first(10)).await;
    assert!(all.unwrap().is_empty());
}

#[tokio::test]
async fn a_change_made_from_an_old_reading_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let made = world.app.create_webhook(&world.operator, draft()).await.unwrap().saved.webhook;
    let named = |name: &str, read: &tidings_model::Webhook| WebhookChange {
        name: Some(name.to_owned()),
        unchanged_since: Some(read.updated_at),
        ..WebhookChange::default()
    };
    let first = world
        .app
        .change_webhook(&world.operator, made.id, named("first", &made))
        .await
        .unwrap();
    let late = world.app.change_webhook(&world.operator, made.id, named("second", &made)).await;
    assert_eq!(late.unwrap_err().code, Code::Conflict);
    let now = world.app.webhook(&world.operator, made.id).await.unwrap().webhook;
    assert_eq!(now.name, "first");
    let knowing = named("second", &first.saved.webhook);
    let saved = world.app.change_webhook(&world.operator, made.id, knowing).await.unwrap();
    assert_eq!(saved.saved.webhook.name, "second");
}

#[tokio::test]
async fn nothing_waits_for_a_webhook_that_was_never_sent_anything() {
    let world = World::new().await;
    let made = world.app.create_webhook(&world.operator, draft()).await.unwrap().saved.webhook;
    let waiting = world.app.waiting(&world.operator, made.id).await.unwrap();
    assert_eq!(waiting, Waiting::default());
    assert_eq!(
        world.app.waiting(&world.stranger().await, made.id).await.unwrap(),
        Waiting::default()
    );
}

#[tokio::test]
async fn webhooks_that_are_made_in_the_same_millisecond_have_ids_of_their_own() {
    let world = World::new().await;
    for _ in 0..1_000 {
        world.app.create_webhook(&world.operator, draft()).await.unwrap();
    }
    let held = world.store.environment_holds(world.operator.environment()).await.unwrap().unwrap();
    assert_eq!(held.webhooks, 1_000);
}

#[tokio::test]
async fn two_nodes_that_come_upon_the_same_id_make_two_webhooks() {
    let world = World::new().await;
    let keys = MasterKeys::given(MasterKey::from_bytes(MASTER_KEY));
    // Of the same time and the same chance: it comes upon the ids that the first one comes upon.
    let twin = app_with(keys, &world.store, &world.clock, &world.network, &world.tasks).await;
    let first = world.app.create_webhook(&world.operator, draft()).await.unwrap().saved.webhook;
    let second = twin.create_webhook(&world.operator, draft()).await.unwrap().saved.webhook;
    assert_ne!(first.id, second.id);
    for made in [first, second] {
        let id = made.id;
        let found = world.store.webhook(made.environment, id).await.unwrap().unwrap();
        assert_eq!(found.webhook, made);
    }
}
